"""The variables of a TensorFlow checkpoint: their shapes from the index, their values from the shards."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqvae.config import nearest
from seqvae.magenta.checksums import crc32c, masked
from seqvae.magenta.places import AGAIN, CheckpointFiles, Stored
from seqvae.magenta.protobuf import numbers, parts
from seqvae.magenta.tables import read_table

MOST_SHARDS, MOST_AXES = 1_000, 8
# by TensorFlow's numbers of types
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<i4"),
    9: np.dtype("<i8"),
}
_HEADER = b""  # the key that comes first


@dataclass(frozen=True)
class Variable:
    """Where the values of a variable stand, and of which kind they are; `kind` is TensorFlow's number of a type."""

    kind: int
    shape: tuple[int, ...]
    shard: Stored
    offset: int
    size: int
    checksum: int


class Bundle:
    """A checkpoint, open: nothing is read of the values before `read`."""

    def __init__(self, files: CheckpointFiles) -> None:
        """Raises ValueError for an index that is damaged, or whose sizes are not those of the shards."""
        table = read_table(files.index)
        self.name = files.index.name
        try:
            header = numbers(table.pop(_HEADER, b""))
            shards = header.get(1, 0)
            if not 0 < shards <= MOST_SHARDS:
                raise ValueError(f"it has {shards:,} shards")
            if header.get(2, 0):
                raise ValueError("its bytes are in the order of big-endian machines")
            places = {key.decode(): _place(value) for key, value in table.items()}
        except ValueError as error:
            raise ValueError(f"{self.name} is damaged ({error}); {AGAIN}") from None
        found = {number: files.shard(number, shards) for number in {place[2] for place in places.values()}}
        self._variables = {
            name: _checked(name, Variable(kind, shape, found[shard], offset, size, checksum))
            for name, (kind, shape, shard, offset, size, checksum) in places.items()
        }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each variable by its name."""
        return {name: variable.shape for name, variable in self._variables.items()}

    def read(self, name: str) -> np.ndarray:
        """The values of a variable. Raises ValueError where there is none of the name, or its bytes are not those."""
        if name not in self._variables:
            raise ValueError(f"{self.name} has no variable {name}.{nearest(name, self._variables)}")
        variable = self._variables[name]
        if variable.kind not in _TYPES:
            raise ValueError(f"the variable {name} in {self.name} is not of numbers in 32 or 64 bits; {AGAIN}")
        values = np.empty(variable.shape, _TYPES[variable.kind])
        memory = values.reshape(-1).view(np.uint8).data
        variable.shard.read_into(variable.offset, memory)
        if masked(crc32c(memory)) != variable.checksum:
            raise ValueError(f"{variable.shard.name} is damaged (the checksum of {name} is wrong); {AGAIN}")
        return values


def _place(entry: bytes) -> tuple[int, tuple[int, ...], int, int, int, int]:
    """Type, shape, shard, offset, size and checksum of an entry of the index."""
    found = numbers(entry)
    shape = tuple(numbers(size).get(1, 0) for whole in parts(entry, 2) for size in parts(whole, 2))
    if parts(entry, 7):
        raise ValueError("it has variables in slices")
    if len(shape) > MOST_AXES:
        raise ValueError(f"it has a variable of {len(shape):,} axes")
    return found.get(1, 0), shape, found.get(3, 0), found.get(4, 0), found.get(5, 0), found.get(6, 0)


def _checked(name: str, variable: Variable) -> Variable:
    """The variable. Raises ValueError when its shard is too short for it, or its shape and its size differ."""
    variable.shard.check(variable.offset, variable.size)
    kind = _TYPES.get(variable.kind)
    if kind is not None and (0 in variable.shape or math.prod(variable.shape) * kind.itemsize != variable.size):
        shape = " x ".join(f"{size:,}" for size in variable.shape) or "a single number"
        raise ValueError(f"the index says that {name} is {shape} and has {variable.size:,} bytes; {AGAIN}")
    return variable
