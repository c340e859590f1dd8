"""Magenta's melody models: steps that are a hold, an off, or a pitch that begins, as `Melody` numbers them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from seqvae.magenta.variables import ModelVariables

PITCHES = {90: (21, 108), 130: (0, 127)}  # the lowest and the highest, by the number of outcomes


class MelodyVariables(ModelVariables):
    """The variables of a melody model."""

    modality: ClassVar[str] = "melody"

    @property
    def recipe(self) -> str:
        """That of two bars, or of sixteen under a conductor."""
        return "hierdec-mel-16bar" if self.is_hierarchical else "melody-2bar"

    @property
    def fits(self) -> bool:
        """Whether the sizes of a step are those of a melody without chords."""
        return (
            len(self.cores) == 1
            and self.outputs in PITCHES
            and self.given == self.read == self.outputs
            and not self.units
        )

    @property
    def data(self) -> Mapping[str, Any]:
        """The range of pitches."""
        lowest, highest = PITCHES[self.outputs]
        return {"lowest_pitch": lowest, "highest_pitch": highest}

    def learned(self) -> dict[str, Any]:
        """What the modality would have learned from a corpus: Magenta's windows are in 4/4 and written at 120 bpm."""
        return {"meters": [(4, 4)], "bpm": 120.0, "program": 0}
