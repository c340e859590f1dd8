"""Codes that are used and codes that are not, and what a training says of each, and when."""

import math
import os
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from seqvae.evaluation.latent import CodeGain
from seqvae.runs.run import Checkpoint, Run
from seqvae.training import validator
from seqvae.training.code_use import CodeUse
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.processes import dies
from tests.training.small import Listener, records, values, write_corpus

USED = CodeUse(40, 3.0, CodeGain(20.0, 30.0))
DEAD = CodeUse(40, 0.01, CodeGain(30.0, 30.02))


@pytest.mark.parametrize(
    ("items", "information", "own", "shuffled", "is_little", "is_collapsed"),
    [
        # measured on validation items of real corpora: reviews, names and news without and with remedies
        (223, 1.64, 48.12, 52.43, False, False),
        (223, 5.11, 45.23, 60.78, False, False),
        (76, 0.60, 14.94, 17.01, True, False),
        (76, 3.65, 12.14, 24.26, False, False),
        (143, 0.49, 128.72, 129.27, True, True),
        (143, 3.15, 126.41, 132.92, False, False),
        (9, 0.18, 61.8, 61.75, True, True),
        # the least information and the least gain that count, each beside a lack of the other
        (1000, 1.49, 90.0, 100.0, True, False),
        (1000, 1.51, 100.0, 100.0, False, False),
        (1000, 0.2, 81.0, 100.0, True, True),
        (1000, 0.2, 79.0, 100.0, False, False),
        # two kinds of items, of which a code can say ln 2, and with which the decoder is sure
        (1000, math.log(2), 0.01, 0.7, False, False),
        # so few items that they show less than 1.5 nats
        (3, 0.5, 90.0, 100.0, False, False),
        (3, 0.3, 90.0, 100.0, True, False),
        (1, 0.0, 100.0, 100.0, False, False),
    ],
)
def test_a_code_is_not_used_that_says_little_and_helps_little(
    items: int, information: float, own: float, shuffled: float, is_little: bool, is_collapsed: bool
) -> None:
    use = CodeUse(items, information, CodeGain(own, shuffled))
    assert (use.is_little, use.is_collapsed) == (is_little, is_collapsed)


def told(listener: Listener) -> tuple[list[str], list[str]]:
    """What was said of the code while training went on, and at the end."""
    end = next(place for place, text in enumerate(listener.messages) if "the weights that are used" in text)
    said = [
        [text for text in part if "the latent code" in text]
        for part in (listener.messages[:end], listener.messages[end:])
    ]
    return said[0], said[1]


def trained(path: Path, found: Iterator[CodeUse], monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Listener:
    """A training of four epochs of four steps whose codes are found so used, at each validation and at the end."""
    monkeypatch.setattr(validator, "SEEN", 1)
    monkeypatch.setattr(validator, "code_use", lambda *_: next(found))
    listener = Listener()
    corpus = write_corpus(path / "corpus.txt")
    train("text", corpus, path / "run", values(epochs=4, **settings), device="cpu", reporter=listener)
    return listener


@pytest.mark.parametrize(
    ("anneal_steps", "found", "during", "at_end"),
    [
        (4, repeat(DEAD), "step 4", True),
        (9, repeat(DEAD), "step 12", True),
        (99, repeat(DEAD), "", True),
        (16, repeat(DEAD), "", True),  # with the last validation, whose words come at the end
        (4, chain([DEAD, DEAD], repeat(USED)), "step 4", False),
        (4, repeat(USED), "", False),
    ],
    ids=["at once", "after annealing", "never annealed", "last", "used after all", "used"],
)
def test_a_collapse_is_told_once_when_it_happens_and_once_at_the_end(
    anneal_steps: int, found: Iterator[CodeUse], during: str, at_end: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    listener = trained(tmp_path, found, monkeypatch, objective={"anneal_steps": anneal_steps})
    while_it_trained, afterwards = told(listener)
    assert len(while_it_trained) == bool(during)
    assert all(f"of {during} has collapsed" in text for text in while_it_trained)
    assert len(afterwards) == at_end


def test_a_resumed_run_does_not_tell_a_collapse_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "SEEN", 1)
    monkeypatch.setattr(validator, "code_use", lambda *_: DEAD)
    corpus, settings = write_corpus(tmp_path / "corpus.txt"), values(epochs=4, objective={"schedule": "constant"})
    first, second = Listener(), Listener()
    with pytest.raises(Interrupted):
        train("text", corpus, tmp_path / "run", settings, device="cpu", reporter=first, objective=stopped_after(6))
    resume(tmp_path / "run", device="cpu", reporter=second)
    assert len([text for text in first.messages if "the latent code" in text]) == 1
    assert [len(part) for part in told(second)] == [0, 1]


@pytest.mark.parametrize("validate_steps", [0, 3], ids=["after an epoch", "after steps"])
def test_a_collapse_is_told_though_the_run_dies_between_its_checkpoint_and_the_next_step(
    validate_steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validator, "SEEN", 1)
    monkeypatch.setattr(validator, "code_use", lambda *_: DEAD)
    corpus, listener = write_corpus(tmp_path / "corpus.txt"), Listener()
    settings = values(epochs=4, objective={"schedule": "constant"}, validate_steps=validate_steps)
    alone = train("text", corpus, tmp_path / "alone", settings, device="cpu")
    save, at = Run.save, validate_steps or 4

    def save_and_die(run: Run, step: int, checkpoint: Checkpoint) -> None:
        save(run, step, checkpoint)
        if step == at:
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_and_die)
        assert dies(lambda: train("text", corpus, tmp_path / "run", settings, device="cpu")) == 9
    run = resume(tmp_path / "run", device="cpu", reporter=listener)
    while_it_trained, afterwards = told(listener)
    assert len(while_it_trained) == 1
    assert f"of step {at} has collapsed" in while_it_trained[0]
    assert len(afterwards) == 1
    assert differences(alone.path, run.path) == []
    assert "unsaid" not in run.load(run.steps()[-1]).state, "a finished run has said all"


def test_a_real_training_tells_what_its_code_carries_and_the_log_has_the_figures(tmp_path: Path) -> None:
    corpus, listener = write_corpus(tmp_path / "corpus.txt"), Listener()
    plain = values(epochs=4, model={"batch_norm_scale": 0.0})
    run = train("text", corpus, tmp_path / "run", plain, device="cpu", reporter=listener)
    (advice,) = told(listener)[1]
    assert "has collapsed: it says 0.0" in advice
    assert "set model.batch_norm_scale=0.9; set objective.target_kl_nats=8" in advice
    looked = ["code_gain_nats" in record for record in records(run, "validation")]
    assert looked == [False, True, False, True], "six items are looked at for every 90 that are trained on, 54 an epoch"
    for model in ({"latent": 0}, {"posterior": "point"}):
        quiet = Listener()
        path = tmp_path / next(iter(model))
        train("text", corpus, path, values(model=model, epochs=4), device="cpu", reporter=quiet)
        assert told(quiet) == ([], [])
        assert all("code_gain_nats" not in record for record in records(path, "validation"))
