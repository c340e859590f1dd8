"""A performance: which drum classes are hit on each step of a few bars, how loud, and how early or late."""

from dataclasses import dataclass, replace

import numpy as np

from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.tempo import Tempos

# Places of a hit within its step, the middle one on the grid. A note on any tick of files of 480 ticks a quarter, as
# written here and as most are, comes back on it on every grid: the places lie a little closer than their ticks.
PLACES = 121
LOUDEST = 127  # velocity
MOST_PLACES = PLACES // 2  # from the grid to either side, half a step away


@dataclass(frozen=True, eq=False)
class Performance(Excerpt):
    """Played (T, C, 2) int8: of class c on step t the velocity, 1 to 127, or 0 without a hit; and how late it is.

    That is a number of places, of which a step has 121: from -60, half a step early, to 60; 0 without a hit. `kit` is
    the MIDI program of the drum channel.
    """

    played: np.ndarray
    meter: Meter = (4, 4)
    steps_per_quarter: int = 4
    bpm: float = 120.0
    kit: int = 0
    changes: Tempos = ()

    @property
    def steps(self) -> np.ndarray:
        """(T, C, 2) int8: what is played."""
        return self.played

    @property
    def velocities(self) -> np.ndarray:
        """(T, C) int8: 1 to 127, 0 without a hit."""
        return self.played[..., 0]

    @property
    def hits(self) -> np.ndarray:
        """(T, C) bool."""
        return self.played[..., 0] > 0

    @property
    def offsets(self) -> np.ndarray:
        """(T, C) float64: how much later than its step each hit is, in steps, -0.5 to 0.5; 0 without a hit."""
        return self.played[..., 1] / PLACES

    @property
    def onsets(self) -> np.ndarray:
        """(T,) int64: how many classes are hit on each step."""
        return self.hits.sum(1)

    @property
    def program(self) -> int:
        """The kit."""
        return self.kit

    @property
    def clip(self) -> Clip:
        """The hits alone."""
        return Clip(self.hits, self.meter, self.steps_per_quarter, self.bpm, self.kit, self.changes)

    def with_steps(self, steps: np.ndarray) -> "Performance":
        """The same with other steps."""
        return replace(self, played=steps)

    def with_program(self, program: int) -> "Performance":
        """The same with another kit."""
        return replace(self, kit=program)

    def filled(self, length: int) -> "Performance":
        """The same, with steps without hits behind it up to this length."""
        missing = max(0, length - len(self))
        return self.with_steps(np.pad(self.played, ((0, missing), (0, 0), (0, 0)))) if missing else self


def nearest_places(offsets: np.ndarray) -> np.ndarray:
    """The place (N,) int64 of each offset from the grid, in steps: at most 1/242 of a step away.

    >>> nearest_places(np.array([-0.5, 0.0, 0.1, 0.4999])).tolist()
    [-60, 0, 12, 60]
    """
    return np.clip(np.rint(offsets * PLACES), -MOST_PLACES, MOST_PLACES).astype(np.int64)
