"""Magenta's trios: steps of melody, bass and drums, decoded by one decoder or by one for each part."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from seqvae.magenta.melodies import PITCHES
from seqvae.magenta.variables import ModelVariables, Projection
from seqvae.modalities.midi.classes import MAPS

CLASSES = "gm"  # nine
SIZES = {2 * outcomes + (1 << 9): (outcomes, outcomes, 1 << 9) for outcomes in PITCHES}  # of a step and its parts


class TrioVariables(ModelVariables):
    """The variables of a trio."""

    modality: ClassVar[str] = "trio"

    @property
    def recipe(self) -> str:
        """That of sixteen bars, under a conductor or flat."""
        return "hierdec-trio-16bar" if self.is_hierarchical else "flat-trio-16bar"

    @property
    def fits(self) -> bool:
        """Whether the sizes of a step are those of trios."""
        if self.given not in SIZES or self.units:
            return False
        parts = [*SIZES[self.given]]
        return self.reads == self.gives and self.reads in ([self.given], parts)

    @property
    def data(self) -> Mapping[str, Any]:
        """The range of pitches of melody and bass, and the drum classes."""
        lowest, highest = PITCHES[SIZES[self.given][0]]
        return {"lowest_pitch": lowest, "highest_pitch": highest, "classes": CLASSES}

    @property
    def model(self) -> Mapping[str, Any]:
        """The values of `model.*` that say the sizes, and whether each part has a decoder."""
        return {**super().model, "part_decoders": len(self.cores) > 1}

    def learned(self) -> dict[str, Any]:
        """What the modality would have learned from a corpus: Magenta's windows are in 4/4 and written at 120 bpm."""
        table = json.loads(MAPS[CLASSES].to_json())
        return {"classes": table, "meters": [(4, 4)], "bpm": 120.0, "programs": (0, 33, 0)}

    def _scores(self, projections: list[Projection]) -> dict[str, Projection]:
        """The output layer of each part; that of a single decoder has the rows of all parts."""
        if len(projections) == 1:
            ((weight, bias),) = projections
            ends = np.cumsum(SIZES[self.given])[:-1]
            projections = list(zip(np.split(weight, ends), np.split(bias, ends), strict=True))
        return {f"parts.{number}.projection.": projection for number, projection in enumerate(projections)}
