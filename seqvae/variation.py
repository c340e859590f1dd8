"""Items that differ by what is seen, heard or read: walks of even steps, and variations of which no two are equal."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from seqvae.core.latent import even_shares
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.items import Item

Made = TypeVar("Made")
FINER = 8  # points of the walk that is measured, for each step of the one that is wanted
HALVINGS = 4  # of those of its steps that hide much change
SAME_DISTANCE = 4  # further tries for a variation at the distance that is asked for
FARTHER = 16  # and then from larger distances, in equal steps up to 1


def even_walk(
    make: Callable[[Sequence[float]], list[Made]], change: Callable[[Made, Made], float], steps: int
) -> list[Made]:
    """`steps` items of a walk, both ends counted, between which about equally much changes.

    `make` gives the items at these shares of the walk. It is walked in small steps first, those of them in which much
    changes are halved, and the points are then taken by `even_places`. The ends are what `make` gives for 0 and 1.

    Raises ValueError for fewer than two steps.
    """
    shares = even_shares(steps)  # all there is to a walk of two
    if steps > 2:
        shares = even_shares(FINER * (steps - 1) + 1)
    items = make(shares)
    changes = [change(a, b) for a, b in itertools.pairwise(items)]
    for _ in range(HALVINGS):
        much = sum(changes) / (steps - 1) / 2
        hiding = [place for place, changed in enumerate(changes) if changed > much] if steps > 2 else []
        if not hiding:
            break
        middles = [(shares[place] + shares[place + 1]) / 2 for place in hiding]
        for place, share, item in reversed(list(zip(hiding, middles, make(middles), strict=True))):
            changes[place : place + 1] = [change(items[place], item), change(item, items[place + 1])]
            shares.insert(place + 1, share)
            items.insert(place + 1, item)
    return [items[place] for place in even_places(changes, steps)]


def even_places(changes: Sequence[float], count: int) -> list[int]:
    """The places of `count` points of a walk, both ends counted, between which about equally much changes.

    `changes[i]` is what changes from point i to point i + 1. A change larger than the even share cannot be divided: it
    takes one step, and the others share what remains. No two points are equal as long as there are others. Where
    nothing changes at all they are spread evenly over the way.

    >>> even_places([0.0, 0.1, 0.0, 0.1, 0.6, 0.0, 0.1, 0.1], 4)
    [0, 4, 5, 8]
    """
    steps = count - 1
    if not any(changes):
        return [round(place * len(changes) / steps) for place in range(count)]
    states = [0, *(np.flatnonzero(changes) + 1).tolist()]  # the points at which something has changed
    states[-1] = len(changes)
    last = len(states) - 1
    if last <= steps:
        return [states[round(place * last / steps)] for place in range(steps)] + [len(changes)]
    moved = np.array([change for change in changes if change])
    even = moved.sum() / steps
    large = moved > even
    while large.any() and large.sum() < steps:
        even = moved[~large].sum() / (steps - large.sum())
        if not (moved > even)[~large].any():
            break
        large = moved > even
    walked = np.concatenate([[0.0], np.minimum(moved, even).cumsum()])
    wanted = walked[-1] * np.arange(count) / steps
    chosen = [int(np.abs(walked - here).argmin()) for here in wanted]
    for place in range(1, count):
        chosen[place] = max(chosen[place], chosen[place - 1] + 1)
    chosen[-1] = last
    for place in range(count - 2, -1, -1):
        chosen[place] = min(chosen[place], chosen[place + 1] - 1)
    return [states[place] for place in chosen]


def distances_of_tries(distance: float) -> list[float]:
    """From how far further tries for a variation come: first from as far as is asked for, then from farther.

    >>> distances_of_tries(0.2)[3:6]
    [0.2, 0.25, 0.3]
    """
    farther = [round(distance + (1.0 - distance) * step / FARTHER, 6) for step in range(1, FARTHER + 1)]
    return [distance] * SAME_DISTANCE + farther


def distinct(
    first: Sequence[Made],
    more: Callable[[int], Iterable[Made]],
    key: Callable[[Made], Hashable],
    known: Iterable[Hashable] = (),
) -> list[Made]:
    """The items, each that equals one before it, or a known one, replaced by the first of its `more` that does not.

    Items of equal `key` are equal. What stands at a place depends on the places before it only. Where all of `more`
    are equal to others too, the item stays.

    >>> distinct(["a", "b", "a", "k"], lambda place: "abcd"[place:], key=str, known=["k"])
    ['a', 'b', 'c', 'd']
    """
    seen = set(known)
    kept: list[Made] = []
    for place, item in enumerate(first):
        tries = itertools.chain([item], more(place)) if key(item) in seen else [item]
        kept.append(next((one for one in tries if key(one) not in seen), item))
        seen.add(key(kept[-1]))
    return kept


def changed_share(modality: Modality, windows: Sequence[Item], others: Sequence[Item]) -> float:
    """How much of the windows is other in the others, as a share; what one side has beyond the other is changed."""
    shared = min(len(windows), len(others))
    pairs = [modality.changes(one, other) for one, other in zip(windows, others, strict=False)]
    pairs += [(of, of) for own in (*windows[shared:], *others[shared:]) for _, of in [modality.changes(own, own)]]
    of = sum(all_ for _, all_ in pairs)
    return sum(changed for changed, _ in pairs) / of if of else 0.0


def key_of(modality: Modality, windows: Sequence[Item]) -> tuple[bytes | None, ...]:
    """Equal for equal windows, whatever labels or tempos they bear."""
    arrays = (modality.encode(window, Report()) for window in windows)
    return tuple(None if x is None else x.tobytes() for x in arrays)
