"""A run whose folder is moved, deleted or damaged loses neither its weights nor its log without a word."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seqvae.config import Values
from seqvae.runs.run import Run
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.small import BRIEF, EVERYTHING, Listener, records


class Mover(Listener):
    """A reporter that does something to the folder of the run after some step."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        super().__init__()
        self._step, self._act = step, act

    def validation(self, record: Values) -> None:
        """Act at the step."""
        if record["step"] == self._step:
            self._act()


def test_a_run_that_is_moved_while_it_trains_is_found_and_goes_on(corpus: Path, brief: Run, tmp_path: Path) -> None:
    out, moved = tmp_path / "run", tmp_path / "elsewhere" / "kept"
    moved.parent.mkdir()
    with pytest.raises(
        ValueError,
        match=rf"run was moved to {moved} while it trained, so training stopped at step 3; .*resume` of {moved}",
    ):
        train("text", [corpus], out, BRIEF, device="cpu", reporter=Mover(3, lambda: out.rename(moved)))
    assert not out.exists()
    assert sorted(path.name for path in moved.rglob(".*")) == []
    assert Run(moved).steps()[-1] == 3
    assert differences(resume(moved, device="cpu").path, brief.path) == []


def test_a_run_that_is_deleted_while_it_trains_leaves_its_weights(corpus: Path, brief: Run, tmp_path: Path) -> None:
    out, rescued = tmp_path / "run", tmp_path / "run-rescued-2"
    (tmp_path / "run-rescued").mkdir()  # of the user's
    with pytest.raises(
        ValueError, match=rf"run was deleted or changed while it trained, .* step 3; the weights .* in {rescued}: use"
    ):
        train("text", [corpus], out, BRIEF, device="cpu", reporter=Mover(3, lambda: shutil.rmtree(out)))
    assert not out.exists()
    assert list((tmp_path / "run-rescued").iterdir()) == []
    assert (Run(rescued).best_step(), Run(rescued).report) == (3, brief.report)
    listener = Listener()
    resume(rescued, device="cpu", reporter=listener)
    assert listener.messages[0] == (
        f"{rescued / 'metrics.jsonl'} is missing, so the log of all steps up to 3 is lost; a new one goes on from there"
    )
    last, expected = Run(rescued).last(), brief.last()
    assert last is not None
    assert expected is not None
    assert last[0] == expected[0]


def test_a_run_in_the_current_folder_that_is_deleted_leaves_its_weights_beside_it(
    corpus: Path, brief: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rescued = tmp_path / "run", tmp_path / "run-rescued"
    out.mkdir()
    monkeypatch.chdir(out)
    with pytest.raises(ValueError, match=rf"^{out} was deleted or changed while it trained, .* are in {rescued}: use"):
        train("text", [corpus], ".", BRIEF, device="cpu", reporter=Mover(3, lambda: shutil.rmtree(out)))
    assert (Run(rescued).best_step(), Run(rescued).report) == (3, brief.report)


def test_a_run_that_loses_its_configuration_while_it_trains_leaves_its_weights(
    corpus: Path, brief: Run, tmp_path: Path
) -> None:
    out, rescued = tmp_path / "run", tmp_path / "run-rescued"
    with pytest.raises(ValueError, match=rf"run was deleted or changed while it trained, .* in {rescued}: use them"):
        train("text", [corpus], out, BRIEF, device="cpu", reporter=Mover(3, (out / "config.json").unlink))
    assert (Run(rescued).best_step(), Run(rescued).report) == (3, brief.report)


def test_another_run_in_the_place_of_the_own_one_is_left_alone(corpus: Path, brief: Run, tmp_path: Path) -> None:
    out, moved = tmp_path / "run", tmp_path / "moved"

    def swap() -> None:
        out.rename(moved)
        shutil.copytree(brief.path, out)

    with pytest.raises(ValueError, match="was moved to"):
        train("text", [corpus], out, EVERYTHING, device="cpu", reporter=Mover(10, swap))
    assert differences(out, brief.path) == []


def test_a_log_that_is_cut_or_gone_is_told_and_kept(corpus: Path, brief: Run, tmp_path: Path) -> None:
    whole = brief.metrics_path.read_bytes()
    lines = whole.splitlines(keepends=True)
    zeros = b"".join([*lines[:-2], bytes(len(lines[-2]) - 1), b"\n", lines[-1]])  # as after a power failure
    for name, damaged, kept in (
        ("cut", whole[:-9], lines[:-1]), ("zeros", zeros, [*lines[:-2], lines[-1]]), ("lines", whole[: -len(lines[-1])],
        lines[:-1]),
    ):  # fmt: skip
        run = tmp_path / name
        shutil.copytree(brief.path, run)
        (run / "metrics.jsonl").write_bytes(damaged)
        (run / "metrics-damaged.jsonl").write_bytes(b"of a time before")
        listener = Listener()
        resume(run, {"train": {"epochs": 3}}, device="cpu", reporter=listener)
        steps = [json.loads(line)["step"] for line in kept]
        last = json.loads(lines[-1])["step"]
        assert listener.messages[0] == (
            f"{run / 'metrics.jsonl'} is damaged: of the log up to step {last} only {len(kept)} "
            f"whole lines up to step {steps[-1]} can be read and go on; the file as it was is kept as "
            f"{run / 'metrics-damaged-2.jsonl'}"
        )
        assert (run / "metrics-damaged-2.jsonl").read_bytes() == damaged
        assert (run / "metrics-damaged.jsonl").read_bytes() == b"of a time before"
        assert (run / "metrics.jsonl").read_bytes().startswith(b"".join(kept))
        assert [line["step"] for line in records(run)][: len(steps)] == steps
    shutil.copytree(brief.path, tmp_path / "gone")
    (tmp_path / "gone" / "metrics.jsonl").unlink()
    listener = Listener()
    resume(tmp_path / "gone", {"train": {"epochs": 3}}, device="cpu", reporter=listener)
    assert "gone/metrics.jsonl is missing, so the log of all steps up to 6 is lost" in listener.messages[0]
    assert records(tmp_path / "gone")[0]["step"] > 6


def test_a_log_that_was_lost_shows_no_step_twice_after_a_second_kill(brief: Run, tmp_path: Path) -> None:
    shutil.copytree(brief.path, tmp_path / "run")
    step = Run(tmp_path / "run").steps()[-1]
    # as a process leaves it that went on without the old log and was killed before its next checkpoint
    later = f'{{"event": "train", "step": {step + 1}}}\n'.encode()
    (tmp_path / "run" / "metrics.jsonl").write_bytes(later)
    listener = Listener()
    resume(tmp_path / "run", {"train": {"epochs": 3}}, device="cpu", reporter=listener)
    assert f"of the log up to step {step} only 0 whole lines" in listener.messages[0]
    trained = [record["step"] for record in records(tmp_path / "run") if record["event"] == "train"]
    assert trained[0] > step
    assert trained == sorted(set(trained))
    assert (tmp_path / "run" / "metrics-damaged.jsonl").read_bytes() == later


def test_lines_after_the_checkpoint_are_no_damage(brief: Run, tmp_path: Path) -> None:
    shutil.copytree(brief.path, tmp_path / "run")
    with open(tmp_path / "run" / "metrics.jsonl", "ab") as file:
        file.write(b'{"event": "train", "st')
    listener = Listener()
    resume(tmp_path / "run", device="cpu", reporter=listener)
    assert listener.messages == []
    assert records(tmp_path / "run") == records(brief)
