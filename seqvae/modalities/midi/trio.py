"""Trios: bars of melody, bass and drums of MIDI files to steps of an outcome for each, and back."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seqvae.config import Values, counted
from seqvae.modalities.base import Report, Words
from seqvae.modalities.measuring import Measures
from seqvae.modalities.midi import classes, rhythm, settings, voice_settings
from seqvae.modalities.midi.classes import MOST_COMBINED, DrumClasses
from seqvae.modalities.midi.ensemble import BASS, DRUMS, MELODY, PARTS, Ensemble, joined, without_idle
from seqvae.modalities.midi.ensemble_notation import EnsembleNotation
from seqvae.modalities.midi.ensemble_part import EnsemblePart
from seqvae.modalities.midi.measures import OF_ENSEMBLES
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.phrase import PITCHES_FROM, events_of, f1_of_notes, labels_of
from seqvae.modalities.midi.voice_settings import TrioData, TrioModel

if TYPE_CHECKING:
    from seqvae.nets.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType

ACCURACIES = ("teacher_forced", "free_running", "drawn", "greedy")


class Trio(MidiModality):
    """The trio modality: an item is an Ensemble of at most one window, its array three labels a step.

    The labels of melody and bass are those of melodies: 0 is hold, 1 off, and 2 onwards the pitches from
    `data.lowest_pitch` that begin; that of drums is one of the combinations of classes. `EnsemblePart` says which
    tracks are heard together. Windows in which a part pauses for longer than `data.gap_bars` says are left out of what
    is trained on and evaluated; in a whole piece they stay.
    """

    name: ClassVar[str] = "trio"
    data_config: ClassVar[type] = TrioData
    model_config: ClassVar[type] = TrioModel
    item_type: ClassVar[type[Ensemble]] = Ensemble
    program: ClassVar[str] = "programs"
    words: ClassVar[Words] = Words(
        input="a MIDI file of any length, or FILE#INDEX, a window of one, counted from 0",
        data="my_midi_folder",
        items="windows",
        item="window",
        steps="trio steps",
        example=("A.mid", "B.mid"),
        smaller="data.bars=4",
        against_overfitting=("data.transpose=6", "model.word_dropout=0.3", "model.latent=64"),
        no_split="split={split} has no file of {files}; leave it out",
    )
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    defaults: ClassVar[Mapping[str, Values]] = voice_settings.TRIO_DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.units("notes")
    sampling_temperature: float = voice_settings.SAMPLING_TEMPERATURE
    measures: ClassVar[Measures] = OF_ENSEMBLES
    data: TrioData

    def __init__(self, data: TrioData) -> None:
        super().__init__(data)
        self._classes: DrumClasses | None = None

    @property
    def classes(self) -> DrumClasses:
        """The drum classes. Raises ValueError when there is no such map, or one of too many classes."""
        if self._classes is None:
            found = classes.find(self.data.classes)
            if len(found) > MOST_COMBINED:
                raise ValueError(
                    f"data.classes={self.data.classes} has {len(found)} classes, and the drums of a trio are "
                    f"combinations of up to {MOST_COMBINED}; choose gm, roland or a smaller map"
                )
            self._classes = found
        return self._classes

    @property
    def voice_outcomes(self) -> int:
        """How many different steps melody and bass have."""
        return self.data.highest_pitch - self.data.lowest_pitch + 1 + PITCHES_FROM

    @property
    def step_type(self) -> "StepType":
        """A label of each part; steps agree where all three do."""
        from seqvae.types import StepType

        return StepType("uint16", (len(PARTS),), parts=PARTS)

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the figures of each part."""
        shared = super().units
        how = {
            "teacher_forced": "each after the true ones before it",
            "free_running": "most probable after own draws at temperature 1",
            "drawn": "those draws themselves",
            "greedy": "greedy",
        }
        accuracy = {
            f"step_accuracy_{kind}_{part}": f"share of steps, {part} alone, {how[kind]}"
            for kind in ACCURACIES
            for part in PARTS
        }
        notes = "F1 of {} that begin on the same step at the same pitch, 0 to 1"
        f1 = {f"f1_{PARTS[part]}": notes.format(f"notes of the {PARTS[part]}") for part in (MELODY, BASS)}
        return {**shared, **accuracy, **f1, "f1_drums": "F1 of hits of all classes, 0 to 1"}

    def part(self, data: TrioData) -> EnsemblePart:  # type: ignore[override]  # the settings are its own kind
        """Melodies, basses and drums."""
        named = (data.melody.strip(), data.bass.strip())
        return EnsemblePart(self.classes, *named, data.lowest_pitch, data.highest_pitch, data.gap_bars)

    @property
    def notation(self) -> EnsembleNotation:
        """How ensembles are written."""
        return EnsembleNotation(self.classes)

    @property
    def coding(self) -> str:
        """That of trios."""
        return self.name

    def fit(self, items: Callable[[], Iterable[Ensemble]]) -> None:
        """Note the classes, the metres of a corpus, and the tempo and programs to write new items with."""
        super().fit(items)
        if self.learned:
            self.learned = {"classes": json.loads(self.classes.to_json()), **self.learned}

    def encode(self, item: Ensemble, report: Report) -> np.ndarray | None:
        """(T, 3) labels; what an ensemble lacks of a window is silence.

        Raises ValueError for an ensemble of another grid or class map, longer than a window, or with a pitch outside of
        the range.
        """
        self.notation.check(item)
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        for part in (MELODY, BASS):
            labels_of(item.events[:, part], low, high)
        whole = self.whole_window(item, report)
        if whole is None:
            return None
        voices = [labels_of(whole.events[:, part], low, high) for part in (MELODY, BASS)]
        return np.stack([*voices, whole.events[:, DRUMS]], 1).astype(np.uint16)

    def decode(self, x: np.ndarray, like: Ensemble | None = None) -> Ensemble:
        """The ensemble of an array, with the length, metre, tempo and programs of `like`.

        An off that ends nothing is a hold. Where `like` is silent, so is the ensemble: the model has not learned such
        windows. Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the
        programs are the typical ones.
        """
        low = self.data.lowest_pitch
        events = joined(events_of(x[:, MELODY], low), events_of(x[:, BASS], low), x[:, DRUMS])
        if like is None:
            made: Ensemble = self.new_item(events)
            return made
        return like.with_steps(without_idle(events[: len(like)])) if like.onsets.any() else like

    def between(self, a: Ensemble, b: Ensemble, share: float) -> Ensemble:
        """Like a, but silent only where the nearer of both is."""
        nearer = a if share < 0.5 else b
        found: Ensemble = super().between(a, b, share)
        return found.with_steps(nearer.events[: len(a)])

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """Windows whose melody and bass are transposed together by up to `data.transpose` semitones."""
        if not self.data.transpose:
            return batch
        from seqvae.modalities.midi.augmentation import transposed

        return transposed(batch, noise, self.data.transpose, self.voice_outcomes, PITCHES_FROM, voices=DRUMS)

    def nets(self, model: TrioModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import trio_nets

        return trio_nets(model, self.voice_outcomes, len(self.classes), self.bars(model))

    def metrics(self, truth: Sequence[Ensemble], guess: Sequence[Ensemble]) -> dict[str, float | None]:
        """Share of exact reconstructions, and the F1 of the notes of each part that begin."""
        from seqvae.evaluation.reconstruction import exact_match, f1

        scores: dict[str, float | None] = {"exact_match": exact_match(truth, guess)}
        for part in (MELODY, BASS):
            voices = [[item.voice(part) for item in items] for items in (truth, guess)]
            scores[f"f1_{PARTS[part]}"] = f1_of_notes(*voices)
        one, other = ([item.hits(len(self.classes)).reshape(-1, 1) for item in items] for items in (truth, guess))
        (scores["f1_drums"],) = f1(one, other, 1)
        return scores

    def sample_metrics(self, samples: Sequence[Ensemble]) -> dict[str, float | None]:
        """How bars repeat, how many notes there are and where they stand."""
        return rhythm.rhythm_figures(samples, "notes")

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, outcomes and metres."""
        items, steps, metres = super().facts(lengths)
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        voices = f"{self.voice_outcomes} of melody and of bass (pitches {low} to {high}, hold, off)"
        drums = f"{counted(1 << len(self.classes), 'combinations')} of drums"
        return [items, steps, ("outcomes", f"{voices}, {drums}"), metres]

    def load(self, folder: Path) -> None:
        """Read class map, metres, tempo and programs back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        self._classes = DrumClasses.of_run(self.learned, folder / f"{self.name}.json")
