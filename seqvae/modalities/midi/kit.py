"""What every modality of drum kits is: classes of drums on a channel, whatever else a step says of their hits."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from seqvae.config import Keys, Values, few
from seqvae.modalities.base import Figures, Words
from seqvae.modalities.measuring import Measures
from seqvae.modalities.midi import classes, settings
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.measures import of_kit
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.settings import KitData

if TYPE_CHECKING:
    from seqvae.noise import Noise
    from seqvae.types import Batch

MOST_NAMED = 12  # classes of which each is named


class KitModality(MidiModality):
    """Drums of MIDI files by classes: their map, their channel, their figures, what training changes of them."""

    program: ClassVar[str] = "kit"
    words: ClassVar[Words] = Words(
        input="a MIDI file of any length, or FILE#INDEX, a window of one, counted from 0",
        data="data/demo-drums/grooves",
        items="windows",
        item="window",
        steps="drum steps",
        elements="hits",
        change="hits that only one of two has, of those that either has",
        example=("A.mid", "B.mid"),
        smaller="data.bars=1",
        against_overfitting=("data.mix=0.5", "data.rotate=0.25", "model.latent=8"),
        no_split="split={split} has no file of {files}; leave it out",
    )
    precision: ClassVar[Literal["fp32", "bf16"]] = "bf16"  # as good, in half of the time
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    sampling_temperature: float = settings.SAMPLING_TEMPERATURE
    data: KitData

    def __init__(self, data: KitData) -> None:
        super().__init__(data)
        self._classes: DrumClasses | None = None

    @property
    def classes(self) -> DrumClasses:
        """The drum classes. Raises ValueError when there is no such class map."""
        if self._classes is None:
            self._classes = classes.find(self.data.classes)
        return self._classes

    @property
    def listed_classes(self) -> str:
        """The names of the classes, of many the first."""
        names = self.classes.names
        return ", ".join(names) if len(names) <= MOST_NAMED else few(names)

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the F1 of each class."""
        return {**super().units, **dict.fromkeys(self._f1_names(), "F1 of hits, 0 to 1")}

    def _f1_names(self) -> list[str]:
        return [f"f1_{name.replace(' ', '_')}" for name in self.classes.names]

    @property
    def measures(self) -> Measures:
        """What is measured of hits."""
        return of_kit(self.classes.names)

    def using(self, values: Values) -> Self:
        """The same modality with other values of keys that may change; a channel takes the place of all channels.

        Raises ValueError for keys that encoding depends on, and for a metre that the model does not know.
        """
        return super().using({"all_channels": False, **values} if "drum_channel" in values else values)

    def fit(self, items: Callable[[], Iterable[Any]]) -> None:
        """Note the classes, the metres of a corpus, and the tempo and kit to write new items with."""
        super().fit(items)
        if self.learned:
            self.learned = {"classes": json.loads(self.classes.to_json()), **self.learned}

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """Windows with some of their drums taken from other windows, with hits left out, rotated by beats.

        The shares of windows are `data.mix`, `data.drop` and `data.rotate`.
        """
        if not (self.data.mix or self.data.drop or self.data.rotate):
            return batch
        from seqvae.modalities.midi.augmentation import augmented

        return augmented(batch, others, noise, len(self.classes), self.data)

    def hit_figures(self, truth: Sequence[np.ndarray], guess: Sequence[np.ndarray]) -> dict[str, float | None]:
        """The F1 of the hits (T, C) of each class; None where a class is never hit."""
        from seqvae.evaluation.reconstruction import f1

        return dict(zip(self._f1_names(), f1(truth, guess, len(self.classes)), strict=True))

    def remarks(self, model: Keys, figures: Figures) -> list[str]:
        """The classes that no item of the data hits, so that they have no F1."""
        unused = [name.removeprefix("f1_") for name in self._f1_names() if figures.get(name) is None]
        return [f"Never hit: {', '.join(unused)}."] if unused else []

    def class_facts(self, lengths: np.ndarray, step: str) -> list[tuple[str, str]]:
        """Windows, steps, classes and metres; `step` says what a step is."""
        count = len(self.classes)
        listed = self.listed_classes if count <= MOST_NAMED else self.data.classes
        items, steps, metres = super().facts(lengths)
        return [items, steps, ("classes", f"{count} ({listed}), a step is {step}"), metres]

    def load(self, folder: Path) -> None:
        """Read class map, metres, tempo and kit back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        self._classes = DrumClasses.of_run(self.learned, folder / f"{self.name}.json")
