"""Items in windows, and their codes: which rows are whose, where an item is longer than one code stands for."""

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import accumulate, groupby, pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqvae.config import counted, few
from seqvae.core.latent import Shift, shift_at, sum_of
from seqvae.core.posterior import DiagonalGaussian
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Item, Named, Report
from seqvae.noise import Noise

SHOWN = 40  # characters of a name in a line that says what codes are


@dataclass(frozen=True)
class Windows:
    """An item as a model reads it: its windows, their arrays, what of it the model cannot hold, and names of windows.

    `Model.windows` makes it; every method that takes an item takes it too, and does not read the item again. Of codes
    in the place of an item there are neither windows nor arrays: None stands for each window. `shift` is added to
    the code of each window, by `moved`: it is the same for all, or follows from their codes.
    """

    items: Sequence[Item]
    arrays: Sequence[np.ndarray]
    report: Report
    names: Sequence[str]
    codes: DiagonalGaussian | None = None
    shift: Shift | None = None

    def moved(self, shift: Shift) -> "Windows":
        """The same item, whose codes are elsewhere by so much: what is made of it is made of these."""
        return replace(self, shift=shift if self.shift is None else sum_of([self.shift, shift]))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def of_item(self) -> "Windows":
        """The same. Raises ValueError for codes, of which nobody knows the item."""
        if self.codes is not None:
            raise ValueError("codes stand where an item is needed; give the item, or decode the codes")
        return self


