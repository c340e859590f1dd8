"""Steps of which a part is given: a decoder reads it up to the step that it says, and says nothing of it."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.draws import Choice
from seqvae.nets.given import GivenBeside
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.sampling import beam_search, generate
from seqvae.nets.sequences import LSTMDecoder, sequence_nets
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot
from seqvae.noise import Noise
from seqvae.types import Batch

OUTCOMES, GIVEN, LATENT, STEPS = 3, 4, 2, 5
GREEDY = Choice(temperature=0.0)
kinds = pytest.mark.parametrize(
    "sizes",
    [{}, {"decoder_layers": 2, "code_skips": "both"}, {"conductor_hidden": 6, "segment_steps": 2}],
    ids=["in a row", "the code everywhere", "under a conductor"],
)


def chorded(**sizes: object) -> LSTMDecoder:
    """A decoder of three outcomes, beside which stands one of four."""
    torch.manual_seed(5)
    model = SequenceModel(latent=LATENT, encoder_hidden=4, decoder_hidden=5, **sizes)

    def label() -> tuple[nn.Module, int]:
        return OneHot(OUTCOMES), OUTCOMES

    def likelihood() -> GivenBeside:
        return GivenBeside(Categorical(model.output_features, OUTCOMES), GIVEN)

    decoder = sequence_nets(model, label, likelihood, label)[1].double()
    for name, parameter in decoder.named_parameters():
        if name == "likelihood.of.projection.bias":  # no outcome is the most probable one from the start
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, std=1.5)
    return decoder


def codes(rows: int) -> Tensor:
    return torch.randn(rows, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(6))


def batch_of(x: Tensor) -> Batch:
    return Batch(x, torch.full((len(x),), x.shape[1]), torch.arange(len(x)))


def steps(rows: int, count: int = STEPS) -> Tensor:
    torch.manual_seed(7)
    return torch.stack([torch.randint(OUTCOMES, (rows, count)), torch.randint(GIVEN, (rows, count))], 2)


@kinds
def test_the_probabilities_of_all_that_can_be_said_sum_to_one_whatever_is_given(sizes: dict[str, object]) -> None:
    decoder, count = chorded(**sizes), 3
    said = torch.tensor(list(itertools.product(range(OUTCOMES), repeat=count)))
    z, scores = codes(1).expand(len(said), -1), []
    for given in ([0, 0, 0], [1, 3, 2]):
        x = torch.stack([said, torch.tensor(given).expand(len(said), -1)], 2)
        scores.append(decoder.log_prob(z, batch_of(x)))
        assert torch.isclose(scores[-1].exp().sum(), torch.ones((), dtype=torch.float64))
    assert not torch.isclose(*scores).any()


@kinds
def test_a_step_reads_what_is_given_up_to_itself_and_no_further(sizes: dict[str, object]) -> None:
    decoder, x, z = chorded(**sizes), steps(6), codes(6)
    scores = decoder.step_log_prob(z, batch_of(x))
    for t in range(STEPS):
        other = x.clone()
        other[:, t, 1] = (x[:, t, 1] + 1) % GIVEN
        changed = decoder.step_log_prob(z, batch_of(other))
        assert torch.equal(changed[:, :t], scores[:, :t])
        assert not torch.isclose(changed[:, t], scores[:, t]).any()


@kinds
@pytest.mark.parametrize("choice", [GREEDY, Choice()], ids=["greedy", "drawn"])
def test_what_is_made_keeps_what_is_given_and_depends_on_it(sizes: dict[str, object], choice: Choice) -> None:
    decoder, held, z = chorded(**sizes), steps(30), codes(30)
    made = generate(decoder, z, Noise(0, torch.arange(30)), choice, STEPS, None, held)
    assert torch.equal(made.x[..., 1], held[..., 1])
    if choice.greedy:
        assert torch.equal(decoder.predict(z, made)[..., 0], made.x[..., 0]), "each the mode after its own steps"
    flat = torch.stack([held[..., 0], torch.zeros_like(held[..., 1])], 2)
    other = generate(decoder, z, Noise(0, torch.arange(30)), choice, STEPS, None, flat)
    assert not torch.equal(other.x[..., 0], made.x[..., 0])


@kinds
def test_a_beam_of_all_prefixes_finds_what_is_most_probable_to_what_is_given(sizes: dict[str, object]) -> None:
    decoder, held, z = chorded(**sizes), steps(4, 3), codes(4)
    found = beam_search(decoder, z, OUTCOMES**3, 3, None, held=held)
    assert torch.equal(found.x[..., 1], held[..., 1])
    said = torch.tensor(list(itertools.product(range(OUTCOMES), repeat=3)))
    for row in range(4):
        x = torch.stack([said, held[row, :, 1].expand(len(said), -1)], 2)
        best = decoder.log_prob(z[row].expand(len(said), -1), batch_of(x)).argmax()
        assert torch.equal(found.x[row, :, 0], said[best])
    one = beam_search(decoder, z, 1, 3, None, held=held)
    assert torch.equal(one.x, generate(decoder, z, Noise(0, torch.arange(4)), GREEDY, 3, None, held).x)


def test_inputs_that_are_the_decoders_own_draws_are_those_that_it_makes_to_what_is_given() -> None:
    decoder, x, z = chorded(), steps(7), codes(7)
    read = decoder.draw_inputs(z, batch_of(x), Noise(3, torch.arange(7)), 1.0)
    flat = replace(batch_of(x), x=torch.stack([x[..., 0], torch.zeros_like(x[..., 1])], 2))
    other = decoder.draw_inputs(z, flat, Noise(3, torch.arange(7)), 1.0)
    assert not torch.equal(read[..., 0], other[..., 0]), "the draws depend on what is given"


def test_a_step_that_something_else_is_given_for_is_impossible() -> None:
    likelihood = GivenBeside(Categorical(2, OUTCOMES), GIVEN)
    h, x = torch.randn(2, 2), torch.tensor([[1, 3], [1, 0]])
    held = likelihood.holding(torch.tensor([[0, 3], [0, 2]]))
    assert held.log_prob(h, x).tolist() == [likelihood.log_prob(h, x)[0].item(), -torch.inf]


def test_a_decoder_that_is_to_read_what_is_given_refuses_to_begin_without() -> None:
    with pytest.raises(ValueError, match=r"reads what is given beside its steps, such as chords; hold steps that have"):
        chorded().start(codes(2))
