"""Melodies: bars of one voice of MIDI files to steps, each a pitch that begins, a hold or an off, and back."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seqvae.config import Values, few
from seqvae.modalities.base import Report, Words
from seqvae.modalities.measuring import Measures
from seqvae.modalities.midi import rhythm, settings, voice_settings
from seqvae.modalities.midi.chorded_part import AskedPart, ChordedPart
from seqvae.modalities.midi.chords import CHORDS, NO_CHORD, Progression, name, names, parse, progression_of
from seqvae.modalities.midi.measures import OF_MELODIES
from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.phrase import (
    PITCHES_FROM,
    Phrase,
    events_of,
    f1_of_notes,
    labels_of,
    share_of_chord_tones,
    without_idle_offs,
)
from seqvae.modalities.midi.voice_settings import MelodyData, MelodyModel
from seqvae.modalities.midi.voices import EXTREMES, VoicePart

if TYPE_CHECKING:
    from torch import Tensor

    from seqvae.nets.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch, StepType

SHOWN_CHORDS = 12  # that are counted by name
SAMPLE_UNITS = rhythm.units("notes") | {
    "sample_interval": "semitones from a note to the next one, up or down, on average"
}
CHORD_UNITS = {
    "sample_chord_tones": "share of notes that are of the chord on which they begin, of those that begin on one; notes "
    "at random have 3 of 12; samples are to the chords of the data"
}


class Melody(MidiModality):
    """The melody modality: an item is a Phrase of at most one window, its array one label a step.

    0 is hold (MusicVAE's no-event), 1 off, and 2 onwards the pitches from `data.lowest_pitch` to `data.highest_pitch`
    that begin: 90 outcomes for the 88 keys of a piano, 130 for all of MIDI. `VoicePart` says which notes are heard.
    Windows without a note are left out of what is trained on and evaluated; in a whole piece they stay silent.
    Where `data.chords` is not none, each step has a chord beside its label, which the model reads and never makes.
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
        smaller="data.bars=1",
        against_overfitting=("data.transpose=6", "model.word_dropout=0.3", "model.latent=8"),
        no_split="split={split} has no file of {files}; leave it out",
    )
    few_defaults: ClassVar[Mapping[str, Values]] = settings.SUITED_TO_FEW
    defaults: ClassVar[Mapping[str, Values]] = voice_settings.MELODY_DEFAULTS
    sampling_temperature: float = voice_settings.SAMPLING_TEMPERATURE
    measures: ClassVar[Measures] = OF_MELODIES
    data: MelodyData

    @property
    def outcomes(self) -> int:
        """How many different steps there are."""
        return self.data.highest_pitch - self.data.lowest_pitch + 1 + PITCHES_FROM

    @property
    def holds(self) -> bool:
        """Whether there are chords, which a reconstruction keeps."""
        return self.data.chords != "none"

    @property
    def keeps(self) -> bool:
        """Never: chords are given, and there is no reconstruction without them."""
        return False

    @property
    def step_type(self) -> "StepType":
        """A label; with chords the label of the chord beside it. Steps agree where the melody does."""
        from seqvae.types import StepType

        return StepType("uint16", (2,), compared=_melody_of) if self.holds else StepType("uint16")

    @property
    def units(self) -> Mapping[str, str]:
        """No sequence ends by itself, so there is no end to be counted; and the F1 of notes."""
        return {**super().units, "f1_notes": "F1 of notes that begin on the same step at the same pitch, 0 to 1"}

    @property
    def sample_units(self) -> Mapping[str, str]:  # type: ignore[override]  # which figures there are depends on chords
        """Those of rhythm, how far the next note is and, with chords, whether notes are of them."""
        return SAMPLE_UNITS | (CHORD_UNITS if self.holds else {})

    def part(self, data: MelodyData) -> VoicePart | ChordedPart:  # type: ignore[override]  # settings of its own kind
        """The notes of the voice, and its chords."""
        voice = data.voice.strip()
        extreme = voice.casefold() if voice.casefold() in EXTREMES else voice
        part = VoicePart(extreme, data.lowest_pitch, data.highest_pitch)
        if data.chords == "none":
            return part
        asked = data.asked_progression
        return AskedPart(part, data.chords, asked) if asked else ChordedPart(part, data.chords)

    @property
    def notation(self) -> MelodyNotation:
        """How phrases are written."""
        return MelodyNotation()

    @property
    def coding(self) -> str:
        """That of melodies."""
        return self.name

    def fit(self, items: Callable[[], Iterable[Phrase]]) -> None:
        """Note the metres of a corpus, and the tempo, program and chords to write new items with."""
        met: Counter[Progression] = Counter()

        def watched() -> Iterator[Phrase]:
            for item in items():
                if item.chords is not None and item.chords.any():
                    bar = steps_per_bar(item.meter, item.steps_per_quarter)
                    met[progression_of(item.chords, bar)] += 1
                yield item

        super().fit(watched if self.holds else items)
        if self.holds and self.learned:
            self.learned["progression"] = str(met.most_common(1)[0][0]) if met else NO_CHORD

    @property
    def progression(self) -> Progression:
        """The chords of what is made from codes alone: those asked for, or the most frequent ones of a window."""
        asked = self.data.asked_progression
        return asked or Progression.of(self.learned.get("progression", NO_CHORD))

    @property
    def assumed(self) -> str:
        """The chords of what is made where none were asked for, or more than there is a place for."""
        asked, bars = self.data.asked_progression, self.data.bars
        if not self.holds or (asked and len(asked.bars) <= bars):
            return ""
        if asked:
            used = Progression(asked.bars[:bars])
            return f"chords: {used}, the first {bars} of {len(asked.bars)} bars, since a window has {bars}"
        return f"chords: {self.progression}, those most met in training; ask for others with data.progression='C G'"

    def given(self, likes: Sequence[Phrase | None], steps: int) -> list[np.ndarray] | None:
        """(T, 2) steps whose chords are the windows' own, or those asked for, by the place of each window in its file.

        A window that is repeated goes on with the bar after the one before.
        """
        if not self.holds:
            return None
        found, bars, asked = [], 0, self.data.asked_progression
        for like in likes:
            bar = steps_per_bar(self.made_meter if like is None else like.meter, self.data.steps_per_quarter)
            if like is None or asked is not None:
                bars = bars if like is None else max(bars, like.bars_before)
                chords = self.progression.laid(bars, steps if like is None else len(like), bar)
            else:
                chords = _chords_of(like)
            bars += -(-len(chords) // bar)
            chords = np.pad(chords[:steps], (0, max(0, steps - len(chords))))
            found.append(np.stack([np.zeros_like(chords), chords], 1).astype(np.uint16))
        return found

    def check_trained_on(self, report: Report) -> None:
        """Raises ValueError where a melody is to be played to chords, and no window has any."""
        if not self.holds or any(number for symbol, number in report.unshown.items() if symbol != NO_CHORD):
            return
        why, remedy = self._chordless
        raise ValueError(
            f"data.chords={self.data.chords} finds no chord in {few(report.sources)}, since {why}; {remedy}"
        )

    @property
    def _chordless(self) -> tuple[str, str]:
        """Why data may have no chord, and what to do."""
        if self.data.chords == "symbols":
            return "all symbols are N.C.", "give other files, or train without chords (data.chords=none)"
        return (
            "nothing that makes a triad is played beside the melody",
            "give other files, read chord symbols where these have some (data.chords=symbols), or train without chords "
            "(data.chords=none)",
        )

    def encode(self, item: Phrase, report: Report) -> np.ndarray | None:
        """(T,) labels, or with chords (T, 2); what a phrase lacks of a window is silence, and has no chord.

        Raises ValueError for a phrase of another grid, longer than a window, or with a pitch outside of the range.
        """
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        labels_of(item.events, low, high)
        whole = self.whole_window(item, report)
        if whole is None:
            return None
        labels = labels_of(whole.events, low, high)
        if not self.holds:
            return labels
        chords = _chords_of(whole)
        report.unshown.update({name(chord): number for chord, number in enumerate(np.bincount(chords).tolist())})
        return np.stack([labels, chords], 1).astype(np.uint16)

    def decode(self, x: np.ndarray, like: Phrase | None = None) -> Phrase:
        """The phrase of an array, with the length, metre, tempo and program of `like`, to the chords of the array.

        An off that ends nothing is a hold. Where `like` is silent, so is the phrase: the model has not learned such
        windows. Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the
        program are the typical ones.
        """
        events = events_of(x[:, 0] if self.holds else x, self.data.lowest_pitch)
        made: Phrase = self.new_item(events) if like is None else like
        if like is not None and like.onsets.any():
            made = like.with_events(without_idle_offs(events[: len(like)]))
        return made.with_chords(x[: len(made), 1]) if self.holds else made

    def between(self, a: Phrase, b: Phrase, share: float) -> Phrase:
        """Like a, but silent only where the nearer of both is."""
        nearer = a if share < 0.5 else b
        found: Phrase = super().between(a, b, share)
        return found.with_events(nearer.events[: len(a)])

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """Windows and their chords transposed by up to `data.transpose` semitones, as far as they stay in the range."""
        if not self.data.transpose:
            return batch
        from seqvae.modalities.midi.augmentation import transposed

        return transposed(batch, noise, self.data.transpose, self.outcomes, PITCHES_FROM, chords=self.holds)

    def nets(self, model: MelodyModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import melody_nets

        return melody_nets(model, self.outcomes, self.bars(model), CHORDS if self.holds else 0)

    def metrics(self, truth: Sequence[Phrase], guess: Sequence[Phrase]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the notes that begin."""
        from seqvae.evaluation.reconstruction import exact_match

        return {"exact_match": exact_match(truth, guess), "f1_notes": f1_of_notes(truth, guess)}

    def sample_metrics(self, samples: Sequence[Phrase]) -> dict[str, float | None]:
        """How bars repeat, how many notes there are, where they stand, how far the next one is, and if chords fit."""
        intervals = [np.abs(np.diff(phrase.notes[:, 2])) for phrase in samples]
        steps = np.concatenate([*intervals, np.zeros(0)])
        melodies = [phrase.with_steps(phrase.events) for phrase in samples]  # without their chords, which are kept
        figures = rhythm.rhythm_figures(melodies, "notes")
        figures["sample_interval"] = float(steps.mean()) if len(steps) else None
        return figures | ({"sample_chord_tones": share_of_chord_tones(samples)} if self.holds else {})

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, outcomes and metres."""
        items, steps, metres = super().facts(lengths)
        low, high = self.data.lowest_pitch, self.data.highest_pitch
        return [items, steps, ("outcomes", f"{self.outcomes} (pitches {low} to {high}, hold, off)"), metres]

    def counts(self, report: Report) -> list[tuple[str, str]]:
        """On how many steps each chord stands, and none."""
        met = Counter({symbol: number for symbol, number in report.unshown.items() if number})
        if not self.holds or not met:
            return []
        total, silent = met.total(), met.pop(NO_CHORD, 0)
        if not met:
            why, remedy = self._chordless
            return [("chords", f"none on any step, since {why}, and training refuses that; {remedy}")]
        found = met.most_common(SHOWN_CHORDS)
        spelled = names([parse(symbol) or 0 for symbol, _ in found])
        pairs = zip(spelled, (number for _, number in found), strict=True)
        shown = ", ".join(f"{symbol} ({number / total:.1%})" for symbol, number in pairs)
        more = f" and {len(met) - SHOWN_CHORDS} others" if len(met) > SHOWN_CHORDS else ""
        return [("chords", f"{shown}{more}; no chord on {silent / total:.1%} of the steps")]

    def load(self, folder: Path) -> None:
        """Read metres, tempo, program and chords back. Raises ValueError when they are missing or damaged."""
        super().load(folder)
        if self.holds:
            try:
                Progression.of(self.learned["progression"])
            except (KeyError, AttributeError, TypeError, ValueError):
                raise ValueError(f"{folder / self.name}.json is damaged; restore the run from a copy") from None


def _chords_of(phrase: Phrase) -> np.ndarray:
    """(T,) int16: the chords of a phrase, none of which it may know."""
    return np.zeros(len(phrase), np.int16) if phrase.chords is None else phrase.chords


def _melody_of(steps: "Tensor") -> "Tensor":
    """(B, T): the steps without the chords."""
    return steps[..., 0]
