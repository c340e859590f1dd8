"""The LSTM encoder and decoder against implementations of their own kind: packed sequences, cells in a loop."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, unpack_sequence

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.lstm import LSTMEncoder, LSTMState
from seqvae.types import Batch
from tests.nets.small_lstm import EMBEDDING, HIDDEN, LATENT, OUTCOMES, batch, codes, decoder, encoder

WIRINGS = [(1, "cell"), (3, "cell"), (1, "dense"), (2, "dense")]
wirings = pytest.mark.parametrize(("layers", "initial_state"), WIRINGS, ids=[f"{n} {s}" for n, s in WIRINGS])


def packed(net: LSTMEncoder, data: Batch, layers: int, bidirectional: bool) -> tuple[PackedSequence, Tensor]:
    """Outputs and last states of torch's own LSTM, of the same weights, on packed sequences."""
    packed_lstm = nn.LSTM(EMBEDDING, HIDDEN, layers, batch_first=True, bidirectional=bidirectional).double()
    state = {}
    for i, layer in enumerate(net.layers):
        for direction, lstm in enumerate(layer):
            for name, value in lstm.state_dict().items():
                state[name.replace("_l0", f"_l{i}") + "_reverse" * direction] = value
    packed_lstm.load_state_dict(state)
    packing = pack_padded_sequence(net.embed(data.x), data.lengths, batch_first=True, enforce_sorted=False)
    outputs, (h, _) = packed_lstm(packing)
    return outputs, h


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_encoder_is_that_of_torch_on_packed_sequences(layers: int, bidirectional: bool) -> None:
    net, data = encoder(layers, bidirectional), batch()
    _, h = packed(net, data, layers, bidirectional)
    expected = torch.cat([h[-2], h[-1]], 1) if bidirectional else h[-1]
    assert net.features == expected.shape[1]
    assert torch.allclose(net(data), expected, atol=1e-12)


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_pooling_is_over_the_states_of_real_steps_alone(pooling: str, bidirectional: bool) -> None:
    net, data = encoder(2, bidirectional, pooling=pooling), batch()
    outputs, _ = packed(net, data, 2, bidirectional)
    found = net(data)
    for row, states in zip(found, unpack_sequence(outputs), strict=True):  # (T, H) of each example, without padding
        assert torch.allclose(row, states.mean(0) if pooling == "mean" else states.amax(0), atol=1e-12)
    assert (found < 0).any()  # where a padding of zeros would be the maximum
    single = data.select(torch.tensor([2]))  # of one step, all three are that step
    assert torch.allclose(net(single), encoder(2, bidirectional)(single), atol=1e-12)


def cells_in_a_loop(net: SequenceDecoder[LSTMState], z: Tensor, x: Tensor) -> Tensor:
    """(B, T, H): the decoder's outputs by torch's single cell, example by example and step by step."""
    cells = []
    for lstm in (net.recurrence.lstm, *net.recurrence.above):
        for layer in range(lstm.num_layers):
            cell = nn.LSTMCell(HIDDEN if layer else lstm.input_size, HIDDEN).double()
            cell.load_state_dict({name: getattr(lstm, f"{name}_l{layer}") for name in cell.state_dict()})
            cells.append(cell)
    rows = []
    for code, symbols in zip(z, x, strict=True):
        states = net.recurrence.to_state.weight @ code + net.recurrence.to_state.bias
        parts = list(states.split(HIDDEN))
        if net.recurrence.initial_state == "cell":
            state = [(part.tanh(), part) for part in parts]
        else:
            half = len(cells)
            state = [(parts[half + i].tanh(), parts[i].tanh()) for i in range(half)]
        steps, previous = [], net.recurrence.first
        for symbol in symbols:
            h = torch.cat([previous, code])
            for i, cell in enumerate(cells):
                state[i] = cell(torch.cat([h, code]) if i and net.recurrence.above else h, state[i])
                h = state[i][0]
            steps.append(h)
            previous = net.recurrence.embed.weight[symbol]
        rows.append(torch.stack(steps))
    return torch.stack(rows)


