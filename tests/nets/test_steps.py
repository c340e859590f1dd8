"""Steps that are sets of classes, and the places of steps: what the nets read, and what the decoder makes of it."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Bernoulli, Categorical
from seqvae.nets.lstm import LSTMEncoder, LSTMState
from seqvae.nets.sampling import beam_search, generate
from seqvae.nets.steps import ClassBits, OneHot, Position, SharedEmbedding, bits_of_labels, projected_rows, step_input
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets.made import lstm_decoder, lstm_encoder

CLASSES, LATENT, HIDDEN, STEPS, ROWS = 3, 2, 5, 11, 7
LABELS = 2**CLASSES
# labels or not, embedding, shared, places in a bar of 4 steps and a window of 2 bars
KINDS = {
    "one-hot": (True, 0, False, 0),
    "one-hot with places": (True, 0, False, 4),
    "embedded": (True, 6, False, 0),
    "shared with places": (True, 6, True, 4),
    "bits": (False, 0, False, 0),
    "bits with places": (False, 0, False, 4),
    "embedded bits": (False, 6, False, 0),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def decoder(kind: str, layers: int = 2) -> SequenceDecoder[LSTMState]:
    labels, embedding, shared, places = KINDS[kind]
    torch.manual_seed(3)
    embed, width = step_input(CLASSES, labels, embedding, shared, one_hot=True)
    likelihood: nn.Module = Bernoulli(HIDDEN, CLASSES)
    if labels:
        likelihood = Categorical(HIDDEN, LABELS, features=bits_of_labels(CLASSES) if shared else None)
    position = Position(4, 2, places) if places else None
    sizes = {"latent": LATENT, "decoder_hidden": HIDDEN, "decoder_layers": layers, "initial_state": "dense"}
    net = lstm_decoder(embed, width, likelihood, position, **sizes).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.7)
    return net


def encoder(kind: str) -> LSTMEncoder:
    labels, embedding, shared, places = KINDS[kind]
    torch.manual_seed(4)
    embed, width = step_input(CLASSES, labels, embedding, shared, one_hot=False)
    position = Position(4, 2, places) if places else None
    net = lstm_encoder(embed, width, position, encoder_hidden=HIDDEN).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.7)
    return net


def batch(kind: str) -> Batch:
    labels = torch.randint(LABELS, (ROWS, STEPS), generator=torch.Generator().manual_seed(1))
    x = labels if KINDS[kind][0] else bits_of_labels(CLASSES)[labels].long()
    return Batch(x, torch.tensor([11, 4, 9, 1, 11, 6, 10]), torch.arange(30, 37))


def codes(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


# What the nets read


def test_bit_i_of_a_label_is_class_i() -> None:
    assert bits_of_labels(3)[[0, 1, 2, 4, 6]].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]]
    assert bits_of_labels(9)[256].tolist() == [0] * 8 + [1]


@pytest.mark.parametrize("silence", [False, True])
def test_labels_and_their_bits_read_the_same(silence: bool) -> None:
    labels = torch.tensor([[0, 1, 6], [7, 4, 0]])
    read = ClassBits(CLASSES, True, silence)(labels)
    assert torch.equal(read, ClassBits(CLASSES, False, silence)(bits_of_labels(CLASSES)[labels].to(torch.uint8)))
    assert read[0].tolist() == [[0, 0, 0] + [1] * silence, [1, 0, 0] + [0] * silence, [0, 1, 1] + [0] * silence]


def test_one_hot_steps_are_rows_of_the_identity() -> None:
    read = OneHot(5).double()(torch.tensor([[4, 0, 2]]))
    assert torch.equal(read, torch.eye(5, dtype=torch.float64)[[4, 0, 2]].unsqueeze(0))


def test_a_shared_embedding_is_the_labels_own_row_and_those_of_its_classes() -> None:
    embed = SharedEmbedding(CLASSES, 4)
    assert torch.equal(embed(torch.tensor(0)), torch.zeros(4))
    assert torch.allclose(embed(torch.tensor([6]))[0], embed.classes[1] + embed.classes[2])
    with torch.no_grad():
        embed.rows.weight[6] += 2.0
    assert torch.allclose(embed(torch.tensor([6]))[0], embed.classes[1] + embed.classes[2] + 2.0)
    assert torch.allclose(embed(torch.tensor([7]))[0], embed.classes.sum(0))


def test_the_nets_read_musicvaes_inputs_where_there_is_no_embedding() -> None:
    labels = torch.tensor([[5, 0]])
    embed, width = step_input(CLASSES, True, 0, False, one_hot=False)
    assert (embed(labels).tolist(), width) == ([[[1, 0, 1, 0], [0, 0, 0, 1]]], 4)
    embed, width = step_input(CLASSES, True, 0, False, one_hot=True)
    assert (embed(labels).argmax(-1).tolist(), embed(labels).sum().item(), width) == ([[5, 0]], 2, 8)
    embed, width = step_input(CLASSES, False, 0, False, one_hot=True)
    assert (embed(bits_of_labels(CLASSES)[labels].long()).tolist(), width) == ([[[1, 0, 1], [0, 0, 0]]], 3)


@pytest.mark.parametrize("kind", ["one-hot", "embedded", "shared with places"])
def test_projected_rows_are_the_embedded_labels_times_the_weight(kind: str) -> None:
    net = decoder(kind)
    weight = torch.randn(9, len(net.recurrence.first), dtype=torch.float64)
    rows = projected_rows(net.recurrence.embed, weight)
    assert rows is not None
    assert torch.allclose(rows, net.recurrence.embed(torch.arange(LABELS)) @ weight.T, atol=1e-12)


def test_rows_that_are_many_or_none_are_not_projected_at_once() -> None:
    assert projected_rows(nn.Embedding(1025, 2), torch.randn(3, 2)) is None
    assert projected_rows(ClassBits(CLASSES, False, False), torch.randn(3, 3)) is None


# Places


def test_places_come_again_with_each_bar_and_bars_with_each_window() -> None:
    position = Position(steps_per_bar=3, bars=2, width=4)
    vectors = position(14)
    for t in range(14):
        assert torch.allclose(vectors[t], position.places[t % 3] + position.bars[(t // 3) % 2])
    assert position.window == 6
    assert len({tuple(v.tolist()) for v in vectors[:6]}) == 6


def test_the_first_step_stands_at_place_zero_of_bar_zero_in_both_nets() -> None:
    net = decoder("bits with places", layers=1)
    seen: list[Tensor] = []
    net.recurrence.lstm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    data = batch("bits with places")
    net.hidden(codes(), data)
    places = net.recurrence.position(STEPS)
    assert torch.equal(seen[0][:, :, -4:], places.expand(ROWS, -1, -1))
    assert torch.allclose(places[0], net.recurrence.position.places[0] + net.recurrence.position.bars[0])
    assert torch.allclose(places[5], net.recurrence.position.places[1] + net.recurrence.position.bars[1])
    reads = encoder("bits with places")
    for lstm in reads.layers[0]:
        lstm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    reads(data)
    assert torch.equal(seen[1][:, :, -4:], reads.position(STEPS).expand(ROWS, -1, -1))
    for row, length in enumerate(data.lengths.tolist()):  # backwards a step keeps its place
        assert torch.equal(seen[2][row, :length, -4:], reads.position(STEPS)[:length].flip(0))


def test_a_sequence_moved_by_a_step_has_another_score_where_places_are_known() -> None:
    for kind, differs in (("one-hot", False), ("one-hot with places", True)):
        net = decoder(kind)
        with torch.no_grad():
            net.recurrence.first.zero_()  # the input that blanked steps have as well
            for parameter in (net.recurrence.to_state.weight, net.recurrence.to_state.bias):
                parameter.zero_()
            net.recurrence.lstm.weight_hh_l0.zero_()
            net.recurrence.lstm.weight_hh_l1.zero_()
            net.recurrence.lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN] = -1e9  # forgets all
            net.recurrence.lstm.bias_ih_l1[HIDDEN : 2 * HIDDEN] = -1e9
        x = torch.tensor([[3, 3, 3, 3]])
        scores = net.step_log_prob(codes(1), Batch(x, torch.tensor([4]), torch.arange(1)))[0]
        assert torch.isclose(scores[1], scores[2]).item() is not differs


# What the nets make of it


@kinds
def test_steps_taken_one_by_one_are_the_teacher_forced_ones(kind: str) -> None:
    net, data, z = decoder(kind), batch(kind), codes()
    state, outputs = net.start(z), []
    for t in range(STEPS):
        h, state = net.step(state, data.x[:, t - 1] if t else None)
        outputs.append(h)
    assert torch.allclose(torch.stack(outputs, 1), net.hidden(z, data), atol=1e-12)
    assert torch.equal(net.predict(z, data)[:, -1], net.likelihood.mode(outputs[-1]))


@kinds
def test_selected_rows_go_on_as_they_would_have(kind: str) -> None:
    net, data, rows = decoder(kind), batch(kind), torch.tensor([4, 0, 4])
    state = net.start(codes())
    for t in range(6):
        _, state = net.step(state, data.x[:, t - 1] if t else None)
    h, _ = net.step(state, data.x[:, 5])
    some, _ = net.step(state.select(rows), data.x[rows, 5])
    assert torch.allclose(some, h[rows], atol=1e-12)


@kinds
def test_probabilities_of_all_sequences_of_one_length_sum_to_one(kind: str) -> None:
    net = decoder(kind)
    labels = torch.tensor(list(itertools.product(range(LABELS), repeat=3)))
    x = labels if KINDS[kind][0] else bits_of_labels(CLASSES)[labels].long()
    everything = Batch(x, torch.full((len(x),), 3), torch.arange(len(x)))
    total = net.log_prob(codes(1).expand(len(x), -1), everything).exp().sum().item()
    assert total == pytest.approx(1.0, abs=1e-10)


@kinds
def test_padding_is_never_read_and_scores_nothing(kind: str) -> None:
    net, reads, data, z = decoder(kind), encoder(kind), batch(kind), codes()
    scored = net.step_log_prob(z, data)
    assert ((scored == 0) == ~data.mask).all()
    mask = data.mask if KINDS[kind][0] else data.mask.unsqueeze(2)
    other = Batch(torch.where(mask, data.x, data.x.flip(0)), data.lengths, data.keys)
    assert torch.equal(net.step_log_prob(z, other), scored)
    assert torch.equal(reads(other), reads(data))


@kinds
def test_every_parameter_gets_a_gradient(kind: str) -> None:
    net, reads, data = decoder(kind), encoder(kind), batch(kind)
    loss = net.log_prob(codes(), data).sum() + reads(data).sum()
    named = {f"decoder {n}": p for n, p in net.named_parameters()} | {
        f"encoder {n}": p for n, p in reads.named_parameters()
    }
    for name, gradient in zip(named, torch.autograd.grad(loss, list(named.values())), strict=True):
        assert gradient.any(), name


@kinds
def test_generation_makes_steps_of_its_kind_and_a_row_alone_makes_the_same(kind: str) -> None:
    net, z, noise = decoder(kind), codes(9), Noise(0, torch.arange(9))
    drawn = generate(net, z, noise, Choice(), 10, None)
    assert drawn.x.shape == ((9, 10) if KINDS[kind][0] else (9, 10, CLASSES))
    assert 1 < len(drawn.x.unique()) <= int(drawn.x.max()) + 1 <= (LABELS if KINDS[kind][0] else 2)
    rows = torch.tensor([6, 1])
    assert torch.equal(generate(net, z[rows], noise.select(rows), Choice(), 10, None).x, drawn.x[rows])
    greedy = generate(net, z, noise, Choice(temperature=0.0), 10, None)
    assert torch.equal(net.predict(z, greedy), greedy.x)


def test_beam_search_knows_the_places() -> None:
    net, z = decoder("one-hot with places"), codes(2)
    exact = torch.tensor(list(itertools.product(range(LABELS), repeat=3)))
    found = beam_search(net, z, 64, 3, None).x
    for code, best in zip(z, found, strict=True):
        scores = net.log_prob(code.expand(512, -1), Batch(exact, torch.full((512,), 3), torch.arange(512)))
        assert torch.equal(exact[scores.argmax()], best)


# The output layer of outcomes with features


def test_outcomes_that_share_features_start_as_independent_classes() -> None:
    torch.manual_seed(0)
    likelihood = Categorical(HIDDEN, LABELS, features=bits_of_labels(CLASSES)).double()
    events = Bernoulli(HIDDEN, CLASSES).double()
    events.projection.load_state_dict(likelihood.shared.state_dict())
    h, x = torch.randn(ROWS, HIDDEN).double(), torch.tensor([0, 1, 2, 4, 6, 7, 3])
    expected = events.log_prob(h, bits_of_labels(CLASSES)[x].long())
    assert torch.allclose(likelihood.log_prob(h, x), expected, atol=1e-7)


@pytest.mark.parametrize("bias", [True, False])
def test_shared_weights_score_and_choose_like_the_composed_layer(bias: bool) -> None:
    torch.manual_seed(0)
    likelihood = Categorical(HIDDEN, LABELS, bias, bits_of_labels(CLASSES)).double()
    for parameter in likelihood.parameters():
        nn.init.normal_(parameter)
    h, x = torch.randn(ROWS, HIDDEN).double(), torch.tensor([0, 1, 2, 4, 6, 7, 3])
    weight, constant = likelihood.weights()
    assert torch.allclose(weight[5], likelihood.projection.weight[5] + likelihood.shared.weight[[0, 2]].sum(0))
    scores = nn.functional.linear(h, weight, constant).log_softmax(-1)
    assert torch.allclose(likelihood.scores(h), scores, atol=1e-12)
    assert torch.allclose(likelihood.log_prob(h, x), scores[torch.arange(ROWS), x], atol=1e-12)
    assert torch.equal(likelihood.mode(h), scores.argmax(1))