@dataclass(frozen=True, repr=False, eq=False)
class Codes(DiagonalGaussian):
    """q(z|x) with the way back to the items: row r is that of the window `names[r]`, item i has the rows `spans[i]`.

    >>> import torch
    >>> codes = codes_of_items(DiagonalGaussian(torch.zeros(3, 2), torch.zeros(3, 2)), [["a#0", "a#2"], ["b"]])
    >>> codes
    <Codes: 3 rows of 2 units, 2 items: a#0, a#2, b>
    >>> codes.spans, len(codes), codes[0], codes[1:].names, codes.of(1).names
    ((slice(0, 2, None), slice(2, 3, None)), 3, <Codes: 1 row of 2 units, 1 item: a#0>, ('a#2', 'b'), ('b',))

    Sums, differences and multiples are of the means, and have a scale of 0: `a + 0.5 * (b - a)` is the point halfway
    from a to b, of the name of a. A single row goes with any number of them. What is of two names has none.
    """

    names: tuple[str, ...]
    spans: tuple[slice, ...]

    def __repr__(self) -> str:
        named = f": {few(name[:SHOWN] for name in self.names)}" if any(self.names) else ""
        rows, items = counted(len(self), "rows"), counted(len(self.spans), "items")
        return f"<Codes: {rows} of {counted(self.mean.shape[1], 'units')}, {items}{named}>"

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray | Tensor) -> "Codes":
        """The codes of a row, of a slice of rows, or of some of them; `of` is that of items.

        Rows of an item that follow one another stay one item; a row that is taken again begins another.

        Raises IndexError for a row that is not there.
        """
        places = np.atleast_1d(np.arange(len(self))[rows])
        owners = np.repeat(np.arange(len(self.spans)), [span.stop - span.start for span in self.spans])[places]
        again = np.cumsum(np.diff(places, prepend=-1) <= 0)  # a row that does not come after the one before
        lengths = [len(list(own)) for _, own in groupby(zip(owners.tolist(), again.tolist(), strict=True))]
        chosen = torch.from_numpy(places).to(self.mean.device)
        return Codes(
            self.mean[chosen], self.log_scale[chosen], tuple(self.names[place] for place in places), _spans(lengths)
        )

    def __iter__(self) -> Iterator["Codes"]:
        return (self[row] for row in range(len(self)))

    def of(self, item: int) -> "Codes":
        """The codes of one item alone, by its place in the list that was encoded.

        Raises ValueError where there is none at that place.
        """
        if not -len(self.spans) <= item < len(self.spans):
            raise ValueError(f"there is no item {item}; there are {len(self.spans)}, counted from 0")
        return self[self.spans[item]]

    def sample(self, seed: int = 0) -> Float[Tensor, "N Z"]:
        """A code drawn from q(z|x) of each row; row r of a seed is the same whatever is beside it."""
        return self.rsample(Noise(seed, torch.arange(len(self), device=self.mean.device)))

    def __add__(self, other: object) -> "Codes":
        return self._point(operator.add, other)

    def __radd__(self, other: object) -> "Codes":
        return self._point(operator.add, other)

    def __sub__(self, other: object) -> "Codes":
        return self._point(operator.sub, other)

    def __rsub__(self, other: object) -> "Codes":
        return -self + other

    def __neg__(self) -> "Codes":
        return self * -1.0

    def __mul__(self, other: object) -> "Codes":
        return NotImplemented if isinstance(other, Codes) else self._point(operator.mul, other)

    def __rmul__(self, other: object) -> "Codes":
        return self * other

    def __truediv__(self, other: object) -> "Codes":
        return NotImplemented if isinstance(other, Codes) else self._point(operator.truediv, other)

    __array_ufunc__ = None  # so that array + codes is asked of the codes

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """The means, as `np.asarray(codes)` has them, (N, Z); what is written into it does not reach the codes."""
        means = np.asarray(self.mean.numpy(force=True), dtype)
        return means if copy is False else means.copy()

    def _point(self, operation: Callable[[Tensor, Tensor], Tensor], other: object) -> "Codes":
        """What an operation makes of the means of these codes and of another, or of a number or table of numbers."""
        codes = [self, other] if isinstance(other, Codes) else [self]
        operand = other.mean if isinstance(other, Codes) else other
        if not isinstance(operand, int | float | np.ndarray | np.number | Tensor):
            return NotImplemented
        operand = torch.as_tensor(operand, dtype=self.mean.dtype, device=self.mean.device)
        try:
            mean = operation(self.mean, operand)
        except RuntimeError:
            mean = None
        if mean is None or mean.ndim != 2 or mean.shape[1] != self.mean.shape[1]:
            shapes = f"{tuple(self.mean.shape)} and {tuple(operand.shape)}"
            raise ValueError(
                f"codes of shapes {shapes} do not go together; give as many rows, or one, of "
                f"{counted(self.mean.shape[1], 'units')}"
            )
        rows = len(mean)
        named = list(dict.fromkeys(one.names for one in codes if any(one.names)))
        names = named[0] if len(named) == 1 else ("",)
        spans = next((one.spans for one in codes if len(one) == rows), _spans([1] * rows))
        names = names if len(names) == rows else names[:1] * rows
        return Codes(mean, torch.full_like(mean, -torch.inf), names, spans)


def _spans(lengths: Iterable[int]) -> tuple[slice, ...]:
    """The rows of items of so many rows each, one after another."""
    return tuple(slice(first, last) for first, last in pairwise(accumulate(lengths, initial=0)))


def codes_of_items(posterior: DiagonalGaussian, names: Sequence[Sequence[str]]) -> Codes:
    """The posterior of the windows of items one after another; `names` are those of each item's windows."""
    return Codes(
        posterior.mean, posterior.log_scale, tuple(name for own in names for name in own), _spans(map(len, names))
    )


def windows_of_codes(codes: Codes, units: int, name: str) -> Windows:
    """Codes in the place of an item.

    Raises ValueError, which bears the name, for those of several items, and of a model of other units.
    """
    if len(codes.spans) != 1:
        size = counted(len(codes.spans), "items")
        raise ValueError(f"{name} is codes of {size}, and one is needed; give those of one, such as codes.of(0)")
    if codes.mean.shape[1] != units:
        size = counted(codes.mean.shape[1], "units")
        raise ValueError(f"{name} is a code of {size}, and this model has {units}; give codes of its own")
    return Windows([None] * len(codes), [], Report(), codes.names, codes)


