"""Which event ends each note: note-ons and note-offs put together, so that no note-on is lost."""

from dataclasses import dataclass

import numpy as np

KEYS = 1 << 12  # of a track: 256 bytes, of which 128 are pitches, on each of 16 channels


@dataclass(frozen=True)
class KeyEvents:
    """The note-ons and note-offs (E,) of the tracks of a file, track after track, as they stand there."""

    tick: np.ndarray
    key: np.ndarray  # KEYS * track + 256 * channel + pitch, fastest as uint16
    is_on: np.ndarray
    track_ends: np.ndarray  # (T,): the tick at which each track ends


def end_ticks(events: KeyEvents) -> np.ndarray:
    """The tick at which each note-on ends, (E,) as `events.tick`; what stands in the places of note-offs means nothing.

    Where a key (a pitch of one channel and track) is released as often as it is struck, and never before it, each
    note-off ends the oldest note that is open, as most sequencers have it. Else some note-off is missing, or one too
    many, and nobody can say which belong together: each note then ends at the next event of its key, so that a note
    that is never closed ends where the next one begins, and the last with its track.
    """
    tick, key, is_on = events.tick, events.key, events.is_on
    on, off = (places[key[places].argsort(kind="stable")] for places in (np.flatnonzero(is_on), np.flatnonzero(~is_on)))
    end = np.zeros_like(tick)
    if np.array_equal(key[on], key[off]) and (on < off).all():  # all keys are such, as in nearly all files
        end[on] = tick[off]
        return end
    order = np.argsort(key, kind="stable")
    tick, key, is_on = tick[order], key[order], is_on[order]
    last = np.append(np.flatnonzero(key[1:] != key[:-1]), len(key) - 1)  # the last event of each key, in order
    first = np.append(0, last[:-1] + 1)
    # How many notes are open after each event, one too many note-offs counting as -1; key after key.
    still_open = np.where(is_on, 1, -1).cumsum()
    before = np.append(0, still_open[last[:-1]])
    closed = (still_open[last] == before) & (np.minimum.reduceat(still_open, first) >= before)
    of_closed = np.repeat(closed, last + 1 - first)
    following = np.append(tick[1:], 0)
    following[last] = events.track_ends[key[last] // KEYS]
    # The first note-on of a key belongs to its first note-off, the second to the second, and so on.
    following[of_closed & is_on] = tick[of_closed & ~is_on]
    end[order] = following
    return end
