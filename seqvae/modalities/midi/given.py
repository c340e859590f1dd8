"""What users hand in as MIDI, a PrettyMIDI object, as notes."""

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.midi.notes import DRUM_CHANNEL, Notes
from seqvae.modalities.midi.tempo import MICROSECONDS_PER_MINUTE, microseconds_per_quarter

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI


def from_midi(midi: "PrettyMIDI") -> Notes:
    """The notes of a PrettyMIDI object, as if it had been written and read; objects made by hand too.

    Raises ValueError for a note that MIDI cannot hold.
    """
    rows = []
    programs: dict[int, int] = {}
    for index, instrument in enumerate(midi.instruments):
        channel = DRUM_CHANNEL if instrument.is_drum else _melodic_channel(index)
        program = int(instrument.program)
        if instrument.notes:
            programs.setdefault(channel, program)
        for note in instrument.notes:
            if not (0 <= note.pitch <= 127 and 0 <= note.velocity <= 127 and math.isfinite(note.start)):
                raise ValueError(f"{note} is no MIDI note: pitch and velocity are 0 to 127, times are seconds")
            if note.velocity:  # a note-on of velocity 0 is a note-off
                start = int(midi.time_to_tick(max(0.0, note.start)))
                end = max(start, int(midi.time_to_tick(note.end))) if note.end > note.start else start
                rows.append((start, note.pitch, note.velocity, channel, end, program))
    rows.sort()
    tick, pitch, velocity, channels, ends, of_notes = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    meters = sorted(
        (int(midi.time_to_tick(change.time)), change.numerator, change.denominator)
        for change in midi.time_signature_changes
    )
    tempos = [
        (int(midi.time_to_tick(second)), MICROSECONDS_PER_MINUTE / microseconds_per_quarter(bpm))
        for second, bpm in zip(*midi.get_tempo_changes(), strict=True)
    ]
    found = partial(np.copy, ends), partial(np.copy, of_notes)
    return Notes(midi.resolution, tick, pitch, velocity, channels, meters, tempos, programs, "", *found)


def _melodic_channel(index: int) -> int:
    """The channel that pretty_midi gives to its instrument of that index: any but the drum channel, in turn."""
    channel = index % 15
    return channel + (channel >= DRUM_CHANNEL)
