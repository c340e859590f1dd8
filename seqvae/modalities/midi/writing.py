"""Items to MIDI: PrettyMIDI objects whose every event stands on an exact tick."""

import io
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqvae.files import write_atomically
from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import steps_per_bar
from seqvae.modalities.midi.notation import Notation, Sounding
from seqvae.modalities.midi.tempo import microseconds_per_quarter

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

Value = TypeVar("Value")

TICKS_PER_QUARTER = 480  # divisible by 4, 8, 12 and 24, and what most sequencers use
LAST_TICK = 10_000_000  # pretty_midi reads no file that is longer
ALL_NOTES_OFF = 123


def to_midi(items: Sequence[Excerpt], notation: Notation[Any], bpm: float | None = None) -> "PrettyMIDI":
    """The items one after another, each from a bar line on, with their tempos and metres, or all at one tempo `bpm`.

    480 ticks a quarter. Each track ends on the last bar line, silence included, so that it loops in a sequencer. A
    note that would begin before the first bar line begins on it, and one that lasts into the next of its pitch ends
    there. Words that stand on steps, such as chord symbols, are texts. Programs are those of the first item throughout.
    The object's own `write` puts every event on the tick that is meant.

    Raises ValueError for items that the notation cannot write, for a tempo that MIDI cannot hold and for more than ten
    million ticks.
    """
    from pretty_midi import ControlChange, Note, PrettyMIDI, Text, TimeSignature

    check_items(items, notation)
    midi = PrettyMIDI(resolution=TICKS_PER_QUARTER)
    *starts, end = _bar_lines(items)
    placed = list(zip(starts, items, strict=True))
    tempos = {
        start + round(at * TICKS_PER_QUARTER): microseconds_per_quarter(tempo)
        for start, item in placed
        for at, tempo in (item.tempos if bpm is None else [(0, bpm)])
    }  # of several on one tick the last
    # pretty_midi has no public way to set a tempo after the first.
    midi._tick_scales = [(start, _tick_scale(microseconds)) for start, microseconds in _changes([*tempos.items()])]
    midi.tick_to_time(end)  # makes the table of ticks, from which all times are taken
    for start, (numerator, denominator) in _changes([(start, item.meter) for start, item in placed]):
        midi.time_signature_changes.append(TimeSignature(numerator, denominator, midi.tick_to_time(start)))
    texts = [
        (start + step * TICKS_PER_QUARTER // item.steps_per_quarter, words)
        for (start, item), own in zip(placed, type(items[0]).texts_of(items), strict=True)
        for step, words in own
    ]
    midi.text_events += [Text(words, midi.tick_to_time(tick)) for tick, words in _changes(texts)]
    for track, sounding in notation.tracks(items[0]):
        for tick, stop, pitch, velocity in _notes(placed, sounding, end):
            track.notes.append(Note(velocity, pitch, midi.tick_to_time(tick), midi.tick_to_time(stop)))
        # A track ends one tick after its last event, and this one is heard by nobody.
        track.control_changes.append(ControlChange(ALL_NOTES_OFF, 0, midi.tick_to_time(end - 1)))
        midi.instruments.append(track)
    return midi


def _notes(
    placed: Sequence[tuple[int, Excerpt]], sounding: Callable[[Any], Iterable[Sounding]], end: int
) -> list[tuple[int, int, int, int]]:
    """The ticks between which each note sounds, its pitch and velocity, in order of time."""
    notes, following = [], dict[int, int]()  # pitches: when the next note of each begins
    for start, item in placed:
        step = TICKS_PER_QUARTER / item.steps_per_quarter
        for first, last, pitch, velocity in sounding(item):
            tick = max(0, start + round(first * step))
            notes.append((tick, start + round(last * step), pitch, velocity))
    notes.sort(key=lambda note: note[0])
    for place in reversed(range(len(notes))):
        tick, stop, pitch, velocity = notes[place]
        # A note that ended with the track would move the track's end by a tick.
        stop = max(tick + 1, min(stop, end - 1, following.get(pitch, end)))
        notes[place] = tick, stop, pitch, velocity
        following[pitch] = tick
    return notes


def midi_bytes(midi: "PrettyMIDI") -> bytes:
    """The MIDI file of an object."""
    content = io.BytesIO()
    midi.write(content)
    return content.getvalue()


def write_midi(midi: "PrettyMIDI", path: Path) -> Path:
    """Write a MIDI file, whole or not at all; its path."""
    return write_atomically(path, midi_bytes(midi))


def check_items(items: Sequence[Excerpt], notation: Notation[Any]) -> None:
    """Raises ValueError where there is no item, one that the notation cannot write, or too many ticks of them."""
    if not items:
        raise ValueError("there are no clips to write; give at least one")
    for item in items:
        notation.check(item)
    _bar_lines(items)


def _bar_lines(items: Sequence[Excerpt]) -> list[int]:
    """The tick of each item's first bar line, and of the bar line that ends the last item."""
    lengths = []
    for item in items:
        bars = -(-len(item) // steps_per_bar(item.meter, item.steps_per_quarter))
        lengths.append(4 * TICKS_PER_QUARTER * item.meter[0] * bars // item.meter[1])
    lines = list(itertools.accumulate(lengths, initial=0))
    if lines[-1] >= LAST_TICK:
        raise ValueError(f"{len(items)} clips are {lines[-1]} ticks, a MIDI file has {LAST_TICK}; write several files")
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
