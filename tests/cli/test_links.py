"""Reading commands change nothing in a run folder, and no command follows a link out of one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.trees import tree

Call = Callable[..., Result]
READING = {
    "info": ["info", "copy"],
    "sample": ["sample", "copy", "--out", "made"],
    "sample to the terminal": ["sample", "copy"],
    "reconstruct": ["reconstruct", "copy", "the cook sees the pie .", "--out", "made"],
    "interpolate": ["interpolate", "copy", "the cook sees the pie .", "the dog eats the seal .", "--out", "made"],
    "similar": ["similar", "copy", "the cook sees the pie .", "--out", "made"],
    "encode": ["encode", "copy", "--file", "sentences.txt", "--out", "codes.npz"],
    "decode": ["decode", "copy", "--at", "0,0,0,0", "--out", "made"],
    "evaluate": ["evaluate", "copy", "sentences.txt", "--json", "figures.json"],
    "plot": ["plot", "copy", "--only", "losses,network", "--out", "made"],
    "recipe": ["inspect", "text", "sentences.txt", "--recipe", "copy/config.json"],
    "start": ["train", "text", "sentences.txt", "--from", "copy", "--out", "other", "--set", "train.steps=1"],
}


@pytest.fixture
def copy(run: Path, here: Path) -> Path:
    """A run folder of the test's own, in the current folder."""
    shutil.copytree(run, here / "copy")
    return here / "copy"


@pytest.fixture
def other(here: Path) -> Path:
    """A folder of somebody else, with files of the names of ours."""
    folder = here / "other"
    (folder / "step-00000001").mkdir(parents=True)
    for name in ("config.json", "manifest.json", "001.txt", "diary.txt", "metrics.jsonl"):
        (folder / name).write_text("dear")
    return folder


@pytest.mark.parametrize("command", READING)
def test_reading_changes_nothing(command: str, seqvae: Call, copy: Path) -> None:
    before = tree(copy)
    result = seqvae(*READING[command])
    assert result.exit_code == 0, result.stderr
    assert tree(copy) == before


@pytest.mark.parametrize("command", ["info", "evaluate", "sample to the terminal"])
def test_reading_leaves_what_a_killed_training_left(command: str, seqvae: Call, copy: Path) -> None:
    (copy / ".training").touch()
    (copy / ".writing-run").mkdir()
    (copy / "checkpoints" / ".writing-step-00000007").mkdir()
    (copy / ".replaced-run").mkdir()
    (copy / ".replaced-run" / "config.json").write_text("{}")
    (copy / ".replaced-run" / "checkpoints").mkdir()
    before = tree(copy)
    assert seqvae(*READING[command]).exit_code == 0
    assert tree(copy) == before


def test_a_run_that_was_set_aside_is_read_there(seqvae: Call, copy: Path) -> None:
    """As it is when a process was killed between the old run and the first checkpoint of the new one."""
    expected = seqvae("sample", "copy").stdout
    names = [path.name for path in copy.iterdir()]
    (copy / ".replaced-run").mkdir()
    for name in names:
        (copy / name).rename(copy / ".replaced-run" / name)
    before = tree(copy)
    assert seqvae("sample", "copy").stdout == expected
    assert seqvae("info", "copy").exit_code == 0
    assert tree(copy) == before


USING = {
    "info": ["info", "copy"],
    "sample": ["sample", "copy"],
    "resume": ["train", "text", "--resume", "--out", "copy", "--epochs", "3"],
    "overwrite": ["train", "text", "sentences.txt", "--overwrite", "--out", "copy", "--set", "train.steps=1"],
}
OF_ALL = ("config.json", "manifest.json", "modality", "checkpoints", ".replaced-run")
# What a command does not use does not keep it from its work.
LINKS = {
    "info": [*OF_ALL, "data.json", "metrics.jsonl", "checkpoints/step-00000006"],
    "sample": [*OF_ALL, "checkpoints/step-00000006", "checkpoints/step-00000006/weights.safetensors"],
    "resume": [
        *OF_ALL, "data.json", "metrics.jsonl", "tensorboard", ".writing-run", ".training", "checkpoints/step-00000006",
    ],
    "overwrite": [*OF_ALL, "data.json", "metrics.jsonl", "tensorboard", ".writing-run", ".training"],
}  # fmt: skip


@pytest.mark.parametrize(("command", "name"), [(command, name) for command in USING for name in LINKS[command]])
def test_a_link_within_a_run_is_refused_by_name(command: str, name: str, seqvae: Call, copy: Path, other: Path) -> None:
    put_link(copy / name, other)
    before = tree(other)
    result = seqvae(*USING[command])
    assert tree(other) == before
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1] == (
        f"copy/{name} is a link, and seqvae follows no link out of a folder of its own; remove it, or put what it "
        "names in its place"
    )


@pytest.mark.parametrize("name", ["checkpoints/step-00000006", "checkpoints/step-00000006/weights.safetensors"])
def test_replacing_a_run_removes_links_and_not_what_they_name(name: str, seqvae: Call, copy: Path, other: Path) -> None:
    put_link(copy / name, other)
    before = tree(other)
    assert seqvae(*USING["overwrite"]).exit_code == 0
    assert tree(other) == before
    assert not any(path.is_symlink() for path in copy.rglob("*"))


def put_link(path: Path, other: Path) -> None:
    """A link to what is somebody else's, or to what is not there, in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    file = other / ("new" if path.name == ".training" else "diary.txt")
    path.symlink_to(file if path.suffix in (".json", ".jsonl", ".safetensors") or path.name == ".training" else other)


@pytest.mark.parametrize("name", ["plot", "plot/network.txt", "plot/network.png"])
def test_a_link_in_a_folder_of_results_is_refused(name: str, seqvae: Call, copy: Path, other: Path) -> None:
    (copy / "plot").mkdir()
    put_link(copy / name, other)
    before = tree(other)
    result = seqvae("plot", "copy", "--only", "network")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"copy/{name} is a link, and seqvae follows no link out" in result.stderr
    assert tree(other) == before


def test_the_run_and_what_stands_above_it_may_be_links(seqvae: Call, run: Path, here: Path, tiny: list[str]) -> None:
    (here / "large").mkdir()
    (here / "runs").symlink_to(here / "large")
    shutil.copytree(run, here / "large" / "old")
    (here / "latest").symlink_to(here / "runs" / "old")
    assert seqvae("info", "latest").exit_code == 0
    assert seqvae("plot", "latest", "--only", "network").exit_code == 0
    assert (here / "large" / "old" / "plot" / "network.txt").is_file()
    assert seqvae("train", "text", "sentences.txt", "--out", "runs/new", *tiny).exit_code == 0
    assert (here / "large" / "new" / "config.json").is_file()
    assert seqvae("train", "text", "--resume", "--out", "latest", "--epochs", "3").exit_code == 0
    (here / "made").symlink_to(here / "large")
    assert seqvae("sample", "latest", "--out", "made").exit_code == 0
    assert list((here / "large").glob("*.txt"))
