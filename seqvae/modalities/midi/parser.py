"""The bytes of a MIDI file to its notes, metres and tempos in ticks, in bounded time and memory whatever they are.

Readers that pair note-ons with note-offs lose hits: those that are never closed, and those that one note-off closes
together. Here every note-on is a note, and `pairing` says where it ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np

from seqvae.modalities.midi.notes import Notes, plain_name
from seqvae.modalities.midi.pairing import KEYS, KeyEvents, end_ticks

MOST_BYTES = 2 << 20  # of a file; a million events, less than a second
MOST_QUARTERS = 1 << 14  # from the start of a file to its last note; more than two hours at 120 bpm
MOST_CHANGES = 1 << 14  # of metre, tempo or program, each
MOST_TRACKS = 1 << 16
MOST_BEFORE_HEADER = 1 << 12  # bytes of a wrapper (RIFF, MacBinary) that may stand before the header
FINEST_DENOMINATOR = 6  # as a power of two: bars of x/64
DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages, which have no place in a file; the others have none
MOST_OF_NAME = 1 << 10  # bytes of the name of a track, or of a text
MOST_TEXTS = 1 << 14  # texts, markers and lyrics; the others are passed over
TEXTS = {0x01: "text", 0x05: "lyric", 0x06: "marker"}  # meta events that may be chord symbols
BREAK = 0x100  # stands for the byte after the last, and is no byte
# A note-on or note-off as one integer, so that sorting orders by tick, then by pitch: the tick, then 8 bits each of
# pitch, velocity and status (bit 4: a note-on; the lowest four: the channel).
TICK_SHIFT, PITCH_SHIFT, VELOCITY_SHIFT = 24, 16, 8
CHANNEL_SHIFT = 56  # of a channel before a tick, which delta times of four bytes leave below 2^48
NO_DATA_BYTE, ON = 0x80 << PITCH_SHIFT, 0x10


class MidiError(ValueError):
    """A file of which nothing can be read: its `path` and the `reason`."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path} is not read: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[type["MidiError"], tuple[Path | str, str]]:
        """How it goes from one process to another."""
        return MidiError, (self.path, self.reason)


class _BrokenTrack(Exception):
    """A track cannot be read any further."""


@dataclass
class _Events:
    """What the tracks of a file hold, in the order of reading."""

    keys: list[int] = field(default_factory=list)  # note-ons and note-offs, packed, see TICK_SHIFT
    tracks: list[tuple[int, int]] = field(default_factory=list)  # (keys at its end, tick of its end)
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, power of two)
    tempos: list[tuple[int, int]] = field(default_factory=list)  # (tick, microseconds a quarter)
    programs: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, channel, program)
    names: dict[int, bytes] = field(default_factory=dict)  # track, from 0: its first name
    texts: list[tuple[int, str, bytes]] = field(default_factory=list)  # (tick, kind, words)


def parse(data: bytes, path: Path | str) -> Notes:
    """The notes of a MIDI file of format 0 or 1, RIFF wrappers included; `path` stands for it in errors.

    Wrong chunk lengths and numbers of tracks are repaired, and of a damaged track what stands before the damage is
    read. Raises MidiError when there is nothing to read.
    """
    if len(data) > MOST_BYTES:
        raise MidiError(path, f"it is larger than {MOST_BYTES >> 20} MB")
    ticks_per_quarter, tracks = _tracks(data, path)
    events, damage, last = _Events(), "", MOST_QUARTERS * ticks_per_quarter
    for number, (start, end) in enumerate(tracks, 1):
        first = len(events.keys)
        try:
            _read_track(data[start:end], events)
        except _BrokenTrack as broken:
            damage = damage or f"track {number} {broken}"
        except StopIteration:
            damage = damage or f"track {number} breaks off"
        if len(events.keys) > first and events.keys[-1] >> TICK_SHIFT > last:
            _leave_out_beyond(last, first, events, path)
    packed = np.fromiter(events.keys, np.int64, len(events.keys))
    is_on = (packed & (NO_DATA_BYTE | ON) == ON) & (packed & 0xFF << VELOCITY_SHIFT != 0)
    if damage and not is_on.any():
        raise MidiError(path, f"{damage} before any note")
    if max(len(events.meters), len(events.tempos), len(events.programs)) > MOST_CHANGES:
        raise MidiError(path, f"it changes metre, tempo or program more than {MOST_CHANGES} times")
    return _notes(ticks_per_quarter, events, packed, is_on, damage)


