"""Melodies: bars of one voice of MIDI files to steps, each a pitch that begins, a hold or an off, and back."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seqvae.config import Values
from seqvae.modalities.base import Report, Words
from seqvae.modalities.midi import rhythm, settings, voice_settings
from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.phrase import PITCHES_FROM, Phrase, events_of, f1_of_notes, labels_of, without_idle_offs
from seqvae.modalities.midi.voice_settings import MelodyData, MelodyModel
from seqvae.modalities.midi.voices import EXTREMES, VoicePart

if TYPE_CHECKING:
    from seqvae.nets.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType


class Melody(MidiModality):
    """The melody modality: an item is a Phrase of at most one window, its array one label a step.

    0 is hold (MusicVAE's no-event), 1 off, and 2 onwards the pitches from `data.lowest_pitch` to `data.highest_pitch`
    that begin: 90 outcomes for the 88 keys of a piano, 130 for all of MIDI. `VoicePart` says which notes are heard.
    Windows without a note are left out of what is trained on and evaluated; in a whole piece they stay silent.
    """

    name: ClassVar[str] = "melody"
    data_config: ClassVar[type] = MelodyData
    model_config: ClassVar[type] = MelodyModel
    item_type: ClassVar[type[Phrase]] = Phrase
    program: ClassVar[str] = "program"
    words: ClassVar[Words] = Words(
        input="a MIDI file of any length, or FILE#INDEX, a window of one, counted from 0",
        data="my_midi_folder",
        items="windows",
        item="window",
        steps="melody steps",
        example=("A.mid", "B.mid"),
        smaller="--bars 1",
        against_overfitting=("data.transpose=6", "model.word_dropout=0.3", "model.latent=8"),
        no_split="the split '{split}' has no file of {files}; leave --split out",
    )
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    defaults: ClassVar[Mapping[str, Values]] = voice_settings.MELODY_DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.units("notes") | {
        "sample_interval": "semitones from a note to the next one, up or down, on average"
    }
    sampling_temperature: ClassVar[float] = voice_settings.SAMPLING_TEMPERATURE
    data: MelodyData

    @property
    def outcomes(self) -> int:
        """How many different steps there are."""
        return self.data.highest_pitch - self.data.lowest_pitch + 1 + PITCHES_FROM

    @property
    def step_type(self) -> "StepType":
        """A label."""
        from seqvae.types import StepType

        return StepType("uint16")

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the F1 of notes."""
        return {**super().units, "f1_notes": "F1 of notes that begin on the same step at the same pitch, 0 to 1"}

    def part(self, data: MelodyData) -> VoicePart:  # type: ignore[override]  # the settings are its own kind
        """The notes of the voice."""
        voice = data.voice.strip()
        extreme = voice.casefold() if voice.casefold() in EXTREMES else voice
        return VoicePart(extreme, data.lowest_pitch, data.highest_pitch)

    @property
    def notation(self) -> MelodyNotation:
        """How phrases are written."""
        return MelodyNotation()

    @property
    def coding(self) -> str:
        """That of melodies."""
        return self.name

    def encode(self, item: Phrase, report: Report) -> np.ndarray | None:
        """(T,) labels; what a phrase lacks of a window is silence.

        Raises ValueError for a phrase of another grid, longer than a window, or with a pitch outside of the range.
        """
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        labels_of(item.events, low, high)
        whole = self.whole_window(item, report)
        return None if whole is None else labels_of(whole.events, low, high)

    def decode(self, x: np.ndarray, like: Phrase | None = None) -> Phrase:
        """The phrase of an array, with the length, metre, tempo and program of `like`.

        An off that ends nothing is a hold. Where `like` is silent, so is the phrase: the model has not learned such
        windows. Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the
        program are the typical ones.
        """
        events = events_of(x, self.data.lowest_pitch)
        if like is None:
            made: Phrase = self.new_item(events)
            return made
        return like.with_steps(without_idle_offs(events[: len(like)])) if like.onsets.any() else like

    def between(self, a: Phrase, b: Phrase, share: float) -> Phrase:
        """Like a, but silent only where the nearer of both is."""
        nearer = a if share < 0.5 else b
        found: Phrase = super().between(a, b, share)
        return found.with_steps(nearer.events[: len(a)])

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """Windows transposed by up to `data.transpose` semitones, as far as they stay within the pitches."""
        if not self.data.transpose:
            return batch
        from seqvae.modalities.midi.augmentation import transposed

        return transposed(batch, noise, self.data.transpose, self.outcomes, PITCHES_FROM)

    def nets(self, model: MelodyModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import melody_nets

        return melody_nets(model, self.outcomes, self.bars(model))

    def metrics(self, truth: Sequence[Phrase], guess: Sequence[Phrase]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the notes that begin."""
        from seqvae.evaluation.reconstruction import exact_match

        return {"exact_match": exact_match(truth, guess), "f1_notes": f1_of_notes(truth, guess)}

    def sample_metrics(self, samples: Sequence[Phrase]) -> dict[str, float | None]:
        """How bars repeat, how many notes there are, where they stand, and how far the next one is."""
        intervals = [np.abs(np.diff(phrase.notes[:, 2])) for phrase in samples]
        steps = np.concatenate([*intervals, np.zeros(0)])
        return rhythm.rhythm_figures(samples, "notes") | {
            "sample_interval": float(steps.mean()) if len(steps) else None
        }

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, outcomes and metres."""
        items, steps, metres = super().facts(lengths)
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        return [items, steps, ("outcomes", f"{self.outcomes} (pitches {low} to {high}, hold, off)"), metres]
