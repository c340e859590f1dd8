"""The notes that a grid loses, since they share a step with another one: what they are, and what other grids lose."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seqvae.modalities.midi.grid import GRIDS, Segment

# Gaps in quarters from which on one is no grace note, and no 32nd: drummers play grace notes some 1/20 of a quarter
# before the beat and rolls of 32nds at 1/8, and hardly anything at 1/12 (446,311 notes of ten drummers).
THIRTY_SECONDS, TRIPLETS = 1 / 12, 7 / 48
OTHER_PITCH, SAME_PITCH = "at once with another pitch of their {holder}", "at once with their own pitch"
MOST_PENDING = 2**13  # notes: arrays of them stay in the cache of the processor
BY_GAP = ("{close} closer than 1/12 of a quarter", "32nds", "triplets of sixteenths")
# Within a quarter or from its end backwards, in 48ths: what is nearer to a triplet of eighths than to a step.
AT_TRIPLET = {4: (14, 20), 8: (14, 17)}


@dataclass
class Losses:
    """What the grid and others lose of the notes of windows. Those of several files add up.

    Notes are taken file by file (`take`) and compared many at a time (`flush`), since a file has only some hundred.
    """

    grid: int = 0  # steps a quarter
    notes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  # of those that the grid loses, with {holder}, {close}
    lost: Counter[int] = field(default_factory=Counter)  # steps a quarter: notes that such a grid loses
    at_triplets: int = 0  # notes nearer to a triplet than to a step
    _taken: list[np.ndarray] = field(default_factory=list)  # (3, N) tick, voice, pitch
    _quarters: list[int] = field(default_factory=list)  # in ticks, of each of these
    _pending: int = 0

    def add(self, other: "Losses") -> None:
        """Take up what another one counted."""
        self.grid = other.grid or self.grid
        self.notes += other.notes
        self.kinds.update(other.kinds)
        self.lost.update(other.lost)
        self.at_triplets += other.at_triplets

    def take(self, segment: Segment, voices: np.ndarray, bars: Sequence[tuple[int, int]]) -> None:
        """Take the notes of a segment in bars, from a first one to before a last one; ranges share no bar.

        `voices` are those of all notes of the file: of notes of one voice on one step a grid keeps one.
        """
        self.grid, notes = segment.steps_per_quarter, segment.notes
        for first, last in bars:
            places = segment.places
            if (first, last) != (0, segment.bars):
                steps = np.array([first, last]) * segment.steps_of_bar
                places = places[slice(*segment.step.searchsorted(steps).tolist())]
            places = places[voices[places].argsort(kind="stable")]  # by voice, and the notes of each by time
            self._taken.append(np.array([notes.tick[places] - segment.start, voices[places], notes.pitch[places]]))
            self._quarters.append(notes.ticks_per_quarter)
            self._pending += len(places)
        if self._pending >= MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Count what was taken."""
        if not self._taken:
            return
        lengths = [taken.shape[1] for taken in self._taken]
        tick, voice, pitch = np.concatenate(self._taken, axis=1)
        quarter, piece = (np.repeat(values, lengths) for values in (self._quarters, range(len(lengths))))
        self._taken, self._quarters, self._pending = [], [], 0
        self.notes += len(tick)
        if self.grid in AT_TRIPLET:
            first, last = AT_TRIPLET[self.grid]
            within = tick % quarter
            place = 48 * np.minimum(within, quarter - within)
            self.at_triplets += int(np.count_nonzero((place > first * quarter) & (place < last * quarter)))
        alike = (voice[1:] == voice[:-1]) & (piece[1:] == piece[:-1])
        after = np.flatnonzero(alike & (np.diff(tick) * min(GRIDS) < quarter[1:])) + 1
        steps = np.array(GRIDS)[:, None]
        before, own = ((tick[at] * (2 * steps) + quarter[at]) // (2 * quarter[at]) for at in (after - 1, after))
        self.lost.update(dict(zip(GRIDS, (before == own).sum(1).tolist(), strict=True)))
        after = after[(before == own)[GRIDS.index(self.grid)]]
        self._name((tick[after] - tick[after - 1]) / quarter[after], pitch[after] == pitch[after - 1])

    def _name(self, gap: np.ndarray, same: np.ndarray) -> None:
        """Count lost notes by how many quarters (N,) they come after another one, and whether it has their pitch."""
        apart = gap[gap > 0]
        kind = (apart >= THIRTY_SECONDS).astype(int) + (apart >= TRIPLETS)
        self.kinds.update(dict(zip(BY_GAP, np.bincount(kind, minlength=3).tolist(), strict=True)))
        self.kinds.update({SAME_PITCH: int(same[gap == 0].sum()), OTHER_PITCH: int((~same[gap == 0]).sum())})

    def remarks(self, notes: str) -> list[str]:
        """What to know of the grid, a sentence each; `notes` is what they are called. None where all fits.

        >>> losses = Losses(4, 1000, lost=Counter({4: 81, 8: 32, 12: 29, 24: 8}), at_triplets=20)
        >>> losses.remarks("hits")  # doctest: +NORMALIZE_WHITESPACE
        ['lost to the grid: 8.1 % of the hits at 4 steps a quarter; 8 would lose 3.2 %, 12 2.9 %, 24 0.8 %:
        data.steps_per_quarter', 'nearer to a triplet than to a step: 2.0 % of the hits; 12 and 24 steps a quarter hold
        both']
        """
        found, own = [], self.lost[self.grid]
        if own:
            better = [f"{grid} {self._share(self.lost[grid])}" for grid in GRIDS if self.lost[grid] < own]
            others = f"{', '.join(better).replace(' ', ' would lose ', 1)}: data.steps_per_quarter" if better else ""
            found.append(
                f"lost to the grid: {self._share(own)} of the {notes} at {self.grid} steps a quarter; "
                + (others or "no other grid loses fewer")
            )
        if self.at_triplets:
            found.append(
                f"nearer to a triplet than to a step: {self._share(self.at_triplets)} of the {notes}; 12 and 24 steps "
                "a quarter hold both"
            )
        return found

    def _share(self, number: int) -> str:
        return f"{100 * number / self.notes:.1f} %"
