"""The variables of a checkpoint of magenta.js: a manifest in JSON, and shards of plain or quantised numbers.

Nothing in this format says whether its bytes are whole, but for their number.
"""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqvae.config import nearest
from seqvae.magenta.places import AGAIN, Stored

LARGEST = 1 << 24  # bytes of a manifest
MOST_AXES, LONGEST_AXIS = 8, 1 << 40
_TYPES = {"float32": "<f4", "int32": "<i4", "uint16": "<u2", "uint8": "<u1", "float16": "<f2"}


@dataclass(frozen=True)
class _Weight:
    """The values of a variable: `kind` in the shards, and what makes the numbers that are meant of them."""

    kind: np.dtype[Any]
    shape: tuple[int, ...]
    shards: tuple[Stored, ...]
    offset: int
    scale: float | None = None
    least: float = 0.0

    @property
    def size(self) -> int:
        """Its bytes."""
        return math.prod(self.shape) * self.kind.itemsize


class Manifest:
    """A checkpoint of magenta.js, open: nothing is read of the values before `read`."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a manifest that is damaged, or whose sizes are not those of the shards."""
        self.name = str(path)
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} has more than {LARGEST:,} bytes, and is no manifest of weights; {AGAIN}")
        self._weights: dict[str, _Weight] = {}
        try:
            for group in json.loads(path.read_bytes()):
                self._add(path.parent, group)
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            if isinstance(error, _SaidWhole):
                raise
            where = f" (at line {error.lineno:,})" if isinstance(error, json.JSONDecodeError) else ""
            raise ValueError(f"{path} is damaged, or no manifest of weights{where}; {AGAIN}") from None

    def _add(self, folder: Path, group: Mapping[str, Any]) -> None:
        """The weights of a group, which stand one after another in its shards."""
        shards = tuple(_shard(folder, str(name), self.name) for name in group["paths"])
        offset = 0
        for entry in group["weights"]:
            weight = _weight(entry, shards, offset)
            self._weights[str(entry["name"])] = weight
            offset += weight.size
        whole = sum(shard.size for shard in shards)
        if offset != whole:
            raise _SaidWhole(
                f"the shards of {self.name} have {whole:,} bytes, and its weights need {offset:,}; {AGAIN}, whole"
            )

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each variable by its name."""
        return {name: weight.shape for name, weight in self._weights.items()}

    def read(self, name: str) -> np.ndarray:
        """The values of a variable, in single precision where they are quantised. Raises ValueError without it."""
        if name not in self._weights:
            raise ValueError(f"{self.name} has no variable {name}.{nearest(name, self._weights)}")
        weight = self._weights[name]
        values = np.empty(weight.shape, weight.kind)
        memory = values.reshape(-1).view(np.uint8).data
        ends = itertools.accumulate(shard.size for shard in weight.shards)
        place = 0
        for shard, end in zip(weight.shards, ends, strict=True):
            first = weight.offset + place - (end - shard.size)
            count = min(len(memory) - place, shard.size - first)
            if count > 0:
                shard.read_into(first, memory[place : place + count])
                place += count
        if weight.scale is None:
            return values.astype(np.float32) if weight.kind.itemsize == 2 else values
        return (values * weight.scale + weight.least).astype(np.float32)


class _SaidWhole(ValueError):
    """A sentence that needs no other around it."""


def _shard(folder: Path, name: str, manifest: str) -> Stored:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise _SaidWhole(f"{manifest} names {name}, which is not beside it; {AGAIN}, whole")
    return Stored(str(path), path, path.stat().st_size)


def _weight(entry: Mapping[str, Any], shards: tuple[Stored, ...], offset: int) -> _Weight:
    shape = tuple(int(size) for size in entry["shape"])
    if len(shape) > MOST_AXES or not all(1 <= size <= LONGEST_AXIS for size in shape):
        raise ValueError("a shape that no variable has")
    quantised = entry.get("quantization")
    if quantised is None:
        return _Weight(np.dtype(_TYPES[entry["dtype"]]), shape, shards, offset)
    kind = np.dtype(_TYPES[quantised["dtype"]])
    if kind.kind == "f":
        return _Weight(kind, shape, shards, offset)
    return _Weight(kind, shape, shards, offset, float(quantised["scale"]), float(quantised["min"]))
