"""What a small input or a large number would make of memory is refused in one sentence, before anything is made."""

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae.generate import BUDGET_BYTES, check_count
from seqvae.model import load

Call = Callable[..., Result]
A, B = "the cook sees the pie .", "the dog eats the seal ."


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["sample", "RUN", "-n", 2**63], "n"),
        (["similar", "RUN", A, "-n", 10**12], "n"),
        (["interpolate", "RUN", A, B, "--steps", 10**12], "steps"),
        (["interpolate", "RUN", "--corners", A, B, A, B, "--grid", 10**9], "grid"),
    ],
    ids=["sample", "similar", "steps", "grid"],
)
def test_a_count_beyond_the_budget_of_memory_is_refused(
    arguments: list[object], name: str, seqvae: Call, run: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = seqvae(*(run if word == "RUN" else word for word in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{name}={arguments[-1]} is more than memory is used for at once (1 GiB, and each ")
    assert "give at most " in result.stderr
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "KiB"


def test_the_greatest_count_is_the_one_that_the_sentence_names(run: Path) -> None:
    each = 1024 + 4 * 8 * 10
    most = BUDGET_BYTES // each
    check_count("n", most, 10)
    with pytest.raises(ValueError, match=rf"n={most + 1} is .* each result takes 1 KiB\); give at most {most:,}, and"):
        check_count("n", most + 1, 10)
    check_count("grid", int(most**0.5), 10, squared=True)
    with pytest.raises(ValueError, match=rf"grid=.* give at most {int(most**0.5):,}, and other seeds"):
        check_count("grid", int(most**0.5) + 1, 10, squared=True)
    with pytest.raises(ValueError, match="more than memory is used for"):
        load(run, "cpu").sample(10**7)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reconstruct", "RUN", A, "--beam", 10**9], "beam=1000000000 is not possible; give 1 to 1000"),
        (
            ["evaluate", "RUN", "sentences.txt", "--importance-samples", 10**9],
            "importance_samples=1000000000 is not possible; give 1 to 100000",
        ),
    ],
    ids=["beam", "importance samples"],
)
def test_other_counts_have_a_greatest_value(
    arguments: list[object], sentence: str, seqvae: Call, run: Path, here: Path
) -> None:
    result = seqvae(*(run if word == "RUN" else word for word in arguments))
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", sentence)


@pytest.mark.parametrize("name", ["config.json", "manifest.json", "data.json"])
def test_a_pipe_or_a_deep_nest_in_a_run_is_refused(name: str, seqvae: Call, run: Path, here: Path) -> None:
    shutil.copytree(run, "copy")
    file = here / "copy" / name
    file.write_text('{"a": ' + "[" * 100_000)
    result = seqvae("info", "copy")
    assert result.exit_code == 2
    assert f"copy/{name} is " in result.stderr  # damaged, or nested too deeply
    file.unlink()
    os.mkfifo(file)
    assert seqvae("info", "copy").exit_code == 2, "nobody writes into the pipe, so reading it would never end"


@pytest.mark.parametrize("command", [["train", "text", "sentences.txt", "--out", "new"], ["inspect", "text", "fifo"]])
def test_a_recipe_that_never_ends_is_refused(command: list[str], seqvae: Call, here: Path) -> None:
    os.mkfifo(here / "fifo")
    for recipe in ("fifo", "/dev/zero"):
        result = seqvae(*command, "--recipe", recipe)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"recipe {recipe} is not a regular file; give a TOML file, or one of ")
    for name, content, kind in (("deep.json", '{"a": ', "JSON"), ("deep.toml", "a = ", "TOML")):
        (here / name).write_text(content + "[" * 100_000)
        result = seqvae(*command, "--recipe", name)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"{name} is not valid {kind}: it is nested too deeply; ")


@pytest.mark.parametrize("source", ["fifo", "/dev/zero"])
def test_data_that_can_be_read_once_only_are_refused(source: str, seqvae: Call, run: Path, here: Path) -> None:
    os.mkfifo(here / "fifo")
    sentence = f"{source} is not a regular file, and data are read several times; copy them to a file\n"
    for command in (["train", "text", source, "--out", "new"], ["inspect", "text", source], ["evaluate", run, source]):
        result = seqvae(*command)
        assert (result.exit_code, result.stderr) == (2, sentence)
    assert not Path("new").exists()
