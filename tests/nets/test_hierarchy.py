"""The conductor over segments: against a loop that is written out, against its own steps, and against TensorFlow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqvae.magenta.bundle import Bundle
from seqvae.magenta.lstm import Filled, filled, initial_states, torch_layer
from seqvae.magenta.places import find_checkpoint
from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.hierarchy import Core, Hierarchy, HierarchyState, SegmentEncoder
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.lstm import LSTMRecurrence, LSTMState
from seqvae.nets.sampling import generate
from seqvae.nets.sequences import SequenceNets, draw_uniform, sequence_nets
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot, Position
from seqvae.noise import Noise
from seqvae.types import Batch

OUTCOMES, EMBEDDING, LATENT, CONDUCTOR, HIDDEN, SEGMENT, ROWS, STEPS = 6, 4, 3, 5, 7, 4, 2, 10
TRIO = Path(__file__).parents[1] / "magenta" / "fixture" / "hierdec-trio"

Decoder = SequenceDecoder[HierarchyState[LSTMState]]


def nets(segment: int, position: int, sizes: dict[str, object]) -> SequenceNets:
    """Encoder and decoder of words, of the sizes that are named here or those of all tests."""
    model = SequenceModel(**{"latent": LATENT, "embedding": EMBEDDING, **sizes}, segment_steps=segment)

    def read() -> tuple[nn.Module, int]:
        return nn.Embedding(OUTCOMES, EMBEDDING), EMBEDDING

    def likelihood() -> Categorical:
        return Categorical(model.output_features, OUTCOMES)

    return sequence_nets(model, read, likelihood, read, lambda: Position(3, 2, position) if position else None)


def decoder(position: int = 0, segment: int = SEGMENT, **sizes: object) -> Decoder:
    """A hierarchical decoder with weights large enough that every step matters."""
    torch.manual_seed(1)
    _, net = nets(segment, position, {"decoder_hidden": HIDDEN, "conductor_hidden": CONDUCTOR, **sizes})
    for parameter in net.double().parameters():
        nn.init.normal_(parameter, std=0.6)
    return net


def batch() -> Batch:
    x = torch.randint(OUTCOMES, (ROWS, STEPS), generator=torch.Generator().manual_seed(2))
    return Batch(x, torch.tensor([STEPS, 6]), torch.arange(40, 40 + ROWS))


def codes(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


# Against a loop


def initial(layer: nn.Linear, code: Tensor, hidden: int, kind: str) -> list[tuple[Tensor, Tensor]]:
    """The states (h, c) of each layer, from the code on."""
    parts = (layer.weight @ code + layer.bias).split(hidden)
    if kind == "cell":
        return [(part.tanh(), part) for part in parts]
    return [(h.tanh(), c.tanh()) for c, h in zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True)]


def run(lstms: list[nn.LSTM], x: Tensor, code: Tensor | None, states: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The output of one step through all layers, whose states are replaced; layers of their own read the code too."""
    layer = 0
    for place, lstm in enumerate(lstms):
        x = torch.cat([x, code]) if place and code is not None else x
        for own in range(lstm.num_layers):
            w, u, b, d = (getattr(lstm, f"{name}_l{own}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            h, c = states[layer]
            i, f, g, o = (w @ x + u @ h + b + d).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            x = o.sigmoid() * c.tanh()
            states[layer] = x, c
            layer += 1
    return x


def conductor_input(hierarchy: Hierarchy, code: Tensor, begin: int, steps: int) -> Tensor:
    """What the conductor reads of a segment of so many steps."""
    inputs = [torch.ones(1, dtype=code.dtype)]
    if hierarchy.reads_code:
        inputs.append(code)
    if hierarchy.position is not None:
        places, bars = hierarchy.position.places, hierarchy.position.bars
        inputs.append(sum(places[t % 3] + bars[t // 3 % 2] for t in range(begin, begin + steps)) / steps)
    return torch.cat(inputs)


def in_a_loop(net: Decoder, z: Tensor, x: Tensor, kind: str) -> Tensor:
    """(B, T, H): the hidden states example by example, segment by segment and step by step."""
    hierarchy, core = net.recurrence, net.recurrence.core
    rows = []
    for code, symbols in zip(z, x, strict=True):
        conductor, outputs = initial(hierarchy.to_state, code, CONDUCTOR, kind), []
        for begin in range(0, STEPS, SEGMENT):
            theme = run([hierarchy.conductor], conductor_input(hierarchy, code, begin, SEGMENT), None, conductor)
            states = initial(core.to_state, theme, HIDDEN, kind)
            for t in range(begin, min(begin + SEGMENT, STEPS)):
                parts = [core.embed.weight[symbols[t - 1]] if t else core.first, theme]
                if core.position is not None:
                    parts.append(core.position.places[t % 3] + core.position.bars[t // 3 % 2])
                outputs.append(run([core.lstm, *core.above], torch.cat(parts), theme, states))
        rows.append(torch.stack(outputs))
    return torch.stack(rows)


WIRINGS = [
    {},
    {"conductor_layers": 2, "decoder_layers": 2, "initial_state": "dense"},
    {"position": 2, "initial_state": "dense"},
    {"position": 2, "conductor_layers": 3, "decoder_layers": 3, "code_skips": "layers"},
    {"conductor_layers": 2, "conductor_reads": "code"},
    {"position": 2, "conductor_reads": "code", "initial_state": "dense"},
]
wirings = pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: ", ".join(wiring) or "plain")


@wirings
def test_hidden_states_and_gradients_are_those_of_a_loop_over_segments(wiring: dict[str, object]) -> None:
    net, data, z = decoder(**wiring), batch(), codes().requires_grad_()
    found, expected = net.hidden(z, data), in_a_loop(net, z, data.x, str(wiring.get("initial_state", "cell")))
    assert torch.allclose(found, expected, atol=1e-12)
    shares = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(4))
    names = ["z", *(name for name, _ in net.recurrence.named_parameters())]
    weights = [z, *net.recurrence.parameters()]
    own, true = (torch.autograd.grad((h * shares).sum(), weights) for h in (found, expected))
    for name, one, other in zip(names, own, true, strict=True):
        assert other.any(), name
        assert torch.allclose(one, other, atol=1e-10), name


@wirings
def test_one_segment_is_a_flat_decoder_whose_code_is_the_conductors_output(wiring: dict[str, object]) -> None:
    net, data, z = decoder(segment=STEPS + 3, **wiring), batch(), codes()
    flat, states = net.recurrence.core, []
    for code in z:
        own = initial(net.recurrence.to_state, code, CONDUCTOR, str(wiring.get("initial_state", "cell")))
        read = conductor_input(net.recurrence, code, 0, STEPS + 3)
        states.append(run([net.recurrence.conductor], read, None, own))
    assert isinstance(flat, LSTMRecurrence)
    assert torch.allclose(net.hidden(z, data), flat.hidden(torch.stack(states), data.x[:, :-1]), atol=1e-12)


# Its own steps


@wirings
def test_steps_taken_one_by_one_are_the_teacher_forced_ones_on_sampled_steps(wiring: dict[str, object]) -> None:
    net, z = decoder(**wiring), codes()
    sampled = generate(net, z, Noise(0, torch.arange(ROWS)), Choice(), STEPS, None)
    forced, state = net.hidden(z, sampled), net.start(z)
    for t in range(STEPS):
        h, state = net.step(state, sampled.x[:, t - 1] if t else None)
        assert torch.allclose(h, forced[:, t], atol=1e-12), t


@pytest.mark.parametrize("done", [1, 3, 4, 7])
def test_selected_rows_go_on_as_they_would_have(done: int) -> None:
    sizes = {"decoder_layers": 2, "code_skips": "layers", "conductor_reads": "code"}
    net, data, rows = decoder(position=2, **sizes), batch(), torch.tensor([1, 0, 1])
    state = net.start(codes())
    for t in range(done):
        _, state = net.step(state, data.x[:, t - 1] if t else None)
    h, _ = net.step(state, data.x[:, done - 1])
    some, _ = net.step(state.select(rows), data.x[rows, done - 1])
    assert torch.allclose(some, h[rows], atol=1e-12)
    masked, _ = net.step(state.select(torch.tensor([False, True])), data.x[1:, done - 1])
    assert torch.allclose(masked, h[1:], atol=1e-12)


def test_a_segment_knows_the_one_before_by_its_last_step_alone() -> None:
    net, data, z = decoder(), batch(), codes()
    whole = net.hidden(z, data)
    for t, reaches in ((0, SEGMENT), (2, SEGMENT), (3, 2 * SEGMENT), (5, 2 * SEGMENT), (7, STEPS)):
        x = data.x.clone()
        x[:, t] = (x[:, t] + 1) % OUTCOMES
        same = torch.isclose(net.hidden(z, replace(data, x=x)), whole, atol=1e-12).all(2).all(0)
        assert same.tolist() == [not t < step < reaches for step in range(STEPS)]


def test_autocast_to_bfloat16_stays_close_to_single_precision_in_every_way_of_decoding() -> None:
    net, data, z = decoder(conductor_layers=2, decoder_layers=2).float(), batch(), codes().float()
    exact = net.hidden(z, data)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(net.hidden(z, data).float(), exact, atol=0.03)
        state = net.start(z)
        for t in range(STEPS):
            h, state = net.step(state, data.x[:, t - 1] if t else None)
            assert torch.allclose(h.float(), exact[:, t], atol=0.03)


# What it is built of


def test_the_parts_fulfil_their_protocols_and_weights_start_where_they_are_to() -> None:
    net = decoder(code_initial_scale=1e-4)
    assert isinstance(net.recurrence, Hierarchy)
    assert isinstance(net.recurrence.core, Core)
    assert (net.latent, net.recurrence.core.latent) == (LATENT, CONDUCTOR)
    draw_uniform(None, net, 0.01)
    assert all(0 < weight.abs().max() <= 0.1 for weight in net.parameters())
    model = SequenceModel(latent=LATENT, conductor_hidden=50, code_initial_scale=1e-4)
    core = LSTMRecurrence(nn.Embedding(OUTCOMES, EMBEDDING), EMBEDDING, replace(model, latent=50))
    for layer in (core.to_state, Hierarchy(core, model, SEGMENT).to_state):
        assert 0.5e-4 < layer.weight.std().item() < 2e-4
        assert not layer.bias.any()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_new_conductor_still_knows_the_code_in_its_sixteenth_segment(layers: int) -> None:
    torch.manual_seed(6)
    sizes = {"latent": 20, "conductor_hidden": 64, "conductor_layers": layers, "code_initial_scale": 0.01}
    _, net = nets(SEGMENT, 0, sizes)
    state, steps = net.start(torch.randn(200, 20)), torch.zeros(200, dtype=torch.long)
    spread = [state.core.gates.std(0).mean().item()]  # of what the conductor's output adds to the core's gates
    for _ in range(15 * SEGMENT + 1):
        _, state = net.step(state, steps)
        spread.append(state.core.gates.std(0).mean().item())
    assert spread[-1] > spread[0] / 4  # with forget biases of 0 it falls to a thousandth, of 1 to a tenth or less


def test_segments_of_no_known_length_are_refused() -> None:
    words = r"works by segments, and nothing says how long one is; set model\.segment_steps, such as 16"
    with pytest.raises(ValueError, match=rf"^model\.conductor_hidden=5 {words}"):
        decoder(segment=0)
    with pytest.raises(ValueError, match=rf"^model\.segment_encoder_hidden=4 {words}"):
        encoder(segment=0)


# The encoder over segments


def encoder(segment: int = SEGMENT, **sizes: object) -> SegmentEncoder:
    torch.manual_seed(5)
    net, _ = nets(segment, 2, {"encoder_hidden": HIDDEN, "segment_encoder_hidden": 4, **sizes})
    return net.double()


@pytest.mark.parametrize("sizes", [{}, {"encoder_layers": 2, "pooling": "mean"}, {"bidirectional": False}])
def test_an_encoder_over_segments_is_one_that_reads_what_another_gives_of_each(sizes: dict[str, object]) -> None:
    net, data = encoder(**sizes), batch()
    inputs, found = net.steps.inputs(data).x, net(data)
    assert found.shape == (ROWS, net.features)
    assert torch.equal(inputs[..., :EMBEDDING], net.steps.embed(data.x))
    for row, length in enumerate(data.lengths.tolist()):
        parts = [inputs[row, begin : min(begin + SEGMENT, length)] for begin in range(0, length, SEGMENT)]
        read = [net.steps.read(one(part)) for part in parts]
        assert torch.allclose(net.over.read(one(torch.cat(read))), found[row : row + 1], atol=1e-12)
    longer = replace(data, x=torch.cat([data.x, data.x], 1))
    assert torch.allclose(net(longer), found, atol=1e-12)


def one(x: Tensor) -> Batch:
    """A batch of a single sequence of vectors (T, F)."""
    return Batch(x.unsqueeze(0), torch.tensor([len(x)]), torch.zeros(1, dtype=torch.long))


def test_noise_on_what_an_encoder_over_segments_reads_is_that_of_the_whole_sequence() -> None:
    sizes = {"encoder_dropout": 0.3, "corruption": 0.4}
    net, flat = encoder(**sizes), encoder(segment=STEPS, **sizes)
    noise = Noise(0, batch().keys)
    assert torch.equal(net.steps.inputs(batch(), noise).x, flat.steps.inputs(batch(), noise).x)
    assert not torch.isclose(net(batch(), noise), net(batch())).any()


# Against TensorFlow


def trio(part: int, read: int) -> Decoder:
    """The conductor of Magenta's trio with one of its three core decoders; its smaller layers are filled up."""
    bundle, sizes = Bundle(find_checkpoint(TRIO)), [Filled(9, 9), Filled(7, 9)]
    level, core = "decoder/hierarchical_level_0", f"core_decoder/core_decoder_{part}/decoder"
    weights = {"recurrence.core.first": np.zeros(read, np.float32)}
    for name, cells, inputs in (
        ("recurrence.conductor", level, [Filled(1, 1)]),
        ("recurrence.core.lstm", f"{core}/multi_rnn_cell", [Filled(read, read), sizes[-1]]),
    ):
        for layer, size in enumerate(sizes):
            kernel, bias = (bundle.read(f"{cells}/cell_{layer}/lstm_cell/{kind}") for kind in ("kernel", "bias"))
            found = torch_layer(kernel, bias, inputs, size)
            weights |= {f"{name}.{key}_l{layer}": values for key, values in found.items()}
            inputs = [size]
    weights["recurrence.conductor.weight_ih_l0"] = np.zeros((36, 1), np.float32)  # Magenta's conductor reads zeros
    for name, place, code in (
        ("recurrence", f"{level}/initial_state", Filled(8, 8)),
        ("recurrence.core", f"{core}/z_to_initial_state", sizes[-1]),
    ):
        weights[f"{name}.to_state.weight"] = initial_states(filled(bundle.read(f"{place}/kernel"), 0, [code]).T, sizes)
        weights[f"{name}.to_state.bias"] = initial_states(bundle.read(f"{place}/bias"), sizes)
    projection = bundle.read(f"{core}/output_projection/kernel")
    weights["likelihood.projection.weight"] = filled(projection, 0, [sizes[-1]]).T
    weights["likelihood.projection.bias"] = bundle.read(f"{core}/output_projection/bias")
    model = SequenceModel(
        latent=8, decoder_hidden=9, decoder_layers=2, conductor_hidden=9, conductor_layers=2, initial_state="dense"
    )
    net = SequenceDecoder(
        Hierarchy(LSTMRecurrence(OneHot(read), read, replace(model, latent=9)), model, 8), Categorical(9, read)
    )
    net.load_state_dict({name: torch.tensor(values) for name, values in weights.items()}, strict=True)
    return net


@pytest.mark.parametrize(("part", "read", "begin"), [(0, 90, 0), (1, 90, 90), (2, 512, 180)])
def test_logits_are_tensorflows_with_the_weights_of_a_hierarchical_trio(part: int, read: int, begin: int) -> None:
    with np.load(TRIO / "io.npz") as file:
        values = {name: torch.from_numpy(file[name]) for name in ("y", "z", "lengths", "logits")}
    net, own = trio(part, read), slice(begin, begin + read)
    data = Batch(values["y"][..., own].argmax(-1), values["lengths"].long(), torch.arange(3))
    expected = values["logits"][..., own][data.mask]
    logits = net.likelihood.projection(net.hidden(values["z"], data))[data.mask]
    assert torch.allclose(logits, expected, rtol=0, atol=1e-5)
    one_by_one, state = [], net.start(values["z"])
    for t in range(data.x.shape[1]):
        h, state = net.step(state, data.x[:, t - 1] if t else None)
        one_by_one.append(net.likelihood.projection(h))
    assert torch.allclose(torch.stack(one_by_one, 1)[data.mask], expected, rtol=0, atol=1e-5)
