"""Attribute vectors: directions of codes along which something of the items changes, kept beside a run's weights.

To each belongs a linear score of codes, fitted by logistic regression to two classes or by ridge regression to a
number, which says how well the attribute can be read off a code, and what another vector does to it.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqvae.config import counted, few, nearest
from seqvae.core.latent import Shift, sum_of, times
from seqvae.local_direction import LocalDirection
from seqvae.runs.foreign import ATTRIBUTES
from seqvae.runs.run import Run

Along = Literal["means", "separator", "neighbours"]
HELD_OUT_SHARE = 0.2  # of the items, of each class
LEAST_OF_CLASS = 2  # one to fit to, one held out
RIDGES = np.logspace(-3, 3, 7)  # times the number of items
LEAST_EFFECT = 0.05  # of a vector on its own score, of what it is before it leaves others alone
_TENSORS = ("vector", "normal")
EXTRA = "install it with pip install 'seqvae[latent]'"


@dataclass(frozen=True, eq=False)
class Attribute:
    """A direction of codes: `codes + 1.5 * attribute.vector` has more of it, by one and a half standard deviations.

    `vector` (Z,) is as long as the codes of the data vary along it, `deviation`. `normal` (Z,) and `bias` are those of
    the score of a code, log-odds of having it or a prediction of the number, and `threshold` what lies between having
    it and not. `held_out` is how well the score does on held-out codes: the mean share of right ones of both classes,
    or R2. `strength` times the vector is the least that gives the attribute to the share `flipped` of held-out items
    that lack it and takes it from those that have it. A `local` direction takes the place of the vector, if there is
    one: a strength of 1 is then as far as from the nearest examples without to the nearest with it, and `kept` names
    what stays as it is.
    """

    name: str
    source: str  # in words: what it was fitted to
    measure: str  # what decides whether an item has it; empty: the score of its code
    is_number: bool
    along: Along
    items: int
    held_out: float
    deviation: float
    bias: float
    threshold: float
    strength: float
    flipped: float
    vector: Float[Tensor, " Z"]
    normal: Float[Tensor, " Z"]
    kept: tuple[str, ...] = ()
    local: LocalDirection | None = None
    having: int | None = None  # of the items; None: of a number, or not noted

    def __repr__(self) -> str:
        return f"<Attribute {self.name}: {counted(len(self.vector), 'units')}, {self.in_words}>"

    @property
    def held_out_words(self) -> str:
        """How well a code shows it: R2, or the accuracy, the mean of those of both classes."""
        return f"R2 {self.held_out:.2f}" if self.is_number else f"balanced accuracy {self.held_out:.1%}"

    @property
    def having_words(self) -> str:
        """How many of the items have it, where that is known."""
        return "" if self.having is None else f" ({self.having:,} {'has' if self.having == 1 else 'have'} it)"

    @property
    def in_words(self) -> str:
        """How well a code shows it, and the strength that flips it."""
        return f"held-out {self.held_out_words}, strength {self.strength:g} flips {self.flipped:.0%}"

    @property
    def direction(self) -> Shift:
        """What is added to codes at a strength of 1: the vector, or how it follows from the codes."""
        return self.vector if self.local is None else self.local.at

    @property
    def unit(self) -> str:
        """What a strength counts, in words."""
        return "deviations of the codes of the data" if self.local is None else "ways to the other class"

    def scores(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """The score of each code: the log-odds of the attribute, or the number that is predicted."""
        return z.cpu().double() @ self.normal + self.bias


@dataclass(frozen=True)
class Direction:
    """What is fitted: the vector, as long as the codes vary along it, and the score, as in `Attribute`."""

    vector: np.ndarray
    normal: np.ndarray
    bias: float
    deviation: float
    threshold: float
    held_out: float
    held_out_rows: np.ndarray


def check_installed() -> None:
    """Raises ValueError where the package that fits is not installed."""
    try:
        importlib.import_module("sklearn.linear_model")
    except ImportError:
        raise ValueError(f"attribute vectors are fitted with scikit-learn, which is not here; {EXTRA}") from None


def fit(
    codes: Float[Tensor, "N Z"], values: np.ndarray, is_number: bool, along: Along = "means", seed: int = 0
) -> Direction:
    """The direction of codes along which values (N,) grow: of 0 and 1, or numbers.

    `means`: from the mean code of the items without to that of the items with it; of a number, by how much codes change
    with it (their covariance). What else is equally frequent in both classes stays as it is. `separator`: the normal of
    the plane that separates both best, or the gradient of the regression; it is the shortest way across. `neighbours`:
    as `means`, for what has to be one direction for all codes.

    Raises ValueError for values that are all the same, and for a class of fewer than two items.
    """
    check_installed()
    z = codes.cpu().double().numpy()
    _check_values(values, is_number)
    held = _held_out(values, is_number, seed)
    z_fit, y_fit = z[~held], values[~held]
    centre, spread = z_fit.mean(0), z_fit.std(0)
    if not spread.any():
        raise ValueError(f"all {len(z):,} codes are the same, so there is no direction; train longer, or another model")
    spread = np.where(spread > 0, spread, 1.0)
    weights, offset = _score(z_fit, y_fit, centre, spread, is_number)
    predicted = z[held] @ weights + offset
    threshold = float(np.median(y_fit)) if is_number else 0.0
    right = _r_squared(values[held], predicted) if is_number else balanced(values[held], predicted > 0)
    direction = weights if along == "separator" else _between_means(z_fit, y_fit, is_number)
    length = float(np.linalg.norm(direction))
    if not length:
        raise ValueError("codes do not change with the attribute at all; give another one, or more data")
    unit = direction / length
    deviation = float((z_fit @ unit).std())
    return Direction(unit * deviation, weights, offset, deviation, threshold, right, np.flatnonzero(held))


def _check_values(values: np.ndarray, is_number: bool) -> None:
    """Raises ValueError for values that nothing can be fitted to."""
    if len(values) and (values == values[0]).all():
        what = f"it is {values[0]:g}" if is_number else f"{'all' if values[0] else 'none'} of them have it, or it is so"
        raise ValueError(f"{what} for all {counted(len(values), 'items')}, so nothing changes with it; give other data")
    smallest = len(values) if is_number else int(min(values.sum(), len(values) - values.sum()))
    if smallest < LEAST_OF_CLASS + is_number:
        raise ValueError(
            f"{counted(smallest, 'items')} {'have a number' if is_number else 'in the smaller class'}, and one part is "
            f"held out; give at least {LEAST_OF_CLASS + is_number}"
        )


def _held_out(values: np.ndarray, is_number: bool, seed: int) -> np.ndarray:
    """(N,) bool: which items are held out, a share of each class and at least one."""
    random, held = np.random.default_rng(seed), np.zeros(len(values), bool)
    for rows in [np.arange(len(values))] if is_number else [np.flatnonzero(values == side) for side in (0, 1)]:
        held[random.permutation(rows)[: max(1, round(HELD_OUT_SHARE * len(rows)))]] = True
    return held


def _score(
    z: np.ndarray, y: np.ndarray, centre: np.ndarray, spread: np.ndarray, is_number: bool
) -> tuple[np.ndarray, float]:
    """Weights (Z,) and offset of the score, fitted to codes of mean 0 and variance 1."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if is_number:
        found = RidgeCV(RIDGES * len(z))
    else:
        found = LogisticRegression(class_weight="balanced", max_iter=1000)
    found.fit((z - centre) / spread, y if is_number else y > 0)
    weights = np.ravel(found.coef_) / spread
    return weights, float(np.ravel(found.intercept_)[0]) - float(weights @ centre)


