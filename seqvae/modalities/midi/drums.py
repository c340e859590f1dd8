"""Drums: bars of MIDI drum tracks to steps of drum classes and back."""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seqvae.config import few, read_json
from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement, Report, Split
from seqvae.modalities.midi import classes, splits
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip, Meter, steps_per_bar
from seqvae.modalities.midi.parser import Notes, parse
from seqvae.modalities.midi.reading import Reading, read_clips, windows_of
from seqvae.modalities.midi.settings import DEFAULTS, LEAST_STEPS, READING_KEYS, DrumData, DrumModel
from seqvae.modalities.midi.sources import MidiFile, contents, find
from seqvae.modalities.sequences import draw_uniform, sequence_nets

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI
    from torch import nn

    from seqvae.modalities.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch

MOST_COMBINED = 9  # classes whose 2^C combinations are outcomes of one step; more are taken one by one
LEARNED = "drums.json"
WRITTEN_CHANNEL = 10  # whatever channel was read


class Drums:
    """The drum modality: an item is a Clip of at most one window, its array one label or one set of classes a step.

    What users hand in and get back are PrettyMIDI objects of any length; clips and paths of MIDI files are taken too.
    `bpm` and `meter` are those of what is made from codes alone; by default those most met in training. A `bpm` that
    is set also replaces the tempo of what is made from an input.
    """

    name: ClassVar[str] = "drums"
    data_config: ClassVar[type] = DrumData
    model_config: ClassVar[type] = DrumModel
    reading_keys: ClassVar[frozenset[str]] = READING_KEYS
    sampling_temperature: ClassVar[float] = 1.0
    least_steps: ClassVar[int] = LEAST_STEPS
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULTS
    end: ClassVar[None] = None

    def __init__(self, data: DrumData) -> None:
        self.data = data
        self.split: Split = "all"
        self.bpm: float | None = None
        self.meter: Meter | None = None
        self._classes: DrumClasses | None = None
        self._known: list[Meter] = [data.meter_read] if data.meter_read else []  # those met in training, most first
        self._typical = Clip(np.zeros((0, 0), bool))  # for tempo and kit

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
    def meters(self) -> list[Meter]:
        """The metres that the model knows, the most frequent first. Raises ValueError before `fit` or `load`."""
        if not self._known:
            raise ValueError("the drum modality knows no metre yet; call fit(items) or load(folder) first")
        return self._known

    @property
    def outcomes(self) -> int:
        """How many different steps there are."""
        return 1 << len(self.classes)

    @property
    def max_steps(self) -> int:
        """The steps of one window in the metre that is set, or in the most frequent one."""
        return self._steps(self.meter or self.meters[0])

    def _steps(self, meter: Meter) -> int:
        return self.data.bars * steps_per_bar(meter, self.data.steps_per_quarter)

    # Files to clips -------------------------------------------------------------------------------------------

    @property
    def reading(self) -> Reading:
        """Everything that the clips of a file depend on."""
        data = self.data
        return Reading(
            classes=self.classes,
            steps_per_quarter=data.steps_per_quarter,
            bars=data.bars,
            hop=data.hop,
            meter=data.meter_read,
            channel=None if data.all_channels else data.drum_channel,
            unique=data.unique,
            split=self.split,
            split_csv=Path(data.split_csv) if data.split_csv else None,
            split_column=data.split_column,
            valid_share=data.valid_share,
            test_share=data.test_share,
            seed=data.split_seed,
        )

    def files_of(self, source: Path) -> Sequence[Path]:
        """The MIDI files of a source; a zip counts as one. Raises ValueError when there are none."""
        return list(dict.fromkeys(file.path for file in find([source])))

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Clip]:
        """The windows of all files in order; what becomes of every file and hit is counted in the report.

        Raises ValueError when there is nothing to read, and at the end when no window came out of it.
        """
        return read_clips([Path(source) for source in sources], self.reading, report)

    def of_split(self, split: Split, sources: Sequence[Path]) -> "Drums | None":
        """The same modality for one split of the files; None where that split would have no file."""
        files, data = find([Path(source) for source in sources]), self.data
        if data.split_csv:
            parts: Sequence[str | None] = splits.by_table(files, Path(data.split_csv), data.split_column)
        else:
            parts = splits.by_content(files, data.valid_share, data.test_share, data.split_seed)
        if split != "all" and split not in parts:
            return None
        other = copy.copy(self)
        other.split = split
        return other

    @property
    def splits_are_given(self) -> bool:
        """Whether a table tells the splits."""
        return bool(self.data.split_csv)

    def accept(self, given: "PrettyMIDI | Clip | Path | str") -> list[Clip]:
        """The clips of a PrettyMIDI object or a MIDI file, window after window; the last may be shorter.

        Raises ValueError when it is neither, has no drums, or a metre that the model does not know.
        """
        if isinstance(given, Clip):
            return [given]
        if isinstance(given, Path | str):
            name, notes = str(given), self._notes_of(Path(given))
        else:
            from pretty_midi import PrettyMIDI

            if not isinstance(given, PrettyMIDI):
                raise ValueError(f"a {type(given).__name__} is no MIDI; give a PrettyMIDI object or the path of a file")
            from seqvae.modalities.midi.writing import from_midi

            name, notes = "the PrettyMIDI object", from_midi(given)
        reading = replace(self.reading, meter=None)
        if (
            reading.channel is not None
            and WRITTEN_CHANNEL in notes.channel + 1
            and reading.channel not in notes.channel + 1
        ):
            reading = replace(reading, channel=WRITTEN_CHANNEL)  # what the model wrote itself
        clips = windows_of(notes, reading, name, filled=False)
        for clip in clips:
            self._check_meter(clip, name)
        return clips

    def _notes_of(self, path: Path) -> Notes:
        """The notes of a file. Raises ValueError when it is no MIDI file."""
        ((_, content),) = contents([MidiFile(path)])
        if isinstance(content, Exception):
            raise content
        return parse(content, path)

    def _check_meter(self, clip: Clip, name: str) -> None:
        if clip.meter not in self.meters:
            known = few(f"{beats}/{unit}" for beats, unit in self.meters)
            raise ValueError(
                f"{name} is in {clip.meter[0]}/{clip.meter[1]}, and this model knows {known} only; give a clip in one "
                "of these, or train with that metre"
            )

    # Clips to steps -------------------------------------------------------------------------------------------

    def fit(self, items: Callable[[], Iterable[Clip]]) -> None:
        """Note the metres of a corpus, and the tempo and kit to write new clips with."""
        meters: Counter[Meter] = Counter()
        kits: Counter[int] = Counter()
        tempos: list[float] = []
        for clip in items():
            meters[clip.meter] += 1
            kits[clip.kit] += 1
            tempos.append(clip.bpm)
        if meters:
            self._known = [meter for meter, _ in meters.most_common()]
            kit = kits.most_common(1)[0][0]
            self._typical = replace(self._typical, bpm=float(round(median(tempos))), kit=kit)

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
            report.counts[f"windows in {item.meter[0]}/{item.meter[1]}, which the model does not know, left out"] += 1
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

    def settle(self, batch: "Batch") -> "Batch":
        """The same batch: evaluation sees all as it is."""
        return batch

    def label_of(self, item: Any) -> str | None:
        """None: there are no classes of windows."""
        return None

    def decode(self, x: np.ndarray, like: Clip | None = None) -> Clip:
        """The clip of an array, with the length, metre, tempo and kit of `like`.

        Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the kit are
        the typical ones.
        """
        hits = x.astype(bool) if x.ndim == 2 else (x[:, None] >> np.arange(len(self.classes)) & 1).astype(bool)
        if like is not None:
            clip = replace(like, hits=hits[: len(like.hits)])
        else:
            known = (self.meter or self.meters[0], *self.meters)
            meter = next((meter for meter in known if self._steps(meter) == len(x)), known[0])
            clip = replace(self._typical, hits=hits, meter=meter, steps_per_quarter=self.data.steps_per_quarter)
        return clip if self.bpm is None else replace(clip, bpm=self.bpm)

    def as_long_as(self, item: Clip, other: Clip) -> Clip:
        """The clip, filled up with silence to the length of the other where both have one metre."""
        missing = max(0, len(other.hits) - len(item.hits)) if other.meter == item.meter else 0
        return replace(item, hits=np.pad(item.hits, ((0, missing), (0, 0))))

    def present(self, items: Sequence[Clip]) -> "PrettyMIDI":
        """The clips one after another as MIDI, bar lines kept."""
        from seqvae.modalities.midi.writing import to_midi

        return to_midi(items, self.classes)

    def write(self, given: "Sequence[PrettyMIDI | Clip]", folder: Path, arrangement: Arrangement = "set") -> list[Path]:
        """Write each item as MIDI, WAV and a picture, and an interpolation or palette also as a whole."""
        from seqvae.modalities.midi.output import write_items

        return write_items(given, folder, arrangement, self.classes, self.data.steps_per_quarter)

    # The model ------------------------------------------------------------------------------------------------

    def nets(self, model: DrumModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.nets.likelihoods import Bernoulli, Categorical
        from seqvae.nets.steps import Position, bits_of_labels, step_input

        classes, labels = len(self.classes), self.combined

        def position() -> Position | None:
            if not model.position:
                return None
            quarter = self.data.steps_per_quarter
            if len(self.meters) == 1:
                return Position(steps_per_bar(self.meters[0], quarter), self.data.bars, model.position)
            # bars have several lengths, so places are counted in quarters
            return Position(quarter, -(-max(map(self._steps, self.meters)) // quarter), model.position)

        def read(one_hot: bool) -> "tuple[nn.Module, int]":
            return step_input(classes, labels, model.embedding, model.shared_classes, one_hot)

        def likelihood() -> "Categorical | Bernoulli":
            if not labels:
                return Bernoulli(model.decoder_hidden, classes, model.output_bias)
            features = bits_of_labels(classes) if model.shared_classes else None
            return Categorical(model.decoder_hidden, self.outcomes, model.output_bias, features)

        encoder, decoder = sequence_nets(model, lambda: read(False), likelihood, lambda: read(True), position)
        draw_uniform(encoder, decoder, model.initial_range)
        return encoder, decoder

    def metrics(self, truth: Sequence[Clip], guess: Sequence[Clip]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the hits of each class; None where a class is never hit."""
        from seqvae.evaluation.reconstruction import exact_match, f1

        figures: dict[str, float | None] = {"exact_match": exact_match(truth, guess)}
        scores = f1([clip.hits for clip in truth], [clip.hits for clip in guess], len(self.classes))
        names = (name.replace(" ", "_") for name in self.classes.names)
        return figures | {f"f1_{name}": score for name, score in zip(names, scores, strict=True)}

    def size_bytes(self, item: Clip) -> None:
        """None: bits per byte mean nothing here."""

    # What was learned -----------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        reading = asdict(replace(self.reading, split_csv=None))
        table = Path(self.data.split_csv).read_bytes() if self.data.split_csv and self.split != "all" else b""
        if self.split == "all":
            for name in ("split_column", "valid_share", "test_share", "seed"):
                del reading[name]
        digest = hashlib.sha256(table).hexdigest()
        content = json.dumps([reading, self.combined, sorted(self._known), digest], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self, folder: Path) -> list[Path]:
        """Write class map, metres, tempo and kit into a folder; the path written."""
        content = {
            "classes": json.loads(self.classes.to_json()),
            "meters": self.meters,
            "bpm": self._typical.bpm,
            "kit": self._typical.kit,
        }
        return [write_atomically(folder / LEARNED, (json.dumps(content, indent=1) + "\n").encode())]

    def load(self, folder: Path) -> None:
        """Read them back. Raises ValueError when they are missing or damaged."""
        path = folder / LEARNED
        if not path.is_file():
            raise ValueError(f"{folder} holds no {LEARNED}; restore the run from a copy")
        content: dict[str, Any] = read_json(path)
        try:
            self._classes = DrumClasses.from_json(json.dumps(content["classes"]), path)
            self._known = [(int(beats), int(unit)) for beats, unit in content["meters"]]
            self._typical = replace(self._typical, bpm=float(content["bpm"]), kit=int(content["kit"]))
        except (KeyError, TypeError):
            raise ValueError(f"{path} is damaged; restore the run from a copy") from None