@wirings
@pytest.mark.parametrize("skips", ["none", "layers"])
def test_the_decoder_is_that_of_single_cells_in_a_loop(layers: int, initial_state: str, skips: str) -> None:
    if layers == 1 and skips == "layers":
        pytest.skip("no layer above the first")
    net, data, z = decoder(layers, initial_state, code_skips=skips), batch(), codes()
    expected = cells_in_a_loop(net, z, data.x)
    assert torch.allclose(net.hidden(z, data), expected, atol=1e-12)
    scores = (expected @ net.likelihood.projection.weight.T + net.likelihood.projection.bias).log_softmax(-1)
    log_prob = scores.gather(2, data.x.unsqueeze(2)).squeeze(2)
    for i, length in enumerate(data.lengths.tolist()):
        assert torch.allclose(net.step_log_prob(z, data)[i, :length], log_prob[i, :length], atol=1e-12)
        assert net.log_prob(z, data)[i].item() == pytest.approx(log_prob[i, :length].sum().item())
        assert torch.equal(net.predict(z, data)[i, :length], scores[i, :length].argmax(1))


@wirings
def test_steps_taken_one_by_one_are_the_teacher_forced_ones(layers: int, initial_state: str) -> None:
    net, data, z = decoder(layers, initial_state), batch(), codes()
    outputs, state = [], net.start(z)
    for t in range(data.x.shape[1]):
        h, state = net.step(state, data.x[:, t - 1] if t else None)
        outputs.append(h)
    assert torch.allclose(torch.stack(outputs, 1), net.hidden(z, data), atol=1e-12)


def test_selected_rows_of_a_state_go_on_as_they_would_have() -> None:
    net, z = decoder(2), codes()
    rows, x = torch.tensor([4, 0, 4]), torch.tensor([1, 2, 3, 4, 5, 6])
    _, state = net.step(net.start(z), None)
    h, _ = net.step(state, x)
    some, _ = net.step(state.select(rows), x[rows])
    assert torch.allclose(some, h[rows], atol=1e-12)
    masked, _ = net.step(state.select(torch.arange(6) < 2), x[:2])
    assert torch.allclose(masked, h[:2], atol=1e-12)


@pytest.mark.parametrize("latent", [LATENT, 0])
def test_probabilities_of_all_sequences_of_one_length_sum_to_one(latent: int) -> None:
    net = decoder(outcomes=3, latent=latent)
    x = torch.tensor(list(itertools.product(range(3), repeat=4)))
    everything = Batch(x=x, lengths=torch.full((81,), 4), keys=torch.arange(81))
    for z in torch.randn(2, latent, dtype=torch.float64):
        total = net.log_prob(z.expand(81, -1), everything).exp().sum().item()
        assert total == pytest.approx(1.0, abs=1e-12)


def test_probabilities_of_all_sequences_that_end_approach_one() -> None:
    # outcome 0 ends a sequence: what has not ended within T steps is the only mass that is missing
    net, z = decoder(outcomes=3), codes(1)
    ended, unended = 0.0, 0.0
    for length in range(1, 6):
        bodies = torch.tensor(list(itertools.product((1, 2), repeat=length - 1)), dtype=torch.int64)
        x = torch.cat([bodies.reshape(2 ** (length - 1), length - 1), torch.zeros(2 ** (length - 1), 1).long()], 1)
        group = Batch(x=x, lengths=torch.full((len(x),), length), keys=torch.arange(len(x)))
        ended += net.log_prob(z.expand(len(x), -1), group).exp().sum().item()
    x = torch.tensor(list(itertools.product((1, 2), repeat=5)))
    unended = net.log_prob(z.expand(32, -1), Batch(x, torch.full((32,), 5), torch.arange(32))).exp().sum().item()
    assert ended + unended == pytest.approx(1.0, abs=1e-12)


