"""Clips to MIDI: PrettyMIDI objects whose every event stands on an exact tick."""

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from seqvae.files import write_atomically
from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.tempo import microseconds_per_quarter

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

Value = TypeVar("Value")

TICKS_PER_QUARTER = 480  # divisible by 4, 8, 12 and 24, and what most sequencers use
VELOCITY = 100
LONGEST_NOTE = TICKS_PER_QUARTER // 4
LAST_TICK = 10_000_000  # pretty_midi reads no file that is longer
ALL_NOTES_OFF = 123


def to_midi(clips: Sequence[Clip], classes: DrumClasses, bpm: float | None = None) -> "PrettyMIDI":
    """The clips one after another, each from a bar line on, with their tempos and metres, or all at one tempo `bpm`.

    One drum track with the first clip's kit: 480 ticks a quarter, velocity 100, notes of a 16th or of a step where
    that is shorter. The track ends on the last bar line, silence included, so that it loops in a sequencer. The
    object's own `write` puts every event on the tick that is meant. Raises ValueError for clips that do not fit the
    class map, for a tempo that MIDI cannot hold and for more than ten million ticks.
    """
    from pretty_midi import ControlChange, Instrument, Note, PrettyMIDI, TimeSignature

    check_clips(clips, classes)
    midi = PrettyMIDI(resolution=TICKS_PER_QUARTER)
    *starts, end = _bar_lines(clips)
    placed = list(zip(starts, clips, strict=True))
    tempos = {
        start + round(at * TICKS_PER_QUARTER): microseconds_per_quarter(tempo)
        for start, clip in placed
        for at, tempo in (clip.tempos if bpm is None else [(0, bpm)])
    }  # of several on one tick the last
    # pretty_midi has no public way to set a tempo after the first.
    midi._tick_scales = [(start, _tick_scale(microseconds)) for start, microseconds in _changes([*tempos.items()])]
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


def midi_bytes(midi: "PrettyMIDI") -> bytes:
    """The MIDI file of an object."""
    content = io.BytesIO()
    midi.write(content)
    return content.getvalue()


def write_midi(midi: "PrettyMIDI", path: Path) -> Path:
    """Write a MIDI file, whole or not at all; its path."""
    return write_atomically(path, midi_bytes(midi))


def check_clips(clips: Sequence[Clip], classes: DrumClasses) -> None:
    """Raises ValueError where there is no clip, one that is not made of these classes, or too many ticks of them."""
    if not clips:
        raise ValueError("there are no clips to write; give at least one")
    for clip in clips:
        if clip.hits.ndim != 2 or not len(clip.hits) or clip.hits.shape[1] != len(classes):
            raise ValueError(
                f"hits of shape {clip.hits.shape} are not steps of {len(classes)} drum classes; give clips of one step "
                "or more, with the class map that they were made with"
            )
    _bar_lines(clips)


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


def _tick_scale(microseconds: int) -> float:
    """Seconds a tick such that pretty_midi, which truncates, writes exactly this tempo."""
    scale = microseconds / 1e6 / TICKS_PER_QUARTER
    while int(6e7 / (60.0 / (scale * TICKS_PER_QUARTER))) < microseconds:
        scale = math.nextafter(scale, math.inf)
    return scale
