"""Steps of hits with velocity and time: densities that sum to one, draws that follow them, medians, what is read."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Bernoulli
from seqvae.nets.nade import NADE
from seqvae.nets.played import MIDDLE, SPAN, Combinations, PlayedLikelihood, PlayedSteps
from seqvae.noise import Noise

HIDDEN = 5
KINDS = {
    "bernoulli": lambda classes: Bernoulli(HIDDEN, classes),
    "nade": lambda classes: NADE(HIDDEN, classes, 3),
    "combinations": lambda classes: Combinations(HIDDEN, classes),
}


def cdf(x: float, location: float, scale: float) -> Decimal:
    """The distribution function of the logistic distribution, to so many digits that none is lost in the tails."""
    with localcontext() as digits:
        digits.prec = 400
        return Decimal(x == math.inf) if math.isinf(x) else 1 / (1 + Decimal(-(x - location) / scale).exp())


def likelihood(
    classes: int, most_places: int = 60, kind: str = "bernoulli", spread: float = 0.6, components: int = 1
) -> PlayedLikelihood:
    """One whose weights are all drawn anew, so that everything depends on everything that it may depend on."""
    made = PlayedLikelihood(KINDS[kind](classes), HIDDEN, classes, most_places, components=components).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=spread)
    return made


def states(rows: int) -> Tensor:
    return torch.randn(rows, HIDDEN, dtype=torch.float64)


def steps_of_class(most_places: int) -> Tensor:
    """All outcomes (N, 2) of one class: none, and each velocity at each place."""
    hits = torch.cartesian_prod(torch.arange(1, 128), torch.arange(-most_places, most_places + 1))
    return torch.cat([torch.zeros(1, 2, dtype=torch.int64), hits])


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("most_places", [1, 60])
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_probabilities_of_all_steps_of_one_class_sum_to_one(kind: str, most_places: int, components: int) -> None:
    made, all_steps = likelihood(1, most_places, kind, components=components), steps_of_class(most_places)
    assert len(all_steps) == 1 + 127 * (2 * most_places + 1)
    for h in states(3):
        log_prob = made.log_prob(h.expand(len(all_steps), -1), all_steps.unsqueeze(1))
        assert log_prob.logsumexp(0).item() == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_probabilities_of_all_steps_of_two_classes_sum_to_one_though_one_reads_the_other(kind: str) -> None:
    made, one = likelihood(2, 1, kind), steps_of_class(1)
    places = torch.cartesian_prod(torch.arange(len(one)), torch.arange(len(one)))
    all_steps = one[places]  # (382^2, 2, 2)
    h = states(1)
    total = [made.log_prob(h.expand(len(rows), -1), rows).logsumexp(0) for rows in all_steps.split(9999)]
    assert torch.stack(total).logsumexp(0).item() == pytest.approx(0.0, abs=1e-10)


def test_a_step_is_scored_by_the_formula_written_out() -> None:
    """Against the distribution function of the logistic, class by class, with the weights read in loops."""
    made, classes, most = likelihood(3, 4, spread=0.3), 3, 4
    x = torch.tensor([[[100, -4], [0, 0], [1, 2]], [[127, 0], [64, 4], [0, 0]], [[0, 0]] * 3])
    h = states(3)
    for row in range(3):
        expected = made.hits.log_prob(h[row : row + 1], (x[row : row + 1, :, 0] > 0).long()).item()
        base, reading = made.projection(h[row]).tolist(), made.reading.tolist()
        for c in range(classes):
            if not x[row, c, 0]:
                continue
            for number in range(2):
                numbers: list[float] = []
                for parameter in range(2):
                    at = (2 * c + number) * 2 + parameter
                    value = base[at]
                    for d in range(classes):
                        value += reading[at][3 * d] * float(x[row, d, 0] > 0)
                        if d < c or (d == c and number == 1):
                            value += reading[at][3 * d + 1] * float(x[row, d, 0]) / 127
                        if d < c:
                            value += reading[at][3 * d + 2] * float(x[row, d, 1]) / most
                    numbers.append(value)
                span, bins = ((SPAN, 1 / SPAN), (most, 1 / most))[number]
                least, start = math.log(0.1 / span), math.log((0.25, 0.2)[number])
                scale = math.exp(math.log1p(math.exp(numbers[1] + math.log(math.expm1(start - least)))) + least)
                value = float(x[row, c, number])
                value = (value - MIDDLE) / SPAN if number == 0 else value / most
                low, high = value - bins / 2, value + bins / 2
                if number == 0:
                    low = -math.inf if x[row, c, 0] == 1 else low
                    high = math.inf if x[row, c, 0] == 127 else high
                with localcontext() as digits:
                    digits.prec = 400
                    held = cdf(high, numbers[0], scale) - cdf(low, numbers[0], scale)
                    if number == 1:
                        end = 1 + bins / 2
                        held /= cdf(end, numbers[0], scale) - cdf(-end, numbers[0], scale)
                expected += float(held.ln())
        assert made.log_prob(h[row : row + 1], x[row : row + 1]).item() == pytest.approx(expected, abs=1e-8)


def test_of_several_components_the_density_is_their_mixture() -> None:
    """Against models of one component each, whose weights are those of the components."""
    mixture, h = likelihood(1, 2, components=2), states(1)
    one, other = likelihood(1, 2), likelihood(1, 2)
    steps = steps_of_class(2)[1:]
    with torch.no_grad():
        for name in ("weight", "bias"):
            rows = getattr(mixture.projection, name).unflatten(0, (2, 3, 2))  # number, output, component
            for number, made in enumerate((one, other)):
                getattr(made.projection, name).copy_(rows[:, :2, number].flatten(0, 1))
        reading = mixture.reading.unflatten(0, (2, 3, 2))
        for number, made in enumerate((one, other)):
            made.reading.copy_(reading[:, :2, number].flatten(0, 1))
            made.projection.bias[[0, 2]] += mixture.apart[number]
            made.hits = mixture.hits
    weights = mixture.projection(h)[0].unflatten(0, (2, 3, 2))[:, 2]
    weights = weights + torch.stack([reading[number, 2, :, 0] for number in range(2)])
    hit = mixture.hits.log_prob(h, torch.ones(1, 1, dtype=torch.int64)).exp()
    row = 77 - 1  # of a velocity: its five places are the rows 5 * row to 5 * row + 4
    of_place = weights[1] + mixture.steps(torch.tensor([[77, 0]]))[1] * reading[1, 2, :, 1]
    p = [made.log_prob(h.expand(len(steps), -1), steps.unsqueeze(1)).exp() / hit for made in (one, other)]
    rows = slice(5 * row, 5 * row + 5)
    velocity = sum(w * part[rows].sum() for w, part in zip(weights[0].softmax(0), p, strict=True))
    place = sum(w * part[rows] / part[rows].sum() for w, part in zip(of_place.softmax(0), p, strict=True))
    found = mixture.log_prob(h.expand(5, -1), steps[rows].unsqueeze(1)).exp()
    assert torch.allclose(found, hit * velocity * place, rtol=1e-9)


def test_velocity_and_time_of_no_hit_cost_nothing_whatever_stands_there() -> None:
    made, h = likelihood(2), states(1)
    silent = torch.zeros(1, 2, 2, dtype=torch.int64)
    assert torch.equal(made.log_prob(h, silent), made.hits.log_prob(h, silent[..., 0]))


@pytest.mark.parametrize(("kind", "components"), [("bernoulli", 1), ("nade", 3), ("combinations", 2)])
def test_draws_are_as_frequent_as_their_probabilities_say(kind: str, components: int) -> None:
    made, rows = likelihood(2, 2, kind, components=components), 20_000
    h = states(1)
    drawn = made.draw(h.expand(rows, -1), Noise(0, torch.arange(rows)), Choice())
    one = steps_of_class(2)
    all_steps = one[torch.cartesian_prod(torch.arange(len(one)), torch.arange(len(one)))]
    p = torch.cat([made.log_prob(h.expand(len(some), -1), some) for some in all_steps.split(65536)]).exp()
    for seen, of in ((drawn[..., 0] > 0, all_steps[..., 0] > 0), (drawn[..., 1] < 0, all_steps[..., 1] < 0)):
        for c in range(2):
            expected = p[of[:, c]].sum().item()
            error = 4 * math.sqrt(expected * (1 - expected) / rows) + 1e-12
            assert float(seen[:, c].double().mean()) == pytest.approx(expected, abs=error)
    mean = (p.unsqueeze(1) * all_steps[..., 0]).sum(0)
    variance = (p.unsqueeze(1) * (all_steps[..., 0] - mean) ** 2).sum(0)
    assert ((drawn[..., 0].double().mean(0) - mean).abs() < 4 * (variance / rows).sqrt()).all()
    product = (p * all_steps[:, 0, 1] * all_steps[:, 1, 1]).sum()
    assert float((drawn[:, 0, 1] * drawn[:, 1, 1]).double().mean()) == pytest.approx(product.item(), abs=0.06)


def test_the_mode_has_the_more_probable_hits_the_most_probable_places_and_median_velocities() -> None:
    made, h = likelihood(2, spread=0.4), states(60)
    mode = made.mode(h)
    assert torch.equal(mode[..., 0] > 0, made.hits.mode(h) > 0)
    assert not mode[..., 1][mode[..., 0] == 0].any()
    rows = torch.arange(60)[mode[:, 1, 0] > 0][:6].tolist()
    assert rows
    for row in rows:
        places = mode[row].expand(121, -1, -1).clone()
        places[:, 1, 1] = torch.arange(-60, 61)
        assert int(made.log_prob(h[row].expand(121, -1), places).argmax()) - 60 == mode[row, 1, 1]
    with torch.no_grad():
        made.reading[6:8] = 0.0  # the place of the second class reads no velocity, which is then the only difference
        for row in rows:
            steps = mode[row].expand(127, -1, -1).clone()
            steps[:, 1, 0] = torch.arange(1, 128)
            p = made.log_prob(h[row].expand(127, -1), steps).softmax(0)
            before = float(p[: mode[row, 1, 0] - 1].sum())
            assert before <= 0.5 <= before + float(p[mode[row, 1, 0] - 1])


def test_a_low_temperature_comes_near_to_the_mode_and_a_high_one_spreads() -> None:
    made, h = likelihood(3), states(1).expand(500, -1)
    noise = Noise(1, torch.arange(500))
    cold, hot, mode = made.draw(h, noise, Choice(1e-6)), made.draw(h, noise, Choice(3.0)), made.mode(h[:1])
    assert (cold - mode).abs().max() <= 1
    assert torch.equal(made.draw(h, noise, Choice(0.0)), mode.expand(500, -1, -1))
    assert hot.double().std(0).max() > 20
    for drawn in (cold, hot):
        hit = drawn[..., 0] > 0
        assert drawn[..., 0].max() <= 127
        assert drawn[..., 1].abs().max() <= 60
        assert not drawn[..., 1][~hit].any()


def test_a_low_temperature_takes_the_component_of_the_most_weight() -> None:
    made, h = likelihood(2, components=4), states(30)
    cold = made.draw(h, Noise(1, torch.arange(30)), Choice(1e-6))
    assert torch.equal(cold, made.mode(h))


def test_listed_choices_are_refused() -> None:
    made = likelihood(2)
    with pytest.raises(ValueError, match="is not possible with hits that have velocity and time"):
        made.draw(states(1), Noise(0, torch.arange(1)), Choice(top_k=3))


def test_steps_are_read_as_hit_velocity_and_place_of_each_class() -> None:
    read = PlayedSteps(2, 60)
    assert read.width == 6
    x = torch.tensor([[127, -60], [0, 0]])
    assert read(x).tolist() == [1.0, 1.0, -1.0, 0.0, 0.0, 0.0]
    assert read(torch.tensor([[[1, 30], [64, 0]]], dtype=torch.int8))[0].tolist() == pytest.approx(
        [1.0, 1 / 127, 0.5, 1.0, 64 / 127, 0.0]
    )


def test_extreme_weights_give_finite_scores_and_gradients() -> None:
    made = likelihood(2, spread=60.0)
    x = torch.tensor([[[127, 60], [1, -60]], [[0, 0], [64, 0]]])
    log_prob = made.log_prob(states(2), x)
    assert log_prob.isfinite().all()
    for gradient in torch.autograd.grad(log_prob.sum(), list(made.parameters())):
        assert gradient.isfinite().all()
    assert made.mode(states(2)).abs().max() <= 127


def test_hits_as_combinations_are_the_labels_of_their_bits() -> None:
    made = Combinations(HIDDEN, 3).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    sets = torch.cartesian_prod(*[torch.arange(2)] * 3)
    h = states(1)
    scores = made.labels.scores(h)[0]
    found = made.log_prob(h.expand(8, -1), sets)
    assert torch.allclose(found, scores[(sets * torch.tensor([1, 2, 4])).sum(1)])
    assert made.mode(h)[0].tolist() == sets[found.argmax()].tolist()


@pytest.mark.parametrize(("kind", "components"), [("bernoulli", 1), ("nade", 3), ("combinations", 2)])
def test_the_probabilities_of_all_steps_of_held_hits_sum_to_one(kind: str, components: int) -> None:
    made, h, one = likelihood(3, 1, kind, components=components), states(1), steps_of_class(1)[1:]
    x = torch.zeros(len(one) ** 2, 3, 2, dtype=torch.int64)
    x[:, [0, 2]] = one[torch.cartesian_prod(torch.arange(len(one)), torch.arange(len(one)))]
    held = made.holding(torch.tensor([[[9, 1], [0, 0], [120, 0]]]).expand(len(x), -1, -1))
    log_prob = held.log_prob(h.expand(len(x), -1), x)
    assert log_prob.logsumexp(0).item() == pytest.approx(0.0, abs=1e-10)
    joint = made.log_prob(h.expand(len(x), -1), x)
    of_hits = made.hits.log_prob(h, torch.tensor([[1, 0, 1]])).item()
    assert torch.allclose(joint - log_prob, torch.full_like(joint, of_hits), atol=1e-12)
    other = torch.tensor([[[9, 1], [9, 1], [120, 0]]]).expand(len(x), -1, -1)
    assert bool((made.holding(other).log_prob(h.expand(len(x), -1), x) == -torch.inf).all())


@pytest.mark.parametrize("components", [1, 3])
def test_what_is_said_of_held_hits_is_what_is_said_where_they_are_chosen(components: int) -> None:
    made, h = likelihood(4, kind="nade", spread=0.4, components=components), states(50)
    choice, noise = Choice(0.8), Noise(3, torch.arange(50))
    for free, held in (
        (made.mode(h), lambda x: made.holding(x).mode(h)),
        (made.draw(h, noise, choice), lambda x: made.holding(x).draw(h, noise, choice)),
    ):
        marks = torch.where(free[..., :1] > 0, torch.tensor([77, 5]), 0)  # their own numbers are not looked at
        assert torch.equal(held(marks), free)
    wanted = torch.randint(0, 2, (50, 4, 2))
    wanted[..., 1] = 0
    found = made.holding(wanted).draw(h, Noise(3, torch.arange(50)), Choice())
    assert torch.equal(found[..., 0] > 0, wanted[..., 0] > 0)
    assert not torch.equal(found[..., 0] > 0, made.hits.mode(h) > 0)
    with pytest.raises(ValueError, match="hits that have velocity and time"):
        made.holding(wanted).draw(h, Noise(3, torch.arange(50)), Choice(top_k=3))
