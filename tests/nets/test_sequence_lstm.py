"""LSTM layers over whole sequences: the plain one's numbers, and gradients that are right where torch's are not."""

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets import sequence_lstm
from seqvae.nets.sequence_lstm import run_layer, run_lstm

ROWS, STEPS, WIDTH = 3, 5, 4


def layer(hidden: int, dtype: torch.dtype = torch.float64, layers: int = 1) -> tuple[nn.LSTM, list[Tensor]]:
    """An LSTM, and inputs and states before the first step that learn."""
    torch.manual_seed(0)
    lstm = nn.LSTM(WIDTH, hidden, layers, batch_first=True, dtype=dtype)
    shapes = (ROWS, STEPS, WIDTH), (layers, ROWS, hidden), (layers, ROWS, hidden)
    return lstm, [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def of_layer(lstm: nn.LSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs of the first layer and its last cells, computed here."""
    return run_layer([getattr(lstm, f"{name}0") for name in sequence_lstm.NAMES], x, h[0], c[0], x.dtype)


def test_outputs_and_gradients_are_those_of_torch() -> None:
    lstm, inputs = layer(6)
    x, h, c = inputs
    plain, (_, plain_cells) = lstm(x, (h, c))
    own, cells = of_layer(lstm, x, h, c)
    torch.testing.assert_close(own, plain, atol=1e-12, rtol=0)
    torch.testing.assert_close(cells, plain_cells[0], atol=1e-12, rtol=0)
    learned = [*inputs, *lstm.parameters()]
    slope, of_cells = torch.randn_like(plain), torch.randn_like(cells)
    found, expected = (
        torch.autograd.grad((one * slope).sum() + (last * of_cells).sum(), learned)
        for one, last in ((own, cells), (plain, plain_cells[0]))
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    lstm, (x, h, c) = layer(3)
    weights = [weight.detach().clone().requires_grad_() for weight in lstm.parameters()]

    def outputs(x: Tensor, h: Tensor, c: Tensor, *weights: Tensor) -> object:
        return run_layer(weights, x, h, c, torch.float64)

    assert torch.autograd.gradcheck(outputs, (x, h[0].detach().requires_grad_(), c[0].detach(), *weights))


def gradients(lstm: nn.LSTM, inputs: list[Tensor], sixteen: bool, mask: Tensor | None) -> list[Tensor]:
    """Outputs, states at the end, and gradients of inputs and of weights, in 32 or 16 bits."""
    x, h, c = inputs
    weights = {} if mask is None else {"weight_hh_l1": lstm.weight_hh_l1 * mask}
    with torch.autocast("cpu", torch.bfloat16, enabled=sixteen):
        start = (h.bfloat16(), c.bfloat16()) if sixteen else (h, c)
        found, ends = run_lstm(lstm, x, start, weights)
    torch.manual_seed(1)
    learned = [*inputs, *lstm.parameters()]
    slopes = torch.autograd.grad(found, learned, torch.randn(found.shape).to(found.dtype))
    return [found, *ends, *slopes]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="bf16 LSTMs are oneDNN's")
@pytest.mark.parametrize("hidden", [64, 1023, 1024, 1056])
@pytest.mark.parametrize("dropped", [False, True], ids=["whole weights", "dropped weights"])
def test_gradients_of_16_bits_are_near_those_of_32(hidden: int, dropped: bool) -> None:
    """On processors with AMX torch's own are off by as much as they are long from 1,024 units on."""
    lstm, inputs = layer(hidden, torch.float32, layers=2)
    mask = torch.rand(4 * hidden, hidden) < 0.8 if dropped else None
    for sixteen, single in zip(*(gradients(lstm, inputs, bits, mask) for bits in (True, False)), strict=True):
        assert (sixteen.float() - single).norm() < 0.02 * single.norm()


def test_large_layers_of_16_bits_are_computed_here_where_they_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_lstm, "LARGE", 6)
    lstm, (x, h, c) = layer(6, torch.float32, layers=2)
    with torch.autocast("cpu", torch.bfloat16):
        own, _ = run_lstm(lstm, x)
        with torch.no_grad():
            plain, _ = run_lstm(lstm, x)
    assert "SequenceLSTM" in type(own.grad_fn).__name__
    assert own.dtype == plain.dtype == torch.bfloat16
    assert (own.float() - plain.float()).abs().max() < 0.02
    assert "SequenceLSTM" not in type(run_lstm(lstm, x, (h, c))[0].grad_fn).__name__  # 32 bits


@pytest.mark.parametrize(("units", "rows", "own"), [(6, 3, True), (5, 3, False), (6, 4, False), (8, 4, True)])
def test_layers_of_16_bits_are_computed_here_in_small_batches_too(
    units: int, rows: int, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("SUITED", 6), ("FEW_ROWS", 3), ("LARGE", 8)):
        monkeypatch.setattr(sequence_lstm, name, value)
    lstm = nn.LSTM(WIDTH, units, batch_first=True)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = run_lstm(lstm, torch.randn(rows, STEPS, WIDTH))
    assert ("SequenceLSTM" in str(type(found.grad_fn))) is own


def test_the_layers_above_the_first_go_on_alone() -> None:
    lstm, (x, h, c) = layer(6, layers=2)
    whole, (h_end, c_end) = lstm(x, (h, c))
    below = nn.LSTM(WIDTH, 6, batch_first=True, dtype=torch.float64)
    below.load_state_dict({name: value for name, value in lstm.state_dict().items() if name.endswith("l0")})
    first, _ = below(x, (h[:1], c[:1]))
    found, (h_found, c_found) = run_lstm(lstm, first, (h[1:], c[1:]), first_layer=1)
    torch.testing.assert_close((found, h_found, c_found), (whole, h_end[1:], c_end[1:]), atol=1e-12, rtol=0)
