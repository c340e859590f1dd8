"""Which event ends each note: note-ons and note-offs put together, so that no note-on is lost."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KeyEvents:
    """The note-ons and note-offs (E,) of the tracks of a file, track after track, as they stand there."""

    tick: np.ndarray
    key: np.ndarray  # a number for each track, channel and pitch
    is_on: np.ndarray
    track_end: np.ndarray  # (E,): the tick at which the track of each event ends


def end_ticks(events: KeyEvents) -> np.ndarray:
    """The tick at which each note-on ends, in the order of the note-ons, int64.

    Where a key (a pitch of one channel and track) is released as often as it is struck, and never before it, each
    note-off ends the oldest note that is open, as most sequencers have it. Else some note-off is missing, or one too
    many, and nobody can say which belong together: each note then ends at the next event of its key, so that a note
    that is never closed ends where the next one begins, and the last with its track.
    """
    order = np.argsort(events.key, kind="stable")
    tick, key, is_on = events.tick[order], events.key[order], events.is_on[order]
    if not len(key):
        return tick
    is_last = np.append(key[1:] != key[:-1], True)
    end = np.where(is_last, events.track_end[order], np.append(tick[1:], 0))
    group = np.cumsum(is_last) - is_last  # a number for each key, in order
    on, off = np.flatnonzero(is_on), np.flatnonzero(~is_on)
    closed = np.bincount(group[on], minlength=group[-1] + 1) == np.bincount(group[off], minlength=group[-1] + 1)
    # In keys with as many note-offs as note-ons, the first of the ones belongs to the first of the others, and so on.
    first_on, first_off = on[closed[group[on]]], off[closed[group[off]]]
    closed[group[first_on[first_off < first_on]]] = False
    paired = closed[group[first_on]]
    end[first_on[paired]] = tick[first_off[paired]]
    result = np.empty_like(end)
    result[order] = end
    return result[events.is_on]
