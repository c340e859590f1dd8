"""Notes of drum channels to performances: the hits of drum classes with their velocity and place."""

from dataclasses import dataclass

import numpy as np

from seqvae.modalities.midi.excerpt import Stretch
from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.performance import PLACES, Performance, nearest_places


@dataclass(frozen=True)
class PerformancePart(DrumPart):
    """The hits that a DrumPart takes, each with its velocity and place; of several on one step the loudest.

    Of those that are as loud it is the first. `places` is how finely time is kept.
    """

    places: int = PLACES

    def lay(self, segment: Segment) -> Stretch[Performance]:  # type: ignore[override]  # an item with more in it
        """The performance of a segment on the grid, with the kit of its channel."""
        stretch = super().lay(segment)
        clip, velocity = stretch.whole, segment.velocity
        played = np.zeros((*clip.hits.shape, 2), np.int8)
        order = np.lexsort((-np.arange(len(velocity)), velocity))  # of several on one place the last one stays
        where = segment.step[order], self.classes.table[segment.pitch[order]]
        played[where] = np.stack([velocity, nearest_places(segment.offset)], 1)[order]
        whole = Performance(played, clip.meter, clip.steps_per_quarter, clip.bpm, clip.kit, clip.changes)
        return Stretch(whole, stretch.notes, stretch.bpm)
