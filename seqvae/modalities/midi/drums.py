"""Drums: bars of MIDI drum tracks to steps of drum classes and back."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from seqvae.config import Values, counted
from seqvae.modalities.base import Figures, Report, Words
from seqvae.modalities.midi import classes, rhythm, settings
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.settings import DrumData, DrumModel

if TYPE_CHECKING:
    from seqvae.nets.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType

MOST_COMBINED = 9  # classes whose 2^C combinations are outcomes of one step; more are taken one by one
MOST_NAMED = 12  # classes of which each is named


class Drums(MidiModality):
    """The drum modality: an item is a Clip of at most one window, its array one label or one set of classes a step."""

    name: ClassVar[str] = "drums"
    data_config: ClassVar[type] = DrumData
    model_config: ClassVar[type] = DrumModel
    item_type: ClassVar[type[Clip]] = Clip
    program: ClassVar[str] = "kit"
    words: ClassVar[Words] = Words(
        input="a MIDI file of any length, or FILE#INDEX, a window of one, counted from 0",
        data="data/demo-drums/grooves",
        items="windows",
        item="window",
        steps="drum steps",
        elements="hits",
        example=("A.mid", "B.mid"),
        smaller="--bars 1",
        against_overfitting=("data.mix=0.5", "data.rotate=0.25", "model.latent=8"),
        no_split="the split '{split}' has no file of {files}; leave --split out",
    )
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    defaults: ClassVar[Mapping[str, Values]] = settings.DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.units("hits")
    sampling_temperature: ClassVar[float] = settings.SAMPLING_TEMPERATURE
    data: DrumData

    def __init__(self, data: DrumData) -> None:
        super().__init__(data)
        self._classes: DrumClasses | None = None

    @property
    def classes(self) -> DrumClasses:
        """The drum classes. Raises ValueError when there is no such class map."""
        if self._classes is None:
            self._classes = classes.find(self.data.classes)
        return self._classes

    @property
    def combined(self) -> bool:
        """Whether a step is one of the combinations of classes. Raises ValueError when these are too many."""
        fits = len(self.classes) <= MOST_COMBINED
        if self.data.steps == "combinations" and not fits:
            raise ValueError(
                f"data.steps=combinations takes up to {MOST_COMBINED} classes, and data.classes={self.data.classes} "
                f"has {len(self.classes)}; leave it out, or choose another class map"
            )
        return fits and self.data.steps != "classes"

    @property
    def outcomes(self) -> int:
        """How many different steps there are."""
        return 1 << len(self.classes)

    @property
    def step_type(self) -> "StepType":
        """A label, bit i for class i, or zeros and ones, a number for each class."""
        from seqvae.types import StepType

        return StepType("uint16") if self.combined else StepType("uint8", (len(self.classes),))

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the F1 of each class."""
        return {**super().units, **dict.fromkeys(self._f1_names(), "F1 of hits, 0 to 1")}

    def _f1_names(self) -> list[str]:
        return [f"f1_{name.replace(' ', '_')}" for name in self.classes.names]

    def using(self, values: Values) -> Self:
        """The same modality with other values of keys that may change; a channel takes the place of all channels.

        Raises ValueError for keys that encoding depends on, and for a metre that the model does not know.
        """
        return super().using({"all_channels": False, **values} if "drum_channel" in values else values)

    def part(self, data: DrumData) -> DrumPart:  # type: ignore[override]  # the settings are its own kind
        """The hits of the drum channel, or of all channels."""
        return DrumPart(self.classes, None if data.all_channels else data.drum_channel)

    @property
    def notation(self) -> DrumNotation:
        """How clips of its classes are written."""
        return DrumNotation(self.classes)

    @property
    def coding(self) -> bool:
        """Whether steps are combinations."""
        return self.combined

    def fit(self, items: Callable[[], Iterable[Clip]]) -> None:
        """Note the classes, the metres of a corpus, and the tempo and kit to write new clips with."""
        super().fit(items)
        if self.learned:
            self.learned = {"classes": json.loads(self.classes.to_json()), **self.learned}

    def encode(self, item: Clip, report: Report) -> np.ndarray | None:
        """(T,) labels, bit i for class i, or (T, C) zeros and ones; what a clip lacks of a window is silence.

        Raises ValueError for a clip of another grid, class map or metre, or longer than a window.
        """
        if item.hits.shape[1] != len(self.classes):
            raise ValueError(
                f"a clip with {item.hits.shape[1]} classes does not fit; give clips with {len(self.classes)} classes"
            )
        whole = self.whole_window(item, report)
        if whole is None:
            return None
        if not self.combined:
            return whole.hits.astype(np.uint8)
        return (whole.hits @ (1 << np.arange(len(self.classes), dtype=np.int32))).astype(np.uint16)

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """Windows with some of their drums taken from other windows, with hits left out, rotated by beats.

        The shares of windows are `data.mix`, `data.drop` and `data.rotate`.
        """
        if not (self.data.mix or self.data.drop or self.data.rotate):
            return batch
        from seqvae.modalities.midi.augmentation import augmented

        return augmented(batch, others, noise, len(self.classes), self.data)

    def decode(self, x: np.ndarray, like: Clip | None = None) -> Clip:
        """The clip of an array, with the length, metre, tempo and kit of `like`.

        Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the kit are
        the typical ones.
        """
        hits = x.astype(bool) if x.ndim == 2 else (x[:, None] >> np.arange(len(self.classes)) & 1).astype(bool)
        made: Clip = self.new_item(hits) if like is None else like.with_steps(hits[: len(like)])
        return made

    def nets(self, model: DrumModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import Bars, drum_nets

        needed = model.position or model.by_segments
        bars = Bars(self.bar_lengths() if needed else [], self.data.bars, self.data.steps_per_quarter)
        return drum_nets(model, len(self.classes), self.combined, bars)

    def metrics(self, truth: Sequence[Clip], guess: Sequence[Clip]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the hits of each class; None where a class is never hit."""
        from seqvae.evaluation.reconstruction import exact_match, f1

        figures: dict[str, float | None] = {"exact_match": exact_match(truth, guess)}
        scores = f1([clip.hits for clip in truth], [clip.hits for clip in guess], len(self.classes))
        return figures | dict(zip(self._f1_names(), scores, strict=True))

    def sample_metrics(self, samples: Sequence[Clip]) -> dict[str, float | None]:
        """How bars repeat, how many hits there are and where they stand."""
        return rhythm.rhythm_figures(samples, "hits")

    def changes(self, item: Clip, other: Clip) -> tuple[float, float]:
        """The hits that stand in one of the two only, of those that stand in either."""
        return rhythm.changed_hits(item.hits, other.hits)

    def remarks(self, model: DrumModel, figures: Figures) -> list[str]:
        """The classes that no item of the data hits, so that they have no F1."""
        unused = [name.removeprefix("f1_") for name in self._f1_names() if figures.get(name) is None]
        return [f"Never hit: {', '.join(unused)}."] if unused else []

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, classes and metres."""
        names = self.classes.names
        listed = ", ".join(names) if len(names) <= MOST_NAMED else self.data.classes
        kind = f"one of {counted(self.outcomes, 'combinations')}" if self.combined else "each hit or not"
        items, steps, metres = super().facts(lengths)
        return [items, steps, ("classes", f"{len(names)} ({listed}), a step is {kind}"), metres]

    def load(self, folder: Path) -> None:
        """Read class map, metres, tempo and kit back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        path = folder / f"{self.name}.json"
        if "classes" not in self.learned:
            raise ValueError(f"{path} is damaged; restore the run from a copy")
        self._classes = DrumClasses.from_json(json.dumps(self.learned["classes"]), path)
