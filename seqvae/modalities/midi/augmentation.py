"""Changes to windows that training may make, since pieces are few.

Of drums: other drums, fewer hits, other beats. Of melodies: other keys.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from seqvae.modalities.midi.chords import transposed as moved_roots
from seqvae.modalities.midi.settings import KitData
from seqvae.noise import Noise
from seqvae.types import Batch

TAKEN = 0.35  # share of the classes that a mixed window takes from the other one
MOST_DROPPED = 0.3  # of the hits of a window, where some are left out
DROPPED_CLASSES = 0.1  # share of the classes that such a window loses altogether


def augmented(batch: Batch, others: Callable[[], Batch], noise: Noise, classes: int, data: KitData) -> Batch:
    """The batch with each change made to its share of the windows.

    Its steps are labels (B, T), sets (B, T, C), or numbers of each class (B, T, C, N), all of them zero without a hit.
    `data.mix`: each class comes from the other window with probability 0.35, if that one is as long. `data.drop`: up to
    30 % of the hits are left out, and each class with probability 0.1. `data.rotate`: the window starts at another
    quarter, and what was before it follows at the end. A row's changes depend on its own noise alone.
    """
    labels = batch.x.ndim == 2
    sets = _sets(batch.x, classes)
    if data.mix:
        sets = _mixed(sets, batch, others(), noise, data.mix, classes)
    if data.drop:
        sets = _dropped(sets, noise, data.drop)
    if data.rotate:
        sets = _rotated(sets, batch.lengths, noise, data.rotate, data.steps_per_quarter)
    x = (sets.long() << torch.arange(classes)).sum(2) if labels else sets.to(batch.x.dtype)
    return replace(batch, x=x)


def transposed(
    batch: Batch, noise: Noise, most: int, outcomes: int, silent: int, voices: int = 1, chords: bool = False
) -> Batch:
    """The batch with each window transposed by up to `most` semitones up or down.

    Its steps are labels (B, T), or (B, T, P) of parts, of which the first `voices` have pitches and move as one. Labels
    below `silent` are no pitches, and stay. Each row is moved by a whole number of semitones, all of those being
    equally probable that keep all of its pitches below `outcomes`; it depends on the row's own noise alone. Where the
    other parts are `chords`, their roots move as the pitches do.
    """
    labels = batch.x.ndim == 2
    x, others = batch.x.unsqueeze(2).tensor_split([1], 2) if labels else batch.x.tensor_split([voices], 2)
    pitches = (x >= silent) & batch.mask.unsqueeze(2)
    lowest = torch.where(pitches, x, outcomes).flatten(1).amin(1)
    highest = torch.where(pitches, x, 0).flatten(1).amax(1)
    down = (lowest - silent).clamp(max=most)
    up = (outcomes - 1 - highest).clamp(max=most)
    shift = (noise.uniform("transpose", 1).squeeze(1) * (down + up + 1)).floor().long() - down
    shift = shift[:, None, None]
    moved = torch.where(pitches, x + shift, x)
    if chords:
        others = torch.where(batch.mask.unsqueeze(2), moved_roots(others, shift), others)
    return replace(batch, x=moved.squeeze(2) if labels else torch.cat([moved, others], 2))


def _sets(x: Tensor, classes: int) -> Tensor:
    """(B, T) labels as (B, T, C) bool; bit i is class i. What is of classes already stays what it is."""
    return (x.unsqueeze(2) >> torch.arange(classes) & 1).bool() if x.ndim == 2 else x


def _as(mask: Tensor, sets: Tensor) -> Tensor:
    """(B, T, C) bool with an axis for each further one of the sets."""
    return mask[(..., *[None] * (sets.ndim - 3))]


def _chosen(noise: Noise, site: str, share: float) -> Tensor:
    """(B, 1, 1) bool: the rows that a change is made to."""
    return (noise.uniform(site, 1) < share).unsqueeze(2)


def _mixed(sets: Tensor, batch: Batch, others: Batch, noise: Noise, share: float, classes: int) -> Tensor:
    steps, other = sets.shape[1], _sets(others.x, classes)
    missing = other.new_zeros(len(other), max(0, steps - other.shape[1]), *other.shape[2:])
    other = torch.cat([other, missing], 1)[:, :steps]
    rows = _chosen(noise, "mix", share) & (others.lengths == batch.lengths)[:, None, None]
    taken = (noise.uniform("mix classes", classes) < TAKEN).unsqueeze(1)
    return torch.where(_as(rows & taken, sets), other, sets)


def _dropped(sets: Tensor, noise: Noise, share: float) -> Tensor:
    steps, classes = sets.shape[1:3]
    rate = MOST_DROPPED * noise.uniform("drop rate", 1).unsqueeze(2)
    hits = noise.uniform("drop hits", steps * classes).unflatten(1, (steps, classes)) < rate
    whole = (noise.uniform("drop classes", classes) < DROPPED_CLASSES).unsqueeze(1)
    return sets.masked_fill(_as(_chosen(noise, "drop", share) & (hits | whole), sets), 0)


def _rotated(sets: Tensor, lengths: Tensor, noise: Noise, share: float, quarter: int) -> Tensor:
    steps = torch.arange(sets.shape[1])
    quarters = (noise.uniform("rotate by", 1).squeeze(1) * (lengths // quarter)).long()
    shift = quarters * quarter * _chosen(noise, "rotate", share).flatten()
    source = torch.where(steps < lengths.unsqueeze(1), (steps + shift.unsqueeze(1)) % lengths.unsqueeze(1), steps)
    return sets.gather(1, _as(source.unsqueeze(2), sets).expand_as(sets))
