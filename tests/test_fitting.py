"""A prior fitted to the codes of a run: kept beside its weights, drawn from, taken away, and refused when damaged."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

import seqvae
from seqvae import priors
from seqvae.core.priors import Mixture, StandardNormal
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import collect_posterior
from seqvae.model import Model
from seqvae.noise import Noise
from tests.training.small import BRIEF, values, write_corpus

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitting")
    seqvae.train("text", write_corpus(folder / "corpus.txt", 90), folder / "run", BRIEF)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def codes_of(model: Model, n: int = 40) -> torch.Tensor:
    return model.prior.codes(Noise(0, torch.arange(n)))


def test_the_prior_has_the_mean_of_the_codes_of_the_training_data(run: Path) -> None:
    fitted = seqvae.fit_prior(run, kind="gaussian")
    assert isinstance(fitted.prior, Mixture)
    model = seqvae.load(run)
    corpus = prepare(model.modality, _data(run))
    batches = Batches(Part(corpus, 0.05, False, model.config.train.seed), 64)
    q, keys = collect_posterior(model.vae, (batches.load(rows) for rows in batches.in_order()))
    drawn = q.rsample(Noise(0, torch.arange(len(keys)), 1))
    assert torch.allclose(fitted.prior.means[0], drawn.mean(0), atol=1e-12)


def _data(run: Path) -> list[Path]:
    return [Path(name) for name in seqvae.load(run).run.settings["sources"]]  # type: ignore[union-attr]


def test_samples_and_variations_come_from_it_until_another_is_asked_for(run: Path) -> None:
    before = seqvae.load(run)
    assert isinstance(before.prior, StandardNormal)
    fitted = seqvae.fit_prior(run, kind="gaussian")
    after = seqvae.load(run)
    assert after.prior.kind == "gaussian"
    assert torch.equal(codes_of(after), fitted.prior.codes(Noise(0, torch.arange(40))))
    expected = after.decode(codes_of(after, 5), temperature=1.0, seed=0)
    assert after.sample(5, seed=0) == expected
    assert after.sample(5, seed=0) != before.sample(5, seed=0)
    assert after.with_prior("standard").sample(5, seed=0) == before.sample(5, seed=0)
    assert after.with_prior("standard").with_prior("fitted").sample(5, seed=0) == expected
    far = after.vary("the cat sees a dog", n=1, distance=1.0, seed=0)
    assert far == after.decode(codes_of(after, 1))
    assert after.in_windows().using({}).prior is after.prior


def test_on_request_it_is_kept_and_not_used(run: Path) -> None:
    fitted = seqvae.fit_prior(run, kind="gaussian", on_request=True)
    model = seqvae.load(run)
    assert model.prior.kind == "standard"
    assert torch.equal(codes_of(model.with_prior("fitted")), fitted.prior.codes(Noise(0, torch.arange(40))))


def test_standard_takes_it_away_and_leaves_the_run_as_it_was(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    seqvae.fit_prior(run, kind="gaussian")
    assert seqvae.fit_prior(run, kind="standard").name == "standard"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    with pytest.raises(
        ValueError,
        match=r"no prior was fitted to .*run; fit one .*, or take prior=standard",
    ):
        seqvae.load(run).with_prior("fitted")


def test_a_second_fit_takes_the_place_of_the_first(run: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqvae.priors.MOST_ROUNDS", 1)
        patch.setattr("seqvae.priors.ROUND", 2)
        seqvae.fit_prior(run, kind="gaussian")
        flow = seqvae.fit_prior(run, kind="flow")
    assert seqvae.load(run).prior.kind == "flow"
    assert torch.equal(codes_of(seqvae.load(run)), flow.prior.codes(Noise(0, torch.arange(40))))


def test_a_saved_copy_has_it_too(run: Path, tmp_path: Path) -> None:
    seqvae.fit_prior(run, kind="gaussian")
    model = seqvae.load(run)
    model.save(tmp_path / "copy")
    assert torch.equal(codes_of(seqvae.load(tmp_path / "copy")), codes_of(model))
    model.with_prior("standard").save(tmp_path / "plain")
    assert seqvae.load(tmp_path / "plain").prior.kind == "standard"


def test_it_is_that_of_one_checkpoint(run: Path) -> None:
    model = seqvae.load(run)
    assert model.run is not None
    last, other = model.run.steps()[-1], model.run.steps()[0]
    seqvae.fit_prior(run, kind="gaussian", checkpoint=last)
    assert seqvae.load(run, checkpoint=last).prior.kind == "gaussian"
    assert seqvae.load(run, checkpoint=other).prior.kind == "standard"


def test_a_training_that_goes_on_is_the_same_with_it(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    seqvae.fit_prior(run, kind="gaussian", checkpoint="last")
    ends = [seqvae.resume(folder, {"train": {"epochs": 3}}) for folder in (run, other)]
    weights = [end.weights(end.steps()[-1]) for end in ends]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert {file.parent for file in run.rglob("prior.*")} <= {file.parent for file in run.rglob("weights.*")}


def test_the_bound_with_it_stands_beside_the_bound(run: Path) -> None:
    fitted = seqvae.fit_prior(run, kind="gaussian")
    assert isinstance(fitted.prior, Mixture)
    model, data = seqvae.load(run), _data(run)
    figures: Any = model.evaluate(data, importance_samples=1, prior_samples=2)
    corpus = prepare(model.modality, data)
    batches = Batches(Part(corpus), 64)
    q, keys = collect_posterior(model.vae, (batches.load(rows) for rows in batches.in_order()))
    z = q.rsample(Noise(0, keys))
    gaussian = MultivariateNormal(fitted.prior.means[0], scale_tril=fitted.prior.factors[0])
    more = float((Normal(0.0, 1.0).log_prob(z).sum(1) - gaussian.log_prob(z)).mean())
    assert abs(more) > 1e-3
    assert figures["kl_fitted_prior_nats"] == pytest.approx(figures["kl_nats"] + more, abs=1e-5)
    assert figures["elbo_fitted_prior_nats"] == pytest.approx(
        -figures["reconstruction_nats"] - figures["kl_fitted_prior_nats"]
    )
    plain: Any = model.with_prior("standard").evaluate(data, importance_samples=1, prior_samples=2)
    assert plain["elbo_fitted_prior_nats"] is None
    assert plain["elbo_nats"] == figures["elbo_nats"]


def test_a_plain_autoencoder_can_be_sampled_from_with_it(tmp_path: Path) -> None:
    corpus, fit = write_corpus(tmp_path / "corpus.txt", 90), priors.fit
    fits: list[Any] = []
    seqvae.train("text", corpus, tmp_path / "run", values(model={"posterior": "point"}, epochs=1))
    with pytest.MonkeyPatch.context() as patch:  # the best of all is not taken where samples cannot come from it
        patch.setattr("seqvae.fitting.priors.fit", lambda *given: fits.append(given) or fit(*given))
        seqvae.fit_prior(tmp_path / "run", kind="gaussian")
    assert fits[0][5] is False
    model = seqvae.load(tmp_path / "run")
    assert model.sample(3, seed=0) == model.decode(codes_of(model, 3), temperature=1.0, seed=0)
    figures = model.evaluate(corpus, importance_samples=1, prior_samples=3)
    assert (figures["samples"], figures["elbo_fitted_prior_nats"]) == (3, None)
    assert model.with_prior("standard").evaluate(corpus, importance_samples=1)["samples"] is None


def test_other_data_can_be_fitted_to(run: Path, tmp_path: Path) -> None:
    own = seqvae.fit_prior(run, kind="gaussian")
    other = seqvae.fit_prior(run, write_corpus(tmp_path / "other.txt", 50, seed=5), kind="gaussian")
    assert not torch.allclose(own.prior.means[0], other.prior.means[0])  # type: ignore[attr-defined]


def test_where_the_data_are_gone_others_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))
    corpus = write_corpus(tmp_path / "corpus.txt", 60)
    seqvae.train("text", corpus, tmp_path / "run", values(epochs=1))
    shutil.rmtree(tmp_path / "cache")
    corpus = corpus.rename(tmp_path / "moved.txt")
    with pytest.raises(
        ValueError, match=r"no file or folder .*corpus.txt; .*, or give data to whose codes it is to be"
    ):
        seqvae.fit_prior(tmp_path / "run", kind="gaussian")
    assert seqvae.fit_prior(tmp_path / "run", corpus, kind="gaussian").name == "gaussian"


def test_a_model_whose_prior_is_taken_away_says_so(run: Path) -> None:
    seqvae.fit_prior(run, kind="gaussian")
    model = seqvae.load(run)
    seqvae.fit_prior(run, kind="standard")
    with pytest.raises(
        ValueError, match=r"the prior of .*run was taken away since the model was loaded; load it again"
    ):
        model.sample(1)


def test_a_damaged_prior_is_named_when_it_is_used(run: Path) -> None:
    seqvae.fit_prior(run, kind="gaussian")
    (file,) = run.rglob("prior.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    model = seqvae.load(run)
    assert model.reconstruct(["the cat sees a dog"])
    with pytest.raises(ValueError, match=r"prior.safetensors is damaged .* restore it from a copy"):
        model.sample(1)


def test_what_has_no_codes_or_is_held_is_refused(run: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt", 30)
    seqvae.train("text", corpus, tmp_path / "lm", values(model={"latent": 0}, epochs=1))
    with pytest.raises(ValueError, match=r"lm is a language model .* no code whose prior could be fitted"):
        seqvae.fit_prior(tmp_path / "lm")
    with pytest.raises(ValueError, match="no kind of prior 'normal'"):  # before the codes of all data
        seqvae.fit_prior(tmp_path / "nowhere", kind="normal")
    with pytest.raises(ValueError, match="nowhere is not a run folder"):
        seqvae.fit_prior(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    model = seqvae.load(run)
    with pytest.raises(ValueError, match="a prior of 5 units does not fit a model of 3"):
        model.with_prior(StandardNormal(5))
    with pytest.raises(ValueError, match="no prior 'gauss'; there are standard and fitted"):
        model.with_prior("gauss")  # type: ignore[arg-type]
