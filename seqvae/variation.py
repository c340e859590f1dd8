"""Items that differ by what is seen, heard or read: how much, and variations of which no two are equal."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from seqvae.modalities.base import Modality, Report
from seqvae.modalities.items import Item

Made = TypeVar("Made")
SAME_DISTANCE = 4  # further tries for a variation at the distance that is asked for
FARTHER = 16  # and then from larger distances, in equal steps up to 1


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
