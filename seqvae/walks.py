"""Walks between items: along a path through several, over a square between four, to what is to c as b is to a."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

from seqvae import generate
from seqvae.codes import between
from seqvae.core.latent import Path, even_places, leg_lengths
from seqvae.evenness import even_walk
from seqvae.generate import Decoding
from seqvae.modalities.items import Item
from seqvae.variation import changed_share
from seqvae.way import Way

Mode = Literal["slerp", "lerp"]


def interpolate(
    way: Way, items: Sequence[Item], steps: int, mode: Mode, decoding: Decoding, seed: int = 0, even: bool = False
) -> list[list[Item]]:
    """The windows of `steps` items of a path through some items; see `Model.interpolate`."""
    if len(items) < 2:
        raise ValueError(f"a walk between {len(items)} items is not possible; give two or more")
    waypoints, likes, length = way.aligned(items)
    generate.check_count("steps", steps, way.numbers(len(likes), length))
    if items[0] is items[-1]:  # a closed path: equal to the last bit, whatever place in a batch equal rows have
        for own in waypoints:
            own[-1] = own[0]
    times, legs = leg_lengths(waypoints, 0.5), leg_lengths(waypoints)
    paths = [Path(own, mode, times) for own in waypoints]
    lengths = way.lengths(length, likes)

    def made(places: Sequence[float]) -> list[list[Item]]:
        walks = (
            generate.interpolate(way.vae, path, places, own, decoding, seed, window)
            for window, (path, own) in enumerate(zip(paths, lengths, strict=True))
        )
        return [
            way.decoded(arrays, [_like(way, own, place) for own in likes])
            for place, arrays in zip(places, zip(*walks, strict=True), strict=True)
        ]

    if even:
        return even_walk(made, partial(changed_share, way.modality), steps, legs)
    return made(even_places(steps, legs))


def _like(way: Way, waypoints: Sequence[Item], place: float) -> Item:
    """What to decode like at a place of a path: the first waypoint, with what lies between the two about the place."""
    leg = min(int(place), len(waypoints) - 2)
    first = between(way.modality, waypoints[0], waypoints[leg], 1.0) if leg else waypoints[0]
    return between(way.modality, first, waypoints[leg + 1], place - leg)


def palette(
    way: Way, corners: Sequence[Item], size: int, mode: Mode, decoding: Decoding, seed: int = 0
) -> list[list[Item]]:
    """The windows of `size` x `size` items between four; see `Model.palette`."""
    if len(corners) != 4:
        raise ValueError(f"{len(corners)} corners are not possible; give four")
    ends, likes, length = way.aligned(corners)
    generate.check_count("grid", size, way.numbers(len(likes), length), squared=True)
    fours = zip(ends, way.lengths(length, likes), strict=True)
    squares = [
        generate.palette(way.vae, four, size, own, decoding, mode, seed, window)
        for window, (four, own) in enumerate(fours)
    ]
    middle, shares = partial(between, way.modality), even_places(size)

    def like(down: float, across: float) -> list[Item]:
        return [middle(middle(a, c, down), middle(b, d, down), across) for a, b, c, d in likes]

    found = [like(down, across) for down in shares for across in shares]
    return list(map(way.decoded, zip(*squares, strict=True), found))


def analogy(
    way: Way, a: Item, b: Item, c: Item, strength: float, decoding: Decoding, seed: int = 0
) -> list[Item]:  # fmt: skip
    """The windows of what is to c as b is to a; see `Model.analogy`."""
    strength = generate.number("strength", strength)
    if not math.isfinite(strength):
        raise ValueError(f"strength={strength} is not possible; give a finite number, such as 1")
    codes, likes, length = way.aligned([c, a, b])
    arrays = [
        generate.decode(way.vae, (own[0] + strength * (own[2] - own[1]))[None], each, decoding, seed, window)[0]
        for window, (own, each) in enumerate(zip(codes, way.lengths(length, likes), strict=True))
    ]
    return way.decoded(arrays, [first for first, _, _ in likes])
