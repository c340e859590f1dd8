"""What samples are to be like: models whose prior is moved to what is asked for."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqvae.constraints import Constrained, constrained
from seqvae.core.priors import Mixture
from seqvae.core.sliders import AtSliders
from seqvae.generate import number
from seqvae.levels import places_of
from seqvae.modalities.items import Item
from seqvae.model import Model
from seqvae.priors import Kept


def where(model: Model, wanted: Mapping[str, Any]) -> Model:
    """The same model, whose draws of the prior are moved to codes that have these values of attributes.

    Critics, which `seqvae.fit_constraints` keeps in the run, say which these are. Samples, and the aims of
    `Model.vary`, then have what is asked for; the weights are shared, and `model` stays as it is.

    >>> seqvae.where(model, {"label": "3"}).sample(8)  # doctest: +SKIP
    >>> seqvae.where(drums, {"density": "high", "repetition": "low"}).sample(8)  # doctest: +SKIP

    Raises ValueError where there are no critics, and for an attribute or a value that they do not know.
    """
    return model.with_prior(constrained(model.prior, model.run, wanted))


def shares_met(model: Model, windows: Sequence[Item]) -> dict[str, float]:
    """The share of windows that measure as is asked of a model (`where`), by the attribute; of measured ones alone.

    Critics judge codes; this is what comes out. `windows` are items as modalities have them: `sample` of
    `Model.in_windows()` gives lists of these.
    """
    prior = model.prior
    if not isinstance(prior, Constrained):
        return {}
    shares = {}
    for name, value in prior.where.items():
        if name in prior.constraints.limits:
            measured = map(model.modality.measure(name).of, windows)
            numbers = np.array([math.nan if one is None else one for one in measured])
            asked = prior.constraints.names[name].index(str(value))
            shares[name] = float((places_of(numbers, prior.constraints.limits[name]) == asked).mean())
    return shares


def shares_told(model: Model) -> dict[str, float]:
    """Of attributes that are asked for and not measured, such as labels: the share of held-out codes told right."""
    if not isinstance(model.prior, Constrained):
        return {}
    known = model.prior.constraints
    return {name: known.right[name] for name in model.prior.where if name in known.right.keys() - known.limits.keys()}


def at_sliders(model: Model, places: Sequence[float]) -> Model:
    """The same model, whose samples stand at these places of its sliders, in standard deviations; 0 is the middle.

    The sliders of a personal model (`seqvae.personalise`), or of any whose prior is a Gaussian, are the directions in
    which its codes differ most, the first one most of all. Where fewer are given than there are, the others are drawn.
    Sample i of a seed is the same but for what the sliders change.

    >>> seqvae.at_sliders(seqvae.load("runs/mine"), [1.5, -1]).sample(4)  # doctest: +SKIP

    Raises ValueError where the prior is no Gaussian, for more sliders than units, and for one that is no number.
    """
    return model.with_prior(AtSliders(gaussian_of(model), tuple(number("slider", place) for place in places)))


def gaussian_of(model: Model) -> Mixture:
    """The prior of a model, where it is a Gaussian. Raises ValueError where it is none."""
    prior = model.prior.prior if isinstance(model.prior, Kept) else model.prior
    if not isinstance(prior, Mixture) or prior.kind != "gaussian":
        raise ValueError(
            f"the prior of this model is {prior.kind}, which has no sliders; make a model of your own with "
            "seqvae personalise (seqvae.personalise), or fit a gaussian"
        )
    return prior
