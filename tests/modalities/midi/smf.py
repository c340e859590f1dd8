"""The bytes of Standard MIDI Files, put together by hand: what the tests of reading read."""

from collections.abc import Iterable

END = b"\0\xff\x2f\0"


def number(value: int) -> bytes:
    """A variable-length number.

    >>> number(0x7F).hex(), number(0x80).hex(), number(0x0FFFFFFF).hex()
    ('7f', '8100', 'ffffff7f')
    """
    parts = [value & 127]
    while value := value >> 7:
        parts.append(value & 127 | 128)
    return bytes(reversed(parts))


def on(delta: int, pitch: int, velocity: int = 100, channel: int = 9) -> bytes:
    """A note-on so many ticks after the event before."""
    return number(delta) + bytes([0x90 | channel, pitch, velocity])


def off(delta: int, pitch: int, channel: int = 9) -> bytes:
    """A note-off."""
    return number(delta) + bytes([0x80 | channel, pitch, 64])


def meter(delta: int, numerator: int, power: int) -> bytes:
    """A change of metre to numerator / 2^power."""
    return number(delta) + bytes([0xFF, 0x58, 4, numerator, power, 24, 8])


def tempo(delta: int, microseconds: int) -> bytes:
    """A change of tempo to so many microseconds a quarter."""
    return number(delta) + b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def program(delta: int, value: int, channel: int = 9) -> bytes:
    """A change of program."""
    return number(delta) + bytes([0xC0 | channel, value])


def header(tracks: int, ticks_per_quarter: int = 480, form: int = 1) -> bytes:
    """The header chunk."""
    return b"MThd" + (6).to_bytes(4, "big") + b"".join(v.to_bytes(2, "big") for v in (form, tracks, ticks_per_quarter))


def chunk(content: bytes, name: bytes = b"MTrk", length: int | None = None) -> bytes:
    """A chunk, by default of its true length."""
    return name + (len(content) if length is None else length).to_bytes(4, "big") + content


def midi(*tracks: bytes, ticks_per_quarter: int = 480, form: int = 1) -> bytes:
    """A file of tracks, each of which gets its end."""
    return header(len(tracks), ticks_per_quarter, form) + b"".join(chunk(track + END) for track in tracks)


def hits(at: Iterable[tuple[int, int]], channel: int = 9) -> bytes:
    """Note-ons of a track at (tick, pitch), in order of ticks, none of them closed."""
    track, last = b"", 0
    for tick, pitch in at:
        track += on(tick - last, pitch, channel=channel)
        last = tick
    return track
