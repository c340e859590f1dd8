"""A run that was stopped, in whatever way, ends in the bits of one that was not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from seqvae import files
from seqvae.runs.run import Run
from seqvae.training import validator
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences, main, start, stop_at_a_random_moment, wait_for_start
from tests.training.objectives import stopped_after
from tests.training.processes import dies
from tests.training.small import BRIEF, EVERYTHING, Listener, records, values, write_corpus


def die_at_replacement(monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    """Let the process die, with nothing cleaned up, before the n-th file of checkpoints or run gets its name."""
    replace, seen = os.replace, []

    def replace_or_die(source: Path, target: Path) -> None:
        seen.append(target)
        if len(seen) == which:
            os._exit(9)
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", replace_or_die)


def test_the_run_that_is_compared_uses_every_mechanism(alone: Run) -> None:
    validations = records(alone, "validation")
    rates = [record["learning_rate"] for record in validations]
    assert rates[0] > rates[-1], "no decay"
    assert [record["best"] for record in validations].count(False) >= 3, "never worse"
    assert [record["best"] for record in validations[-3:]] == [False] * 3, "not stopped early"
    assert any(later["best"] and not earlier["best"] for earlier, later in pairwise(validations))
    assert validations[-1]["epoch"] != EVERYTHING["train"]["epochs"]
    assert len({record["beta"] for record in records(alone, "train")}) > 3


def test_signals_save_and_the_resumed_run_is_equal(corpus: Path, alone: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match="step 7"):
        train("text", [corpus], out, EVERYTHING, device="cpu", objective=stopped_after(7))
    for before, step in pairwise([7, 20, 33]):
        assert Run(out).steps()[-1] == before
        with pytest.raises(Interrupted, match=f"step {step}"):
            resume(out, device="cpu", objective=stopped_after(step - before))
    assert Run(out).steps()[-1] == 33
    assert differences(alone.path, resume(out, device="cpu").path) == []


@pytest.mark.parametrize("which", [1, 3, 5, 7, 9, 13, 15, 16, 22, 27, 28])
def test_death_while_a_file_is_written_loses_nothing(
    which: int, corpus: Path, brief: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        die_at_replacement(patch, which)
        assert dies(lambda: train("text", [corpus], out, BRIEF, device="cpu")) == 9
    if (out / "config.json").exists():
        run = resume(out, device="cpu")
    else:
        with pytest.raises(ValueError, match=r"train again without `seqvae.resume`|not there"):
            resume(out, device="cpu")
        run = train("text", [corpus], out, BRIEF, device="cpu")
    assert differences(brief.path, run.path) == []
    assert not list(run.path.rglob(".*"))


def test_death_between_two_renames_of_a_checkpoint_loses_nothing(
    corpus: Path, brief: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def die_after_setting_aside(self: Path, target: Path) -> None:
        rename(self, target)
        if target.name.startswith(".replaced-step"):
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die_after_setting_aside)
        settings = values(epochs=1, batch_size=20, checkpoint_steps=1)  # the end of the epoch replaces its last step
        assert dies(lambda: train("text", [corpus], tmp_path / "run", settings, device="cpu")) == 9
    assert list((tmp_path / "run" / "checkpoints").glob(".replaced-*"))
    run = resume(tmp_path / "run", device="cpu")
    whole = train("text", [corpus], tmp_path / "whole", settings, device="cpu")
    assert differences(whole.path, run.path) == []
    assert not list((run.path / "checkpoints").glob(".*"))


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(corpus: Path, brief: Run, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train("text", [corpus], tmp_path / "run", BRIEF, device="cpu", objective=stopped_after(5))
    run = Run(tmp_path / "run")
    assert run.steps()[-2:] == [4, 5]
    weights = run.path / "checkpoints" / "step-00000005" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    found = run.last()
    assert found is not None
    assert found[0] == 4
    listener = Listener()
    assert differences(brief.path, resume(run.path, device="cpu", reporter=listener).path) == []
    assert [text for text in listener.messages if "skipped, training goes on from the checkpoint of step 4" in text]


def test_a_run_without_a_whole_checkpoint_is_not_silently_begun_again(brief: Run, tmp_path: Path) -> None:
    shutil.copytree(brief.path, tmp_path / "run")
    for state in (tmp_path / "run").glob("checkpoints/*/state.json"):
        state.write_text("{}")
    with pytest.raises(ValueError, match=r"state\.json is damaged"):
        resume(tmp_path / "run", device="cpu")


def test_a_finished_run_goes_on_when_more_epochs_are_asked_for(corpus: Path, brief: Run, tmp_path: Path) -> None:
    longer = {**BRIEF, "train": {**BRIEF["train"], "epochs": 3}}
    whole = train("text", [corpus], tmp_path / "whole", longer, device="cpu")
    shutil.copytree(brief.path, tmp_path / "short")
    short = Run(tmp_path / "short")
    before = records(short)
    resume(short.path, device="cpu")
    assert records(short) == before
    resume(short.path, {"train": {"epochs": 3}}, device="cpu")
    assert records(short, "validation") == records(whole, "validation")
    assert len(records(short, "validation")) == 3
    with pytest.raises(ValueError, match=r"train\.learning_rate would change"):
        resume(short.path, {"train": {"learning_rate": 0.5}}, device="cpu")


THREE_EPOCHS = values(epochs=3, batch_size=20, decay_patience=1)


@pytest.fixture(scope="module")
def three_epochs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "whole", THREE_EPOCHS, device="cpu")


@pytest.mark.parametrize("steps", [2, 3, 5])  # in the middle of an epoch of 3 steps, and at its end
def test_a_run_stopped_by_steps_goes_on_when_more_are_asked_for(
    steps: int, corpus: Path, three_epochs: Run, tmp_path: Path
) -> None:
    stopped = {**THREE_EPOCHS, "train": {**THREE_EPOCHS["train"], "steps": steps}}
    run = train("text", [corpus], tmp_path / "run", stopped, device="cpu")
    assert run.steps()[-1] == steps
    resume(run.path, {"train": {"steps": 0}}, device="cpu")
    assert run.steps()[-1] == 9
    ends = [record for record in records(run, "validation") if record["step"] % 3 == 0]
    assert ends == records(three_epochs, "validation")


def test_data_that_changed_are_not_resumed(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt", 30)
    run = train("text", [corpus], tmp_path / "run", values(epochs=1), device="cpu")
    corpus.write_text(corpus.read_text() + "one more line\n")
    with pytest.raises(ValueError, match=r"corpus\.txt changed since the run began"):
        resume(run.path, device="cpu")
    corpus.unlink()
    with pytest.raises(ValueError, match=r"no file or folder .*corpus\.txt"):
        resume(run.path, device="cpu")


@pytest.mark.slow
def test_killed_at_random_moments_the_run_ends_in_the_same_bits(corpus: Path, alone: Run, tmp_path: Path) -> None:
    settings = {"sources": [str(corpus)], "valid": [], "values": EVERYTHING, "out": str(tmp_path / "run")}
    rng, seconds = random.Random(0), records_seconds(alone)
    for _ in range(3):
        stop_at_a_random_moment(settings, rng, seconds / 3)
    assert differences(alone.path, resume(tmp_path / "run", device="cpu").path) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside_saves_and_exits(number: int, corpus: Path, alone: Run, tmp_path: Path) -> None:
    settings = {"sources": [str(corpus)], "valid": [], "values": EVERYTHING, "out": str(tmp_path / "run")}
    process = start(settings)
    wait_for_start(process)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 130
    assert differences(alone.path, resume(tmp_path / "run", device="cpu").path) == []


@pytest.mark.slow
def test_the_script_of_kills_tells_its_verdict(corpus: Path) -> None:
    script = Path(main.__code__.co_filename)
    overrides = ["data.tokenizer=word", "model.latent=3", "model.decoder_hidden=8", "train.epochs=2", "train.threads=1"]
    command = [sys.executable, str(script), "--kills", "1", *(f"--set={pair}" for pair in overrides), str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "equal bit for bit after 1 kills" in done.stdout


def records_seconds(run: Run) -> float:
    """How long the training of a run took."""
    return float(json.loads(run.metrics_path.read_text().splitlines()[-2])["seconds"])


def test_tensorboard_shows_each_step_once_after_a_resume(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = values(epochs=2, batch_size=20, log_steps=1, checkpoint_steps=2, tensorboard=True)
    with monkeypatch.context() as patch:
        patch.setattr(validator, "validate", lambda *_: os._exit(9))  # after step 3, of which no checkpoint tells
        assert dies(lambda: train("text", [corpus], tmp_path / "run", settings, device="cpu")) == 9
    time.sleep(1.1)  # the files of events are read in the order of the seconds in their names
    run = resume(tmp_path / "run", device="cpu")
    events = EventAccumulator(str(run.path / "tensorboard"), purge_orphaned_data=True).Reload()
    for event, name in (("train", "loss"), ("validation", "elbo_nats"), ("validation", "active_units")):
        shown = [(scalar.step, scalar.value) for scalar in events.Scalars(f"{event}/{name}")]
        expected = [(record["step"], pytest.approx(record[name], rel=1e-6)) for record in records(run, event)]
        assert shown == expected
    assert not {"train/step", "validation/step", "validation/best"} & set(events.Tags()["scalars"])