def _leave_out_beyond(last: int, first: int, events: _Events, path: Path | str) -> None:
    """Drop the note-offs of a track, from `first` on, beyond the last tick. Raises MidiError for a note-on there."""
    kept = [key for key in events.keys[first:] if key >> TICK_SHIFT <= last]
    beyond = events.keys[first + len(kept) :]
    if any(key & ON and key & 0xFF << VELOCITY_SHIFT and not key & NO_DATA_BYTE for key in beyond):
        raise MidiError(path, f"it has notes beyond its {MOST_QUARTERS}th quarter")
    del events.keys[first + len(kept) :]
    events.tracks[-1] = len(events.keys), last


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
    following, add = stream.__next__, events.keys.append
    tick = status = 0
    try:
        for delta, byte in zip(stream, chain(stream, (BREAK,)), strict=False):
            if delta > 127:
                if byte > 127:
                    delta = _long_number(stream, delta, byte)
                else:
                    delta = (delta & 127) << 7 | byte
                byte = following()
            tick += delta
            if byte > 127:
                if byte >= 0xF0:
                    if _read_other(stream, byte, tick, events):
                        return
                    continue
                status, byte = byte, following()
            elif not status:
                raise _BrokenTrack("starts with no event")
            if status < 0xA0:
                add(tick << TICK_SHIFT | (byte << PITCH_SHIFT | following() << VELOCITY_SHIFT | status))
            elif status < 0xC0 or status >= 0xE0:
                following()
            elif status < 0xD0:
                events.programs.append((tick, status & 15, byte & 127))
    finally:
        events.tracks.append((len(events.keys), tick))


def _long_number(stream: Iterator[int], *first: int) -> int:
    """A variable-length number of more than two bytes, of which these are the first."""
    number = 0
    for place, byte in enumerate(chain(first, stream)):
        if byte == BREAK:
            raise StopIteration
        number = number << 7 | byte & 127
        if byte < 128:
            return number
        if place == 3:
            raise _BrokenTrack("holds a number of more than four bytes")
    raise StopIteration


def _read_other(stream: Iterator[int], status: int, tick: int, events: _Events) -> bool:
    """Read a meta event or pass over a system message; whether it ends the track."""
    if status == BREAK:
        raise StopIteration
    if status not in (0xF0, 0xF7, 0xFF):
        for _ in range(DATA_BYTES.get(status, 0)):
            next(stream)
        return False
    kind = next(stream) if status == 0xFF else -1
    if kind == 0x2F:
        return True
    size = next(stream)
    if size > 127:
        size = _long_number(stream, size)
    content = bytes(islice(stream, size))
    if len(content) < size:
        raise _BrokenTrack("breaks off")
    if kind == 0x51 and size >= 3:
        events.tempos.append((tick, int.from_bytes(content[:3], "big")))
    elif kind == 0x03 and size:
        events.names.setdefault(len(events.tracks), content)
    elif kind == 0x58 and size >= 2:
        events.meters.append((tick, content[0], content[1]))
    elif kind in TEXTS and len(events.texts) < MOST_TEXTS:
        events.texts.append((tick, TEXTS[kind], content[:MOST_OF_NAME]))
    return False


