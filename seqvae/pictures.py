"""Pictures of a run and of a trained model: functions from a model to a matplotlib Figure.

`losses`, `network`, `plane`, `traversals`, `principal_traversals` and `sweep` are for all models, the others for
images. `view.sheet.png` makes files of Figures.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from seqvae import generate, modalities
from seqvae.build import read_config
from seqvae.core import latent
from seqvae.data import collate
from seqvae.generate import Length
from seqvae.modalities.items import Item, Report
from seqvae.model import Model
from seqvae.nets.diagram import Layer, layers_of
from seqvae.nets.images import ImageEncoder
from seqvae.nets.pixels import levels
from seqvae.noise import Noise
from seqvae.projections import NAMES, Projection, by_neighbours
from seqvae.runs.run import Run
from seqvae.sheets import (
    codes_of,
    counted_codes,
    name_of,
    principal_traversals,
    shares_of,
    sweep,
    traversals,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "corrupts", "denoising", "interpolation", "interpolations", "layers", "losses", "manifold", "network", "plane",
    "principal_traversals", "prior_fits", "reconstructions", "samples", "sweep", "traversals",
]  # fmt: skip
FAR_OFF = 4.0  # times the variance of the prior: most codes are then outside of what the prior holds
STEPS_SHOWN = 16  # of the sequences that a diagram shows the shapes of


def records_of(run: Run) -> list[dict[str, Any]]:
    """The records of metrics.jsonl; a last line that is being written right now is left out.

    Raises ValueError when the file is damaged.
    """
    path = run.metrics_path
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        records = [json.loads(line) for line in lines]
        if all("event" in record for record in records):
            return records
    except (ValueError, TypeError, RecursionError):
        pass
    raise ValueError(f"{path} is damaged; the model is not, restore the file from a copy")


def losses(of: Model | Run | Path | str) -> "Figure":
    """Negative ELBO, reconstruction and KL over the epochs of a run, in nats per item, of training and validation.

    Of grooves with squared errors the unit says so. `of` is the folder of the run, a model that was loaded from it, or
    what `seqvae.train` returned.

    Raises ValueError when the run has no records yet, or its file of metrics is damaged.
    """
    from seqvae.view import charts

    run = of.run if isinstance(of, Model) else Run(Path(of)) if isinstance(of, Path | str) else of
    if run is None:
        raise ValueError("this model is of no run, so it has no losses; give the folder of a run")
    records = records_of(run)
    train, validation = (
        [record for record in records if record["event"] == event] for event in ("train", "validation")
    )
    parts = "negative ELBO = reconstruction + KL; " if any(record.get("kl_nats") for record in records) else ""
    note = f"{parts}the ring marks the weights that are used"
    config = read_config(run)
    unit = modalities.get(config.modality)(config.data).units_of(config.model).get("elbo_nats", "nats per item")
    return charts.losses(train, validation, f"Training of {run.path.name}", note, unit)


def layers(model: Model) -> list[Layer]:
    """The data and the layers of a model in the order in which they run, for `network` or `nets.diagram.text_of`."""
    shown = model.modality.max_steps if model.modality.end is None else min(STEPS_SHOWN, model.modality.max_steps)
    (x,) = generate.sample(model.vae, 1, Length(shown), held=model.modality.given([None], shown))
    batch = model.modality.settle(collate([x], [0])).to(model.vae.device)
    shape = batch.x.shape if model.vae.decoder.has_steps else batch.x.shape[1:]  # a single step is none
    return [Layer("x", "Data", tuple(shape), 0), *layers_of(model.vae, batch)]


def network(model: Model) -> "Figure":
    """The layers of a model with their shapes and parameters."""
    from seqvae.view import charts

    note = "from the data x to the code z and back; the bars are as long as the logarithm of the values of one item"
    note += "; outputs are height x width x channels" if model.modality.has_pixels else ""
    return charts.network(layers(model), f"The network of {name_of(model)}", note)


def plane(
    model: Model,
    items: Sequence[Item] | Tensor,
    labels: Sequence[Any] | np.ndarray | None = None,
    label_names: Sequence[str] = (),
    trained_on: int = 0,
    projection: Projection = "pca",
    shade: tuple[np.ndarray, str] | None = None,
    seed: int = 0,
) -> "Figure":
    """The codes of items as points, coloured by label; more than two units by their two longest principal axes.

    `items` are what `Model.encode` takes, or codes (N, Z) that it gave. `labels` are one for each,
    or places in `label_names`, where there are any, -1 for none; in their place `shade` has a number for each item, and
    what it is. The note says how many items the model was `trained_on`. `projection`: `tsne` and `umap` keep
    neighbours together, in place of principal axes or the two units themselves; they begin from the seed.

    Raises ValueError for a model of fewer than two units, and as `projections.by_neighbours`.
    """
    if labels is not None and not len(label_names):
        found, labels = np.unique(np.asarray(labels), return_inverse=True)
        label_names = [str(name) for name in found]
    places = None if labels is None else np.asarray(labels)
    codes = codes_of(model, items)
    count = counted_codes(model, codes, trained_on)
    return plane_of(model, codes, count, places, label_names, projection, shade, seed)


def plane_of(
    model: Model, codes: Tensor, count: str, places: np.ndarray | None, label_names: Sequence[str],
    projection: Projection, shade: tuple[np.ndarray, str] | None, seed: int,
) -> "Figure":  # fmt: skip
    """The plane of codes (N, Z), whose note begins with `count`, which says how many these are; see `plane`."""
    from seqvae.view import charts

    if codes.shape[1] < 2:
        raise ValueError(
            f"a model of {codes.shape[1]} latent units has no plane; train one with model.latent=2 or more"
        )
    points = model.vae.has_points
    names, prior = ("z1", "z2"), False
    if projection != "pca":
        along, way = by_neighbours(codes.numpy(), projection, seed), NAMES[projection]
        title, names = f"The latent space by {way}", (f"{way} 1", f"{way} 2")
        note = f"{count}, {codes.shape[1]} units: neighbours stay together, distances between groups mean nothing"
    elif codes.shape[1] == 2:
        along, title, prior = codes.numpy(), "The latent plane", not points and prior_fits(codes)
        held = "circles at 1, 2 and 3 standard deviations of the prior" if prior else "the prior does not hold them"
        note = count if points else f"{count}: means of q(z|x); {held}"
    else:
        mean, axes, scales = latent.principal_axes(codes)
        along, title, shares = (
            ((codes - mean) @ axes[:2].T).numpy(),
            "The latent space by its principal axes",
            shares_of(scales),
        )
        names = (f"first axis, {shares[0]} of the variance", f"second axis, {shares[1]}")
        note = f"{count}, {codes.shape[1]} units, seen along the two directions in which they vary most"
    return charts.plane(along, places, label_names, names, prior, title, note, shade)


def manifold(
    model: Model, size: int = 30, items: Sequence[Item] | Tensor | None = None, trained_on: int = 0
) -> "Figure":
    """What `size` x `size` codes become that cover a plane of the latent space through the quantiles of a normal.

    Of two latent units it is the whole prior. With items (or their codes), and for other models these are needed, it
    is the plane of the two units, or of their two longest principal axes, which the normal fits. The coordinates are
    those of the codes, as `plane` shows them, and the note says how many items the model was `trained_on`.
    """
    _check_pixels(model)
    name, share = name_of(model), f"each image stands for 1/{size * size:,} of it"
    if items is None:
        if model.vae.latent != 2 or model.vae.has_points:
            raise ValueError(
                "only the prior of two latent units is a plane; give items, for the plane of their principal axes"
            )
        return _manifold(model, size, _across_units(), f"decoded from the quantiles of the prior of {name}: {share}")
    codes = codes_of(model, items)
    if codes.shape[1] < 2:
        raise ValueError(f"a plane needs two latent units, and {name} has {codes.shape[1]}; see its traversals")
    count = counted_codes(model, codes, trained_on)
    if codes.shape[1] == 2:  # the axes of the plane that `plane` shows
        across = _across_units(codes.mean(0), codes.std(0, correction=0))
        return _manifold(model, size, across, f"across {count}, by the normal that fits them")
    mean, axes, scales = latent.principal_axes(codes)
    names = [f"{place} axis, {part}" for place, part in zip(("first", "second"), shares_of(scales), strict=False)]
    across = _Plane(mean, axes[:2], torch.zeros(2), scales[:2], (f"{names[0]} of the variance", names[1]))
    note = f"the two longest principal axes of {count}; along all others it is at their mean"
    return _manifold(model, size, across, note)


@dataclass(frozen=True)
class _Plane:
    """A plane of codes: its origin (Z,), two axes (2, Z), and the normal of the coordinates along each."""

    origin: Tensor
    axes: Tensor
    means: Tensor
    scales: Tensor
    names: tuple[str, str]


def _across_units(mean: Tensor | None = None, scale: Tensor | None = None) -> _Plane:
    """The plane of two units, whose codes are standard normal unless mean and scale say otherwise."""
    zero, unit = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    means, scales = zero if mean is None else mean, unit if scale is None else scale
    return _Plane(zero, torch.eye(2, dtype=torch.float64), means, scales, ("z1", "z2"))


def _manifold(model: Model, size: int, across: _Plane, note: str) -> "Figure":
    from statistics import NormalDist

    from seqvae.view import pictures

    along = across.means + latent.plane_grid(size) * across.scales
    images = _drawn(model, model.in_windows().decode(across.origin + along @ across.axes))
    units = len(across.origin)
    where = "the latent plane" if units == 2 else f"a plane through {units} latent units"
    first, second = zip(across.means.tolist(), across.scales.clamp(min=1e-6).tolist(), strict=True)
    normals = (NormalDist(*first), NormalDist(*second))
    return pictures.manifold(images, size, f"{size} x {size} images across {where}", note, across.names, normals)


def prior_fits(codes: Tensor) -> bool:
    """Whether codes (N, Z) lie where the prior has them, not far off as those of a model that was trained without it.

    Their mean square is at most FAR_OFF that of the prior.
    """
    return float(codes.double().square().mean()) <= FAR_OFF


def samples(model: Model, n: int = 100, seed: int = 0) -> "Figure":
    """`n` images decoded from codes of the prior."""
    from seqvae.view import pictures

    _check_pixels(model)
    note = f"what {name_of(model)} makes of codes that are drawn from a standard normal"
    made = _drawn(model, model.in_windows().sample(n, seed=seed))
    return pictures.image_grid(made, f"{n} samples from the prior", note)


def reconstructions(model: Model, items: Sequence[Item], n: int = 20) -> "Figure":
    """The first `n` items above what the model makes of the means of their codes."""
    from seqvae.view import pictures

    _check_pixels(model)
    chosen = model.modality.several(items)[:n]
    note = f"encoded and decoded again by {name_of(model)}"
    made = _drawn(model, model.in_windows().reconstruct(chosen))
    return pictures.pairs(_pixels(model, chosen), made, "Reconstructions", note)


def denoising(model: Model, items: Sequence[Item], n: int = 20, seed: int = 0) -> "Figure":
    """The first `n` items with the noise that training puts on them, what the model makes of these, and as they are.

    Raises ValueError for a model that was trained without corruption.
    """
    from seqvae.view import pictures

    _check_pixels(model)
    if not corrupts(model):
        raise ValueError(f"{name_of(model)} was trained without noise; train with model.corruption=0.3 to denoise")
    chosen = model.modality.several(items)[:n]
    arrays = [model.modality.encode(window, Report()) for item in chosen for window in model.modality.accept(item)]
    batch = model.modality.settle(collate([x for x in arrays if x is not None], range(len(arrays))))
    batch, noise = batch.to(model.vae.device), Noise(seed, batch.keys.to(model.vae.device))
    noisy = cast(ImageEncoder, model.vae.encoder).corrupted(batch, noise)
    made = model.in_windows().decode(model.vae.posterior(batch, noise).mean)
    rows = {
        "noisy": list(levels(noisy).cpu().numpy()),
        "denoised": _drawn(model, made),
        "clean": list(batch.x.squeeze(1).cpu().numpy()),
    }
    note = f"the noise of training, what {name_of(model)} makes of it, and the images without it"
    return pictures.below_each_other(rows, "Denoising", note)


def corrupts(model: Model) -> bool:
    """Whether a model was trained to see through noise on its images."""
    encoder = model.vae.encoder
    return isinstance(encoder, ImageEncoder) and encoder.corruption is not None


def interpolation(model: Model, a: Item, b: Item, steps: int = 10) -> "Figure":
    """`steps` images on the way from the code of one item to that of another, between the two originals."""
    return interpolations(model, [(a, b)], steps)


def interpolations(model: Model, pairs: Sequence[tuple[Item, Item]], steps: int = 10) -> "Figure":
    """An interpolation in each row."""
    from seqvae.view import pictures

    _check_pixels(model)
    # The great arc keeps the length that codes of a normal prior have; codes that are points have no such length.
    mode: Literal["slerp", "lerp"] = "lerp" if model.vae.has_points else "slerp"
    rows = [_drawn(model, model.in_windows().interpolate(a, b, steps, mode)) for a, b in pairs]
    ends = [(first, last) for first, last in (_pixels(model, pair) for pair in pairs)]
    way = "straight line" if mode == "lerp" else "great arc"
    note = f"along the {way} between two codes of {name_of(model)}"
    return pictures.walks(rows, ends, "Interpolations", note)


def _check_pixels(model: Model) -> None:
    """Raises ValueError for a model whose items are no images."""
    if not model.modality.has_pixels:
        raise ValueError(
            f"this picture is made of images, and this is a model of {model.modality.name}; plot its plane, or its "
            "traversals"
        )


def _pixels(model: Model, items: Sequence[Item]) -> list[np.ndarray]:
    """The images that users hand in, as arrays of the model's shape."""
    return _drawn(model, [model.modality.accept(item) for item in model.modality.several(items)])


def _drawn(model: Model, pieces: Sequence[Sequence[Item]]) -> list[np.ndarray]:
    """The pixels of pieces that are one window each."""
    return [model.modality.pixels(window) for (window,) in pieces]
