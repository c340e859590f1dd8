"""The bytes of a MIDI file to its note-ons, metres and tempos in ticks, in bounded time and memory whatever they are.

Readers that pair note-ons with note-offs lose hits: those that are never closed, and those that one note-off closes
together. Drums are the note-ons, so the events are read here, one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

MOST_BYTES = 2 << 20  # of a file; a million events, less than a second
MOST_QUARTERS = 1 << 14  # from the start of a file to its last hit; more than two hours at 120 bpm
MOST_CHANGES = 1 << 14  # of metre, tempo or program, each
MOST_TRACKS = 1 << 16
MOST_BEFORE_HEADER = 1 << 12  # bytes of a wrapper (RIFF, MacBinary) that may stand before the header
FINEST_DENOMINATOR = 6  # as a power of two: bars of x/64
DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages, which have no place in a file; the others have none
# A note-on as one integer, so that sorting orders by tick, then by pitch: tick, pitch 7 bits, velocity 7, channel 4.
TICK_SHIFT, PITCH_SHIFT, VELOCITY_SHIFT = 18, 11, 4


class MidiError(ValueError):
    """A file of which nothing can be read: its `path` and the `reason`."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path} is not read: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[type["MidiError"], tuple[Path | str, str]]:
        """How it goes from one process to another."""
        return MidiError, (self.path, self.reason)


@dataclass
class Notes:
    """The note-ons of a file, each an entry of four arrays sorted by tick and then pitch, and what they stand in."""

    ticks_per_quarter: int
    tick: np.ndarray  # int64
    pitch: np.ndarray
    velocity: np.ndarray
    channel: np.ndarray  # 0 to 15; drums are on 9
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, denominator), by tick
    tempos: list[tuple[int, float]] = field(default_factory=list)  # (tick, quarters a minute), by tick
    programs: dict[int, int] = field(default_factory=dict)  # channel: program at its first note
    damage: str = ""  # why the file, or one of its tracks, was read only in part

    def __len__(self) -> int:
        return len(self.tick)


class _BrokenTrack(Exception):
    """A track cannot be read any further."""


@dataclass
class _Events:
    """What the tracks of a file hold, in the order of reading."""

    notes: list[int] = field(default_factory=list)  # packed, see TICK_SHIFT
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, power of two)
    tempos: list[tuple[int, int]] = field(default_factory=list)  # (tick, microseconds a quarter)
    programs: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, channel, program)


def parse(data: bytes, path: Path | str) -> Notes:
    """The note-ons of a MIDI file of format 0 or 1, RIFF wrappers included; `path` stands for it in errors.

    Wrong chunk lengths and numbers of tracks are repaired, and of a damaged track what stands before the damage is
    read. Raises MidiError when there is nothing to read.
    """
    if len(data) > MOST_BYTES:
        raise MidiError(path, f"it is larger than {MOST_BYTES >> 20} MB")
    ticks_per_quarter, tracks = _tracks(data, path)
    events, damage = _Events(), ""
    for number, (start, end) in enumerate(tracks, 1):
        first = len(events.notes)
        try:
            _read_track(data[start:end], events)
        except _BrokenTrack as broken:
            damage = damage or f"track {number} {broken}"
        except StopIteration:
            damage = damage or f"track {number} breaks off"
        if len(events.notes) > first and events.notes[-1] >> TICK_SHIFT > MOST_QUARTERS * ticks_per_quarter:
            raise MidiError(path, f"it has notes beyond its {MOST_QUARTERS}th quarter")
    if damage and not events.notes:
        raise MidiError(path, f"{damage} before any note")
    if max(len(events.meters), len(events.tempos), len(events.programs)) > MOST_CHANGES:
        raise MidiError(path, f"it changes metre, tempo or program more than {MOST_CHANGES} times")
    return _notes(ticks_per_quarter, events, damage)


def _tracks(data: bytes, path: Path | str) -> tuple[int, list[tuple[int, int]]]:
    """Ticks a quarter, and the first byte and the end of every track."""
    if not data:
        raise MidiError(path, "it is empty")
    header = data.find(b"MThd", 0, MOST_BEFORE_HEADER)
    if header < 0:
        raise MidiError(path, "it is no MIDI file (no MThd header)")
    if len(data) < header + 14:
        raise MidiError(path, "it breaks off in its header")
    form = int.from_bytes(data[header + 8 : header + 10], "big")
    division = int.from_bytes(data[header + 12 : header + 14], "big")
    if division >= 0x8000:
        raise MidiError(path, "it counts time in SMPTE frames, not in quarters")
    if division == 0:
        raise MidiError(path, "it has 0 ticks a quarter")
    tracks = [(start, end) for name, start, end in _chunks(data, header) if name == b"MTrk"]
    if not tracks:
        raise MidiError(path, "it has no track (MTrk chunk)")
    if form == 2 and len(tracks) > 1:
        raise MidiError(path, f"its {len(tracks)} tracks are pieces of their own (format 2)")
    return division, tracks


