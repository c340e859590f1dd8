"""What is measured of bars of notes and hits: how many, how syncopated, whether bars repeat, where pitches lie."""

from collections.abc import Sequence

import numpy as np

from seqvae.config import few, nearest
from seqvae.modalities.measuring import Family, Measure, Measures
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import steps_per_bar, steps_per_beat
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.phrase import Phrase
from seqvae.modalities.midi.rhythm import equal_to_the_bar_before

SWUNG = 0.4, 0.72  # of a beat: where its second eighth is played, from nearly even to beyond the third triplet


def density(item: Excerpt) -> float:
    """Notes or hits that begin, a bar."""
    return float(item.onsets.sum() / item.bars)


def repetition(item: Excerpt) -> float | None:
    """The share of steps that equal the same step of the bar before; None of one bar, and of silence.

    Of hits that are played, how loud and when does not count.
    """
    item = item.clip if isinstance(item, Performance) else item
    same = equal_to_the_bar_before(item)
    return float(same.mean()) if len(same) and item.onsets.any() else None


def levels(item: Excerpt) -> np.ndarray:
    """(T,) int64: how weak each step is in its bar: 0 its first, 1 its middle, 2 beats, 3 their halves, 4 quarters.

    Others are 5. A dotted beat has thirds in place of halves.

    >>> levels(Clip(np.zeros((16, 1), bool))).tolist()
    [0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4]
    """
    bar, beat = (of(item.meter, item.steps_per_quarter) for of in (steps_per_bar, steps_per_beat))
    parts = 3 if beat * item.meter[1] == 12 * item.steps_per_quarter else 2  # of a beat: three of a dotted one
    places, found = np.arange(len(item)) % bar, np.full(len(item), 5)
    for level, span in ((4, beat / parts / 2), (3, beat / parts), (2, beat), (1, bar / 2), (0, bar)):
        if level != 1 or span % beat == 0:
            found[places % span == 0] = level
    return found


def syncopation(lines: np.ndarray, level: np.ndarray) -> float:
    """By how much notes come before beats that are stronger and silent, summed over the lines (T, C) of bool.

    A note after which a stronger step passes before the next note of its line counts by how much stronger the strongest
    of these is (Longuet-Higgins and Lee 1984).

    >>> level = np.array([0, 4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 2, 4, 3, 4])
    >>> off = np.zeros((16, 1), bool)
    >>> off[[2, 8], 0] = True  # on the second eighth, then on the middle of the bar: the second beat is silent
    >>> syncopation(off, level)
    1.0
    """
    total, weakest = 0, int(level.max(initial=0))
    strongest = np.full(lines.shape[1], weakest)  # of the steps that pass before the next note of each line
    for hits, own in zip(lines[::-1], level[::-1].tolist(), strict=True):
        total += int(np.maximum(own - strongest, 0)[hits].sum())
        strongest = np.where(hits, weakest, np.minimum(strongest, own))
    return float(total)


def _of_lines(item: Excerpt, lines: np.ndarray) -> float:
    return syncopation(lines, levels(item)) / float(item.bars)


def swing(item: Performance) -> float | None:
    """How much longer the first eighth of a beat is than the second: 1 is even, 2 that of triplets.

    By the mean place of the hits near the middle of a beat; None where there are none.
    """
    beat = steps_per_beat(item.meter, item.steps_per_quarter)
    places = (np.arange(len(item))[:, None] % beat + item.offsets)[item.hits] / beat
    near = places[(places >= SWUNG[0]) & (places < SWUNG[1])]
    return float(near.mean() / (1 - near.mean())) if len(near) else None


def velocity(item: Performance) -> float | None:
    """The mean velocity of the hits; None without one."""
    return float(item.velocities[item.hits].mean()) if item.hits.any() else None


def of_kit(names: Sequence[str]) -> Measures:
    """What is measured of the hits of classes of these names."""

    def share_of(name: str) -> Measure:
        if name not in names:
            raise ValueError(f"share={name} is of no drum class; choose {few(names)}.{nearest(name, names)}")
        place = list(names).index(name)

        def of(item: Clip | Performance) -> float | None:
            return float(item.hits[:, place].sum() / item.hits.sum()) if item.hits.any() else None

        return Measure(f"share of the hits that are of '{name}'", of)

    return {
        "density": Measure("hits a bar", density),
        "syncopation": Measure(
            "a bar, by how much hits come before silent stronger beats", lambda item: _of_lines(item, item.hits)
        ),
        "repetition": Measure("share of steps that equal those of the bar before", repetition),
        "share": Family("share of the hits that are of a drum class", "CLASS", names[0], share_of),
    }


OF_PERFORMANCES: Measures = {
    "swing": Measure("the first eighth of a beat over the second: 1 even, 2 triplets", swing),
    "velocity": Measure("mean velocity, 1 to 127", velocity),
}


def _melody(item: Phrase) -> Phrase:
    """The phrase without its chords, which are given to a model and not made."""
    return item.with_steps(item.events)


def pitch_range(item: Phrase) -> float | None:
    """Semitones from the lowest note to the highest; None without a note."""
    pitches = item.notes[:, 2]
    return float(pitches.max() - pitches.min()) if len(pitches) else None


def interval(item: Phrase) -> float | None:
    """Semitones from a note to the next one, up or down, on average; None of fewer than two notes."""
    steps = np.abs(np.diff(item.notes[:, 2]))
    return float(steps.mean()) if len(steps) else None


def pitch(item: Phrase) -> float | None:
    """The mean pitch, 60 the middle C; None without a note."""
    pitches = item.notes[:, 2]
    return float(pitches.mean()) if len(pitches) else None


OF_MELODIES: Measures = {
    "density": Measure("notes a bar", density),
    "range": Measure("semitones from the lowest note to the highest", pitch_range),
    "interval": Measure("semitones from a note to the next one, on average", interval),
    "pitch": Measure("mean pitch, 60 is middle C", pitch),
    "syncopation": Measure(
        "a bar, by how much notes come before silent stronger beats",
        lambda item: _of_lines(item, item.onsets[:, None] > 0),
    ),
    "repetition": Measure("share of steps that equal those of the bar before", lambda item: repetition(_melody(item))),
}

OF_ENSEMBLES: Measures = {
    "density": Measure("notes and hits a bar", density),
    "repetition": Measure("share of steps that equal those of the bar before", repetition),
}
