"""Objectives that the loop knows nothing of: one looks at the whole group, one moves encoder and decoder in turns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqvae.build import build_vae, open_run
from seqvae.core.vae import ALL_PARTS, Codes, Terms
from seqvae.data import Batches
from seqvae.noise import Noise
from seqvae.runs.run import Run
from seqvae.settings import Config
from seqvae.training.corpora import corpora_of, parts
from seqvae.training.engine import Engine
from seqvae.training.gradients import COUNTED, Gradients
from seqvae.training.loop import Interrupted
from seqvae.training.objective import Figures, NegativeBound, Objective, Part
from seqvae.training.progress import Progress, State
from seqvae.training.run import resume, train
from seqvae.training.schedules import Schedules, StepValues
from seqvae.training.tally import Tally
from tests.kill_and_resume import differences
from tests.training.objectives import Watched, stopped_after
from tests.training.small import records, values, write_corpus


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """(A, B): exp(-|a - b|^2 / 2) of each pair."""
    return (-0.5 * (a.unsqueeze(1) - b.unsqueeze(0)).square().sum(-1)).exp()


def discrepancy(z: Tensor, prior: Tensor) -> Tensor:
    """The squared maximum mean discrepancy between two samples (Gretton et al. 2012, equation 5)."""
    return kernel(z, z).mean() - 2 * kernel(z, prior).mean() + kernel(prior, prior).mean()


def prior_draws(count: int, latent: int) -> Tensor:
    return Noise(7, torch.arange(count)).normal("prior", latent).float()


@dataclass(frozen=True)
class Kernel:
    """-E[log p(x|z)] plus a discrepancy between the codes of the whole group and the prior (Zhao et al. 2019)."""

    weight: float = 30.0
    figures: tuple[str, ...] = ("discrepancy",)
    surveys: bool = True

    def start(self) -> State:
        return {}

    def trained_parts(self, state: State) -> tuple[str, ...]:
        return ALL_PARTS

    def survey(self, codes: Codes, part: Part) -> Tensor:
        table = codes.z.new_zeros(part.group_examples, codes.z.shape[1])
        table[part.rows] = codes.z
        return table

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        assert survey is not None
        count = part.group_examples
        prior = prior_draws(count, survey.shape[1])
        inner = kernel(terms.z, survey).sum() / count**2
        # each pair of codes stands in two rows, of which one is this part's: half of the gradient is elsewhere
        own = 2 * inner - inner.detach() - 2 * kernel(terms.z, prior).sum() / count**2
        found = own + kernel(prior, prior).mean() * part.share
        return -terms.log_px.mean() * part.share + self.weight * found, {"discrepancy": found}

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        return state


@dataclass(frozen=True)
class Aggressive:
    """The encoder moves until its loss stops falling, then the decoder once (He et al. 2019, algorithm 1)."""

    bound: NegativeBound
    compared: int = 2  # steps of the encoder whose losses are compared with those of as many before
    figures: tuple[str, ...] = ()
    surveys: bool = False

    def start(self) -> State:
        return {"decodes": False, "steps": 0, "sum": 0.0, "before": None, "turns": 0}

    def trained_parts(self, state: State) -> tuple[str, ...]:
        return ("decoder",) if state["decodes"] else ("encoder", "posterior")

    def survey(self, codes: Codes, part: Part) -> Tensor:
        raise AssertionError("nothing is surveyed")

    def loss(
        self, terms: Terms, part: Part, survey: Tensor | None, values: StepValues, state: State
    ) -> tuple[Tensor, Figures]:
        assert survey is None
        return self.bound.loss(terms, part, survey, values, state)

    def next_state(self, state: State, figures: Callable[[], Mapping[str, float]]) -> State:
        now: dict[str, Any] = dict(state)
        if now["decodes"]:
            return {**self.start(), "turns": now["turns"] + 1}
        now["steps"] += 1
        now["sum"] += figures()["loss"]
        if now["steps"] == self.compared:
            falls = now["before"] is None or now["sum"] < now["before"]
            now |= {"steps": 0, "sum": 0.0, "before": now["sum"], "decodes": not falls}
        return now


AGGRESSIVE = Aggressive(NegativeBound())
OBJECTIVES: dict[str, Callable[[Config], Objective]] = {
    "kernel": lambda config: Kernel(), "aggressive": lambda config: AGGRESSIVE,
}  # fmt: skip
SETTINGS = values(
    model={"word_dropout": 0.2, "latent": 2}, objective={"schedule": "constant"}, epochs=6, batch_size=11,
    accumulate=2, log_steps=1, learning_rate=0.03, checkpoint_steps=1000, validate_steps=5, decay_patience=1, clip=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_run_that_was_stopped_ends_in_the_same_bits(name: str, corpus: Path, tmp_path: Path) -> None:
    objective = OBJECTIVES[name]
    alone = train("text", corpus, tmp_path / "alone", SETTINGS, device="cpu", objective=objective)
    for step in (4, 7):
        out = tmp_path / str(step)
        with pytest.raises(Interrupted, match=f"after step {step}"):
            train("text", corpus, out, SETTINGS, device="cpu", objective=stopped_after(step, objective))
        assert differences(alone.path, resume(out, device="cpu", objective=objective).path) == []
    usual = train("text", corpus, tmp_path / "usual", SETTINGS, device="cpu")
    assert "weights.safetensors" in str(differences(alone.path, usual.path)), "the objective changes nothing"
    assert "objective" not in usual.load(usual.steps()[-1]).state


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose untrained model is looked at."""
    settings = values(model={"word_dropout": 0.2, "latent": 2}, objective={"schedule": "constant"}, steps=1)
    return train("text", corpus, tmp_path_factory.mktemp("runs") / "run", settings, device="cpu")