def test_padding_scores_zero_and_is_never_read() -> None:
    net, data, z = decoder(), batch(), codes()
    scored = net.step_log_prob(z, data)
    assert (scored[~data.mask] == 0).all()
    assert (scored[data.mask] < 0).all()
    other = replace(data, x=torch.where(data.mask, data.x, (data.x + 3) % OUTCOMES))
    assert torch.equal(net.step_log_prob(z, other), scored)
    assert torch.equal(encoder(2)(other), encoder(2)(data))
    longer = replace(data, x=torch.cat([data.x, data.x], 1))
    assert torch.allclose(net.step_log_prob(z, longer)[:, :9], scored, atol=1e-14)
    assert torch.allclose(encoder(2)(longer), encoder(2)(data), atol=1e-14)


def test_a_step_does_not_see_what_it_predicts_nor_what_follows() -> None:
    net, data, z = decoder(2), batch(), codes()
    hidden = net.hidden(z, data)
    for t in range(9):
        x = data.x.clone()
        x[:, t:] = (x[:, t:] + 1) % OUTCOMES
        changed = net.hidden(z, replace(data, x=x))
        assert torch.equal(changed[:, : t + 1], hidden[:, : t + 1])
        if t < 8:
            assert not torch.isclose(changed[:, t + 1], hidden[:, t + 1]).all(1).any()


def test_a_decoder_without_latent_units_starts_at_zero_and_reads_no_code() -> None:
    net = decoder(2, latent=0)
    state = net.start(torch.zeros(5, 0, dtype=torch.float64))
    assert net.recurrence.to_state is None
    assert net.recurrence.lstm.input_size == EMBEDDING
    assert state.h.abs().sum() == state.c.abs().sum() == 0
    assert state.h.shape == state.c.shape == (2, 5, HIDDEN)


def test_the_code_sets_the_initial_state_and_enters_every_step() -> None:
    net, data, z = decoder(), batch(), codes()
    for part in (net.recurrence.to_state.weight, net.recurrence.lstm.weight_ih_l0[:, EMBEDDING:]):
        kept = part.detach().clone()
        with torch.no_grad():
            part.zero_()
        # one way is closed: the code still matters through the other
        assert not torch.isclose(net.log_prob(z, data), net.log_prob(z + 1, data)).any()
        with torch.no_grad():
            part.copy_(kept)
    with torch.no_grad():
        net.recurrence.to_state.weight.zero_()
        net.recurrence.lstm.weight_ih_l0[:, EMBEDDING:].zero_()
    assert torch.equal(net.log_prob(z, data), net.log_prob(z + 1, data))


@pytest.mark.parametrize("layers", [1, 2])
def test_the_likelihood_reads_the_projection_of_the_states_in_every_way_of_decoding(layers: int) -> None:
    net, data, z = decoder(layers, output_projection=2), batch(), codes()
    expected = cells_in_a_loop(net, z, data.x) @ net.recurrence.projection.weight.T
    assert torch.allclose(net.hidden(z, data), expected, atol=1e-12)
    state = net.start(z)
    for t in range(data.x.shape[1]):
        h, state = net.step(state, data.x[:, t - 1] if t else None)
        assert torch.allclose(h, expected[:, t], atol=1e-12)


@pytest.mark.parametrize("projected", [0, 3])
def test_autocast_to_bfloat16_stays_close_to_single_precision_in_every_way_of_decoding(projected: int) -> None:
    net, data, z = decoder(2, output_projection=projected).float(), batch(), codes().float()
    exact, hidden = net.log_prob(z, data), net.hidden(z, data)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(net.log_prob(z, data), exact, atol=0.02 * 9)
        state = net.start(z)
        for t in range(3):
            h, state = net.step(state, data.x[:, t - 1] if t else None)
            assert torch.allclose(h.float(), hidden[:, t], atol=0.02)


def test_one_step_of_one_example_is_enough() -> None:
    single = Batch(x=torch.tensor([[3]]), lengths=torch.tensor([1]), keys=torch.tensor([7]))
    z = codes(1)
    net = decoder()
    h, _ = net.step(net.start(z), None)
    assert net.log_prob(z, single).item() == pytest.approx(net.likelihood.scores(h)[0, 3].item())
    assert encoder(2)(single).shape == (1, 2 * HIDDEN)
