"""The distributions of pixels against torch's own, their normalisation, their extremes, and their draws."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Laplace, Normal, SigmoidTransform, TransformedDistribution, Uniform

from seqvae.nets.draws import Choice
from seqvae.nets.pixels import (
    AT_ZERO,
    GAUSSIAN,
    LAPLACE,
    LEAST_LOG_SCALE,
    BernoulliPixels,
    Density,
    DensityPixels,
    LogisticPixels,
    PixelLikelihood,
    levels,
)
from seqvae.noise import Noise

ROWS, HIDDEN = 6, 3
SHAPE = (5, 4, 2)


def pixels_of(density: Density, name: str) -> Callable[..., DensityPixels]:
    """Pixels of one density, with the attributes of a class."""
    kind = partial(DensityPixels, density)
    kind.__name__ = name
    kind.outputs_per_value, kind.discrete = DensityPixels.outputs_per_value, DensityPixels.discrete
    return kind


GaussianPixels, LaplacePixels = pixels_of(GAUSSIAN, "GaussianPixels"), pixels_of(LAPLACE, "LaplacePixels")
KINDS = [BernoulliPixels, GaussianPixels, LaplacePixels, LogisticPixels]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
densities = pytest.mark.parametrize("kind", [GaussianPixels, LaplacePixels], ids=lambda kind: kind.__name__)


def make(kind: type, shape: tuple[int, int, int] = SHAPE, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    projection = nn.Linear(HIDDEN, kind.outputs_per_value * math.prod(shape))
    return kind(projection, shape, **settings).double()


def states(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def images(rows: int = ROWS, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    """Grey levels among which black and white are frequent."""
    x = torch.randint(-100, 356, (rows, *shape), generator=torch.Generator().manual_seed(2))
    return x.clamp(0, 255).to(torch.uint8)


def fixed(kind: type, values: list[float], rows: int, **settings: object) -> tuple[nn.Module, Tensor]:
    """A likelihood of one row of pixels whose projection gives these values whatever the hidden state."""
    shape = (1, len(values) // kind.outputs_per_value, 1)
    likelihood = kind(nn.Linear(HIDDEN, len(values)), shape, **settings).double()
    with torch.no_grad():
        likelihood.projection.weight.zero_()
        likelihood.projection.bias.copy_(torch.tensor(values, dtype=torch.float64))
    return likelihood, torch.zeros(rows, HIDDEN, dtype=torch.float64)


def logistic(mean: float, log_scale: float, rows: int) -> tuple[nn.Module, Tensor]:
    return fixed(LogisticPixels, [mean, math.log(math.expm1(log_scale - LEAST_LOG_SCALE)) - AT_ZERO], rows)


def every_level() -> Tensor:
    return torch.arange(256).to(torch.uint8).view(256, 1, 1, 1)


@kinds
def test_each_is_a_pixel_likelihood(kind: type) -> None:
    assert isinstance(make(kind), PixelLikelihood)


def test_only_distributions_over_levels_call_themselves_discrete() -> None:
    assert [kind.discrete for kind in KINDS] == ["when binary", False, False, True]


# Closed forms ---------------------------------------------------------------------------------------------------


@densities
def test_densities_are_those_of_torchs_distributions(kind: type) -> None:
    likelihood, h, x = make(kind, scale=0.3), states(), images()
    mean = likelihood.projection(h).sigmoid().unflatten(1, SHAPE)
    torchs = {GaussianPixels: Normal, LaplacePixels: Laplace}[kind](mean, 0.3)
    expected = torchs.log_prob(x.double() / 255).sum((1, 2, 3))
    assert torch.allclose(likelihood.log_prob(h, x), expected, rtol=1e-6)  # the scale is kept in single precision
    assert torch.allclose(likelihood.mean(h), mean, atol=1e-15)


@densities
def test_the_summed_error_is_the_cost_without_scale_and_constant(kind: type) -> None:
    likelihood, h, x = make(kind, scale=0.3), states(), images()
    errors = x.double() / 255 - likelihood.mean(h)
    expected = (errors.square() if kind is GaussianPixels else errors.abs()).sum((1, 2, 3)).mean()
    nats = -likelihood.log_prob(h, x).mean().item()
    assert likelihood.summed_error(nats) == pytest.approx(expected.item(), rel=1e-6)


@densities
def test_a_scale_of_nought_is_learned_and_another_is_not(kind: type) -> None:
    learned, given = make(kind), make(kind, scale=0.5)
    learned.log_prob(states(), images()).sum().backward()
    assert {name for name, _ in learned.named_parameters()} - {name for name, _ in given.named_parameters()} == {
        "log_scale"
    }
    assert learned.log_scale.grad.abs() > 0
    assert given.log_scale.exp().item() == pytest.approx(0.5)


@densities
def test_the_learned_scale_is_best_at_the_spread_of_the_errors(kind: type) -> None:
    likelihood, h, x = make(kind), states(), images()
    errors = (x.double() / 255 - likelihood.mean(h)).detach()
    best = errors.square().mean().sqrt() if kind is GaussianPixels else errors.abs().mean()
    with torch.no_grad():
        likelihood.log_scale.copy_(best.log())
    likelihood.log_prob(h, x).sum().backward()
    assert likelihood.log_scale.grad.item() == pytest.approx(0.0, abs=1e-9)


@densities
def test_a_negative_scale_is_refused(kind: type) -> None:
    with pytest.raises(ValueError, match=r"pixel scale of -0\.5 is not possible; give one above 0, or 0 to learn it"):
        make(kind, scale=-0.5)


def test_logistic_levels_are_differences_of_torchs_distribution_function() -> None:
    likelihood, h, x = make(LogisticPixels), 0.2 * states(), images()  # in the tails that difference loses its digits
    mean, raw = (part.unflatten(1, SHAPE) for part in likelihood.projection(h).chunk(2, 1))
    scale = (LEAST_LOG_SCALE + nn.functional.softplus(raw + AT_ZERO)).exp()
    torchs = TransformedDistribution(
        Uniform(torch.zeros_like(mean), torch.ones_like(mean)), [SigmoidTransform().inv, AffineTransform(mean, scale)]
    )
    upper, lower = (torchs.cdf((x.double() + side) / 255) for side in (0.5, -0.5))
    upper, lower = upper.masked_fill(x == 255, 1.0), lower.masked_fill(x == 0, 0.0)
    assert torch.allclose(likelihood.log_prob(h, x), (upper - lower).log().sum((1, 2, 3)), rtol=1e-8)


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.4321, 1.0, 2.0])
@pytest.mark.parametrize("log_scale", [-7.999, -6.0, -2.0, 1.0])
def test_the_probabilities_of_256_levels_sum_to_one(mean: float, log_scale: float) -> None:
    likelihood, h = logistic(mean, log_scale, 256)
    assert likelihood.log_prob(h, every_level()).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


def test_levels_far_from_the_mean_keep_their_logarithm() -> None:
    likelihood, h = logistic(0.0, -7.0, 1)
    x = torch.full((1, 1, 1, 1), 200, dtype=torch.uint8)
    scale = math.exp(-7.0)
    # where the tail is exponential p is exp(-(x - w) / b) - exp(-(x + w) / b)
    expected = -199.5 / 255 / scale + math.log1p(-math.exp(-1 / 255 / scale))
    assert likelihood.log_prob(h, x).item() == pytest.approx(expected, rel=1e-12)
    assert likelihood.float().log_prob(h.float(), x).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.4321, 1.0, 2.0])
@pytest.mark.parametrize("log_scale", [-4.0, -2.0, 1.0])
def test_the_logistic_mean_is_that_of_the_256_levels(mean: float, log_scale: float) -> None:
    likelihood, h = logistic(mean, log_scale, 256)
    expected = (likelihood.log_prob(h, every_level()).exp() * torch.arange(256) / 255).sum().item()
    assert likelihood.mean(h[:1]).item() == pytest.approx(expected, abs=1e-4)


def test_the_probabilities_of_all_black_and_white_images_sum_to_one() -> None:
    likelihood = make(BernoulliPixels, (2, 3, 1))
    every = torch.tensor(list(itertools.product((0, 255), repeat=6)), dtype=torch.uint8).unflatten(1, (2, 3, 1))
    for row in states():
        assert likelihood.log_prob(row.expand(64, -1), every).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


# Projections ----------------------------------------------------------------------------------------------------


@kinds
def test_a_deconvolution_gives_each_pixel_its_own_outputs(kind: type) -> None:
    outputs = kind.outputs_per_value * 2
    conv = kind(nn.ConvTranspose2d(HIDDEN, outputs, 3), SHAPE).double()
    planes = torch.randn(ROWS, HIDDEN, 3, 2, dtype=torch.float64)
    given = conv.projection(planes)  # (N, outputs, 5, 4)
    linear = kind(nn.Linear(given[0].numel(), given[0].numel()), SHAPE).double()
    with torch.no_grad():
        linear.projection.weight.copy_(torch.eye(given[0].numel()))
        linear.projection.bias.zero_()
    by_output = given.unflatten(1, (-1, 2))  # (N, outputs per value, C, H, W)
    rows = torch.stack([by_output[:, :, c] for c in range(2)], -1).flatten(1)  # the channel is the last
    assert torch.allclose(conv.log_prob(planes, images()), linear.log_prob(rows, images()), atol=1e-10)
    assert torch.allclose(conv.mean(planes), linear.mean(rows), atol=1e-12)


@kinds
@pytest.mark.parametrize("convolutional", [False, True])
def test_a_mean_image_is_where_the_mean_starts(kind: type, convolutional: bool) -> None:
    image = torch.rand(SHAPE, dtype=torch.float64) * 0.4 + 0.3
    outputs = kind.outputs_per_value
    projection = nn.ConvTranspose2d(HIDDEN, outputs * 2, 3) if convolutional else nn.Linear(HIDDEN, outputs * 40)
    likelihood = kind(projection, SHAPE, image).double()
    h = torch.zeros(1, HIDDEN, 3, 2) if convolutional else torch.zeros(1, HIDDEN)
    start = likelihood.mean(h.double())[0]
    shares = image.logit().mean((0, 1)).sigmoid() if kind is not LogisticPixels else image.mean((0, 1))
    expected = shares.expand(SHAPE) if convolutional else image
    # the logistic distribution loses a little more of its spread at the nearer end
    assert torch.allclose(start, expected, atol=0.03 if kind is LogisticPixels else 1e-6)


def test_pixels_that_are_always_black_start_short_of_certainty() -> None:
    likelihood = BernoulliPixels(nn.Linear(HIDDEN, 40), SHAPE, torch.zeros(SHAPE))
    assert likelihood.mean(torch.zeros(1, HIDDEN))[0].allclose(torch.full(SHAPE, 0.005))


def test_a_projection_without_a_bias_cannot_start_at_a_mean_image() -> None:
    with pytest.raises(ValueError, match="without a bias cannot start"):
        BernoulliPixels(nn.Linear(HIDDEN, 40, bias=False), SHAPE, torch.zeros(SHAPE))


@kinds
def test_autocast_scores_nearly_the_same_in_single_precision(kind: type) -> None:
    likelihood, h, x = make(kind).float(), states().float(), images()
    with torch.autocast("cpu", torch.bfloat16):
        cast, mean = likelihood.log_prob(h, x), likelihood.mean(h)
    assert cast.dtype == mean.dtype == torch.float32
    assert torch.allclose(cast, likelihood.log_prob(h, x), rtol=0.02, atol=0.1)
    assert torch.allclose(mean, likelihood.mean(h), atol=0.01)


@kinds
def test_an_image_scores_the_same_alone_and_in_a_batch(kind: type) -> None:
    likelihood, h, x = make(kind), states(), images()
    together = likelihood.log_prob(h, x)
    for row in range(ROWS):
        assert likelihood.log_prob(h[row : row + 1], x[row : row + 1]).item() == pytest.approx(together[row].item())


@kinds
def test_gradients_are_those_of_finite_differences(kind: type) -> None:
    likelihood, h, x = make(kind, (2, 3, 1)), states(2).requires_grad_(), images(2, (2, 3, 1))
    assert torch.autograd.gradcheck(
        lambda h, *_: likelihood.log_prob(h, x), (h, *likelihood.parameters()), eps=1e-6, atol=1e-6
    )


# Draws ----------------------------------------------------------------------------------------------------------


@kinds
def test_greedy_draws_are_the_mean_in_grey_levels(kind: type) -> None:
    likelihood, h = make(kind), states()
    expected = (likelihood.mean(h) * 255).round().long()
    for choice in (Choice(temperature=0.0), Choice(top_k=1)):
        drawn = likelihood.draw(h, Noise(0, torch.arange(ROWS)), choice)
        assert drawn.dtype == torch.uint8
        assert torch.equal(drawn.long(), expected)


@kinds
@pytest.mark.parametrize("choice", [Choice(top_k=3), Choice(top_p=0.9)])
def test_a_choice_among_listed_outcomes_is_refused(kind: type, choice: Choice) -> None:
    with pytest.raises(ValueError, match=r"is not possible with pixels that are drawn each for itself.*temperature"):
        make(kind).draw(states(), Noise(0, torch.arange(ROWS)), choice)


@kinds
def test_an_image_draws_the_same_alone_and_in_any_batch(kind: type) -> None:
    likelihood, h = make(kind), states()
    noise, order = Noise(0, torch.arange(ROWS)), torch.tensor([4, 1, 5])
    drawn = likelihood.draw(h, noise, Choice())
    assert torch.equal(likelihood.draw(h[order], noise.select(order), Choice()), drawn[order])


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_pixels_are_white_as_often_as_the_tempered_logits_say(temperature: float) -> None:
    rows, logits = 20_000, [-2.0, 0.3, 1.5]
    likelihood, h = fixed(BernoulliPixels, logits, rows)
    drawn = likelihood.draw(h, Noise(0, torch.arange(rows)), Choice(temperature=temperature))
    assert set(drawn.unique().tolist()) == {0, 255}
    for share, logit in zip((drawn == 255).double().mean(0).flatten().tolist(), logits, strict=True):
        p = 1 / (1 + math.exp(-logit / temperature))
        assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / rows)


def test_levels_are_drawn_as_often_as_the_logistic_distribution_says() -> None:
    rows = 20_000
    likelihood, h = logistic(0.02, -3.5, rows)
    drawn = likelihood.draw(h, Noise(0, torch.arange(rows)), Choice()).flatten().long()
    expected = likelihood.log_prob(h[:256], every_level()).exp()
    shares = torch.bincount(drawn, minlength=256) / rows
    assert ((shares - expected).abs() <= 5 * (expected * (1 - expected) / rows).sqrt() + 1e-4).all()
    assert expected[0] > 0.3  # black takes in all that is below it


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.__name__)
def test_a_temperature_multiplies_the_spread_of_draws(kind: type, temperature: float) -> None:
    rows, scale = 20_000, 0.05
    if kind is LogisticPixels:
        (likelihood, h), spread = logistic(0.5, math.log(scale), rows), math.pi / math.sqrt(3)
    else:
        (likelihood, h), spread = fixed(kind, [0.0], rows, scale=scale), {GaussianPixels: 1.0}.get(kind, math.sqrt(2))
    shares = likelihood.draw(h, Noise(0, torch.arange(rows)), Choice(temperature=temperature)).double() / 255
    assert shares.mean().item() == pytest.approx(0.5, abs=0.005)
    assert shares.std().item() == pytest.approx(spread * scale * temperature, rel=0.03)


def test_grey_levels_are_rounded_and_cut() -> None:
    shares = torch.tensor([-0.2, 0.0, 0.4999 / 255, 0.5001 / 255, 0.5, 1.0, 1.7])
    assert levels(shares).tolist() == [0, 0, 0, 1, 128, 255, 255]
