"""Magenta's drum models: steps that are combinations of nine classes, or sets of classes scored by NADE."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from seqvae.magenta.variables import ModelVariables
from seqvae.modalities.midi.classes import MAPS

CLASS_MAPS = {9: "gm", 61: "musicvae"}  # by their numbers of classes


class DrumVariables(ModelVariables):
    """The variables of a drum model."""

    modality: ClassVar[str] = "drums"

    @property
    def recipe(self) -> str:
        """That of two bars."""
        return "drums-2bar"

    @cached_property
    def classes(self) -> int:
        """The drum classes of a step."""
        return self.given - 1  # the last number that the encoder reads is 1 for silence

    @property
    def fits(self) -> bool:
        """Whether the sizes of a step are those of drums."""
        steps = self.classes if self.units else 1 << self.classes if 0 < self.classes < 10 else -1
        if len(self.cores) > 1:
            return False
        return self.read == steps and self.outputs == self.units + steps and self.classes in CLASS_MAPS

    @property
    def data(self) -> Mapping[str, Any]:
        """The classes, and whether a step is one of their combinations."""
        return {"classes": CLASS_MAPS[self.classes], "steps": "classes" if self.units else "combinations"}

    def learned(self) -> dict[str, Any]:
        """What the modality would have learned from a corpus: Magenta's windows are in 4/4 and written at 120 bpm."""
        table = json.loads(MAPS[CLASS_MAPS[self.classes]].to_json())
        return {"classes": table, "meters": [(4, 4)], "bpm": 120.0, "kit": 0}