def _notes(ticks_per_quarter: int, events: _Events, packed: np.ndarray, is_on: np.ndarray, damage: str) -> Notes:
    """Sorted arrays of the events of all tracks. Metres and tempos that mean nothing are left out."""
    on = np.flatnonzero(is_on)
    on = on[np.argsort(packed[on], kind="stable")]  # the places of the notes among the events
    notes = packed[on]
    tick, channel = notes >> TICK_SHIFT, notes & 15
    changes = sorted(events.programs, key=lambda event: event[0])
    meters = sorted(events.meters, key=lambda event: event[0])
    tempos = sorted(events.tempos, key=lambda event: event[0])
    return Notes(
        ticks_per_quarter=ticks_per_quarter,
        tick=tick,
        pitch=notes >> PITCH_SHIFT & 127,
        velocity=np.minimum(notes >> VELOCITY_SHIFT & 255, 127),
        channel=channel,
        meters=[(at, count, 1 << power) for at, count, power in meters if count and power <= FINEST_DENOMINATOR],
        tempos=[(at, 60e6 / micros) for at, micros in tempos if micros],
        programs=_first_programs(changes, tick, channel),
        names={track: name for track, raw in events.names.items() if (name := _name(raw))},
        texts=[(at, kind, words) for at, kind, raw in sorted(events.texts, key=_tick) if (words := _name(raw))],
        last=min(max(end for _, end in events.tracks), MOST_QUARTERS * ticks_per_quarter),
        damage=damage,
        ends=partial(_ends, packed, is_on, on, events.tracks, MOST_QUARTERS * ticks_per_quarter),
        programs_of_notes=partial(_programs_of_notes, changes, tick, channel),
        tracks_of_notes=partial(_tracks_of_notes, on, events.tracks),
    )


def _tick(event: tuple[int, str, bytes]) -> int:
    return event[0]


def _name(raw: bytes) -> str:
    """The name of a track, or a text, in UTF-8 or else, as older programs wrote it, in Latin-1."""
    raw = raw[:MOST_OF_NAME]
    try:
        return plain_name(raw.decode())
    except UnicodeDecodeError:
        return plain_name(raw.decode("latin-1"))


def _first_programs(changes: list[tuple[int, int, int]], tick: np.ndarray, channel: np.ndarray) -> dict[int, int]:
    """The program of each channel at its first note; a change at its very tick counts."""
    programs: dict[int, int] = {}
    first_notes: dict[int, int] = {}
    for at, on, program in changes:
        if on not in programs:
            of_channel = channel == on
            first_notes[on] = int(tick[np.argmax(of_channel)]) if of_channel.any() else -1
        if on not in programs or at <= first_notes[on]:
            programs[on] = program
    return programs


def _programs_of_notes(changes: list[tuple[int, int, int]], tick: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """The program of each note, (N,) int64: the last of its channel up to its very tick, 0 before any."""
    none = [(-1, on, 0) for on in range(16)]  # before all ticks
    at, on, program = np.array(sorted(none + changes, key=lambda change: (change[1], change[0]))).T
    place = (on << CHANNEL_SHIFT | at + 1).searchsorted(channel << CHANNEL_SHIFT | tick + 1, side="right") - 1
    of_notes: np.ndarray = program[place]
    return of_notes


def _ends(
    packed: np.ndarray, is_on: np.ndarray, on: np.ndarray, tracks: list[tuple[int, int]], most: int
) -> np.ndarray:
    """The ticks at which the notes end, `most` at the latest, (N,) int64; `on` are their places among the events."""
    ends_of_tracks = np.array([min(end, most) for _, end in tracks])
    kind = np.min_scalar_type(len(tracks) * KEYS - 1)  # numpy sorts 16 bits several times as fast as more
    first_keys, channel = np.arange(0, len(tracks) * KEYS, KEYS, dtype=kind), packed.astype(kind) & 15
    pitch = (packed >> PITCH_SHIFT).astype(np.uint8)  # a byte that is no data byte is a key of its own, never struck
    key = _of_events(first_keys, tracks) | channel << 8 | pitch
    return end_ticks(KeyEvents(packed >> TICK_SHIFT, key, is_on, ends_of_tracks))[on]


def _tracks_of_notes(on: np.ndarray, tracks: list[tuple[int, int]]) -> np.ndarray:
    """The track of each note, from 0, (N,) int64; `on` are their places among the events."""
    return _of_events(np.arange(len(tracks)), tracks)[on]


def _of_events(of_tracks: np.ndarray, tracks: list[tuple[int, int]]) -> np.ndarray:
    """What there is of each track (T,), for each note-on and note-off, (E,)."""
    ends = [0, *(count for count, _ in tracks)]
    return np.repeat(of_tracks, [last - first for first, last in pairwise(ends)])
