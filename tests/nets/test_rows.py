"""A decoder of one-hot steps, whose inputs are rows of tables: the numbers are those of inputs that are multiplied."""

import pytest
import torch
from torch import Tensor

from seqvae.nets import lstm
from seqvae.nets.lstm import LSTMRecurrence
from seqvae.nets.sequence_lstm import Rows, run_layer_of_rows
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot, Position
from seqvae.noise import Noise

OUTCOMES, CHORDS, LATENT, HIDDEN = 6, 3, 2, 4
ROWS, STEPS = 3, 7
DRAWN = torch.Generator().manual_seed(1)
READ = torch.randint(OUTCOMES, (ROWS, STEPS - 1), generator=DRAWN)
GIVEN = torch.randint(CHORDS, (ROWS, STEPS), generator=DRAWN)
KEYS = torch.arange(ROWS)


def recurrence(given: bool = False, position: bool = False, **sizes: object) -> LSTMRecurrence:
    """One in double precision, whose first step reads something."""
    torch.manual_seed(0)
    model = SequenceModel(latent=LATENT, decoder_hidden=HIDDEN, **sizes)
    place = Position(2, 2, 3) if position else None
    net = LSTMRecurrence(OneHot(OUTCOMES), OUTCOMES, model, place, OneHot(CHORDS) if given else None).double()
    with torch.no_grad():
        net.first.normal_()
    return net


def codes() -> Tensor:
    return torch.randn(ROWS, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()


def with_gradients(net: LSTMRecurrence, noise: Noise | None, given: Tensor | None) -> list[Tensor]:
    """The outputs, and how the code and all weights change them."""
    z = codes()
    found = net.hidden(z, READ, noise, given)
    slope = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(3))
    return [found, *torch.autograd.grad(found, [z, *net.parameters()], slope, allow_unused=True)]


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"decoder_layers": 2, "initial_state": "dense"},
        {"decoder_layers": 3, "code_skips": "layers", "output_projection": 3},
        {"decoder_layers": 2, "weight_dropout": 0.4, "word_dropout": 0.5},
    ],
    ids=["one layer", "two layers", "skips", "dropped"],
)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "place and chord"])
def test_outputs_and_gradients_are_those_of_multiplied_inputs(
    sizes: dict[str, object], beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = recurrence(beside, beside, **sizes)
    given, noise = (GIVEN if beside else None), Noise(0, KEYS)
    multiplied = with_gradients(net, noise, given)
    monkeypatch.setattr(lstm, "widest_multiplied", lambda dtype: 0)
    monkeypatch.delattr(LSTMRecurrence, "outputs")  # by which inputs are multiplied
    by_rows = with_gradients(net, noise, given)
    for found, expected in zip(by_rows, multiplied, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_gradients_of_rows_are_those_of_finite_differences() -> None:
    net = recurrence()
    which = torch.tensor([[[0, 1], [2, 2], [1, 0]], [[3, 3], [3, 4], [4, 4]]])  # two rows for each of three steps
    drawn = torch.Generator().manual_seed(0)

    def learned(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=drawn).requires_grad_()

    def outputs(table: Tensor, constant: Tensor, h: Tensor, c: Tensor, w_hh: Tensor) -> Tensor:
        return run_layer_of_rows(net.lstm, Rows(table, which, constant), h, c, {"weight_hh_l0": w_hh})

    inputs = learned(5, 4 * HIDDEN), learned(2, 4 * HIDDEN), learned(2, HIDDEN), learned(2, HIDDEN)
    assert torch.autograd.gradcheck(outputs, (*inputs, learned(4 * HIDDEN, HIDDEN)))


def test_wide_inputs_are_read_as_rows_where_no_element_of_them_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstm, "widest_multiplied", lambda dtype: 9 if dtype == torch.bfloat16 else 8)
    net = recurrence(input_dropout=0.5).float()  # it reads 6 outcomes and 2 units of the code
    z, noise = codes().float(), Noise(0, KEYS)
    assert "SequenceLSTM" in str(type(net.hidden(z, READ).grad_fn))
    assert "SequenceLSTM" not in str(type(net.hidden(z, READ, noise).grad_fn))
    with torch.autocast("cpu", torch.bfloat16):
        assert "SequenceLSTM" not in str(type(net.hidden(z, READ).grad_fn))
    embedded = LSTMRecurrence(torch.nn.Embedding(OUTCOMES, 8), 8, SequenceModel(latent=LATENT, decoder_hidden=HIDDEN))
    assert "SequenceLSTM" not in str(type(embedded.hidden(z, READ).grad_fn))


def test_rows_in_16_bits_are_near_those_in_32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstm, "widest_multiplied", lambda dtype: 0)
    net = recurrence(decoder_layers=2).float()
    z = codes().float()
    with torch.autocast("cpu", torch.bfloat16):
        low = net.hidden(z, READ)
    exact = net.hidden(z, READ)
    assert low.dtype == torch.bfloat16
    assert (low.float() - exact).abs().max() < 0.02
