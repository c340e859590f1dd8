"""Training with a discrepancy between codes and prior: parts of a group, and what it does to the codes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.build import build_vae, open_run
from seqvae.core.discrepancy import Estimator, Kernel, discrepancy
from seqvae.data import Batches
from seqvae.noise import Noise
from seqvae.runs.run import Run
from seqvae.training.corpora import corpora_of, parts
from seqvae.training.objective import ControlledKL, NegativeBound, Objective, WithDiscrepancy
from seqvae.training.run import train
from tests.training.small import records, values, write_corpus
from tests.training.test_objective import gradients


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose untrained model is looked at."""
    folder = tmp_path_factory.mktemp("codes")
    settings = values(model={"word_dropout": 0.2}, objective={"schedule": "constant"}, steps=1)
    return train("text", write_corpus(folder / "corpus.txt"), folder / "run", settings, device="cpu")


@pytest.mark.parametrize(
    ("kernel", "estimator", "other", "state"),
    [
        ("gaussian", "unbiased", NegativeBound(), {}),
        ("inverse_multiquadratic", "biased", NegativeBound(free_nats_per_dimension=0.005), {}),
        ("inverse_multiquadratic", "unbiased", ControlledKL(1.0, 0.1, 1.0), {"weight": 0.3, "integral": 0.2}),
    ],
)
@pytest.mark.parametrize("cuts", [[], [4], [1, 2, 9]])
def test_the_discrepancy_sees_the_whole_group_however_it_is_cut(
    kernel: Kernel, estimator: Estimator, other: Objective, state: dict[str, float], cuts: list[int], run: Run
) -> None:
    indices = np.arange(11)
    _, config, modality = open_run(run.path)
    vae = build_vae(config, modality).double()
    batch = Batches(parts(corpora_of(run.path), 0)[0], 99).varied(indices, 3)
    distance = discrepancy(vae(batch, Noise(0, batch.keys, 3)).z, kernel, estimator)
    (40.0 * distance).backward()
    plain, before = gradients(run, [indices], other, state)
    found, figures = gradients(run, np.split(indices, cuts), WithDiscrepancy(other, 40.0, kernel, estimator), state)
    assert figures["mmd"] == pytest.approx(distance.item(), rel=1e-9)
    assert figures["loss"] == pytest.approx(before["loss"] + 40.0 * distance.item(), rel=1e-9)
    for name, weight in vae.named_parameters():
        apart = torch.zeros_like(weight) if weight.grad is None else weight.grad
        assert torch.allclose(found[name], plain[name] + apart, atol=1e-9), name
        assert name.startswith("decoder.") or apart.abs().max() > 1e-9


@pytest.mark.parametrize("posterior", ["gaussian", "point"])
def test_a_discrepancy_draws_the_codes_to_the_prior(posterior: str, tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "corpus.txt")
    apart = []
    for weight in (1e-9, 300.0):
        asked = {"beta": 0.0, "mmd": weight}
        settings = values(model={"posterior": posterior}, objective=asked, epochs=12, learning_rate=0.03)
        run = train("text", data, tmp_path / f"{weight}", settings, device="cpu")
        apart.append(records(run, "train")[-1]["mmd"])
    assert abs(apart[1]) < 0.3 * apart[0]