def beside_codes(encoded: DiagonalGaussian, groups: Sequence[Windows]) -> DiagonalGaussian:
    """The posterior of all groups, from that of the arrays of those that are no codes yet; moved where they are."""
    if all(group.codes is None and group.shift is None for group in groups):
        return encoded
    sizes = [len(group.arrays) for group in groups]
    parts = [
        own if group.codes is None else (group.codes.mean.to(own[0]), group.codes.log_scale.to(own[0]))
        for group, *own in zip(groups, encoded.mean.split(sizes), encoded.log_scale.split(sizes), strict=True)
    ]
    means = [
        mean if group.shift is None else mean + shift_at(group.shift, mean).to(mean)
        for group, (mean, _) in zip(groups, parts, strict=True)
    ]
    return DiagonalGaussian(torch.cat(means), torch.cat([scale for _, scale in parts]))


def encoded_windows(modality: Modality, items: Sequence[Item], names: Sequence[str], name: str) -> Windows:
    """Windows with their arrays. Raises ValueError, which bears the name, for one that is dropped."""
    report, arrays = Report(), []
    for item in items:
        x = modality.encode(item, report)
        if x is None:
            reasons = ", ".join(what for members in report.counts.values() for what in members)
            raise ValueError(f"{name} does not fit the model ({reasons}); leave it out")
        arrays.append(x)
    return Windows(items, arrays, report, names)


def windows_of(modality: Modality, item: Item, units: int, name: str) -> Windows:
    """An item, a Named one, or `Codes` in its place, as a model of so many units reads it."""
    if isinstance(item, Windows):
        return item
    if isinstance(item, Codes):
        return windows_of_codes(item, units, name)
    shown = f"'{item.name}'" if isinstance(item, Named) else name
    return encoded_windows(modality, *_taken(modality, item, name), shown)


def all_windows(modality: Modality, items: Sequence[Item], units: int) -> list[Windows]:
    """The windows of each item. Raises ValueError, which says the place of an item that is none."""
    several = modality.several(items)
    groups: list[Windows] = []
    for place, item in enumerate(several):
        name = f"item {place}"
        if isinstance(item, Windows | Codes):
            groups.append(windows_of(modality, item, units, name))
            continue
        with at_place(place, several):
            windows, names = _taken(modality, item, name)
        groups.append(encoded_windows(modality, windows, names, name))
    return groups


def _taken(modality: Modality, item: Item | Named, name: str) -> tuple[list[Item], list[str]]:
    """The windows of something that a user hands in, and their names; `name` is that of what has none."""
    named = item if isinstance(item, Named) else modality.as_named(item, name)
    windows = modality.accept(named.item)
    return windows, modality.window_names(named, len(windows))


def pieces_of(modality: Modality, items: Sequence[Item]) -> list[list[Item]]:
    """What each thing that a user hands in is made of."""
    several = modality.several(items)
    pieces = []
    for place, item in enumerate(several):
        with at_place(place, several):
            pieces.append(modality.accept(item))
    return pieces


def aligned(
    modality: Modality, groups: Sequence[Windows], means: Sequence[Tensor]
) -> tuple[list[Tensor], list[list[Item]]]:
    """For each window of the longest item the codes of all of them (N, Z), shorter ones repeated.

    With these windows themselves, each as long as the longest of its place.
    """
    longest = max(map(len, groups))
    likes = [[group.items[place % len(group)] for group in groups] for place in range(longest)]
    stretched = partial(_as_long_as, modality)
    likes = [[reduce(stretched, others, own) for own in others] for others in likes]
    return [torch.stack([mean[place % len(mean)] for mean in means]) for place in range(longest)], likes


def _as_long_as(modality: Modality, item: Item, other: Item) -> Item:
    return item if item is None or other is None else modality.as_long_as(item, other)


def between(modality: Modality, a: Item, b: Item, share: float) -> Item:
    """What to decode like at a share of the way from one item to another; of a code that is not known."""
    if a is None or b is None:
        return b if a is None else a
    return modality.between(a, b, share)


@contextlib.contextmanager
def at_place(place: int, among: Sequence[Item]) -> Iterator[None]:
    """Errors say the place of the item that they are about, where it is one of several."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"item {place}: {error}" if len(among) > 1 else str(error)) from None
