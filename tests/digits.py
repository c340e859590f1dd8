"""A modality that tests of corpora and batches share: lines of digits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seqvae.modalities.base import Arrangement, Report, Split
from seqvae.noise import Noise
from seqvae.types import Batch


class Digits:
    """Lines of digits; item "312" is the array 3, 1, 2, 0. Labels are told by the first digit, and 0 has none."""

    name: ClassVar[str] = "digits"
    data_config: ClassVar[type] = object
    model_config: ClassVar[type] = object
    data = None
    end = 0
    max_steps = 100
    reading_keys: ClassVar[frozenset[str]] = frozenset()
    sampling_temperature: ClassVar[float] = 1.0
    least_steps: ClassVar[int] = 0
    defaults: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, mark: str = "", longest: int = 99, labelled: bool = False, dtype: Any = np.int16) -> None:
        self.mark, self.longest, self.labelled, self.dtype = mark, longest, labelled, dtype
        self.encoded = self.decoded = 0

    def files_of(self, source: Path) -> Sequence[Path]:
        return [source]

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
        for source in sources:
            with open(source, encoding="ascii") as file:
                for line in file:
                    yield line.rstrip("\n")

    def encode(self, item: str, report: Report) -> np.ndarray | None:
        self.encoded += 1
        if len(item) > self.longest:
            report.counts["too long"] += 1
            return None
        return np.array([*map(int, item), 0], dtype=self.dtype)

    def decode(self, x: np.ndarray, like: str | None = None) -> str:
        self.decoded += 1
        return "".join(map(str, x[:-1]))

    def fingerprint(self) -> str:
        return self.mark

    def size_bytes(self, item: str) -> int | None:
        return len(item) + 1

    def fit(self, items: Callable[[], Iterable[str]]) -> None: ...
    def load(self, folder: Path) -> None: ...
    def save(self, folder: Path) -> list[Path]: ...
    def nets(self, model: Any) -> Any: ...
    def augment(self, batch: Batch, others: Callable[[], Batch], noise: Noise) -> Batch:
        return batch

    def settle(self, batch: Batch) -> Batch:
        return batch

    def label_of(self, item: str) -> str | None:
        return None if item.startswith("0") else f"first {item[:1]}" if self.labelled else None

    def of_split(self, split: Split, sources: Sequence[Path]) -> None: ...
    @property
    def splits_are_given(self) -> bool:
        return False

    def accept(self, given: str) -> list[str]: ...
    def as_long_as(self, item: str, other: str) -> str: ...
    def present(self, items: Sequence[str]) -> str: ...
    def write(self, given: Sequence[str], folder: Path, arrangement: Arrangement = "set") -> list[Path]: ...
    def metrics(self, truth: Sequence[str], guess: Sequence[str]) -> dict[str, float | None]: ...
