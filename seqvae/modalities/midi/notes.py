"""The notes of a piece in ticks: when each begins and ends, at which pitch, how loud, on which channel and program."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

DRUM_CHANNEL = 9  # counted from 0: musicians call it channel 10
LONGEST_NAME = 40  # characters of the name of a track


@dataclass
class Notes:
    """Notes, each an entry of arrays (N,) int64 sorted by tick and then pitch, and what they stand in.

    Ends, programs and tracks are found when they are first asked for, by `ends`, `programs_of_notes` and
    `tracks_of_notes`: drums need none of them. Where nothing finds them, as in notes made by hand, a note ends where it
    begins, its program is 0 and its track the first.
    """

    ticks_per_quarter: int
    tick: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray  # 1 to 127
    channel: np.ndarray  # 0 to 15
    meters: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, denominator), by tick
    tempos: list[tuple[int, float]] = field(default_factory=list)  # (tick, quarters a minute), by tick
    programs: dict[int, int] = field(default_factory=dict)  # channel: program at its first note
    names: dict[int, str] = field(default_factory=dict)  # track, from 0: its name, in one line of bounded length
    texts: list[tuple[int, str, str]] = field(default_factory=list)  # (tick, marker, text or lyric, words), by tick
    last: int = 0  # the tick at which the last track ends; 0: nobody knows
    damage: str = ""  # why the file, or one of its tracks, was read only in part
    ends: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)
    programs_of_notes: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)
    tracks_of_notes: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.tick)

    @cached_property
    def end(self) -> np.ndarray:
        """(N,) int64: the tick at which each note ends."""
        return self.tick if self.ends is None else self.ends()

    @cached_property
    def program(self) -> np.ndarray:
        """(N,) int64: the program of each note's channel at its tick, 0 to 127; that of drums is their kit."""
        return np.zeros_like(self.tick) if self.programs_of_notes is None else self.programs_of_notes()

    @cached_property
    def track(self) -> np.ndarray:
        """(N,) int64: the track of each note, from 0 in the order of the file; those without notes count."""
        return np.zeros_like(self.tick) if self.tracks_of_notes is None else self.tracks_of_notes()


def plain_name(name: str) -> str:
    """A name of a track in one line of at most LONGEST_NAME characters.

    >>> plain_name(" Lead  voice ")
    'Lead voice'
    """
    if not name.isprintable():  # songs to sing along have thousands of texts, nearly all of which are
        name = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(name.split())[:LONGEST_NAME].strip()
