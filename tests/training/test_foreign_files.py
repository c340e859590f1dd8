"""Files that somebody put into the folders of a run outlive that run, its replacement and its old checkpoints."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqvae.runs.run import Checkpoint, Run
from seqvae.training.run import resume, settled, train
from tests.training.processes import dies
from tests.training.small import values, write_corpus

FOREIGN = (
    "notes.txt",
    "checkpoints/notes.txt",
    "checkpoints/mine/manifest.json",
    "checkpoints/step-best/state.json",
    "modality/w.txt",
    "tensorboard/x/y",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def source(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "source", values(epochs=3), device="cpu")


@pytest.fixture(scope="module")
def other(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that replaces it, in a folder of its own."""
    return overwrite(corpus, tmp_path_factory.mktemp("runs") / "other")


@pytest.fixture
def run(source: Run, tmp_path: Path) -> Path:
    """A copy of the run with foreign files in all of its folders."""
    out = tmp_path / "run"
    shutil.copytree(source.path, out)
    for name in (*FOREIGN, f"checkpoints/step-{source.steps()[-1]:08d}/mine.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(f"mine: {name}")
    (out / "checkpoints" / "empty").mkdir()
    return out


def overwrite(corpus: Path, out: Path) -> Run:
    return train("text", [corpus], out, values(epochs=1, seed=4), device="cpu", overwrite=True)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def foreign(folder: Path) -> set[str]:
    """The foreign files that are where they were put, as they were."""
    return {name for name in names(folder) if (folder / name).read_bytes() == f"mine: {name}".encode()}


def test_a_replacement_deletes_what_the_old_run_wrote_and_nothing_else(corpus: Path, run: Path, other: Run) -> None:
    mine = foreign(run)
    assert len(mine) == len(FOREIGN) + 1
    replaced = overwrite(corpus, run)
    assert replaced.settings["train"]["seed"] == 4
    assert names(run) == names(other.path) | mine
    assert foreign(run) == mine
    assert (run / "checkpoints" / "empty").is_dir()
    assert (replaced.steps(), replaced.best_step()) == (other.steps(), other.best_step())
    assert resume(run, device="cpu").steps() == other.steps()


def test_a_run_that_comes_back_has_the_files_with_it_and_those_that_came_meanwhile(
    corpus: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, mine = names(run), foreign(run)

    def full(*arguments: Any) -> None:
        for name in ("modality/late.txt", "checkpoints/late/file", "checkpoints/notes.txt"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(f"late: {name}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seqvae.runs.verified.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        overwrite(corpus, run)
    assert foreign(run) == mine
    assert names(run) == before | {"modality/late.txt", "checkpoints/late/file", "checkpoints/notes-2.txt"}
    assert (run / "checkpoints" / "notes-2.txt").read_text() == "late: checkpoints/notes.txt"
    assert Run(run).settings["train"]["seed"] != 4


def dying(act: Callable[..., Any], which: int, seen: list[object]) -> Callable[..., Any]:
    def act_and_die(*arguments: Any, **options: Any) -> Any:
        found = act(*arguments, **options)
        seen.append(found)
        if len(seen) == which:
            os._exit(9)
        return found

    return act_and_die


@pytest.mark.parametrize("which", [3, 8, 12, 24, 30, 36, 40, 44])
def test_death_anywhere_in_a_replacement_loses_no_file(
    which: int, corpus: Path, run: Path, source: Run, other: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted are moves and deletions: first those that set the old run aside, last those of its end."""
    mine, seen = foreign(run), list[object]()
    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "rmdir"):
            patch.setattr(Path, name, dying(getattr(Path, name), which, seen))
        assert dies(lambda: overwrite(corpus, run)) == 9
    settled(run)
    assert foreign(run) == mine
    expected = source if Run(run).settings["train"]["seed"] != 4 else other
    resume(run, device="cpu")  # the old run is complete, the new one may have steps to go
    assert foreign(run) == mine
    assert names(run) == names(expected.path) | mine
    assert Run(run).steps() == expected.steps()


def test_an_old_checkpoint_goes_and_the_foreign_file_in_its_folder_stays(source: Run, tmp_path: Path) -> None:
    shutil.copytree(source.path, tmp_path / "run")
    run, state = Run(tmp_path / "run"), source.load(source.steps()[-1])
    checkpoints, steps = run.path / "checkpoints", source.steps()
    file = checkpoints / f"step-{steps[-1]:08d}" / "mine.txt"
    file.write_text("mine")
    later = [steps[-1] + 1, steps[-1] + 2]
    for step in later:
        run.save(step, Checkpoint(state.weights, state.optimizer, {**state.state, "best_step": step}))
    assert [path.name for path in file.parent.iterdir()] == ["mine.txt"]
    assert (run.steps(), run.best_step()) == (later, later[-1])
    run.save(steps[-1], state)
    assert steps[-1] in run.steps()
    run.save(steps[-1], state)  # once more, now in the place of a checkpoint
    assert file.read_text() == "mine"
    assert run.load(steps[-1]).state == state.state
    assert not list(checkpoints.glob(".*"))
