"""A clip: which drum classes are hit on each step of a few bars."""

from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.tempo import Tempos


@dataclass(frozen=True, eq=False)
class Clip(Excerpt):
    """Hits (T, C) bool: True where class c is hit on step t; with what it takes to write them as MIDI.

    `kit` is the MIDI program of the drum channel.
    """

    hits: np.ndarray
    meter: Meter = (4, 4)
    steps_per_quarter: int = 4
    bpm: float = 120.0
    kit: int = 0
    changes: Tempos = ()

    @property
    def steps(self) -> np.ndarray:
        """(T, C) bool: the hits."""
        return self.hits

    @property
    def onsets(self) -> np.ndarray:
        """(T,) int64: how many classes are hit on each step."""
        return self.hits.sum(1)

    @property
    def program(self) -> int:
        """The kit."""
        return self.kit

    def with_steps(self, steps: np.ndarray) -> "Clip":
        """The same with other hits."""
        return replace(self, hits=steps)

    def with_program(self, program: int) -> "Clip":
        """The same with another kit."""
        return replace(self, kit=program)

    def filled(self, length: int) -> "Clip":
        """The same, with steps without hits behind it up to this length."""
        missing = max(0, length - len(self.hits))
        return self.with_steps(np.pad(self.hits, ((0, missing), (0, 0)))) if missing else self
