"""Steps of several parts: a density that is the product of those of the parts, and an LSTM for each of them."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import Recurrence, SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.hierarchy import Core
from seqvae.nets.likelihoods import Categorical, Likelihood
from seqvae.nets.lstm import LSTMRecurrence
from seqvae.nets.parts import PartsInput, PartsLikelihood, PartsRecurrence
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot
from seqvae.noise import Noise
from seqvae.types import Batch

OUTCOMES, HIDDEN, LATENT, ROWS, STEPS = (2, 3, 4), 5, 3, 2, 6


def weighted(net: nn.Module, seed: int = 3) -> nn.Module:
    """A net in double precision, with weights large enough that all of them matter."""
    torch.manual_seed(seed)
    for parameter in net.double().parameters():
        nn.init.normal_(parameter, std=0.7)
    return net


def likelihood(own: int = 0, rest: int = HIDDEN) -> PartsLikelihood:
    net = PartsLikelihood([Categorical(own + rest, outcomes) for outcomes in OUTCOMES], own)
    assert isinstance(weighted(net), PartsLikelihood)
    return net


def every_step() -> Tensor:
    return torch.tensor(list(itertools.product(*map(range, OUTCOMES))))


@pytest.mark.parametrize(("own", "rest"), [(0, 5), (2, 0), (2, 1)])
def test_the_density_is_the_product_of_those_of_the_parts_and_sums_to_one(own: int, rest: int) -> None:
    net, x = likelihood(own, rest), every_step()
    h = torch.randn(1, 3 * own + rest, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = net.log_prob(h.expand(len(x), -1), x)
    read = [torch.cat([h[0, part * own : (part + 1) * own], h[0, 3 * own :]]) for part in range(3)]
    pairs = zip(net.parts, read, strict=True)
    scores = [(one.projection.weight @ seen + one.projection.bias).log_softmax(0) for one, seen in pairs]
    expected = torch.stack([sum(scores[part][step[part]] for part in range(3)) for step in x])  # type: ignore[arg-type]
    assert torch.allclose(found, expected, atol=1e-12)
    assert found.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    assert torch.allclose(net.part_log_prob(h.expand(len(x), -1), x)[:, 2], scores[2][x[:, 2]], atol=1e-12)
    assert torch.equal(net.mode(h)[0], x[found.argmax()])
    assert isinstance(net, Likelihood)


def test_parts_of_equal_density_are_drawn_apart_and_as_often_as_their_product_says() -> None:
    net = PartsLikelihood([Categorical(1, 3) for _ in range(2)])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for part in net.parts:
            part.projection.bias.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    rows = 20_000
    drawn = net.draw(torch.ones(rows, 1), Noise(0, torch.arange(rows)), Choice())
    shares = torch.zeros(3, 3).index_put_((drawn[:, 0], drawn[:, 1]), torch.tensor(1 / rows), accumulate=True)
    expected = torch.outer(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.5, 0.3, 0.2]))
    # four standard errors of a share of a quarter are 0.012
    assert torch.allclose(shares, expected, atol=0.012)
    some = net.draw(torch.ones(3, 1), Noise(0, torch.tensor([7, 2, 5])), Choice())
    assert torch.equal(some, drawn[[7, 2, 5]])
    assert torch.equal(net.draw(torch.ones(1, 1), Noise(0, torch.arange(1)), Choice(top_k=1)), torch.tensor([[0, 0]]))


def test_top_k_and_nucleus_are_of_each_part() -> None:
    net = likelihood()
    h = torch.randn(500, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    drawn = net.draw(h, Noise(0, torch.arange(500)), Choice(top_k=2))
    for part, one in enumerate(net.parts):
        best = one.scores(h).topk(2, 1).indices
        assert (drawn[:, part : part + 1] == best).any(1).all()
        assert (drawn[:, part] != best[:, 0]).any()


def recurrence() -> PartsRecurrence:
    model = SequenceModel(latent=LATENT, decoder_hidden=HIDDEN, word_dropout=0.4)
    net = PartsRecurrence([LSTMRecurrence(OneHot(outcomes), outcomes, model) for outcomes in OUTCOMES])
    assert isinstance(weighted(net), PartsRecurrence)
    return net


def steps() -> Tensor:
    random = torch.Generator().manual_seed(2)
    return torch.stack([torch.randint(outcomes, (ROWS, STEPS), generator=random) for outcomes in OUTCOMES], 2)


def test_each_part_is_an_lstm_that_reads_its_own_column_alone() -> None:
    net, x = recurrence(), steps()
    z = torch.randn(ROWS, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    found = net.hidden(z, x[:, :-1])
    alone = [lstm.hidden(z, x[:, :-1, part]) for part, lstm in enumerate(net.lstms)]
    assert torch.allclose(found, torch.cat(alone, 2), atol=1e-12)
    other = x.clone()
    other[:, 1, 1] = (other[:, 1, 1] + 1) % OUTCOMES[1]
    moved = (net.hidden(z, other[:, :-1]) - found).abs().sum((0, 1)).unflatten(0, (3, HIDDEN)).sum(1)
    assert (moved > 0).tolist() == [False, True, False]
    state, one_by_one = net.start(z), []
    for t in range(STEPS):
        h, state = net.step(state, x[:, t - 1] if t else None)
        one_by_one.append(h)
    assert torch.allclose(torch.stack(one_by_one, 1), found, atol=1e-12)
    assert isinstance(net, Recurrence)
    assert isinstance(net, Core)


def test_the_dropout_of_each_part_is_its_own() -> None:
    net, x = recurrence(), steps()
    noise = Noise(0, torch.arange(ROWS))
    widths = [lstm.input_width for lstm in net.lstms]
    blanked = [(part == 0).all(2) for part in net.inputs(x[:, :-1], noise).split(widths, 2)]
    assert not torch.equal(blanked[0], blanked[1])
    assert not torch.equal(blanked[1], blanked[2])
    assert all(own.any() for own in blanked)


def test_what_reads_a_step_has_the_parts_side_by_side() -> None:
    read = PartsInput([(OneHot(outcomes), outcomes) for outcomes in OUTCOMES])
    assert read.width == sum(OUTCOMES)
    assert read(torch.tensor([[1, 0, 3]])).tolist() == [[0, 1, 1, 0, 0, 0, 0, 0, 1]]


def test_a_decoder_of_parts_scores_what_it_draws_from() -> None:
    """The steps of all sequences of two steps sum to one, parts of several kinds together."""
    model = SequenceModel(latent=LATENT, decoder_hidden=HIDDEN)
    core = PartsRecurrence([LSTMRecurrence(OneHot(outcomes), outcomes, model) for outcomes in OUTCOMES])
    net = SequenceDecoder(core, PartsLikelihood([Categorical(HIDDEN, outcomes) for outcomes in OUTCOMES], HIDDEN))
    weighted(net)
    pairs = list(itertools.product(every_step().tolist(), repeat=2))
    x = torch.tensor(pairs)
    z = torch.randn(1, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).expand(len(x), -1)
    found = net.log_prob(z, Batch(x, torch.full((len(x),), 2), torch.arange(len(x))))
    assert found.exp().sum().item() == pytest.approx(1.0, abs=1e-10)


def test_branches_of_noise_are_independent_of_each_other_and_belong_to_examples() -> None:
    noise = Noise(7, torch.arange(10_000), 3)
    a, b, whole = (own.uniform("draw", 1).squeeze(1) for own in (noise.branch("a"), noise.branch("b"), noise))
    for one, other in ((a, b), (a, whole), (b, whole)):
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1].item()) < 0.04  # four standard errors
    assert torch.equal(noise.select(torch.tensor([5, 9])).branch("a").uniform("draw", 1).squeeze(1), a[[5, 9]])
    assert not torch.equal(Noise(8, torch.arange(10_000), 3).branch("a").uniform("draw", 1).squeeze(1), a)
    assert not torch.equal(noise.at(4).branch("a").uniform("draw", 1).squeeze(1), a)
