"""What the nets read of a step: its set of classes, and its place in the bar.

A set of C classes is either a label in [0, 2^C), in which bit i stands for class i, or C zeros and ones.
"""

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional as F

MOST_PROJECTED_ROWS = 1024  # an embedding of more rows is cheaper to project as its rows are met


def bits_of_labels(classes: int) -> Float[Tensor, "V C"]:
    """The classes of each of the 2^C labels as zeros and ones; bit i is class i.

    >>> bits_of_labels(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    labels = torch.arange(2**classes)
    return (labels.unsqueeze(1) >> torch.arange(classes) & 1).float()


class ClassBits(nn.Module):
    """Sets of classes as zeros and ones, (..., width); with `silence` a last unit is 1 for the empty set.

    MusicVAE's encoder reads drums in this form (Roberts et al. 2018, Magenta's cat-drums models).
    """

    table: Float[Tensor, "V C"]

    def __init__(self, classes: int, labels: bool, silence: bool) -> None:
        super().__init__()
        self.labels, self.silence = labels, silence
        self.width = classes + silence
        table = bits_of_labels(classes) if labels else torch.zeros(1, classes)  # of the other form only the number type
        self.register_buffer("table", self._complete(table), persistent=False)

    def forward(self, x: Integer[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Labels (...) or sets (..., C) to (..., width)."""
        return F.embedding(x, self.table) if self.labels else self._complete(x.to(self.table.dtype))

    def _complete(self, bits: Float[Tensor, "*any C"]) -> Float[Tensor, "*any F"]:
        if not self.silence:
            return bits
        return torch.cat([bits, (bits.sum(-1, keepdim=True) == 0).to(bits.dtype)], -1)


class OneHot(nn.Module):
    """Labels (...) as vectors (..., outcomes) with a single 1: the input of MusicVAE's decoder."""

    unit: Float[Tensor, ""]

    def __init__(self, outcomes: int) -> None:
        super().__init__()
        self.width = outcomes
        self.register_buffer("unit", torch.ones(()), persistent=False)

    def forward(self, x: Integer[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Labels (...) to (..., outcomes)."""
        zeros = torch.zeros(*x.shape, self.width, dtype=self.unit.dtype, device=x.device)
        return zeros.scatter_(-1, x.long().unsqueeze(-1), 1.0)


class SharedEmbedding(nn.Module):
    """The embedding of labels as a row of each label's own plus the rows of its classes, (..., width).

    The labels' own rows start at zero, so a set that training seldom meets reads as the sum of its classes.
    """

    bits: Float[Tensor, "V C"]

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.rows = nn.Embedding(2**classes, width)
        nn.init.zeros_(self.rows.weight)
        self.classes = nn.Parameter(torch.randn(classes, width))
        self.register_buffer("bits", bits_of_labels(classes), persistent=False)

    @property
    def weight(self) -> Float[Tensor, "V E"]:
        """The embedding of each label."""
        return torch.addmm(self.rows.weight, self.bits, self.classes)

    def forward(self, x: Integer[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Labels (...) to (..., width)."""
        return F.embedding(x, self.weight)


def step_input(classes: int, labels: bool, embedding: int, shared: bool, one_hot: bool) -> tuple[nn.Module, int]:
    """The module that a net reads steps by, and the size of what it gives.

    `embedding` is that size, or 0 for MusicVAE's inputs: with `one_hot` (the decoder) the one-hot vector of a label,
    else (the encoder) the class bits and a silence bit. `shared` embeds labels by their classes too. Steps that are
    no labels are embedded by a linear layer; with 0 the decoder reads their bits.
    """
    if embedding == 0:
        if one_hot and labels:
            return OneHot(2**classes), 2**classes
        bits = ClassBits(classes, labels, silence=not one_hot)
        return bits, bits.width
    if not labels:
        return nn.Sequential(ClassBits(classes, labels, silence=False), nn.Linear(classes, embedding)), embedding
    return SharedEmbedding(classes, embedding) if shared else nn.Embedding(2**classes, embedding), embedding


def projected_rows(embed: nn.Module, weight: Float[Tensor, "G E"]) -> Float[Tensor, "V G"] | None:
    """The embedding of every outcome times `weight`; None where the outcomes are no rows, or too many."""
    if isinstance(embed, OneHot):
        return weight.T.contiguous()
    if isinstance(embed, nn.Embedding | SharedEmbedding):
        rows: Tensor = embed.weight
        return rows @ weight.T if len(rows) <= MOST_PROJECTED_ROWS else None
    return None


class Position(nn.Module):
    """Where a step stands: a vector for its place in the bar plus one for its bar, counted round the window."""

    def __init__(self, steps_per_bar: int, bars: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.places = nn.Parameter(torch.randn(steps_per_bar, width))
        self.bars = nn.Parameter(torch.randn(bars, width))

    @property
    def window(self) -> int:
        """The steps after which positions come again."""
        return len(self.places) * len(self.bars)

    def forward(self, steps: int) -> Float[Tensor, "T P"]:
        """The vectors of the first `steps` steps."""
        t = torch.arange(steps, device=self.places.device)
        return self.places[t % len(self.places)] + self.bars[t // len(self.places) % len(self.bars)]
