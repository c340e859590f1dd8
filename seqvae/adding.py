"""Attributes added to items: their codes moved along vectors, and the strength at which an attribute flips."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from seqvae.attributes import named, shift
from seqvae.codes import Windows, all_windows
from seqvae.core.latent import Shift, times
from seqvae.generate import GREEDY, Decoding, number
from seqvae.modalities.items import Item
from seqvae.modalities.measuring import Measure
from seqvae.model import Model
from seqvae.priors import Watch, no_watch

STRENGTHS = tuple(step / 4 for step in range(1, 25))  # that are tried, in standard deviations of codes
ENOUGH = 0.9  # of the held-out items that flip at the suggested strength, where a strength does so much
HALF = 0.5  # between what is not, 0, and what is, 1
LOST = 0.1  # of the best share of flips, at which stronger ones are no longer tried

Strengths = Mapping[str, float | None] | Iterable[str]
Reader = Callable[[Float[Tensor, "N Z"]], Float[Tensor, " N"]]  # above 0 a code has an attribute, below it has not
Judge = Callable[[Sequence[Windows]], np.ndarray]


def add_attributes(
    model: Model, items: Sequence[Item], strengths: Strengths, orthogonal: bool = False, decoding: Decoding = GREEDY,
    seed: int = 0, temperature: float | None = None,
) -> list[Item]:  # fmt: skip
    """Each item made again from its code, to which vectors of attributes are added, times their strengths.

    A strength of None, or the name alone in a list, is the one that is suggested; a negative one takes the attribute
    away. Items of several windows are moved as a whole. `orthogonal`: each vector leaves all other attributes of the
    run alone, as far as their linear scores say.

    >>> seqvae.add_attributes(model, "song.mid", {"density": 2, "share=kick": -1})  # doctest: +SKIP

    Raises ValueError for an attribute that was not fitted, and for a strength that is no number.
    """
    moved = moved_windows(model, all_windows(model.modality, items, model.vae.latent), strengths, orthogonal)
    return model.reconstruct(moved, decoding, seed, temperature)


def moved_windows(
    model: Model, groups: Sequence[Windows], strengths: Strengths, orthogonal: bool = False
) -> list[Windows]:
    """Items as a model reads them with their codes moved; see `add_attributes`.

    Every method of a model that takes items takes these: `model.interpolate(windows, moved)`.
    """
    attributes = model.attributes
    names = [strengths] if isinstance(strengths, str) else strengths
    asked = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names)
    whole = {
        name: named(attributes, name).strength if strength is None else number(f"strength of {name}", strength)
        for name, strength in asked.items()
    }
    if not whole:
        return list(groups)
    by = shift(attributes, whole, orthogonal)
    return [group.moved(by) for group in groups]


@dataclass(frozen=True)
class Flips:
    """The least strength that flips enough of the held-out items, or else most of them, and the share that it flips."""

    strength: float
    share: float


def flips(judge: Judge, groups: Sequence[Windows], direction: Shift, watch: Watch = no_watch) -> Flips:
    """How far held-out items must be moved: those that lack the attribute along a direction, those that have it back.

    `judge` says of each item whether what is made of it has the attribute: above 0 it has, below it has not; 0 and NaN
    leave the item out. Larger strengths are tried until `ENOUGH` flip, or clearly fewer than before.
    """
    before = judge(groups)
    sides = [
        (sign, [group for group, has in zip(groups, before * sign < 0, strict=True) if has]) for sign in (1.0, -1.0)
    ]
    best = Flips(STRENGTHS[0], 0.0)
    for place, strength in enumerate(STRENGTHS):
        watch(place, len(STRENGTHS), "strengths at most")
        shares = [
            float((judge([group.moved(times(sign * strength, direction)) for group in side]) * sign > 0).mean())
            for sign, side in sides
            if side
        ]
        share = float(np.mean(shares)) if shares else 0.0
        if share > best.share:
            best = Flips(strength, share)
        if share >= ENOUGH or share < best.share - LOST or not shares:
            break
    return best


def judge_of(model: Model, by: Measure | Reader, threshold: float = 0.0) -> Judge:
    """What says whether items that are made have an attribute: a measure, or a reader of codes.

    Of a number it is above the threshold. The codes are those of items that are made and read again, so that the model
    says what it made.
    """
    model = model.in_windows()

    def judge(groups: Sequence[Windows]) -> np.ndarray:
        if not groups:
            return np.zeros(0)
        made = model.reconstruct(groups)
        if not isinstance(by, Measure):
            return by(model.encode(made).mean.cpu().double()).numpy()
        values = [by.of(item) for (item,) in made]
        limit = HALF if by.is_yes_or_no else threshold
        return np.array([math.nan if value is None else value for value in values]) - limit

    return judge
