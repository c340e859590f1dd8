"""What a modality is: files to items to arrays, and back."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from seqvae.noise import Noise
    from seqvae.types import Batch

Split = Literal["all", "train", "valid", "test"]
Arrangement = Literal["set", "path", "grid"]


@dataclass
class Report:
    """What reading a source gave: how many items, and what was dropped or changed and why."""

    sources: list[str] = field(default_factory=list)
    items: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # "longer than 64 steps, cut": 12

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"sources": self.sources, "items": self.items, "counts": dict(sorted(self.counts.items()))}


@runtime_checkable
class Modality(Protocol):
    """Files to items (`read`), items to integer arrays (`encode`), and back (`decode`, `write`).

    An instance holds its data configuration and what it learned from a corpus (`fit`), such as a tokenizer. An item
    is what one latent code stands for. What users hand in and get back may be longer: `accept` cuts it into items,
    `present` puts items together again.
    """

    name: ClassVar[str]
    data_config: ClassVar[type]  # frozen dataclass behind the `data.*` keys
    model_config: ClassVar[type]  # frozen dataclass behind the `model.*` keys
    reading_keys: ClassVar[frozenset[str]]  # those of `data.*` that may change while encoding and model stay
    sampling_temperature: ClassVar[float]  # of samples, where none is asked for
    least_steps: ClassVar[int]  # training goes on for as many epochs as these steps take, unless epochs are asked for
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]]  # values that suit it better than the shared defaults
    data: Any

    def __init__(self, data: Any) -> None:
        """A modality that has learned nothing yet, for an instance of its `data_config`."""
        ...

    @property
    def end(self) -> int | None:
        """The outcome that ends a sequence; None where all sequences are of one length."""
        ...

    @property
    def max_steps(self) -> int:
        """The longest sequence that generation may make, end included."""
        ...

    def files_of(self, source: Path) -> Sequence[Path]:
        """The files that `read` looks at for this source: a change of their content changes the items."""
        ...

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Any]:
        """The items of the sources in order, one at a time; drops are counted in the report."""
        ...

    def of_split(self, split: Split, sources: Sequence[Path]) -> "Modality | None":
        """The same modality, reading one split of the sources' files only.

        None where the sources are not split by file, or the split would be empty: then items are held out.
        """
        ...

    @property
    def splits_are_given(self) -> bool:
        """Whether the files' names, or a table, tell of their splits; else `of_split` draws them."""
        ...

    def accept(self, given: Any) -> list[Any]:
        """The items of something that a user hands in, in order. Raises ValueError when it is nothing of this kind."""
        ...

    def as_long_as(self, item: Any, other: Any) -> Any:
        """An item to decode like this one, but as long as the longer of the two: what leads from one to the other."""
        ...

    def present(self, items: Sequence[Any]) -> Any:
        """Items that follow one another, as the one thing that a user gets back."""
        ...

    def write(self, given: Sequence[Any], folder: Path, arrangement: Arrangement = "set") -> list[Path]:
        """Write what users get back as files into a folder; the paths written.

        `path` is an interpolation from the first to the last, `grid` a square palette, row by row.
        """
        ...

    def fit(self, items: Callable[[], Iterable[Any]]) -> None:
        """Learn from a corpus what encoding needs; `items()` starts a new pass over it."""
        ...

    def encode(self, item: Any, report: Report) -> np.ndarray | None:
        """(T, ...) integers with the end of sequence; None when the item is dropped, which the report counts."""
        ...

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """A training batch with changes that keep it plausible; `others()` are as many other items of the corpus.

        The same batch where nothing is changed. Each row's changes come from its own noise.
        """
        ...

    def settle(self, batch: "Batch") -> "Batch":
        """A batch as evaluation sees it: what training draws anew each time (`augment`) is drawn once for each item.

        The same batch where nothing is drawn.
        """
        ...

    def label_of(self, item: Any) -> str | None:
        """The class of an item, for pictures and figures; None where there is none. Training never sees it."""
        ...

    def decode(self, x: np.ndarray, like: Any = None) -> Any:
        """The item of an array without padding; an end of sequence, where there is one, is taken off.

        What the array does not hold (a tempo, a length) is that of the item `like`, where one is given.
        """
        ...

    def fingerprint(self) -> str:
        """Hex digest of everything that `encode` depends on."""
        ...

    def nets(self, model: Any) -> "tuple[nn.Module | None, nn.Module]":
        """Encoder (None without latent units) and decoder for a model configuration."""
        ...

    def metrics(self, truth: Sequence[Any], guess: Sequence[Any]) -> dict[str, float | None]:
        """Figures that compare items with their reconstructions: `exact_match`, `bleu`, ..."""
        ...

    def size_bytes(self, item: Any) -> int | None:
        """Bytes of an item for bits per byte; None where that means nothing."""
        ...

    def save(self, folder: Path) -> list[Path]:
        """Write what was learned into a folder; the paths written."""
        ...

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises ValueError when it is missing or damaged."""
        ...
