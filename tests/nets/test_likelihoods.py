"""The categorical likelihood against torch's own softmax, with its gradients, and the ways of choosing an outcome."""

import math

import pytest
import torch
from torch import Tensor

from seqvae.nets import likelihoods
from seqvae.nets.draws import Choice, drawn
from seqvae.nets.likelihoods import Categorical
from seqvae.noise import Noise

ROWS, HIDDEN, OUTCOMES = 11, 3, 7


def make(bias: bool = True, dtype: torch.dtype = torch.float64) -> Categorical:
    torch.manual_seed(0)
    return Categorical(HIDDEN, OUTCOMES, bias).to(dtype)


def data(rows: int = ROWS, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    # every outcome occurs, the first and the last among them
    return torch.randn(rows, HIDDEN, dtype=dtype), torch.arange(rows) % OUTCOMES


def reference(likelihood: Categorical, h: Tensor, x: Tensor) -> Tensor:
    return likelihood.projection(h).log_softmax(-1).gather(1, x.unsqueeze(1)).squeeze(1)


@pytest.fixture(params=[1, 4, ROWS, 512], ids=lambda rows: f"chunks of {rows}")
def chunked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks of one row, chunks that do not divide the rows, and one chunk for all."""
    monkeypatch.setattr(likelihoods, "CHUNK_ROWS", request.param)
    return request.param


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weights", ["equal", "zero", "different"])
def test_log_probabilities_and_their_gradients_are_those_of_log_softmax(bias: bool, weights: str) -> None:
    likelihood, (h, x) = make(bias), data()
    h.requires_grad_()
    upstream = {
        "equal": torch.full((ROWS,), -0.3, dtype=torch.float64),
        "zero": torch.zeros(ROWS, dtype=torch.float64),
        "different": torch.randn(ROWS, dtype=torch.float64),
    }[weights]
    parameters = [h, *likelihood.parameters()]
    fused, plain = likelihood.log_prob(h, x), reference(likelihood, h, x)
    assert torch.allclose(fused, plain, atol=1e-12)
    expected = torch.autograd.grad(plain, parameters, upstream)
    for a, b in zip(torch.autograd.grad(fused, parameters, upstream), expected, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("equal", [True, False])
def test_gradients_are_those_of_finite_differences(bias: bool, equal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihoods, "CHUNK_ROWS", 4)
    h, x = data()
    factors = torch.full((ROWS,), 0.5).double() if equal else torch.linspace(-1, 2, ROWS).double()

    def score(h: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return (factors * likelihoods._LinearCrossEntropy.apply(h, weight, bias, x, h.dtype, True)).sum()

    inputs = [h.requires_grad_(), *(p.detach().clone().requires_grad_() for p in make(bias).parameters())]
    assert torch.autograd.gradcheck(score, inputs)


def test_gradients_may_be_taken_twice_but_not_of_gradients() -> None:
    likelihood, (h, x) = make(), data()
    h.requires_grad_()
    total = (likelihood.log_prob(h, x) ** 2).sum()
    (first,) = torch.autograd.grad(total, h, retain_graph=True)
    (second,) = torch.autograd.grad(total, h, create_graph=True)
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError):  # a wrong number would be worse
        torch.autograd.grad(second.sum(), h)


def test_no_gradient_is_formed_where_none_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    likelihood, (h, x) = make(), data()
    asked: list[bool] = []
    chunks = likelihoods.cross_entropy_in_chunks

    def spy(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor, dtype: torch.dtype, *rest: object) -> object:
        asked.append(bool(rest[-1]))
        return chunks(h, weight, bias, x, dtype, *rest)

    monkeypatch.setattr(likelihoods, "cross_entropy_in_chunks", spy)
    with torch.no_grad():
        likelihood.log_prob(h, x)
    with torch.inference_mode():
        likelihood.log_prob(h, x)
    likelihood.log_prob(h, x)
    likelihood.requires_grad_(False).log_prob(h, x)
    assert asked == [False, False, True, False]


def test_no_rows_have_no_log_probabilities_and_zero_gradients() -> None:
    likelihood, (h, x) = make(), data(0)
    h.requires_grad_()
    log_prob = likelihood.log_prob(h, x)
    assert log_prob.shape == (0,)
    for gradient in torch.autograd.grad(log_prob.sum(), [h, *likelihood.parameters()]):
        assert gradient.abs().sum() == 0
    assert likelihood.mode(h).shape == (0,)


def test_probabilities_of_all_outcomes_sum_to_one() -> None:
    likelihood, (h, _) = make(), data()
    each = torch.stack([likelihood.log_prob(h, torch.full((ROWS,), v)) for v in range(OUTCOMES)], 1)
    assert torch.allclose(each, likelihood.scores(h))
    assert each.exp().sum(1).tolist() == pytest.approx([1.0] * ROWS)


def test_log_probabilities_hold_for_logits_that_overflow_an_exponential() -> None:
    likelihood, (h, x) = make(dtype=torch.float32), data(dtype=torch.float32)
    h = (1000 * h).requires_grad_()
    log_prob = likelihood.log_prob(h, x)
    assert torch.allclose(log_prob, reference(likelihood, h, x))
    log_prob.sum().backward()
    assert h.grad is not None
    assert h.grad.isfinite().all()


def test_autocast_to_bfloat16_stays_close_to_single_precision() -> None:
    torch.manual_seed(0)
    likelihood = Categorical(64, 500)
    h, x = torch.randn(70, 64), torch.arange(70) * 7
    exact = likelihood.log_prob(h, x)
    with torch.autocast("cpu", torch.bfloat16):
        cast = likelihood.log_prob(h, x)
    assert cast.dtype == torch.float32
    assert not torch.equal(cast, exact)  # the products are of 16 bits
    assert (cast - exact).abs().max() < 0.03
    assert abs(cast.mean().item() - exact.mean().item()) < 0.003
    for a, b in zip(
        torch.autograd.grad(cast.mean(), likelihood.parameters()),
        torch.autograd.grad(exact.mean(), likelihood.parameters()),
        strict=True,
    ):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 0.01 * b.norm()


def test_a_hidden_state_of_16_bits_is_scored_in_single_precision() -> None:
    likelihood, (h, x) = make(dtype=torch.bfloat16), data(dtype=torch.bfloat16)
    log_prob = likelihood.log_prob(h, x)
    assert log_prob.dtype == likelihood.scores(h).dtype == torch.float32
    gradients = torch.autograd.grad(log_prob.sum(), list(likelihood.parameters()))
    assert [g.dtype for g in gradients] == [torch.bfloat16] * 2


@pytest.mark.usefixtures("chunked")
def test_the_mode_is_the_most_probable_outcome() -> None:
    likelihood, (h, _) = make(), data()
    assert torch.equal(likelihood.mode(h), likelihood.scores(h).argmax(1))


def fixed(probabilities: list[float], rows: int) -> tuple[Categorical, Tensor]:
    """A likelihood whose outcomes have these probabilities whatever the hidden state."""
    likelihood = Categorical(HIDDEN, len(probabilities)).double()
    with torch.no_grad():
        likelihood.projection.weight.zero_()
        likelihood.projection.bias.copy_(torch.tensor(probabilities).log())
    return likelihood, torch.zeros(rows, HIDDEN, dtype=torch.float64)


PROBABILITIES = [0.05, 0.4, 0.0, 0.25, 0.3]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), PROBABILITIES),
        (Choice(temperature=0.5), [p * p / 0.315 for p in PROBABILITIES]),
        (Choice(top_k=2), [0, 4 / 7, 0, 0, 3 / 7]),
        (Choice(top_p=0.75), [0, 8 / 19, 0, 5 / 19, 6 / 19]),
        (Choice(top_k=3, top_p=0.7), [0, 4 / 7, 0, 0, 3 / 7]),
        (Choice(top_k=4, top_p=0.99, temperature=2.0), None),
        (Choice(top_p=0.5, temperature=0.5), [0, 1, 0, 0, 0]),  # 0.4 alone would be no half, but 0.16 / 0.315 is
        (Choice(top_p=0.65, temperature=2.0), [p**0.5 / 1.68016 * (p > 0.05) for p in PROBABILITIES]),
    ],
    ids=["all", "cold", "top-k", "nucleus", "both", "hot", "cold nucleus", "hot nucleus"],
)
def test_outcomes_are_drawn_as_often_as_their_probabilities_say(choice: Choice, expected: list[float] | None) -> None:
    if expected is None:
        roots = [math.sqrt(p) for p in PROBABILITIES]
        expected = [root / sum(roots) for root in roots]
    rows = 40_000
    likelihood, h = fixed(PROBABILITIES, rows)
    drawn = likelihood.draw(h, Noise(0, torch.arange(rows)), choice)
    shares = torch.bincount(drawn, minlength=5) / rows
    for share, p in zip(shares.tolist(), expected, strict=True):
        assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / rows)


@pytest.mark.parametrize(
    "choice", [Choice(temperature=0.0), Choice(top_k=1), Choice(top_p=1e-9), Choice(temperature=1e-4)]
)
def test_every_greedy_setting_takes_the_mode(choice: Choice) -> None:
    likelihood, h = fixed(PROBABILITIES, 50)
    assert likelihood.draw(h, Noise(0, torch.arange(50)), choice).tolist() == [1] * 50


def test_an_example_draws_the_same_alone_and_in_any_batch() -> None:
    likelihood, (h, _) = make(), data()
    noise, order = Noise(0, torch.arange(ROWS)), torch.tensor([8, 1, 5])
    drawn = likelihood.draw(h, noise, Choice())
    assert torch.equal(likelihood.draw(h[order], noise.select(order), Choice()), drawn[order])
    assert likelihood.draw(h[8:9], noise.select(order[:1]), Choice()).item() == drawn[8].item()


@pytest.mark.parametrize("uniform", [2.0**-53, 0.2, 1 - 2.0**-53])
def test_an_outcome_of_probability_zero_is_never_drawn(uniform: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Noise, "uniform", lambda self, site, count: torch.full((1, count), uniform).double())
    likelihood, h = fixed([0.0, 0.25, 0.0, 0.75, 0.0], 1)
    drawn = likelihood.draw(h, Noise(0, torch.arange(1)), Choice()).item()
    assert drawn == (3 if uniform > 0.5 else 1)


def filtered(probabilities: list[list[float]], choice: Choice, draws: int = 300) -> list[list[int]]:
    """What is drawn of each row, of many random numbers."""
    logits = torch.tensor(probabilities, dtype=torch.float64).log().repeat_interleave(draws, 0)
    found = drawn(logits, Noise(0, torch.arange(len(logits))), choice)
    return [own.unique().tolist() for own in found.split(draws)]


def test_top_k_is_chosen_for_each_row_by_itself() -> None:
    probabilities = [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.3, 0.1, 0.4, 0.2]]
    assert filtered(probabilities, Choice(top_k=2)) == [[2, 3], [0, 1], [0, 2]]
    assert filtered(probabilities, Choice(top_k=9)) == [[0, 1, 2, 3]] * 3


def test_top_k_keeps_exactly_k_where_outcomes_tie() -> None:
    assert [len(row) for row in filtered([[0.25] * 4, [0.4, 0.2, 0.2, 0.2]], Choice(top_k=2))] == [2, 2]


def test_the_nucleus_is_the_smallest_set_that_reaches_the_mass() -> None:
    probabilities = [[0.1, 0.2, 0.3, 0.4], [0.97, 0.01, 0.01, 0.01]]
    assert filtered(probabilities, Choice(top_p=0.69)) == [[2, 3], [0]]
    assert filtered(probabilities, Choice(top_p=0.71)) == [[1, 2, 3], [0]]
    assert filtered(probabilities, Choice(top_p=1.0)) == [[0, 1, 2, 3]] * 2


def test_the_nucleus_is_that_of_what_top_k_leaves() -> None:
    # of 0.4 and 0.3 the first holds 57 % of the mass
    assert filtered([[0.1, 0.2, 0.3, 0.4]], Choice(top_k=2, top_p=0.5)) == [[3]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, r"a temperature of -0\.1 is not possible; give 0 \(greedy\) or more"),
        ({"temperature": math.nan}, "a temperature of nan is not possible"),
        ({"temperature": math.inf}, "a temperature of inf is not possible"),
        ({"top_k": -1}, "top_k=-1 is not possible; give 1 or more, or 0 for no limit"),
        ({"top_p": 0.0}, r"top_p=0\.0 is not possible; give a share in \(0, 1\]"),
        ({"top_p": 1.1}, r"top_p=1\.1 is not possible"),
    ],
)
def test_a_way_of_choosing_that_is_not_possible_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Choice(**settings)


def test_the_number_of_outcomes_is_that_of_the_projection() -> None:
    assert make().outcomes == OUTCOMES
