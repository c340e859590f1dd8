"""A clip: which drum classes are hit on each step of a few bars."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.tempo import Tempos, seconds_of


@dataclass(frozen=True, eq=False)
class Clip:
    """Hits (T, C) bool: True where class c is hit on step t; with what it takes to write them as MIDI.

    `meter` is (numerator, denominator), `bpm` quarters a minute at the start, `kit` the MIDI program of the drum
    channel; `changes` are the changes of tempo after the start.
    """

    hits: np.ndarray
    meter: Meter = (4, 4)
    steps_per_quarter: int = 4
    bpm: float = 120.0
    kit: int = 0
    changes: Tempos = ()

    @property
    def tempos(self) -> Tempos:
        """The tempo at the start, and all changes."""
        return ((0, self.bpm), *self.changes)

    @property
    def bars(self) -> Fraction:
        """The length in bars."""
        return Fraction(len(self.hits), steps_per_bar(self.meter, self.steps_per_quarter))

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return seconds_of(self.tempos, len(self.hits) / self.steps_per_quarter)

    @property
    def digest(self) -> bytes:
        """What two clips of equal hits, metre and grid have in common; tempo and kit play no part."""
        shape = repr((self.hits.shape, self.meter, self.steps_per_quarter)).encode()
        return hashlib.blake2b(self.hits.tobytes() + shape, digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        """Equal hits on an equal grid, tempos and kit."""
        if not isinstance(other, Clip):
            return NotImplemented
        same = (self.meter, self.steps_per_quarter, self.tempos, self.kit) == (
            other.meter, other.steps_per_quarter, other.tempos, other.kit,
        )  # fmt: skip
        return same and np.array_equal(self.hits, other.hits)

    def __hash__(self) -> int:
        return hash((self.hits.shape, self.hits.tobytes(), self.meter, self.steps_per_quarter))
