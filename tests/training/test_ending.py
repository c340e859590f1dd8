"""A training ends when nothing can change any more, and says where the best weights are."""

from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from seqvae.settings import Train
from seqvae.training import validator
from seqvae.training.ending import summary, why_early
from seqvae.training.loop import Interrupted
from seqvae.training.progress import Progress
from seqvae.training.run import resume, train
from tests.training.objectives import stopped_after
from tests.training.small import Listener, records, values, write_corpus

# Epochs of four steps; the second validation is the best one, and the learning rate can be halved twice.
FLAT = values(
    epochs=40, decay_patience=2, decay_steps=0, learning_rate=1e-3, least_learning_rate=2.5e-4,
    objective={"schedule": "constant"},
)  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus on which validation gets better once and never again."""
    nats = chain([5.0, 4.0], repeat(4.5))
    figures: dict[str, Any] = {"kl_nats": 1.0, "active_units": 1}
    monkeypatch.setattr(validator, "validate", lambda *_: {"elbo_nats": -next(nats), **figures})
    return write_corpus(tmp_path / "corpus.txt")


def test_a_run_stops_when_its_learning_rate_can_go_no_lower_and_says_which_weights_are_the_best(
    corpus: Path, tmp_path: Path
) -> None:
    listener = Listener()
    run = train("text", corpus, tmp_path / "run", FLAT, device="cpu", reporter=listener)
    found = records(run, "validation")
    assert [record["step"] for record in found] == [4 * epoch for epoch in range(1, 9)], "two flat ones for each rate"
    assert [record["learning_rate"] for record in found][-3:] == [2.5e-4] * 3
    assert listener.messages[-3] == (
        "stopped, since the last 6 validations brought nothing better and the learning rate can go no lower "
        "(train.least_learning_rate=0.00025), at step 32; the weights that are used are those of step 8, the best in "
        "validation"
    )
    assert "got no better after step 8, while training went on: 54 sentences are little" in listener.messages[-1]
    assert run.best_step() == 8
    resume(run.path, {"train": {"epochs": 45}}, device="cpu", reporter=listener)
    assert run.steps()[-1] == 32, "more epochs do not change that"


@pytest.mark.parametrize("step", [19, 29])
def test_a_stopped_run_ends_at_the_same_step(step: int, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=f"step {step}"):
        train("text", corpus, tmp_path / "run", FLAT, device="cpu", objective=stopped_after(step))
    assert resume(tmp_path / "run", device="cpu").steps()[-1] == 32


def test_a_rising_weight_of_the_kl_term_is_waited_for() -> None:
    train_keys = Train(decay_patience=1, decay_steps=0, learning_rate=1e-3, least_learning_rate=1e-4)
    spent = Progress(step=9, validated_step=9, best_step=1, stalled=4, stalled_since_decay=1, rate_factor=0.1)
    assert why_early(train_keys, spent, is_annealed=False) is None
    assert why_early(train_keys, spent, is_annealed=True) == (
        "the last 4 validations brought nothing better and the learning rate can go no lower "
        "(train.least_learning_rate=0.0001)"
    )


def test_patience_stops_whatever_the_learning_rate_is() -> None:
    progress, keys = Progress(step=9, best_step=6, stalled=3), Train(stop_patience=3)
    assert why_early(keys, progress, is_annealed=False) == (
        "the last 3 validations brought nothing better (train.stop_patience=3)"
    )
    assert summary(keys, Progress(step=9, best_step=9), is_annealed=True) == (
        "trained to step 9; the weights that are used are those of step 9, the best in validation"
    )


@pytest.mark.parametrize(("best_by", "best"), [("objective", 12), ("bound", 4)])
def test_the_best_weights_are_those_of_the_objective_or_of_the_bound(
    best_by: str, best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([(5.0, 5.0), (6.0, 4.5), (7.0, 4.0)])  # codes that carry more and more, and cost a beta of 0.1

    def validated(*_: Any) -> dict[str, Any]:
        bound, objective = next(figures)
        return {"elbo_nats": -bound, "objective_nats": objective, "kl_nats": 1.0, "active_units": 1}

    monkeypatch.setattr(validator, "validate", validated)
    settings = values(objective={"beta": 0.1}, epochs=3, best_by=best_by)
    run = train("text", write_corpus(tmp_path / "corpus.txt"), tmp_path / "run", settings, device="cpu")
    assert run.best_step() == best
