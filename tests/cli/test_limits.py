"""What a small input or a large number would make of memory is refused in one sentence, before anything is made."""

import contextlib
import os
import resource
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from seqvae import pipes
from seqvae.generate import BUDGET_BYTES, check_count
from seqvae.model import load
from seqvae.runs.run import Run

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


def test_what_may_have_no_end_is_refused(seqvae: Call, run: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "WAIT_SECONDS", 0.0)
    os.mkfifo(here / "fifo")
    nobody = "nothing came through the pipe fifo, and nobody writes into it; start what writes, or give a file\n"
    device = "/dev/zero is no file and no folder, but a device or the like; give a file\n"
    for source, sentence in (("fifo", nobody), ("/dev/zero", device)):
        for command in (
            ["train", "text", source, "--out", "new"],
            ["inspect", "text", source],
            ["evaluate", run, source],
        ):
            result = seqvae(*command)
            assert (result.exit_code, result.stderr) == (2, sentence)
    for kind, items in (("images", "images"), ("drums", "windows")):
        result = seqvae("train", kind, "fifo", "--out", "new")
        assert result.stderr == f"fifo is a pipe, and {items} are read from files alone; copy its data to a file\n"
        assert result.exit_code == 2
    assert not Path("new").exists()


def piped(place: Path, content: bytes) -> Path:
    """A named pipe into which a thread writes the content when somebody reads it."""
    os.mkfifo(place)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):  # of a reader that stops early
            place.write_bytes(content)

    threading.Thread(target=write, daemon=True).start()
    return place


def test_every_command_that_reads_files_of_text_reads_pipes(seqvae: Call, run: Path, here: Path) -> None:
    content = (here / "sentences.txt").read_bytes()
    for place, command in enumerate((["inspect", "text"], ["evaluate", run], ["reconstruct", run, "--file"])):
        of_file = seqvae(*command, "sentences.txt")
        of_pipe = seqvae(*command, piped(here / f"pipe{place}", content))
        assert of_file.exit_code == of_pipe.exit_code == 0, of_pipe.stderr
        assert of_pipe.stdout == of_file.stdout.replace("on sentences.txt", f"on {here}/pipe{place}")
    result = seqvae("inspect", "text", piped(here / "bad", b"one\n\xe9t\xe9\n"))
    sentence = f"{here}/bad line 2 is not UTF-8 (byte 0xe9 at column 1); re-encode it, or pass --encoding latin-1.\n"
    assert (result.exit_code, result.stderr) == (2, sentence)


def test_a_run_of_a_pipe_goes_on_from_the_cache_or_with_the_same_data(
    seqvae: Call, here: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(here / "cache"))
    content = (here / "sentences.txt").read_bytes()
    again = ["train", "text", "--resume", "--out", "run", "--epochs"]
    steady = [*tiny, "--set", "train.cosine=false"]  # a cosine of other epochs is another one
    assert seqvae("train", "text", piped(here / "a", content), "--out", "run", *steady).exit_code == 0
    assert seqvae(*again, "3").exit_code == 0
    assert seqvae("cache", "clear").exit_code == 0
    result = seqvae(*again, "4")
    assert (result.exit_code, result.stderr) == (
        2,
        f"run was trained on data from the pipe {here}/a, which the cache no longer holds; give the same data again, "
        "as a file or through a pipe, with --resume --out run\n",
    )
    other = seqvae(*again, "4", piped(here / "b", content[: content.index(b"\n") + 1]))
    assert other.exit_code == 2
    assert other.stderr.startswith(f"pipe {here}/b changed since the run began; ")
    assert seqvae(*again, "4", piped(here / "c", content)).exit_code == 0
    assert seqvae(*again, "5", "sentences.txt").exit_code == 0
    (here / "straight.txt").write_bytes(content)
    assert seqvae("train", "text", "straight.txt", "--out", "straight", *steady, "--epochs", "5").exit_code == 0
    weights, straight = (Run(here / name) for name in ("run", "straight"))
    ended, expected = weights.weights(15), straight.weights(15)
    assert all(torch.equal(ended[name], expected[name]) for name in expected)
