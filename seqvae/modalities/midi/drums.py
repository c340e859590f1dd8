"""Drums: bars of MIDI drum tracks to steps of drum classes and back."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from seqvae.config import Values, counted
from seqvae.modalities.base import Arrangement, Figures, File, Modality, Named, Report, Split, Words, Written
from seqvae.modalities.items import Item, Items, single
from seqvae.modalities.midi import classes, midi_objects, rhythm, settings
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.meters import Meter, meter_name, steps_per_bar
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import Song, find_song, song_of
from seqvae.modalities.midi.settings import DrumData, DrumModel
from seqvae.modalities.midi.sources import find
from seqvae.modalities.midi.survey import Survey, Windows
from seqvae.modalities.midi.tempo import tempos_between
from seqvae.modalities.midi.typical import typical_in, typical_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pretty_midi import PrettyMIDI

    from seqvae.modalities.midi.piece import Piece
    from seqvae.nets.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType

MOST_COMBINED = 9  # classes whose 2^C combinations are outcomes of one step; more are taken one by one
MOST_NAMED = 12  # classes of which each is named


class Drums(Modality):
    """The drum modality: an item is a Clip of at most one window, its array one label or one set of classes a step.

    What users hand in and get back are PrettyMIDI objects of any length; clips and paths of MIDI files are taken too.
    Where `data.meter` is set, it is the metre of what is made from codes alone, else that most met in training. Where
    `data.bpm` is set, everything is written at that tempo.
    """

    name: ClassVar[str] = "drums"
    data_config: ClassVar[type] = DrumData
    model_config: ClassVar[type] = DrumModel
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
    least_steps: ClassVar[int] = settings.LEAST_STEPS
    few_items: ClassVar[int] = settings.FEW_ITEMS
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    defaults: ClassVar[Mapping[str, Values]] = settings.DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.UNITS
    sampling_temperature: ClassVar[float] = settings.SAMPLING_TEMPERATURE
    data: DrumData

    def __init__(self, data: DrumData) -> None:
        super().__init__(data)
        self._classes: DrumClasses | None = None
        self._divided, self._division = data, ""  # how training divides files, and what is held out beyond their order
        self._surveyed: dict[bytes, Windows] = {}

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
    def _known(self) -> list[Meter]:
        """The metres met in training, the most frequent first; before training the one that is read, if it is one."""
        if "meters" in self.learned:
            return [(beats, unit) for beats, unit in self.learned["meters"]]
        return [self.data.only_meter] if self.data.only_meter else []

    @property
    def meters(self) -> list[Meter]:
        """The metres that the model knows, the most frequent first. Raises ValueError before `fit` or `load`."""
        if not self._known:
            raise ValueError("the drum modality knows no metre yet; call fit(items) or load(folder) first")
        return self._known

    @property
    def made_meter(self) -> Meter:
        """The metre of what is made from codes alone. Raises ValueError for one that the model does not know."""
        meter = self.data.only_meter or self.meters[0]
        if meter not in self.meters:
            raise ValueError(f"this model does not know {meter_name(meter)}; choose {self._meter_names()}")
        return meter

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
    def max_steps(self) -> int:
        """The steps of one window in the metre that is made."""
        return self._steps(self.made_meter)

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the F1 of each class."""
        return {
            "tokens": "steps of all items",
            "perplexity": "per step, exp(iw_nll_nats x items / tokens)",
            "step_accuracy_teacher_forced": "share of steps, each after the true ones before it",
            **dict.fromkeys(self._f1_names(), "F1 of hits, 0 to 1"),
        }

    def _steps(self, meter: Meter) -> int:
        return self.data.bars * steps_per_bar(meter, self.data.steps_per_quarter)

    def _meter_names(self) -> str:
        return ", ".join(map(meter_name, self.meters))

    def _f1_names(self) -> list[str]:
        return [f"f1_{name.replace(' ', '_')}" for name in self.classes.names]

    def using(self, values: Values) -> Self:
        """The same modality with other values of keys that may change; a channel takes the place of all channels.

        Raises ValueError for keys that encoding depends on, and for a metre that the model does not know.
        """
        other = super().using({"all_channels": False, **values} if "drum_channel" in values else values)
        table = {name: getattr(other.data, name) for name in ("split_csv", "split_column")}
        other._divided = replace(self._divided, **table)
        if values.get("meter") and other.learned:
            _ = other.made_meter
        return other

    # Files to clips -------------------------------------------------------------------------------------------

    @property
    def source(self) -> MidiSource[Clip]:
        """The MIDI files that are read, and how."""
        own = Survey(self._divided, self._part(self._divided), self._surveyed)
        return MidiSource(self.data, self._part(self.data), self.split, own)

    def _part(self, data: DrumData) -> DrumPart:
        return DrumPart(self.classes, None if data.all_channels else data.drum_channel)

    @property
    def splits_are_named(self) -> bool:
        """Whether a table says the splits."""
        return bool(self.data.split_csv)

    def of_split(self, split: Split, sources: Sequence[Path]) -> "Self | None":
        """The same modality, reading one split of the sources: of their files or, of too few, of their windows."""
        division = self.source.division(find(sources))
        if split != "all" and split not in division.splits:
            return None
        part = copy.copy(self)
        part.split, part._division = split, "" if split == "all" else division.identity
        return part

    def split_words(self, sources: Sequence[Path]) -> str:
        """How the files are split."""
        return self.source.division(find(sources)).words

    def files_of(self, source: Path) -> Sequence[Path]:
        """The MIDI files of a source; a zip counts as one. Raises ValueError when there are none."""
        return self.source.files_of(source)

    def as_files(self, data: Items) -> list[File]:
        """A MIDI file of each PrettyMIDI object. Raises ValueError for what is none."""
        return midi_objects.as_files(self.several(data.items), data.labels)

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Clip]:
        """The windows of all files in order; what becomes of every file and hit is counted in the report.

        Raises ValueError when there is nothing to read, and at the end when no window came out of it.
        """
        return self.source.read(sources, report)

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[Named]:
        """The windows in metres that the model knows, by FILE#INDEX; a window starts every `data.hop` bars."""
        return self.source.named(sources, report, self.meters)

    def find(self, word: str, report: Report) -> list[Named]:
        """A MIDI file as a whole, or its window FILE#INDEX; hits of the file that are lost are counted.

        Raises ValueError when there is none, or in a metre that the model does not know.
        """
        return [find_song(self.source, word, self.meters, report)]

    def accept(self, item: "PrettyMIDI | Clip | Song[Clip] | Path | str | Sequence[Clip]") -> list[Clip]:
        """The clips of a PrettyMIDI object or a MIDI file, window after window; the last may be shorter.

        FILE#INDEX is one window. Raises ValueError for what is no MIDI, has no drums, or a metre that is not known.
        """
        if isinstance(item, list | tuple) and not (item and all(isinstance(clip, Clip) for clip in item)):
            return self.accept(single(item))
        if isinstance(item, Clip):
            return [item]
        if isinstance(item, Song | list | tuple):
            return list(item.items if isinstance(item, Song) else item)
        return self.accept(self.as_named(item, "the PrettyMIDI object").item)

    def as_named(self, item: Item, name: str) -> Named:
        """A file or PrettyMIDI object as a Song, whose windows have names of their own; clips as they are."""
        if isinstance(item, Song | Clip | list | tuple):
            return super().as_named(item, name)
        if isinstance(item, Path | str):
            return find_song(self.source, str(item), self.meters, Report())
        return Named(name, song_of(self.source, midi_objects.from_midi(item), name, self.meters))

    def window_names(self, named: Named, count: int) -> list[str]:
        """FILE#INDEX of each window of a whole file, or its bars where no window is counted from there."""
        return list(named.item.names) if isinstance(named.item, Song) else super().window_names(named, count)

    # Clips to files -------------------------------------------------------------------------------------------

    def as_long_as(self, item: Clip, other: Clip) -> Clip:
        """The clip, filled up with silence to the length of the other. Raises ValueError for two metres."""
        if item.meter != other.meter:
            raise ValueError(
                f"nothing leads from {meter_name(item.meter)} to {meter_name(other.meter)}, since what is made has one "
                f"metre; give clips of one metre, or read the bars of one alone, with --meter {meter_name(item.meter)}"
            )
        missing = max(0, len(other.hits) - len(item.hits))
        return replace(item, hits=np.pad(item.hits, ((0, missing), (0, 0))))

    def between(self, a: Clip, b: Clip, share: float) -> Clip:
        """The clip a with tempos at a share of the way from its own to those of b, and the kit of the nearer one."""
        (_, bpm), *changes = tempos_between(a.tempos, b.tempos, share)
        return replace(a, bpm=bpm, changes=tuple(changes), kit=a.kit if share < 0.5 else b.kit)

    def present(self, items: Sequence[Clip]) -> "PrettyMIDI":
        """The clips one after another as MIDI, bar lines kept."""
        return self._piece(items).midi

    def write(
        self,
        pieces: Sequence[Sequence[Clip]],
        arrangement: Arrangement = "set",
        originals: Sequence[Sequence[Clip]] = (),
    ) -> Sequence[Written]:
        """The MIDI, WAV and PNG files of each piece, and of an interpolation or palette also as a whole."""
        from seqvae.modalities.midi.output import files_of_pieces

        made = [self._piece(clips) for clips in pieces]
        read = [replace(piece, clips=clips, bpm=None) for piece, clips in zip(made, originals, strict=False)]
        return files_of_pieces(made, arrangement, self.data.written_formats, read, self.data.loop)

    def picture(self, pieces: Sequence[Sequence[Clip]], arrangement: Arrangement = "set") -> "Figure | None":
        """The hits of the pieces, below each other or in a square."""
        if not pieces:
            return None
        from seqvae.modalities.midi.pictures import together

        return together([self._piece(clips) for clips in pieces], arrangement)

    def _piece(self, clips: Sequence[Clip]) -> "Piece":
        from seqvae.modalities.midi.piece import Piece

        return Piece(clips, self.classes, self.data.bpm)

    # Clips to steps -------------------------------------------------------------------------------------------

    def fit(self, items: Callable[[], Iterable[Clip]]) -> None:
        """Note the metres of a corpus, and the tempo and kit to write new clips with."""
        self.learned = typical_of(items(), self.classes) or self.learned

    def encode(self, item: Clip, report: Report) -> np.ndarray | None:
        """(T,) labels, bit i for class i, or (T, C) zeros and ones; what a clip lacks of a window is silence.

        Raises ValueError for a clip of another grid, class map or metre, or longer than a window.
        """
        steps, (length, width) = self._steps(item.meter), item.hits.shape
        if item.steps_per_quarter != self.data.steps_per_quarter or width != len(self.classes) or length > steps:
            raise ValueError(
                f"a clip of {length} steps at {item.steps_per_quarter} a quarter with {width} classes does not fit; "
                f"give up to {steps} steps at {self.data.steps_per_quarter} a quarter with {len(self.classes)} classes"
            )
        if self._known and item.meter not in self._known:
            report.count(f"in {meter_name(item.meter)}, which the model does not know, left out", 1, "windows")
            return None
        hits = item.hits if length == steps else np.pad(item.hits, ((0, steps - length), (0, 0)))
        if not self.combined:
            return hits.astype(np.uint8)
        return (hits @ (1 << np.arange(width, dtype=np.int32))).astype(np.uint16)

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
        if like is not None:
            return replace(like, hits=hits[: len(like.hits)])
        known = (self.made_meter, *self.meters)
        meter = next((meter for meter in known if self._steps(meter) == len(x)), known[0])
        typical = {"bpm": self.learned["bpm"], "kit": self.learned["kit"]} if self.learned else {}
        return Clip(hits, meter, self.data.steps_per_quarter, **typical)

    # The model ------------------------------------------------------------------------------------------------

    def nets(self, model: DrumModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import Bars, drum_nets

        quarter = self.data.steps_per_quarter
        bars = [steps_per_bar(meter, quarter) for meter in self.meters] if model.position else []
        return drum_nets(model, len(self.classes), self.combined, Bars(bars, self.data.bars, quarter))

    def metrics(self, truth: Sequence[Clip], guess: Sequence[Clip]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the hits of each class; None where a class is never hit."""
        from seqvae.evaluation.reconstruction import exact_match, f1

        figures: dict[str, float | None] = {"exact_match": exact_match(truth, guess)}
        scores = f1([clip.hits for clip in truth], [clip.hits for clip in guess], len(self.classes))
        return figures | dict(zip(self._f1_names(), scores, strict=True))

    def sample_metrics(self, samples: Sequence[Clip]) -> dict[str, float | None]:
        """How bars repeat, how many hits there are and where they stand."""
        return rhythm.rhythm_figures(samples)

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
        return [
            ("items", f"{counted(len(lengths), 'windows')} of {counted(self.data.bars, 'bars')}"),
            ("steps", f"{lengths.sum():,}, {self.data.steps_per_quarter} a quarter"),
            ("classes", f"{len(names)} ({listed}), a step is {kind}"),
            ("metres", self._meter_names()),
        ]

    # What was learned -----------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        reading, table = self.source.identity()
        content = [reading, self.combined, sorted(self._known), table, *filter(None, [self._division])]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def load(self, folder: Path) -> None:
        """Read class map, metres, tempo and kit back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        self._classes, self.learned = typical_in(self.learned, folder / f"{self.name}.json")
