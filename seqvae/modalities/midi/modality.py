"""What every modality of MIDI pieces is: it holds a source, and cuts, names, puts together and writes as all do."""

import abc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from seqvae.config import Values, counted
from seqvae.modalities.base import Arrangement, File, Modality, Named, Report, Split, Written
from seqvae.modalities.items import PARTS, Item, Items, single
from seqvae.modalities.midi import midi_objects, settings
from seqvae.modalities.midi.excerpt import Excerpt, replace_tempos
from seqvae.modalities.midi.meters import Meter, meter_name, steps_per_bar
from seqvae.modalities.midi.notation import Notation
from seqvae.modalities.midi.part import Part
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import Song, find_song, song_of
from seqvae.modalities.midi.settings import MidiData, MidiModel
from seqvae.modalities.midi.sources import find
from seqvae.modalities.midi.survey import Survey, Windows
from seqvae.modalities.midi.tempo import tempos_between
from seqvae.modalities.midi.typical import typical_in, typical_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pretty_midi import PrettyMIDI

    from seqvae.modalities.midi.nets import Bars
    from seqvae.modalities.midi.piece import Piece


class MidiModality(Modality):
    """Pieces of MIDI: an item is an Excerpt of at most one window.

    What users hand in and get back are PrettyMIDI objects of any length; items and paths of MIDI files are taken too.
    Where `data.meter` is set, it is the metre of what is made from codes alone, else that most met in training. Where
    `data.bpm` is set, everything is written at that tempo.

    A kind says its `part` and `notation`, how items become arrays and back, and its nets.
    """

    item_type: ClassVar[type[Any]]  # an Excerpt that is made of steps, metre, grid, and what is learned
    program: ClassVar[str]  # what the MIDI program of its items is called among what is learned
    least_steps: ClassVar[int] = settings.LEAST_STEPS
    few_items: ClassVar[int] = settings.FEW_ITEMS
    data: MidiData

    def __init__(self, data: MidiData) -> None:
        super().__init__(data)
        self._divided, self._division = data, ""  # how training divides files, and what is held out beyond their order
        self._surveyed: dict[bytes, Windows] = {}

    @abc.abstractmethod
    def part(self, data: MidiData) -> Part[Any]:
        """What is taken of a file with these settings."""

    @property
    @abc.abstractmethod
    def notation(self) -> Notation[Any]:
        """How its items are written, drawn and played."""

    @property
    @abc.abstractmethod
    def coding(self) -> bool | str:
        """What arrays depend on besides what is read."""

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
            raise ValueError(f"the {self.name} modality knows no metre yet; call fit(items) or load(folder) first")
        return self._known

    @property
    def made_meter(self) -> Meter:
        """The metre of what is made from codes alone. Raises ValueError for one that the model does not know."""
        meter = self.data.only_meter or self.meters[0]
        if meter not in self.meters:
            raise ValueError(f"this model does not know {meter_name(meter)}; choose {self._meter_names()}")
        return meter

    @property
    def max_steps(self) -> int:
        """The steps of one window in the metre that is made."""
        return self._steps(self.made_meter)

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted."""
        return {
            "tokens": "steps of all items",
            "perplexity": "per step, exp(iw_nll_nats x items / tokens)",
            "step_accuracy_teacher_forced": "share of steps, each after the true ones before it",
        }

    def _steps(self, meter: Meter) -> int:
        return self.data.bars * steps_per_bar(meter, self.data.steps_per_quarter)

    def _meter_names(self) -> str:
        return ", ".join(map(meter_name, self.meters))

    def using(self, values: Values) -> Self:
        """The same modality with other values of keys that may change.

        Raises ValueError for keys that encoding depends on, and for a metre that the model does not know.
        """
        other = super().using(values)
        table = {name: getattr(other.data, name) for name in ("split_csv", "split_column")}
        other._divided = replace(self._divided, **table)
        if values.get("meter") and other.learned:
            _ = other.made_meter
        return other

    # Files to items -------------------------------------------------------------------------------------------

    @property
    def source(self) -> MidiSource[Any]:
        """The MIDI files that are read, and how."""
        own = Survey(self._divided, self.part(self._divided), self._surveyed)
        return MidiSource(self.data, self.part(self.data), self.split, own)

    @property
    def splits_are_named(self) -> bool:
        """Whether a table says the splits."""
        return bool(self.data.split_csv)

    def of_splits(self, sources: Sequence[Path]) -> Mapping[Split, Self]:
        """The same modality, reading one split of the sources: of their files or, of too few, of their windows."""
        division = self.source.division(find(sources))
        parts = {split: self._reading(split) for split in PARTS if split in division.splits}
        for part in parts.values():
            part._division = division.identity
        return parts

    def split_words(self, sources: Sequence[Path]) -> str:
        """How the files are split."""
        return self.source.division(find(sources)).words

    def files_of(self, source: Path) -> Sequence[Path]:
        """The MIDI files of a source; a zip counts as one. Raises ValueError when there are none."""
        return self.source.files_of(source)

    def as_files(self, data: Items) -> list[File]:
        """A MIDI file of each PrettyMIDI object. Raises ValueError for what is none."""
        return midi_objects.as_files(self.several(data.items), data.labels)

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Any]:
        """The windows of all files in order; what becomes of every file and note is counted in the report.

        Raises ValueError when there is nothing to read, and at the end when no window came out of it.
        """
        return self.source.read(sources, report)

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[Named]:
        """The windows in metres that the model knows, by FILE#INDEX; a window starts every `data.hop` bars."""
        return self.source.named(sources, report, self.meters)

    def find(self, word: str, report: Report) -> list[Named]:
        """A MIDI file as a whole, or its window FILE#INDEX; notes of the file that are lost are counted.

        Raises ValueError when there is none, or in a metre that the model does not know.
        """
        return [find_song(self.source, word, self.meters, report)]

    def accept(self, item: "PrettyMIDI | Excerpt | Song[Any] | Path | str | Sequence[Any]") -> list[Any]:
        """The items of a PrettyMIDI object or a MIDI file, window after window; the last may be shorter.

        FILE#INDEX is one window. Raises ValueError for what is no MIDI, has no such notes, or a metre that is not
        known.
        """
        kind = self.item_type
        if isinstance(item, list | tuple) and not (item and all(isinstance(one, kind) for one in item)):
            return self.accept(single(item))
        if isinstance(item, kind):
            return [item]
        if isinstance(item, Song | list | tuple):
            return list(item.items if isinstance(item, Song) else item)
        return self.accept(self.as_named(item, "the PrettyMIDI object").item)

    def as_named(self, item: Item, name: str) -> Named:
        """A file or PrettyMIDI object as a Song, whose windows have names of their own; items as they are."""
        if isinstance(item, (Song, self.item_type, list, tuple)):
            return super().as_named(item, name)
        if isinstance(item, Path | str):
            return find_song(self.source, str(item), self.meters, Report())
        return Named(name, song_of(self.source, midi_objects.from_midi(item), name, self.meters))

    def window_names(self, named: Named, count: int) -> list[str]:
        """FILE#INDEX of each window of a whole file, or its bars where no window is counted from there."""
        return list(named.item.names) if isinstance(named.item, Song) else super().window_names(named, count)

    # Items to files -------------------------------------------------------------------------------------------

    def as_long_as(self, item: Any, other: Any) -> Any:
        """The item, filled up with silence to the length of the other. Raises ValueError for two metres."""
        if item.meter != other.meter:
            raise ValueError(
                f"nothing leads from {meter_name(item.meter)} to {meter_name(other.meter)}, since what is made has one "
                "metre; give clips of one metre, or read the bars of one alone, with "
                f"data.meter={meter_name(item.meter)}"
            )
        return item.filled(len(other))

    def between(self, a: Any, b: Any, share: float) -> Any:
        """The item a with tempos at a share of the way from its own to those of b, and the nearer one's programs.

        So of a walk each clip alone has the programs of the nearer end; one file of all has those of its first clip
        throughout (`to_midi`), since a change of instruments midway would be heard above all that changes.
        """
        (_, bpm), *changes = tempos_between(a.tempos, b.tempos, share)
        return replace_tempos(a, bpm, tuple(changes)).with_program(a.program if share < 0.5 else b.program)

    def present(self, items: Sequence[Any]) -> "PrettyMIDI":
        """The items one after another as MIDI, bar lines kept."""
        return self._piece(items).midi

    def write(
        self, pieces: Sequence[Sequence[Any]], arrangement: Arrangement = "set",
        originals: Sequence[Sequence[Any]] = (), names: Sequence[str] = (),
    ) -> Sequence[Written]:  # fmt: skip
        """The MIDI, WAV and PNG files of each piece, and of an interpolation or palette also as a whole."""
        from seqvae.modalities.midi.output import files_of_pieces

        made = [self._piece(items) for items in pieces]
        read = [replace(piece, items=items, bpm=None) for piece, items in zip(made, originals, strict=False)]
        return files_of_pieces(made, arrangement, self.data.written_formats, read, self.data.loop, names)

    def picture(
        self, pieces: Sequence[Sequence[Any]], arrangement: Arrangement = "set", names: Sequence[str] = ()
    ) -> "Figure | None":
        """The notes of the pieces, below each other or in a square; those of names of their own are windows."""
        if not pieces:
            return None
        from seqvae.modalities.midi.pictures import together

        made, what = [self._piece(items) for items in pieces], self.words.items if names else "clips"
        return together(made, arrangement, labels=names, what=what)

    def _piece(self, items: Sequence[Any]) -> "Piece":
        from seqvae.modalities.midi.piece import Piece

        return Piece(items, self.notation, self.data.bpm)

    # Items to steps -------------------------------------------------------------------------------------------

    def fit(self, items: Callable[[], Iterable[Any]]) -> None:
        """Note the metres of a corpus, and the tempo and program to write new items with."""
        self.learned = typical_of(items(), self.program) or self.learned

    def whole_window(self, item: Any, report: Report) -> Any:
        """An item filled up to a window, as its array is; None in a metre that the model does not know, counted.

        Raises ValueError for an item of another grid, or longer than a window.
        """
        steps = self._steps(item.meter)
        if item.steps_per_quarter != self.data.steps_per_quarter or len(item) > steps:
            raise ValueError(
                f"a clip of {len(item)} steps at {item.steps_per_quarter} a quarter does not fit; give up to {steps} "
                f"steps at {self.data.steps_per_quarter} a quarter"
            )
        if self._known and item.meter not in self._known:
            report.count(f"in {meter_name(item.meter)}, which the model does not know, left out", 1, "windows")
            return None
        return item.filled(steps)

    def new_item(self, steps: np.ndarray) -> Any:
        """The item of steps that were made from a code alone, at the typical tempo and program.

        Its metre is the one that is set, or the most frequent one of that length.
        """
        known = (self.made_meter, *self.meters)
        meter = next((meter for meter in known if self._steps(meter) == len(steps)), known[0])
        typical = {name: self.learned[name] for name in ("bpm", self.program)} if self.learned else {}
        return self.item_type(steps, meter, self.data.steps_per_quarter, **typical)

    def bars(self, model: MidiModel) -> "Bars":
        """The bars of a window, whose lengths are known where the model needs them."""
        from seqvae.modalities.midi.nets import Bars

        needed = model.position or model.by_segments
        return Bars(self.bar_lengths() if needed else [], self.data.bars, self.data.steps_per_quarter)

    def bar_lengths(self) -> list[int]:
        """The steps of a bar in each metre that the model knows."""
        return [steps_per_bar(meter, self.data.steps_per_quarter) for meter in self.meters]

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps and metres."""
        return [
            ("items", f"{counted(len(lengths), 'windows')} of {counted(self.data.bars, 'bars')}"),
            ("steps", f"{lengths.sum():,}, {self.data.steps_per_quarter} a quarter"),
            ("metres", self._meter_names()),
        ]

    # What was learned -----------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        reading, table = self.source.identity()
        division = "" if self.split == "all" else self._division
        content = [reading, self.coding, sorted(self._known), table, *filter(None, [division])]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def load(self, folder: Path) -> None:
        """Read metres, tempo and program back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        self.learned |= typical_in(self.learned, self.program, folder / f"{self.name}.json")
