"""A prior that is learned along with encoder and decoder: its bound, its weights in a run, what it excludes."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import seqvae
from seqvae.core.importance import Draws
from seqvae.core.posterior import prior_log_prob
from seqvae.core.priors import StandardNormal
from seqvae.core.vae import VAE
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.likelihood import elbo
from seqvae.generate import Decoding
from seqvae.noise import Noise
from tests.core.test_vae import LATENT, Flat, Linear, linear_gaussian
from tests.training.small import values, write_corpus

FLOW = {"prior": "flow"}


class Shifted(nn.Module):
    """N(1, 4 I), which has a KL in closed form."""

    latent, kind = LATENT, "shifted"

    def log_prob(self, z: Tensor) -> Tensor:
        return prior_log_prob((z - 1.0) / 2.0) - LATENT * math.log(2.0)

    def codes(self, noise: Noise) -> Tensor:
        return 1.0 + 2.0 * noise.normal("prior", LATENT)


def with_prior() -> tuple[VAE, VAE]:
    """A linear-Gaussian VAE with another prior, and the same with N(0, I)."""
    plain, _ = linear_gaussian()
    vae = VAE(Flat(), Linear(), prior=Shifted()).double()
    vae.load_state_dict(plain.state_dict())
    return vae, plain


def test_the_kl_is_that_to_the_learned_prior() -> None:
    vae, _ = with_prior()
    _, batch = linear_gaussian()
    q = vae.posterior(batch)
    exact = (math.log(2.0) - q.log_scale + (q.scale**2 + (q.mean - 1.0) ** 2) / 8 - 0.5).sum(1)
    codes = vae.codes(batch, Noise(0, batch.keys), samples=20_000)
    assert codes.kl.shape == q.mean.shape
    assert torch.allclose(codes.kl.sum(1), exact, atol=0.05)


def test_one_draw_is_the_bound_of_one_and_weights_have_the_learned_prior() -> None:
    vae, plain = with_prior()
    _, batch = linear_gaussian()
    noise = Noise(0, batch.keys)
    terms = vae(batch, noise)
    assert torch.allclose(terms.log_px - terms.kl.sum(1), vae(batch, noise, draws=Draws(1)).log_px - terms.kl.sum(1))
    assert torch.allclose(terms.log_px - terms.kl.sum(1), vae.log_weights(batch, noise, 1)[:, 0])
    more = vae.log_weights(batch, noise, 3) - plain.log_weights(batch, noise, 3)
    z = vae.posterior(batch).rsample(noise, 3)
    assert torch.allclose(more.flatten(), vae.log_prior(z) - prior_log_prob(z))
    several = vae(batch, noise, draws=Draws(3))
    expected = torch.logsumexp(vae.log_weights(batch, noise, 3), 1) - math.log(3)
    assert torch.allclose(several.bound, expected)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    seqvae.train("text", write_corpus(folder / "corpus.txt", 90), folder / "run", values(model=FLOW))
    return folder / "run"


def test_it_is_trained_kept_with_the_weights_and_drawn_from(run: Path) -> None:
    model = seqvae.load(run)
    assert model.prior.kind == "flow"
    assert model.prior is model.vae.own_prior
    again = seqvae.load(run)
    z = model.prior.codes(Noise(0, torch.arange(6)))
    assert torch.equal(again.prior.codes(Noise(0, torch.arange(6))), z)
    assert model.sample(6, Decoding(temperature=1.0)) == model.decode(z, temperature=1.0)
    assert model.with_prior("standard").prior is model.prior
    untrained = seqvae.train("text", run.parent / "corpus.txt", run.parent / "short", values(model=FLOW, steps=1)).path
    other = seqvae.load(untrained).prior.log_prob(z)
    assert not torch.allclose(other, model.prior.log_prob(z))


def test_evaluation_and_scores_are_under_it(run: Path) -> None:
    model = seqvae.load(run)
    lines = (run.parent / "corpus.txt").read_text().splitlines()
    scores = model.score(lines, importance_samples=3)
    figures = model.evaluate([run.parent / "corpus.txt"], importance_samples=3, precision="fp32")
    assert figures["elbo_nats"] == pytest.approx(float(scores.elbo_nats.mean()), rel=1e-6)
    q = model.encode(lines)
    z = q.rsample(Noise(1, torch.arange(len(lines))))  # other draws of the same codes
    assert figures["kl_nats"] == pytest.approx(float((q.log_prob(z) - model.prior.log_prob(z)).mean()), abs=0.1)


def test_a_prior_that_is_fitted_goes_before_it_and_can_be_taken_away(run: Path) -> None:
    pytest.importorskip("sklearn")
    fitted = seqvae.fit_prior(run, kind="gaussian")
    own = seqvae.load(run).vae.own_prior
    assert set(fitted.nats) == {"standard", "gaussian"}
    assert seqvae.load(run).prior.kind == "gaussian"
    assert seqvae.load(run).with_prior("standard").prior.kind == own.kind == "flow"
    seqvae.fit_prior(run, kind="standard")
    model = seqvae.load(run)
    assert model.prior is model.vae.own_prior
    assert not isinstance(model.prior, StandardNormal)


def test_training_goes_on_with_it_as_if_it_had_never_stopped(run: Path, tmp_path: Path) -> None:
    corpus = run.parent / "corpus.txt"
    whole = seqvae.train("text", corpus, tmp_path / "whole", values(model=FLOW, epochs=2))
    seqvae.train("text", corpus, tmp_path / "part", values(model=FLOW, epochs=1))
    tuned = seqvae.train("text", corpus, tmp_path / "tuned", values(model=FLOW, epochs=1), start_from=whole.path)
    assert seqvae.load(tuned.path).prior.kind == "flow"
    kept = seqvae.train(
        "text", corpus, tmp_path / "kept", values(model=FLOW, epochs=1, freeze="prior"), start_from=whole.path
    )
    before, after = (seqvae.load(path).vae.state_dict() for path in (whole.path, kept.path))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("prior."))
    assert not all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("model", "other"),
    [
        ({"least_kl_nats": 1.0}, "least_kl_nats=1.0"),
        ({"batch_norm_scale": 0.5}, "batch_norm_scale=0.5"),
        ({"posterior": "point"}, "posterior=point"),
        ({"latent": 0}, "latent=0"),
    ],
)
def test_what_it_excludes_is_named(model: dict[str, object], other: str, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    with pytest.raises(ValueError, match=rf"^model\.prior=flow is not possible with model\.{other}"):
        seqvae.train("text", corpus, tmp_path / "run", values(model=FLOW | model))


def test_the_bound_of_held_out_items_is_a_mean_of_draws(run: Path) -> None:
    model = seqvae.load(run)
    batches = Batches(Part(prepare(model.modality, [run.parent / "corpus.txt"])), 16)
    found = elbo(model.vae, (batches.load(rows) for rows in batches.in_order()))
    assert float(found.mean_kl_per_unit.std()) == pytest.approx(0.0, abs=1e-9)  # equal shares
    assert found.mean_kl_nats == pytest.approx(float(found.mean_kl_per_unit.sum()))
