"""What dropout of words, embeddings, outputs and weights does in the LSTM encoder and decoder."""

import math

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.lstm import LSTMState
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets.made import lstm_encoder
from tests.nets.small_lstm import EMBEDDING, HIDDEN, OUTCOMES, batch, codes, decoder, encoder


@pytest.mark.parametrize("bidirectional", [True, False])
def test_encoder_dropout_hits_the_embeddings_and_keeps_their_mean(bidirectional: bool) -> None:
    net, data = encoder(bidirectional=bidirectional, input_dropout=0.4), batch()
    seen: list[Tensor] = []
    net.layers[0][0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    noise = Noise(0, data.keys)
    net(data, noise)
    net(data)
    ratio = seen[0] / seen[1]
    assert sorted({round(value, 9) for value in ratio.flatten().tolist()}) == pytest.approx([0.0, 1 / 0.6])
    assert torch.equal(seen[1], net.embed(data.x))
    assert torch.equal(net(data, noise), net(data, noise))
    assert not torch.allclose(net(data, noise), net(data, noise.at(1)))


def inputs_of(net: SequenceDecoder[LSTMState], data: Batch, noise: Noise | None) -> Tensor:
    """(B, T, E): the decoder's inputs as its LSTM gets them, without the code."""
    seen: list[Tensor] = []
    handle = net.recurrence.lstm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net.hidden(codes(len(data)), data, noise)
    handle.remove()
    assert torch.equal(seen[0][:, :, EMBEDDING:], codes(len(data)).unsqueeze(1).expand(-1, data.x.shape[1], -1))
    return seen[0][:, :, :EMBEDDING]


def many(rows: int = 400, steps: int = 30) -> Batch:
    x = torch.randint(OUTCOMES, (rows, steps), generator=torch.Generator().manual_seed(5))
    return Batch(x=x, lengths=torch.full((rows,), steps), keys=torch.arange(rows))


def test_word_dropout_blanks_out_whole_inputs_at_its_rate_and_changes_no_other() -> None:
    net, data = decoder(word_dropout=0.3), many()
    plain, dropped = inputs_of(net, data, None), inputs_of(net, data, Noise(0, data.keys))
    blank = (dropped == 0).all(2)
    assert torch.equal(dropped[~blank], plain[~blank])
    assert abs(blank.double().mean().item() - 0.3) < 5 * math.sqrt(0.21 / blank.numel())


def test_input_dropout_hits_single_units_at_its_rate_and_scales_the_others() -> None:
    net, data = decoder(input_dropout=0.2), many()
    ratio = inputs_of(net, data, Noise(0, data.keys)) / inputs_of(net, data, None)
    assert sorted({round(value, 9) for value in ratio.flatten().tolist()}) == pytest.approx([0.0, 1.25])
    assert abs((ratio == 0).double().mean().item() - 0.2) < 5 * math.sqrt(0.16 / ratio.numel())


def test_output_dropout_hits_what_the_likelihood_reads() -> None:
    net, data = decoder(output_dropout=0.5), many()
    z = codes(len(data))
    ratio = net.hidden(z, data, Noise(0, data.keys)) / net.hidden(z, data)
    assert sorted({round(value, 9) for value in ratio.flatten().tolist()}) == pytest.approx([0.0, 2.0])
    assert abs((ratio == 0).double().mean().item() - 0.5) < 5 * math.sqrt(0.25 / ratio.numel())


def test_a_mask_of_a_sequence_drops_the_same_units_at_all_its_steps_and_others_in_other_sequences() -> None:
    net, data = decoder(input_dropout=0.2, output_dropout=0.5, locked_dropout=True), many(steps=8)
    noise, z = Noise(0, data.keys), codes(400)
    dropped = inputs_of(net, data, noise) == 0
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert abs(dropped[:, 0].double().mean().item() - 0.2) < 5 * math.sqrt(0.16 / dropped[:, 0].numel())
    lost = net.hidden(z, data, noise) == 0
    assert torch.equal(lost, lost[:, :1].expand_as(lost))
    assert abs(lost[:, 0].double().mean().item() - 0.5) < 5 * math.sqrt(0.25 / lost[:, 0].numel())


def test_the_encoder_has_masks_of_a_sequence_as_well() -> None:
    net = lstm_encoder(
        nn.Embedding(OUTCOMES, EMBEDDING), EMBEDDING, encoder_hidden=HIDDEN, encoder_dropout=0.4,
        locked_dropout=True, bidirectional=False,
    ).double()  # fmt: skip
    seen: list[Tensor] = []
    net.layers[0][0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    data = many(steps=8)
    net(data, Noise(0, data.keys))
    dropped = seen[0] == 0
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert 0.3 < dropped.double().mean() < 0.5


@pytest.mark.parametrize(("layers", "skips"), [(1, "none"), (2, "none"), (3, "layers")])
def test_weight_dropout_is_a_decoder_whose_recurrent_weights_lack_a_share(layers: int, skips: str) -> None:
    wide = {"decoder_hidden": 40, "output_projection": HIDDEN}
    net, data, z = decoder(layers, weight_dropout=0.25, code_skips=skips, **wide), batch(), codes()
    noise = Noise(0, data.keys)
    dropped = net.hidden(z, data, noise)
    bare = decoder(layers, code_skips=skips, **wide)
    site = 0
    masks = []
    with torch.no_grad():
        for lstm in (bare.recurrence.lstm, *bare.recurrence.above):
            for layer in range(lstm.num_layers):
                weight = getattr(lstm, f"weight_hh_l{layer}")
                kept = noise.shared().keep(f"recurrent weights {site}", 0.25, *weight.shape)[0]
                masks.append(kept)
                weight.mul_(kept).div_(0.75)
                site += 1
    assert torch.allclose(dropped, bare.hidden(z, data), atol=1e-12)
    assert len(masks) == layers
    assert all(abs(mask.double().mean().item() - 0.75) < 0.03 for mask in masks)
    assert not any(torch.equal(masks[0], mask) for mask in masks[1:])
    assert torch.equal(net.hidden(z, data), decoder(layers, code_skips=skips, **wide).hidden(z, data))


def test_weight_dropout_is_the_same_for_any_part_of_a_batch_and_new_at_each_step_of_training() -> None:
    net, data, z = decoder(weight_dropout=0.5), batch(), codes()
    noise = Noise(0, data.keys, step=3)
    together = net.log_prob(z, data, noise)
    order = torch.tensor([5, 2])
    some = Batch(x=data.x[order], lengths=data.lengths[order], keys=data.keys[order])
    assert torch.allclose(net.log_prob(z[order], some, noise.select(order)), together[order], atol=1e-12)
    assert not torch.isclose(net.log_prob(z, data, noise.at(4)), together).any()
    together.sum().backward()
    weights = net.recurrence.lstm.weight_hh_l0
    kept = noise.shared().keep("recurrent weights 0", 0.5, *weights.shape)[0]
    assert weights.grad is not None
    assert torch.equal(weights.grad != 0, kept)


def test_the_targets_of_dropped_words_are_scored_all_the_same() -> None:
    net, data, z = decoder(word_dropout=0.9), batch(), codes()
    noise = Noise(0, data.keys)
    hidden = net.hidden(z, data, noise)
    scores = net.likelihood.scores(hidden.flatten(0, 1)).unflatten(0, data.x.shape)
    expected = scores.gather(2, data.x.unsqueeze(2)).squeeze(2) * data.mask
    assert torch.allclose(net.step_log_prob(z, data, noise), expected, atol=1e-12)


def test_dropout_belongs_to_the_example_and_not_to_its_row_or_padding() -> None:
    net, data, z = decoder(input_dropout=0.3, output_dropout=0.3, word_dropout=0.3), batch(), codes()
    noise = Noise(0, data.keys)
    together = net.log_prob(z, data, noise)
    order = torch.tensor([5, 2, 0])
    some = Batch(x=data.x[order, :5], lengths=data.lengths[order], keys=data.keys[order])
    assert torch.allclose(net.log_prob(z[order], some, noise.select(order)), together[order], atol=1e-12)
    # equal sequences at other keys meet other masks
    assert not torch.isclose(net.log_prob(z, data, Noise(0, data.keys + 1)), together).any()


def test_without_noise_nothing_is_dropped() -> None:
    data, z = batch(), codes()
    plain = decoder().log_prob(z, data)
    dropping = decoder(input_dropout=0.5, output_dropout=0.5, word_dropout=0.5, weight_dropout=0.5)
    assert torch.equal(dropping.log_prob(z, data), plain)
