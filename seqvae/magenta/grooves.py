"""GrooVAE, Magenta's groove models: steps that are hits of nine classes with velocities and offsets.

Its steps have the hits of all classes, then their velocities, then their offsets; ours have the three of each class
side by side. Its offsets are how much a hit comes before its step, ours how much after it, so that all their weights
change sign. Both count half a step as 1.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqvae.config import few
from seqvae.magenta.variables import ModelVariables, Projection, Variables
from seqvae.modalities.midi.classes import MAPS

CLASSES, STEP = 9, 27  # of a step: its classes, and all its numbers
CONTROLLED = STEP + CLASSES  # of a step that is read with the hits beside it, which are controls
_CLASS_MAPS = ("gm", "roland")  # in which GrooVAE reads the files of users, and those of its training
_TASKS = ("reconstruct", "humanize", "tap", "infill")
_OF_NAMES = {"humanize": ("humanize", ""), "tap": ("tap", ""), "add_closed_hh": ("infill", "closed hat")}
_NAME = re.compile(rf"groovae_(\d+)bar(?:_({'|'.join(_OF_NAMES)}))?")
_TAPPED, _OURS = 3, 2  # the class of taps: GrooVAE's open hat, and the closed hat of `Groove`
_PUBLISHED_BARS = 2


@dataclass(frozen=True)
class GrooveReading:
    """What no groove checkpoint says of its model: what its encoder reads (`data.task`, `data.added`), and its map.

    Where these are empty, the name of the checkpoint says what its encoder reads, if it is that of a published model.
    """

    task: str = ""
    added: str = ""
    classes: str = ""

    @property
    def asked(self) -> str:
        """What was asked for, in words; empty where nothing was."""
        return ", ".join(f"{name}={value}" for name, value in vars(self).items() if value)


class GrooveVariables(ModelVariables):
    """The variables of a groove model.

    An encoder that humanizes, or reads taps, reads 0 for their velocities in Magenta's code, and ours reads velocities:
    their weights become 0. Fine-tuning may learn to read them.
    """

    modality: ClassVar[str] = "groove"

    def __init__(self, found: Variables, reading: GrooveReading) -> None:
        super().__init__(found)
        self._reading = reading
        self._named = next(iter(list(_NAME.finditer(found.name))[-1:]), None)

    @property
    def recipe(self) -> str:
        """That of squared errors."""
        return "groovae-humanize"

    @property
    def fits(self) -> bool:
        """Whether the sizes of a step are those of grooves."""
        return len(self.cores) == 1 and not self.units and self.given == self.read == self.outputs == STEP

    @property
    def task(self) -> tuple[str, str]:
        """What the encoder reads, and the class that is added. Raises ValueError where nothing says so."""
        asked = self._reading
        if asked.task and asked.task not in _TASKS:
            raise ValueError(f"task={asked.task} is no task of grooves; choose {few(_TASKS)}")
        if asked.task or asked.added:
            return asked.task or "infill", asked.added
        if self._named is None:
            raise ValueError(
                f"{self._found.name} is a groove model (groovae), and neither its shapes nor its name say what its "
                f"encoder reads; name its task, such as data.task=humanize (one of {few(_TASKS)})"
            )
        return _OF_NAMES.get(self._named[2] or "", ("reconstruct", ""))

    @property
    def data(self) -> Mapping[str, Any]:
        """The task, the class map, and the bars that the name says."""
        task, added = self.task
        bars = int(self._named[1]) if self._named else _PUBLISHED_BARS
        return {"task": task, "added": added, "classes": self._classes, "bars": bars}

    @property
    def _classes(self) -> str:
        classes = self._reading.classes or _CLASS_MAPS[0]
        if classes not in _CLASS_MAPS:
            raise ValueError(f"classes={classes} is no map of Magenta's grooves; choose {few(_CLASS_MAPS)}")
        return classes

    def learned(self) -> dict[str, Any]:
        """What the modality would have learned from a corpus: Magenta's windows are in 4/4 and written at 120 bpm."""
        table = json.loads(MAPS[self._classes].to_json())
        return {"classes": table, "meters": [(4, 4)], "bpm": 120.0, "kit": 0}

    def weights(self) -> dict[str, np.ndarray]:
        """The weights by our names. Raises ValueError as those of all models."""
        weights = super().weights()
        task, _ = self.task
        for way in range(2):
            name = f"encoder.layers.0.{way}.weight_ih_l0"
            weights[name] = _columns(weights[name], task)
        name = "decoder.recurrence.lstm.weight_ih_l0"
        step, code = np.split(weights[name], [STEP], 1)
        weights[name] = np.concatenate([_columns(step), code], 1)
        return weights

    def _scores(self, projections: list[Projection]) -> dict[str, Projection]:
        """The output layers of hits, and of the velocity and place of each class."""
        ((weight, bias),) = projections
        numbers = [
            np.stack([velocities, -offsets], 1).reshape(2 * CLASSES, *values.shape[1:])
            for values in (weight, bias)
            for _, velocities, offsets in [np.split(values, 3)]
        ]
        return {"hits.projection.": (weight[:CLASSES], bias[:CLASSES]), "projection.": (numbers[0], numbers[1])}


def _columns(weight: np.ndarray, task: str = "reconstruct") -> np.ndarray:
    """What reads GrooVAE's steps (H, 27) to what reads ours."""
    hits, velocities, offsets = np.split(weight, 3, 1)
    if task in ("humanize", "tap"):
        velocities = np.zeros_like(velocities)
    classes = np.stack([hits, velocities, -offsets], 2)  # (H, C, 3)
    if task == "tap":
        classes[:, [_OURS, _TAPPED]] = classes[:, [_TAPPED, _OURS]]
    return classes.reshape(weight.shape)
