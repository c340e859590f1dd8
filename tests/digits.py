"""A modality that tests of corpora and batches share: lines of digits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seqvae.modalities.base import Arrangement, Modality, Report, Words, Written
from seqvae.types import StepType


class Digits(Modality):
    """Lines of digits; item "312" is the array 3, 1, 2, 0. Labels follow the first digit, and 0 has none."""

    name: ClassVar[str] = "digits"
    data_config: ClassVar[type] = object
    model_config: ClassVar[type] = object
    words = Words("a file of digits")
    end: ClassVar[int] = 0
    max_steps = 100

    def __init__(self, mark: str = "", longest: int = 99, labelled: bool = False, dtype: Any = np.int16) -> None:
        super().__init__(None)
        self.mark, self.longest, self.labelled, self.dtype = mark, longest, labelled, dtype
        self.encoded = self.decoded = 0

    @property
    def step_type(self) -> StepType:
        return StepType(np.dtype(self.dtype).name)

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
        for source in sources:
            with open(source, encoding="ascii") as file:
                for line in file:
                    yield line.rstrip("\n")

    def encode(self, item: str, report: Report) -> np.ndarray | None:
        self.encoded += 1
        if len(item) > self.longest:
            report.count("too long")
            return None
        return np.array([*map(int, item), 0], dtype=self.dtype)

    def decode(self, x: np.ndarray, like: str | None = None) -> str:
        self.decoded += 1
        return "".join(map(str, x[:-1]))

    def fingerprint(self) -> str:
        return self.mark

    def size_bytes(self, item: str) -> int | None:
        return len(item) + 1

    def label_of(self, item: str) -> str | None:
        return None if item.startswith("0") else f"first {item[:1]}" if self.labelled else None

    def fit(self, items: Callable[[], Iterable[str]]) -> None: ...
    def nets(self, model: Any) -> Any: ...
    def write(
        self,
        pieces: Sequence[Sequence[str]],
        arrangement: Arrangement = "set",
        originals: Sequence[Any] = (),
        names: Sequence[str] = (),
    ) -> list[Written]: ...
    def metrics(self, truth: Sequence[str], guess: Sequence[str]) -> dict[str, float | None]: ...