def _chunks(data: bytes, start: int) -> list[tuple[bytes, int, int]]:
    """Name, first byte and end of the chunks from `start` on.

    A length is believed when the file, or another chunk, ends where it says; else the chunk lasts up to the next track.
    """
    chunks: list[tuple[bytes, int, int]] = []
    while start + 8 <= len(data) and len(chunks) < MOST_TRACKS:
        name, first = data[start : start + 4], start + 8
        end = first + int.from_bytes(data[start + 4 : first], "big")
        if end != len(data) and not (data[end : end + 4].isalpha() and len(data) >= end + 8):
            end = data.find(b"MTrk", start + 4)
            end = len(data) if end < 0 else end
        chunks.append((name, first, end))
        start = end
    return chunks


def _read_track(track: bytes, events: _Events) -> None:
    """Add what a track holds, up to its end. The loop is plain: it runs a thousand times in a file.

    Raises _BrokenTrack, or StopIteration where the bytes end in the middle of an event.
    """
    stream = iter(track)
    following, add = stream.__next__, events.notes.append
    tick = status = channel = 0
    is_on = False
    for delta in stream:
        if delta > 127:
            byte = following()
            delta = (delta & 127) << 7 | byte & 127
            if byte > 127:
                delta = _long_number(stream, delta)
        tick += delta
        byte = following()
        if byte > 127:
            if byte >= 0xF0:
                if _read_other(stream, byte, tick, events):
                    return
                continue
            status, byte = byte, following()
            is_on, channel = 0x90 <= status < 0xA0, status & 15
        elif not status:
            raise _BrokenTrack("starts with no event")
        if is_on:
            velocity = following()
            if velocity and byte < 128:
                velocity = velocity if velocity < 128 else 127
                add(tick << TICK_SHIFT | byte << PITCH_SHIFT | velocity << VELOCITY_SHIFT | channel)
        elif status < 0xC0 or status >= 0xE0:
            following()
        elif status < 0xD0:
            events.programs.append((tick, channel, byte & 127))


def _long_number(stream: Iterator[int], number: int) -> int:
    """A variable-length number of more than two bytes, of which the first two gave `number`."""
    for byte in islice(stream, 2):
        number = number << 7 | byte & 127
        if byte < 128:
            return number
    raise _BrokenTrack("holds a number of more than four bytes")


def _read_other(stream: Iterator[int], status: int, tick: int, events: _Events) -> bool:
    """Read a meta event or pass over a system message; whether it ends the track."""
    if status not in (0xF0, 0xF7, 0xFF):
        for _ in range(DATA_BYTES.get(status, 0)):
            next(stream)
        return False
    kind = next(stream) if status == 0xFF else -1
    if kind == 0x2F:
        return True
    size = next(stream)
    if size > 127:
        byte = next(stream)
        size = (size & 127) << 7 | byte & 127
        if byte > 127:
            size = _long_number(stream, size)
    content = bytes(islice(stream, size))
    if len(content) < size:
        raise _BrokenTrack("breaks off")
    if kind == 0x51 and size >= 3:
        events.tempos.append((tick, int.from_bytes(content[:3], "big")))
    elif kind == 0x58 and size >= 2:
        events.meters.append((tick, content[0], content[1]))
    return False


def _notes(ticks_per_quarter: int, events: _Events, damage: str) -> Notes:
    """Sorted arrays of the events of all tracks. Metres and tempos that mean nothing are left out."""
    packed = np.array(events.notes, dtype=np.int64)
    packed.sort()
    tick, channel = packed >> TICK_SHIFT, packed & 15
    first_notes = {on: tick[np.argmax(channel == on)] for on in set(channel.tolist())}
    programs: dict[int, int] = {}
    for change, on, program in sorted(events.programs, key=lambda event: event[0]):
        if on not in programs or change <= first_notes.get(on, -1):
            programs[on] = program
    meters = sorted(events.meters, key=lambda event: event[0])
    tempos = sorted(events.tempos, key=lambda event: event[0])
    return Notes(
        ticks_per_quarter=ticks_per_quarter,
        tick=tick,
        pitch=packed >> PITCH_SHIFT & 127,
        velocity=packed >> VELOCITY_SHIFT & 127,
        channel=channel,
        meters=[(at, count, 1 << power) for at, count, power in meters if count and power <= FINEST_DENOMINATOR],
        tempos=[(at, 60e6 / micros) for at, micros in tempos if micros],
        programs=programs,
        damage=damage,
    )