def gradients(
    run: Run, group: list[np.ndarray], objective: Objective, state: State
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The gradients that a group leaves in the untrained model, in double precision, and its figures."""
    _, config, modality = open_run(run.path)
    vae, engine = build_vae(config, modality).double(), Engine("cpu", "fp32")
    tally = Tally(COUNTED, engine.zeros, engine.total)
    batches = Batches(parts(corpora_of(run.path), 0)[0], 99)
    maker = Gradients(vae, engine.prepare_model(vae), batches, objective, engine, tally)
    figures = maker.backward(group, 3, Schedules(config, 57).at(Progress(step=3)), state)
    found = {name: weight.grad for name, weight in vae.named_parameters() if weight.grad is not None}
    return found, {name: value.item() for name, value in figures.items()} | tally.totals()


@pytest.mark.parametrize("cuts", [[], [4], [1, 2, 9]])
def test_a_kernel_sees_the_whole_group_however_it_is_cut(cuts: list[int], run: Run) -> None:
    indices = np.arange(11)
    _, config, modality = open_run(run.path)
    vae = build_vae(config, modality).double()
    batch = Batches(parts(corpora_of(run.path), 0)[0], 99).varied(indices, 3)
    terms: Terms = vae(batch, Noise(0, batch.keys, 3))
    distance = discrepancy(terms.z, prior_draws(11, 2))
    loss = -terms.log_px.mean() + 30.0 * distance
    loss.backward()
    found, figures = gradients(run, np.split(indices, cuts), Kernel(), {})
    assert figures["loss"] == pytest.approx(loss.item(), rel=1e-9)
    assert figures["discrepancy"] == pytest.approx(distance.item(), rel=1e-9)
    assert (figures["examples"], figures["tokens"]) == (11, batch.lengths.sum())
    assert (figures["log_px"], figures["kl"]) == pytest.approx((terms.log_px.sum().item(), terms.kl.sum().item()))
    for name, weight in vae.named_parameters():
        assert torch.allclose(found[name], weight.grad, atol=1e-9), name
    # a kernel is no sum over parts: each part's own discrepancy would have shown another figure
    halves = [discrepancy(half, prior_draws(11, 2)).item() for half in terms.z.split([5, 6])]
    assert abs(np.average(halves, weights=[5, 6]) - distance.item()) > 0.01


@pytest.mark.parametrize("decodes", [False, True])
def test_only_the_parts_that_move_have_a_gradient(decodes: bool, run: Run) -> None:
    found, _ = gradients(run, [np.arange(9)], AGGRESSIVE, {**AGGRESSIVE.start(), "decodes": decodes})
    everything, _ = gradients(run, [np.arange(9)], NegativeBound(), {})
    moved = {name for name in everything if name.startswith("decoder.") == decodes}
    assert found.keys() == moved
    assert 0 < len(moved) < len(everything)
    assert all(torch.equal(found[name], everything[name]) for name in moved)


def test_the_decoder_moves_when_the_loss_of_the_encoder_falls_no_longer(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[nn.Module] = []
    weights: list[dict[str, Tensor]] = []  # after each step
    prepare = Engine.prepare_model

    def noted(engine: Engine, model: nn.Module) -> nn.Module:
        models.append(model)
        return prepare(engine, model)

    def keep(step: int) -> None:
        weights.append({name: weight.detach().clone() for name, weight in models[-1].named_parameters()})

    monkeypatch.setattr(Engine, "prepare_model", noted)
    settings = SETTINGS | {"train": SETTINGS["train"] | {"steps": 13, "decay_patience": 0}}
    run = train(
        "text", corpus, tmp_path / "run", settings, device="cpu", objective=lambda config: Watched(AGGRESSIVE, keep)
    )
    assert len(weights) == len(records(run, "train")) == 13
    states = [AGGRESSIVE.start()]
    for record in records(run, "train"):
        states.append(AGGRESSIVE.next_state(states[-1], lambda loss=record["loss"]: {"loss": loss}))
    assert run.load(13).state["objective"]["turns"] == states[-1]["turns"] > states[6]["turns"]
    for place, (before, after) in enumerate(pairwise(weights), start=1):
        moved = {name.startswith("decoder.") for name in before if not torch.equal(before[name], after[name])}
        assert moved == {states[place]["decodes"]}
    assert {True, False} == {state["decodes"] for state in states}
