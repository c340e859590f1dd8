"""The distribution of a set of classes by NADE: each class given those before it.

The neural autoregressive distribution estimator (Larochelle and Murray 2011) with biases that depend on the step, as
in the RNN-NADE of Boulanger-Lewandowski et al. 2012 and in MusicVAE's NADE decoders of drums (Roberts et al. 2018).
"""

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import at_least_single, refuse_lists
from seqvae.noise import Noise

HELD_UNITS = 1 << 21  # hidden units of all classes that exist at once, 8 MB in single precision


class NADE(nn.Module):
    """`classes` events, each 0 or 1, of which each depends on those before it.

    log p(x|h) = sum_c x_c log s_c + (1 - x_c) log(1 - s_c), where s_c = sigmoid(b_c + v_c . sigmoid(a_c)) and
    a_c = a + sum_{d<c} x_d w_d. A linear layer gives a (K numbers, `units`) and b from h. The factors are normalised,
    so their product is. The most probable outcome of all is not known without a search: `mode` takes for each class
    in turn the more probable value. In the same way a temperature divides the logit of each class.
    """

    def __init__(self, hidden: int, classes: int, units: int, bias: bool = True) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, units + classes, bias=bias)  # a, then b
        self.reading = nn.Parameter(torch.empty(classes, units))  # w: what a class that is hit adds
        self.scoring = nn.Parameter(torch.empty(classes, units))  # v
        for weight in (self.reading, self.scoring):
            nn.init.normal_(weight, std=units**-0.5)

    @property
    def classes(self) -> int:
        """The number of events C of a step."""
        return len(self.reading)

    def log_prob(self, h: Float[Tensor, "N H"], x: Integer[Tensor, "N C"]) -> Float[Tensor, " N"]:
        """log p(x|h) in nats of each row, in chunks of rows: the hidden units of all classes never exist at once."""
        start, bias = self._biases(h)
        with torch.autocast(h.device.type, enabled=False):
            reading, scoring = self.reading.to(start.dtype), self.scoring.to(start.dtype)
            log_prob: Tensor = _ClassesInTurn.apply(start, bias, reading, scoring, x)
        return log_prob

    def mode(self, h: Float[Tensor, "N H"]) -> Int[Tensor, "N C"]:
        """For each class in turn the more probable value, given those taken before it."""
        return self._in_turn(h, None, 1.0)

    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Int[Tensor, "N C"]:
        """One outcome of each row, class after class; one random number a class.

        Raises ValueError for a top-k other than 1 (greedy) and for a nucleus, which need listed outcomes.
        """
        if choice.greedy:
            return self.mode(h)
        refuse_lists(choice, f"the {self.classes} classes of NADE")
        return self._in_turn(h, noise.uniform("draw", self.classes), choice.temperature)

    def _in_turn(
        self, h: Float[Tensor, "N H"], share: Float[Tensor, "N C"] | None, temperature: float
    ) -> Int[Tensor, "N C"]:
        """Each class in turn is hit where its random number is below its probability; without numbers, a half is."""
        start, bias = self._biases(h)
        with torch.autocast(h.device.type, enabled=False):
            reading, scoring = self.reading.to(start.dtype), self.scoring.to(start.dtype)
            chosen = torch.empty(bias.shape, dtype=torch.int64, device=h.device)
            for c in range(self.classes):
                logit = start.sigmoid().mv(scoring[c]).add_(bias[:, c])
                if share is None:
                    hit = logit > 0
                else:  # float64, maybe on the CPU
                    hit = (share[:, c] < (logit.to(share) / temperature).sigmoid()).to(h.device)
                chosen[:, c] = hit
                start = torch.addcmul(start, hit.unsqueeze(1).to(start.dtype), reading[c])
        return chosen

    def _biases(self, h: Float[Tensor, "N H"]) -> tuple[Float[Tensor, "N K"], Float[Tensor, "N C"]]:
        """What the hidden units start from, and the classes' biases."""
        both = at_least_single(self.projection(h))
        start, bias = both.split([self.reading.shape[1], self.classes], 1)
        return start, bias


def _units(
    start: Float[Tensor, "N K"], reading: Float[Tensor, "C K"], x: Float[Tensor, "N C"]
) -> Float[Tensor, "C N K"]:
    """The hidden units that each class is scored by: they have read the classes before it."""
    units = start.new_empty(len(reading), *start.shape)
    units[0] = start
    for c in range(1, len(reading)):
        torch.addcmul(units[c - 1], x[:, c - 1 : c], reading[c - 1], out=units[c])
    return units.sigmoid_()


def _logits(
    units: Float[Tensor, "C N K"], scoring: Float[Tensor, "C K"], bias: Float[Tensor, "N C"]
) -> Float[Tensor, "N C"]:
    return torch.bmm(units, scoring.unsqueeze(2)).squeeze(2).T + bias


class _ClassesInTurn(torch.autograd.Function):
    """log p(x) of each row; the backward pass computes each chunk's hidden units again rather than keeping them all."""

    @staticmethod
    def forward(ctx, start, bias, reading, scoring, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(start, bias, reading, scoring, x)
        log_prob = torch.empty_like(bias[:, 0])
        for rows in _chunks(len(x), reading.numel()):
            read = x[rows].to(start.dtype)
            logits = _logits(_units(start[rows], reading, read), scoring, bias[rows])
            log_prob[rows] = F.binary_cross_entropy_with_logits(logits, read, reduction="none").sum(1).neg_()
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        start, bias, reading, scoring, x = ctx.saved_tensors
        dstart, dbias = torch.zeros_like(start), torch.empty_like(bias)
        dreading, dscoring = torch.zeros_like(reading), torch.zeros_like(scoring)
        for rows in _chunks(len(x), reading.numel()):
            read = x[rows].to(start.dtype)
            units = _units(start[rows], reading, read)
            dlogits = (read - _logits(units, scoring, bias[rows]).sigmoid_()) * grad[rows].unsqueeze(1)
            dbias[rows] = dlogits
            dscoring += torch.bmm(dlogits.T.unsqueeze(1), units).squeeze(1)
            later = dstart[rows]  # of what the classes after c have read, which in the end is all of it
            for c in range(len(reading) - 1, -1, -1):
                dreading[c] += read[:, c] @ later
                slope = torch.addcmul(units[c], units[c], units[c], value=-1.0)  # of the sigmoid
                later.addcmul_(slope.mul_(scoring[c]), dlogits[:, c : c + 1])
        return dstart, dbias, dreading, dscoring, None


def _chunks(rows: int, units: int) -> list[slice]:
    """Slices of rows, each of which has so many hidden units."""
    size = max(1, HELD_UNITS // units)
    return [slice(first, first + size) for first in range(0, rows, size)]
