"""Clips to MIDI: PrettyMIDI objects whose every event stands on an exact tick, and what is read back from them."""

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from seqvae.files import write_atomically
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip, steps_per_bar
from seqvae.modalities.midi.parser import Notes

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

Value = TypeVar("Value")

TICKS_PER_QUARTER = 480  # divisible by 4, 8, 12 and 24, and what most sequencers use
VELOCITY = 100
DRUM_CHANNEL = 9  # counted from 0: musicians call it channel 10
LONGEST_NOTE = TICKS_PER_QUARTER // 4
LAST_TICK = 10_000_000  # pretty_midi reads no file that is longer
ALL_NOTES_OFF = 123
MICROSECONDS_PER_MINUTE = 60_000_000


def to_midi(clips: Sequence[Clip], classes: DrumClasses, bpm: float | None = None) -> "PrettyMIDI":
    """The clips one after another, each from a bar line on, with their tempos and metres, or all at `bpm`.

    One drum track with the first clip's kit: 480 ticks a quarter, velocity 100, notes of a 16th or of a step where
    that is shorter. The track ends on the last bar line, silence included, so that it loops in a sequencer. The
    object's own `write` puts every event on the tick that is meant. Raises ValueError for clips that do not fit the
    class map, for a tempo that MIDI cannot hold and for more than ten million ticks.
    """
    from pretty_midi import ControlChange, Instrument, Note, PrettyMIDI, TimeSignature

    _check(clips, classes)
    midi = PrettyMIDI(resolution=TICKS_PER_QUARTER)
    *starts, end = _bar_lines(clips)
    placed = list(zip(starts, clips, strict=True))
    tempos = [(start, _microseconds(clip.bpm if bpm is None else bpm)) for start, clip in placed]
    # pretty_midi has no public way to set a tempo after the first.
    midi._tick_scales = [(start, _tick_scale(microseconds)) for start, microseconds in _changes(tempos)]
    midi.tick_to_time(end)  # makes the table of ticks, from which all times are taken
    for start, (numerator, denominator) in _changes([(start, clip.meter) for start, clip in placed]):
        midi.time_signature_changes.append(TimeSignature(numerator, denominator, midi.tick_to_time(start)))
    drums = Instrument(program=int(clips[0].kit), is_drum=True, name="Drums")
    for start, clip in placed:
        step = TICKS_PER_QUARTER / clip.steps_per_quarter
        length = max(1, min(LONGEST_NOTE, int(step)))
        for position, index in np.argwhere(clip.hits):
            tick = start + round(position * step)
            # A note that ended with the track would move the track's end by a tick.
            stop = max(tick + 1, min(tick + length, end - 1))
            times = midi.tick_to_time(tick), midi.tick_to_time(stop)
            drums.notes.append(Note(VELOCITY, classes.pitches[index][0], *times))
    # A track ends one tick after its last event, and this one is heard by nobody.
    drums.control_changes.append(ControlChange(ALL_NOTES_OFF, 0, midi.tick_to_time(end - 1)))
    midi.instruments.append(drums)
    return midi


def from_midi(midi: "PrettyMIDI") -> Notes:
    """The notes of a PrettyMIDI object, as if it had been written and read; objects made by hand too.

    Raises ValueError for a note that MIDI cannot hold.
    """
    rows = []
    programs: dict[int, int] = {}
    for index, instrument in enumerate(midi.instruments):
        channel = DRUM_CHANNEL if instrument.is_drum else _melodic_channel(index)
        if instrument.notes:
            programs.setdefault(channel, int(instrument.program))
        for note in instrument.notes:
            if not (0 <= note.pitch <= 127 and 0 <= note.velocity <= 127 and math.isfinite(note.start)):
                raise ValueError(f"{note} is no MIDI note: pitch and velocity are 0 to 127, times are seconds")
            if note.velocity:  # a note-on of velocity 0 is a note-off
                rows.append((int(midi.time_to_tick(max(0.0, note.start))), note.pitch, note.velocity, channel))
    rows.sort()
    tick, pitch, velocity, channels = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    meters = sorted(
        (int(midi.time_to_tick(change.time)), change.numerator, change.denominator)
        for change in midi.time_signature_changes
    )
    tempos = [
        (int(midi.time_to_tick(second)), MICROSECONDS_PER_MINUTE / _microseconds(bpm))
        for second, bpm in zip(*midi.get_tempo_changes(), strict=True)
    ]
    return Notes(midi.resolution, tick, pitch, velocity, channels, meters, tempos, programs)


def write_midi(midi: "PrettyMIDI", path: Path) -> Path:
    """Write a MIDI file, whole or not at all; its path."""
    content = io.BytesIO()
    midi.write(content)
    return write_atomically(path, content.getvalue())


def _check(clips: Sequence[Clip], classes: DrumClasses) -> None:
    """Raises ValueError when there is no clip, or one that is not made of these classes."""
    if not clips:
        raise ValueError("there are no clips to write; give at least one")
    for clip in clips:
        if clip.hits.ndim != 2 or not len(clip.hits) or clip.hits.shape[1] != len(classes):
            raise ValueError(
                f"hits of shape {clip.hits.shape} are not steps of {len(classes)} drum classes; give clips of one step "
                "or more, with the class map that they were made with"
            )


def _bar_lines(clips: Sequence[Clip]) -> list[int]:
    """The tick of each clip's first bar line, and of the bar line that ends the last clip."""
    lengths = []
    for clip in clips:
        bars = -(-len(clip.hits) // steps_per_bar(clip.meter, clip.steps_per_quarter))
        lengths.append(4 * TICKS_PER_QUARTER * clip.meter[0] * bars // clip.meter[1])
    lines = list(itertools.accumulate(lengths, initial=0))
    if lines[-1] >= LAST_TICK:
        raise ValueError(f"{len(clips)} clips are {lines[-1]} ticks, a MIDI file has {LAST_TICK}; write several files")
    return lines


def _changes(values: Sequence[tuple[int, Value]]) -> list[tuple[int, Value]]:
    """The (tick, value) pairs whose value is not the one before."""
    return [pair for index, pair in enumerate(values) if index == 0 or pair[1] != values[index - 1][1]]


def _microseconds(bpm: float) -> int:
    """Microseconds a quarter, the form in which MIDI holds a tempo of `bpm` quarters a minute."""
    microseconds = round(MICROSECONDS_PER_MINUTE / bpm) if 1 < bpm < math.inf else 0
    if not 0 < microseconds < 1 << 24:
        raise ValueError(f"{bpm:g} quarters a minute is no tempo that MIDI can hold; give 4 to 1000")
    return microseconds


def _tick_scale(microseconds: int) -> float:
    """Seconds a tick such that pretty_midi, which truncates, writes exactly this tempo."""
    scale = microseconds / 1e6 / TICKS_PER_QUARTER
    while int(6e7 / (60.0 / (scale * TICKS_PER_QUARTER))) < microseconds:
        scale = math.nextafter(scale, math.inf)
    return scale


def _melodic_channel(index: int) -> int:
    """The channel that pretty_midi gives to its instrument of that index: any but the drum channel, in turn."""
    channel = index % 15
    return channel + (channel >= DRUM_CHANNEL)
