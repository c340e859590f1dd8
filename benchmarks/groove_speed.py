"""Speed of training the groove model beside a plain torch twin of it, in sequences a second.

Hits by NADE, as combinations or one by one; velocities and times by mixtures of logistic distributions in bins. The
twin goes through NADE's classes in a loop, and takes a bin's probability as the difference of two sigmoids.

    python benchmarks/groove_speed.py                                  the sizes of groove-gmd-small
    python benchmarks/groove_speed.py --recipe groove-2bar --batch 64  those of GrooVAE, one batch
    OMP_NUM_THREADS=1 python benchmarks/groove_speed.py --processor-time   where others use the machine too
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from twins import (
    PlainCategorical,
    PlainDecoder,
    PlainLSTM,
    PlainPosition,
    Twin,
    own_vae,
    print_turns,
    sizes_of,
    timing_options,
)

from seqvae.modalities.midi.nets import Bars, groove_nets
from seqvae.modalities.midi.settings import GrooveModel
from seqvae.nets.played import FARTHEST_START, LEAST_BINS, LOUDEST, MIDDLE, SPAN, START
from seqvae.nets.steps import bits_of_labels

CLASSES, PLACES, STEPS_PER_BAR, BARS = 9, 60, 16, 2
LEAST_MASS = 1e-30  # of a bin; its logarithm stays finite


class PlainNumbers(nn.Module):
    """Steps (..., C, 2) as hit or not, velocity and place of each class, (..., 3C)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("largest", torch.tensor([float(LOUDEST), float(PLACES)]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The numbers."""
        numbers = x / self.largest
        return torch.cat([(x[..., :1] > 0).to(numbers), numbers], -1).flatten(-2)


class PlainBernoulli(nn.Module):
    """Hits one by one."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, CLASSES)

    def forward(self, h: Tensor, hits: Tensor) -> Tensor:
        """log p(hits|h) in nats of each row."""
        return -F.binary_cross_entropy_with_logits(self.projection(h), hits, reduction="none").sum(1)


class PlainCombinations(nn.Module):
    """Hits as one of 512 sets, which share weights by their classes."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.labels = PlainCategorical(hidden, 2**CLASSES)
        self.labels.shared = nn.Linear(hidden, CLASSES)
        self.register_buffer("bits", bits_of_labels(CLASSES), persistent=False)

    def forward(self, h: Tensor, hits: Tensor) -> Tensor:
        """log p(hits|h) in nats of each row."""
        logits = self.labels.projection(h) + self.labels.shared(h) @ self.bits.T
        return -F.cross_entropy(logits, (hits.long() * 2 ** torch.arange(CLASSES)).sum(1), reduction="none")


class PlainNADE(nn.Module):
    """Hits by the neural autoregressive distribution estimator, class after class."""

    def __init__(self, hidden: int, units: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, units + CLASSES)
        self.reading, self.scoring = (nn.Parameter(torch.empty(CLASSES, units)) for _ in range(2))

    def forward(self, h: Tensor, hits: Tensor) -> Tensor:
        """log p(hits|h) in nats of each row."""
        units, bias = self.projection(h).tensor_split([self.reading.shape[1]], 1)
        logits = []
        for c in range(CLASSES):
            logits.append(units.sigmoid() @ self.scoring[c] + bias[:, c])
            units = units + hits[:, c : c + 1] * self.reading[c]
        return -F.binary_cross_entropy_with_logits(torch.stack(logits, 1), hits, reduction="none").sum(1)


class PlainPlayed(nn.Module):
    """Hits, and of each hit a velocity and a place by mixtures of logistic distributions in bins."""

    def __init__(self, hits: nn.Module, hidden: int, components: int) -> None:
        super().__init__()
        self.hits, self.components = hits, components
        self.outputs = components * (3 if components > 1 else 2)
        self.steps = PlainNumbers()
        self.projection = nn.Linear(hidden, 2 * CLASSES * self.outputs)
        self.reading = nn.Parameter(torch.zeros(2 * CLASSES * self.outputs, 3 * CLASSES))
        turn = torch.arange(2 * CLASSES).unflatten(0, (CLASSES, 2))  # of each number; all hits come before
        allowed = F.pad(turn, (1, 0), value=-1).flatten() < turn.flatten().repeat_interleave(self.outputs).unsqueeze(1)
        self.register_buffer("allowed", allowed.float(), persistent=False)
        apart = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
        self.register_buffer("apart", apart * FARTHEST_START, persistent=False)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """log p(x|h) in nats of each row."""
        numbers = self.steps(x)
        raw = self.projection(h) + numbers @ (self.reading * self.allowed).T
        raw = raw.unflatten(1, (CLASSES, 2, self.outputs))
        velocity, place = x.to(raw).unsqueeze(3).unbind(2)  # (N, C, 1)

        location, scale, log_weight = self.parts(raw[:, :, 0], START[0], LEAST_BINS / SPAN)
        below, above = (velocity - 0.5 - MIDDLE) / SPAN, (velocity + 0.5 - MIDDLE) / SPAN
        upper = torch.where(velocity < LOUDEST, ((above - location) / scale).sigmoid(), 1.0)
        lower = torch.where(velocity > 1, ((below - location) / scale).sigmoid(), 0.0)
        of_velocity = (log_weight + (upper - lower).clamp(min=LEAST_MASS).log()).logsumexp(2)

        location, scale, log_weight = self.parts(raw[:, :, 1], START[1], LEAST_BINS / PLACES)

        def below_place(place: Tensor | float) -> Tensor:
            return ((place / PLACES - location) / scale).sigmoid()

        held = below_place(place + 0.5) - below_place(place - 0.5)
        whole = below_place(PLACES + 0.5) - below_place(-PLACES - 0.5)
        of_place = (log_weight + (held.clamp(min=LEAST_MASS) / whole).log()).logsumexp(2)

        hits = x[..., 0] > 0
        return self.hits(h, hits.to(raw)) + torch.where(hits, of_velocity + of_place, 0.0).sum(1)

    def parts(self, raw: Tensor, start: float, least: float) -> tuple[Tensor, Tensor, Tensor]:
        """The locations, scales and log weights of the components, each (N, C, K)."""
        location, scale, *weight = raw.unflatten(2, (-1, self.components)).unbind(2)
        shift = math.log(start / least - 1)
        log_scale = F.softplus(scale + shift) + math.log(least)
        return (
            location + self.apart,
            log_scale.exp(),
            weight[0].log_softmax(2) if weight else torch.zeros_like(location),
        )


def plain(model: GrooveModel) -> Twin:
    """The twin of a configuration."""

    def embed() -> tuple[nn.Module, int]:
        if not model.embedding:
            return PlainNumbers(), 3 * CLASSES
        return nn.Sequential(PlainNumbers(), nn.Linear(3 * CLASSES, model.embedding)), model.embedding

    def position() -> PlainPosition | None:
        return PlainPosition(STEPS_PER_BAR, BARS, model.position) if model.position else None

    hidden = model.decoder_hidden
    hits: nn.Module = PlainBernoulli(hidden)
    if model.step_likelihood != "bernoulli":
        nade = model.step_likelihood == "nade"
        hits = PlainNADE(hidden, model.nade_hidden) if nade else PlainCombinations(hidden)
    decoder = PlainDecoder(PlainLSTM(*embed(), model, position()), PlainPlayed(hits, hidden, model.components))
    return Twin(*embed(), model, decoder, position())


def steps(rows: int) -> Tensor:
    """Steps (B, T, C, 2) at random, two hits each on average."""
    sizes = rows, STEPS_PER_BAR * BARS, CLASSES
    numbers = torch.stack([torch.randint(1, LOUDEST + 1, sizes), torch.randint(-PLACES, PLACES + 1, sizes)], 3)
    return numbers * (torch.rand(sizes) < 2 / CLASSES).unsqueeze(3)


def main() -> None:
    """Print a table for each kind of hits."""
    parser = timing_options(__doc__, [64, 512])
    parser.add_argument("--recipe", default="groove-gmd-small", help="whose sizes, without dropout")
    kinds = ["nade", "combinations", "bernoulli"]
    parser.add_argument("--hits", nargs="*", default=kinds[:2], choices=kinds)
    options = parser.parse_args()
    torch.manual_seed(0)
    x = steps(max(options.batch))
    for kind in options.hits:
        model = sizes_of(options.recipe, "groove", GrooveModel, step_likelihood=kind)
        nets = groove_nets(model, CLASSES, PLACES, Bars([STEPS_PER_BAR], BARS, 4))
        print_turns(f"{options.recipe}, hits: {kind}", own_vae(nets, model), plain(model), x, options)


if __name__ == "__main__":
    main()