def _between_means(z: np.ndarray, y: np.ndarray, is_number: bool) -> np.ndarray:
    """(Z,): from the mean of one class to that of the other; of numbers the covariance, which is that of 0 and 1."""
    if not is_number:
        difference: np.ndarray = z[y > 0].mean(0) - z[y <= 0].mean(0)
        return difference
    covariance: np.ndarray = (y - y.mean()) @ (z - z.mean(0)) / len(z)
    return covariance


def balanced(values: np.ndarray, predicted: np.ndarray) -> float:
    """The share of right predictions of each class, on average."""
    return float(np.mean([(predicted[values == side] == side).mean() for side in (0, 1)]))


def _r_squared(values: np.ndarray, predicted: np.ndarray) -> float:
    """1 less the squared errors as a share of those of the mean."""
    of_mean = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / of_mean if of_mean else 0.0


# Several vectors at once ---------------------------------------------------------------------------------------


def leaving_alone(attribute: Attribute, others: Sequence[Attribute]) -> Shift:
    """The direction of an attribute without what changes the scores of others, as strong on its own score as before.

    It is projected onto the plane in which none of the scores changes.

    Raises ValueError where next to nothing is left of it, and so does what is returned.
    """
    if not others:
        return attribute.direction
    _, values, rows = torch.linalg.svd(torch.stack([other.normal for other in others]), full_matrices=False)
    rows = rows[values > 1e-9 * values[0]]

    def projected(direction: Float[Tensor, "*N Z"]) -> Float[Tensor, "*N Z"]:
        left = direction - (direction @ rows.T) @ rows
        before, after = (one @ attribute.normal for one in (direction, left))
        if (after < LEAST_EFFECT * before).any():
            names = few(other.name for other in others)
            raise ValueError(
                f"nothing is left of {attribute.name} that leaves {names} alone, since codes hardly tell them apart; "
                "name fewer of them, or do without orthogonal"
            )
        return left * (before / after)[..., None]

    local = attribute.local
    return projected(attribute.vector) if local is None else lambda z: projected(local.at(z))


