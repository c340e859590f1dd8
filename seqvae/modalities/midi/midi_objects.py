"""What users hand in as MIDI, a PrettyMIDI object, as notes."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seqvae.config import kind_of
from seqvae.modalities.items import File
from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes, plain_name
from seqvae.modalities.midi.tempo import MICROSECONDS_PER_MINUTE, microseconds_per_quarter
from seqvae.modalities.midi.writing import midi_bytes

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI


def as_files(objects: Sequence[object], labels: object = None) -> list[File]:
    """00000.mid and so on: the files of PrettyMIDI objects. Raises ValueError for what is none, and for labels."""
    from pretty_midi import PrettyMIDI

    if labels is not None:
        raise ValueError("pieces have no labels; leave them out")
    if not objects:
        raise ValueError("there are no pieces; give at least one PrettyMIDI object")
    for place, each in enumerate(objects):
        if not isinstance(each, PrettyMIDI):
            raise ValueError(
                f"item {place}: {kind_of(each)} is no PrettyMIDI; give PrettyMIDI objects alone, or names of "
                "files alone"
            )
    return [File(f"{place:05}.mid", partial(_bytes, each, place)) for place, each in enumerate(objects)]


def _bytes(midi: "PrettyMIDI", place: int) -> bytes:
    try:
        from_midi(midi)  # refuses notes that are none
        return midi_bytes(midi)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"item {place} cannot be written as MIDI ({error}); mend it, or leave it out") from None


def from_midi(midi: "PrettyMIDI") -> Notes:
    """The notes of a PrettyMIDI object, as if it had been written and read; objects made by hand too.

    Raises ValueError for what is no such object, and for a note that MIDI cannot hold.
    """
    from pretty_midi import PrettyMIDI

    if not isinstance(midi, PrettyMIDI):
        raise ValueError(f"{kind_of(midi)} is no MIDI; give a PrettyMIDI object or the path of a file")
    rows: list[tuple[int, ...]] = []
    seconds: list[float] = []  # at which the notes end
    programs: dict[int, int] = {}
    for index, instrument in enumerate(midi.instruments):  # a file has one track more, before these
        channel = DRUM_CHANNEL if instrument.is_drum else _melodic_channel(index)
        program = int(instrument.program)
        if instrument.notes:
            programs.setdefault(channel, program)
        for note in instrument.notes:
            if not (0 <= note.pitch <= 127 and 0 <= note.velocity <= 127 and math.isfinite(note.start)):
                raise ValueError(f"{note} is no MIDI note: pitch and velocity are 0 to 127, times are seconds")
            if note.velocity:  # a note-on of velocity 0 is a note-off
                start = int(midi.time_to_tick(max(0.0, note.start)))
                rows.append((start, note.pitch, note.velocity, channel, program, index + 1, len(seconds)))
                seconds.append(float(note.end))
    rows.sort()
    tick, pitch, velocity, channels, of_notes, tracks, places = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    meters = sorted(
        (int(midi.time_to_tick(change.time)), change.numerator, change.denominator)
        for change in midi.time_signature_changes
    )
    tempos = [
        (int(midi.time_to_tick(second)), MICROSECONDS_PER_MINUTE / microseconds_per_quarter(bpm))
        for second, bpm in zip(*midi.get_tempo_changes(), strict=True)
    ]
    return Notes(
        midi.resolution,
        tick,
        pitch,
        velocity,
        channels,
        meters=meters,
        tempos=tempos,
        programs=programs,
        texts=_texts(midi),
        names={index: name for index, one in enumerate(midi.instruments, 1) if (name := plain_name(one.name))},
        ends=partial(_ends, midi, tick, [seconds[place] for place in places]),
        programs_of_notes=partial(np.copy, of_notes),
        tracks_of_notes=partial(np.copy, tracks),
    )


def _texts(midi: "PrettyMIDI") -> list[tuple[int, str, str]]:
    """Texts and lyrics by tick, which are what an object keeps of a file's words."""
    kinds = (("text", midi.text_events), ("lyric", midi.lyrics))
    found = [(int(midi.time_to_tick(max(0.0, one.time))), kind, one.text) for kind, own in kinds for one in own]
    return [(tick, kind, words) for tick, kind, text in sorted(found) if (words := plain_name(text))]


def _ends(midi: "PrettyMIDI", start: np.ndarray, seconds: Sequence[float]) -> np.ndarray:
    """The ticks at which notes end, (N,) int64; one whose end means nothing has no length."""
    ticks = [int(midi.time_to_tick(second)) if 0 <= second < math.inf else 0 for second in seconds]
    return np.maximum(start, np.array(ticks, dtype=np.int64))


def _melodic_channel(index: int) -> int:
    """The channel that pretty_midi gives to its instrument of that index: any but the drum channel, in turn."""
    channel = index % 15
    return channel + (channel >= DRUM_CHANNEL)
