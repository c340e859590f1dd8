"""Which prior is fitted: the one under which held-out codes are the most probable, whatever shape the codes have."""

import math
import sys

import pytest
import torch

from seqvae import priors
from seqvae.core import priors as core_priors
from seqvae.core.posterior import DiagonalGaussian, prior_log_prob
from seqvae.core.priors import Mixture, StandardNormal
from seqvae.noise import Noise

pytest.importorskip("sklearn")
COVARIANCE = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 0.04]], dtype=torch.float64)


def codes(means: torch.Tensor, scale: float = 1e-3) -> DiagonalGaussian:
    return DiagonalGaussian(means, torch.full_like(means, math.log(scale)))


def normal(items: int, seed: int) -> torch.Tensor:
    return torch.randn(items, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def correlated(items: int, seed: int) -> DiagonalGaussian:
    return codes(normal(items, seed) @ torch.linalg.cholesky(COVARIANCE).T + torch.tensor([1.0, 0.0, -2.0]))


def clusters(items: int, seed: int) -> DiagonalGaussian:
    """Three of them, far apart."""
    return codes(0.3 * normal(items, seed) + 3.0 * torch.eye(3, dtype=torch.float64)[torch.arange(items) % 3])


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow of two short rounds."""
    monkeypatch.setattr(priors, "MOST_ROUNDS", 2)
    monkeypatch.setattr(priors, "ROUND", 3)


def test_of_correlated_codes_the_gaussian_is_found_with_its_covariance() -> None:
    found = priors.fit(correlated(4000, 0), correlated(1000, 1), "gaussian")
    assert found.name == "gaussian"
    assert isinstance(found.prior, Mixture)
    assert torch.allclose(found.prior.factors[0] @ found.prior.factors[0].T, COVARIANCE, atol=0.06)
    assert torch.allclose(found.prior.means[0], torch.tensor([1.0, 0.0, -2.0]).double(), atol=0.06)
    entropy = 0.5 * float(torch.logdet(2 * math.pi * math.e * COVARIANCE))
    assert found.nats["gaussian"] == pytest.approx(-entropy, abs=0.15)


def test_what_held_out_codes_have_under_the_standard_normal_is_told_beside() -> None:
    held_out = correlated(50, 1)
    drawn = held_out.rsample(Noise(7, torch.arange(50)))
    found = priors.fit(correlated(100, 0), held_out, "gaussian", seed=7)
    assert found.nats["standard"] == pytest.approx(float(prior_log_prob(drawn).mean()))


def test_of_clusters_a_mixture_of_as_many_is_better_than_one_gaussian() -> None:
    found = priors.fit(clusters(900, 0), clusters(300, 1), "mixture")
    assert isinstance(found.prior, Mixture)
    assert found.name in ("mixture of 4", "mixture of 8")  # there is none of three
    centres = found.prior.means[found.prior.log_weights > math.log(0.2)]
    assert ((torch.cdist(centres, 3.0 * torch.eye(3).double()) < 0.5).sum(1) == 1).all()
    one = priors.fit(clusters(900, 0), clusters(300, 1), "gaussian")
    assert found.nats[found.name] > one.nats["gaussian"] + 1.0


def test_the_number_of_gaussians_is_no_longer_doubled_when_that_does_not_help() -> None:
    tried = list(priors.fit(correlated(2000, 0), correlated(300, 1), "mixture").nats)
    assert tried == ["standard", "mixture of 2", "mixture of 4"]
    few = list(priors.fit(correlated(60, 0), correlated(30, 1), "mixture").nats)
    assert few == ["standard", "mixture of 2"]  # of fewer than twenty codes each no other


@pytest.mark.usefixtures("brief")
def test_codes_that_are_standard_normal_already_keep_that_prior_unless_another_is_asked_for() -> None:
    found = priors.fit(codes(normal(60, 0)), codes(normal(2000, 1)))
    assert found.name == "standard"
    assert isinstance(found.prior, StandardNormal)
    assert found.nats["mixture of 2"] < found.nats["standard"]
    assert priors.fit(codes(normal(60, 0)), codes(normal(2000, 1)), "mixture").name == "mixture of 2"


def test_a_flow_is_trained_on_codes_that_no_gaussian_is_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_priors, "TRANSFORMS", 4)
    for name, value in {"MOST_ROUNDS": 3, "LEARNING_RATE": 5e-3}.items():
        monkeypatch.setattr(priors, name, value)

    def ring(items: int, seed: int) -> DiagonalGaussian:
        angle = torch.linspace(seed, seed + 2 * math.pi, items, dtype=torch.float64)
        return codes(torch.stack([2 * angle.cos(), 2 * angle.sin(), 0.5 * angle.cos()], 1), 0.1)

    found = priors.fit(ring(500, 0), ring(300, 1), "flow")
    gaussian = priors.fit(ring(500, 0), ring(300, 1), "gaussian")
    assert found.name == "flow"
    assert found.nats["flow"] > gaussian.nats["gaussian"] + 0.3
    drawn = found.prior.codes(Noise(0, torch.arange(200)))
    assert float(drawn[:, :2].norm(dim=1).mean()) == pytest.approx(2.0, abs=0.25)


@pytest.mark.usefixtures("brief")
def test_auto_takes_the_best_of_all_and_says_what_each_gave() -> None:
    heard: list[str] = []
    found = priors.fit(clusters(300, 0), clusters(90, 1), watch=lambda done, total, what: heard.append(what))
    assert {"standard", "gaussian", "mixture of 2", "mixture of 4", "flow"} <= found.nats.keys()
    assert found.nats.keys() <= set(heard)
    assert found.nats[found.name] == max(found.nats.values())
    again = priors.fit(clusters(300, 0), clusters(90, 1))
    assert again.nats == found.nats


@pytest.mark.usefixtures("brief")
def test_a_flow_of_codes_far_from_zero_is_as_good_as_of_codes_around_it() -> None:
    near, far = (
        priors.fit(*(codes(1e-3 * normal(n, n) + centre, 1e-6) for n in (200, 90)), "flow").nats["flow"]
        for centre in (0.0, 1e4)
    )
    assert far == pytest.approx(near, abs=0.01)


@pytest.mark.usefixtures("brief")
def test_a_fit_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    priors.fit(correlated(50, 0), correlated(20, 1), "flow")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("items", "kind", "message"),
    [
        (50, "normal", "no kind of prior 'normal'; there are auto, gaussian, mixture, flow, standard"),
        (30, "mixture", "30 codes are too few for a mixture; give more, or take another kind"),
        (1, "auto", "a prior cannot be fitted to 1 code of 3 units; give at least two items"),
    ],
)
def test_what_cannot_be_fitted_is_refused(items: int, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        priors.fit(correlated(items, 0), correlated(20, 1), kind)


@pytest.mark.parametrize("kind", ["auto", "gaussian", "mixture", "flow"])
def test_codes_that_are_all_the_same_are_refused(kind: str) -> None:
    same = DiagonalGaussian(torch.full((60, 3), 0.1), torch.full((60, 3), -math.inf))
    with pytest.raises(ValueError, match="all 60 codes are the same, so there is no prior to fit to them; give other"):
        priors.fit(same, same, kind)


def test_to_two_codes_a_gaussian_can_be_fitted() -> None:
    found = priors.fit(correlated(2, 0), correlated(1, 1), "gaussian")
    assert math.isfinite(found.nats["gaussian"])
    assert bool(found.prior.codes(Noise(0, torch.arange(3))).isfinite().all())


def test_a_mixture_of_more_gaussians_than_there_are_codes_is_one_of_the_tries() -> None:
    """Scikit-learn warns of it, which is an error in tests."""
    few = DiagonalGaussian(normal(3, 0).repeat(30, 1), torch.full((90, 3), -math.inf))
    assert "mixture of 4" in priors.fit(few, few, "mixture").nats


@pytest.mark.usefixtures("brief")
def test_what_has_no_prior_of_its_own_gets_one_that_is_not_standard() -> None:
    wide = codes(normal(40, 0) * 0.01 + 1.0), codes(normal(4000, 1))
    assert priors.fit(*wide).name == "standard"
    found = priors.fit(*wide, may_be_standard=False)
    assert found.name != "standard"
    assert found.prior.kind in found.name


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [
        ("gaussian", "sklearn.covariance", "a gaussian is fitted with scikit-learn"),
        ("mixture", "sklearn.mixture", "a mixture is fitted with scikit-learn"),
        ("flow", "sklearn.covariance", "a flow is fitted with scikit-learn"),
        ("auto", "sklearn.mixture", "priors are fitted with scikit-learn"),
    ],
)
def test_a_package_that_is_not_there_is_named_first(
    kind: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    heard: list[str] = []
    with pytest.raises(ValueError, match=rf"{package}, which is not here; install it with pip install 'seqvae\[latent"):
        priors.fit(correlated(90, 0), correlated(20, 1), kind, watch=lambda done, total, what: heard.append(what))
    assert not heard