def shift(attributes: Mapping[str, Attribute], strengths: Mapping[str, float], orthogonal: bool = False) -> Shift:
    """What is added to a code: the directions of the attributes named, at least one, times their strengths.

    `orthogonal`: each direction leaves all other attributes alone, those that are not added among them.

    Raises ValueError for an attribute that is not there, with the nearest, and for a strength that is no number.
    """
    parts: list[Shift] = []
    for name, strength in strengths.items():
        own = named(attributes, name)
        if not math.isfinite(strength):
            raise ValueError(f"a strength of {strength} for {name} is not possible; give a number, such as 1")
        others = [other for known, other in attributes.items() if known != name] if orthogonal else []
        parts.append(times(strength, leaving_alone(own, others)))
    return sum_of(parts)


def named(attributes: Mapping[str, Attribute], name: str) -> Attribute:
    """The attribute of a name. Raises ValueError for one that is not there, with the nearest."""
    if name not in attributes:
        there = f"there are {few(attributes)}.{nearest(name, attributes)}" if attributes else "there are none yet"
        how = "" if attributes else "; fit it with seqvae attribute fit, or seqvae.fit_attribute"
        raise ValueError(f"no attribute '{name}'; {there}{how}")
    return attributes[name]


# Beside the weights --------------------------------------------------------------------------------------------


def keep_attributes(run: Run, attributes: Mapping[str, Attribute]) -> None:
    """Write attributes into the run, beside the weights of whose codes they are, in the place of all that are there."""
    tensors = {
        f"{part}.{place}": getattr(one, part).contiguous()
        for place, one in enumerate(attributes.values())
        for part in _TENSORS
    }
    for place, one in enumerate(attributes.values()):
        tensors |= one.local.tensors(place) if one.local is not None else {}
    plain = [field.name for field in fields(Attribute) if field.name not in (*_TENSORS, "local")]
    values = [{name: getattr(one, name) for name in plain} for one in attributes.values()]
    run.save_beside(run.used_step, ATTRIBUTES, {"attributes": values}, tensors)


def kept_attributes(run: Run | None, latent: int) -> dict[str, Attribute]:
    """The attributes of the weights that are used, by name, in the order in which they were fitted.

    Raises ValueError for damaged ones.
    """
    values = run.beside(run.used_step, ATTRIBUTES) if run is not None and run.steps() else None
    if run is None or values is None:
        return {}
    tensors = run.tensors_beside(run.used_step, ATTRIBUTES)
    try:
        found = [
            Attribute(
                **{
                    **plain,
                    **{part: tensors[f"{part}.{place}"] for part in _TENSORS},
                    "kept": tuple(plain.get("kept", ())),
                    "local": LocalDirection.of_tensors(tensors, place) if plain["along"] == "neighbours" else None,
                }
            )
            for place, plain in enumerate(cast(Sequence[Mapping[str, Any]], values["attributes"]))
        ]
        rows = [row for one in found for row in (one.vector, one.normal, *(one.local.codes[:1] if one.local else ()))]
        if any(row.shape != (latent,) for row in rows):
            raise TypeError
    except (KeyError, TypeError):
        raise ValueError(
            f"the attributes in {run.path} were not written by this version of seqvae; restore the folder from a copy, "
            "or fit them again"
        ) from None
    return {one.name: one for one in found}
