"""Variations of an item, variations of these, and so on, as a family tree."""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from seqvae import generate
from seqvae.codes import Windows
from seqvae.generate import Decoding, whole
from seqvae.modalities.items import Item
from seqvae.variation import changed_share, key_of
from seqvae.way import Way

ROOT = "A"  # the name of the item that all others descend from


@dataclass(frozen=True)
class Relative:
    """A variation in its family: A is the item, A.2 its second variation, A.2.1 the first variation of that one.

    `change`: how much of its parent is other in it, as a share (`Model.change`).
    """

    name: str
    item: Item
    change: float = 0.0

    @property
    def generation(self) -> int:
        """How far it is from the root, which is 0."""
        return self.name.count(".")


def variations(
    way: Way, group: Windows, n: int, distance: float, decoding: Decoding, seed: int
) -> list[list[Item]]:  # fmt: skip
    """The windows of `n` variations of an item; see `Model.vary`."""
    generate.check_count("n", n, way.numbers(len(group), way.length([group])))
    found = way.varied(group, way.posterior([group]).mean, n, distance, decoding, seed)
    return [variation.windows for variation in found]


def family(
    way: Way, group: Windows, n: int, generations: int, distance: float, decoding: Decoding, seed: int
) -> list[Relative]:
    """The windows of an item and of all that descend from it, parents before their children; see `Model.family`."""
    n, generations, seed = whole("n", n), whole("generations", generations), whole("seed", seed)
    if n < 1 or generations < 1:
        raise ValueError(f"n={n}, generations={generations} is no family; give 1 or more of both")
    numbers = way.numbers(len(group), way.length([group]))
    total = 0
    for generation in range(1, generations + 1):  # one after another: the power of large numbers would take long
        total += n**generation
        generate.check_count("descendants", total, numbers)
    means = way.posterior([group]).mean
    root = list(group.items) if group.codes is None else way.varied(group, means, 1, 0.0, decoding, seed)[0].windows
    parents, relatives = [(Relative(ROOT, root), means)], [Relative(ROOT, root)]
    known: list[Hashable] = []
    for _ in range(generations):
        children: list[tuple[Relative, Tensor]] = []
        for parent, codes in parents:
            own = seed if parent.name == ROOT else _seed_of(seed, parent.name)
            made = way.varied(group, codes, n, distance, decoding, own, known)
            known += [key_of(way.modality, each.windows) for each in made]
            for number, each in enumerate(made, start=1):
                change = changed_share(way.modality, parent.item, each.windows)
                children.append((Relative(f"{parent.name}.{number}", each.windows, change), each.codes))
        relatives += [child for child, _ in children]
        parents = children
    return sorted(relatives, key=_place)


def given_back(way: Way, relatives: Sequence[Relative]) -> list[Relative]:
    """Relatives whose items are what the user gets back."""
    return [replace(relative, item=way.given_back(relative.item)) for relative in relatives]


def _seed_of(seed: int, name: str) -> int:
    """A seed for the children of one of a family, of its name alone."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])


def _place(relative: Relative) -> list[int]:
    return [int(number) for number in relative.name.split(".")[1:]]
