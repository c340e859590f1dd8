"""Training with a target for the KL: where it ends, what the group's parts add up to, what a checkpoint keeps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.runs.run import Run
from seqvae.training.loop import Interrupted
from seqvae.training.objective import ControlledKL, DistanceToTarget, Objective
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import records, values, write_corpus
from tests.training.test_objective import gradients

CONTROLLED = ControlledKL(0.01, 0.05, 2.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose untrained model is looked at."""
    folder = tmp_path_factory.mktemp("target")
    settings = values(model={"word_dropout": 0.2}, objective={"schedule": "constant"}, steps=1)
    return train("text", write_corpus(folder / "corpus.txt"), folder / "run", settings, device="cpu")


@pytest.mark.parametrize(
    ("objective", "state"),
    [(DistanceToTarget(0.003), {}), (DistanceToTarget(30.0), {}), (CONTROLLED, {"weight": 0.7, "integral": 0.6})],
)
@pytest.mark.parametrize("cuts", [[4], [1, 2, 9]])
def test_the_parts_of_a_group_have_the_gradient_of_the_whole(
    objective: Objective,
    state: dict[str, float],
    cuts: list[int],
    run: Run,
) -> None:
    indices = np.arange(11)
    whole, figures = gradients(run, [indices], objective, state)
    found, parts = gradients(run, np.split(indices, cuts), objective, state)
    assert parts == pytest.approx(figures, rel=1e-9)
    assert all(torch.allclose(found[name], whole[name], atol=1e-10) for name in whole)
    if state:
        assert figures["beta"] == pytest.approx(min(0.7, 1.0))
        assert figures["kl_nats"] == pytest.approx(figures["kl"] / 11)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["distance", "controller"])
def test_the_kl_ends_near_its_target(way: str, tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "corpus.txt", 40)
    asked = {"schedule": "constant", "target_kl_nats": 1.5, "target_kl_by": way, "target_kl_gain": 0.02, "beta": 4.0}
    settings = {"batch_size": 20, "learning_rate": 0.03, "epochs": 200, "log_steps": 100, "decay_patience": 0}
    held = train("text", data, tmp_path / "held", values(objective=asked, **settings), device="cpu")
    usual = {"schedule": "constant", "beta": 4.0}
    free = train("text", data, tmp_path / "free", values(objective=usual, **settings), device="cpu")
    assert records(held, "train")[-1]["kl_nats"] == pytest.approx(1.5, abs=0.3)
    assert abs(records(free, "train")[-1]["kl_nats"] - 1.5) > 0.6


def test_a_controlled_training_that_was_stopped_ends_in_the_same_bits(tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "corpus.txt")
    asked = {"target_kl_nats": 0.01, "target_kl_by": "controller", "target_kl_gain": 0.5, "anneal_epochs": 1.0}
    settings = values(objective=asked, epochs=4, learning_rate=0.03, log_steps=1, checkpoint_steps=3)
    alone = train("text", data, tmp_path / "alone", settings, device="cpu")
    with pytest.raises(Interrupted):
        train("text", data, tmp_path / "stopped", settings, device="cpu", objective=stopped_after(5))
    assert differences(alone.path, resume(tmp_path / "stopped", device="cpu").path) == []
    weights = [record["beta"] for record in records(alone, "train")]
    assert weights[0] == 0.0, "a weight before the first KL was seen"
    assert len(set(weights)) > 5
    assert max(weights) <= 1.0
    assert alone.load(alone.steps()[-1]).state["objective"]["integral"] > 0
