"""What a model makes of codes row by row: traversals of latent units and of principal axes, sweeps of attributes.

Images stand in rows, clips of MIDI as their notes in rows, or below each other where there is one row only, and
sentences in a table.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqvae.adding import Strengths, moved_windows
from seqvae.codes import Windows, all_windows
from seqvae.config import counted
from seqvae.core import latent
from seqvae.core.posterior import DiagonalGaussian
from seqvae.generate import GREEDY, Decoding
from seqvae.modalities.items import Item, Sweep
from seqvae.model import Model
from seqvae.variation import changed_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_UNITS, MOST_OF_SEQUENCES = 20, 8  # rows of traversals
MOST_AXES = 10
# of traversals: three standard deviations of the prior to each side
VALUES, OF_SEQUENCES = [place / 2 for place in range(-6, 7)], [float(place) for place in range(-3, 4)]
STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def traversals(
    model: Model, item: Item = None, of: Sequence[Item] | DiagonalGaussian | None = None, units: int | None = None
) -> "Figure":
    """One latent unit in each row, set from -3 to 3, while the others stay those of an item, or zero without one.

    With `of`, items or what `Model.encode` gives of them, those units come first whose mean KL to the prior is the
    largest over these items, with their nats; without it those that change most of what is made. `units`: how many, of
    images 20 at most if nothing is said, of sequences 8.

    >>> pictures.traversals(model, "song.mid#3", of=model.encode(songs)).savefig("units.png")  # doctest: +SKIP

    Raises ValueError for an item of several windows, which have several codes.
    """
    _check_codes(model)
    most = units or (MOST_UNITS if model.modality.has_pixels else MOST_OF_SEQUENCES)
    group = None if item is None else model.windows(item)
    if group is not None and len(group) != 1:
        size = counted(len(group), "windows")
        raise ValueError(f"the item has {size}, each with a code of its own; give one of them, such as song.mid#0")
    start = torch.zeros(model.vae.latent, dtype=torch.float64) if group is None else codes_of(model, [group])[0]
    names = [f"unit {unit + 1}" for unit in range(model.vae.latent)]
    if of is None:
        rows = _unit_rows(model, start, group, range(model.vae.latent))
        effects = np.array([_effect(model, row) for row in rows])
        order, by = _largest(effects, most), "those that change most come first"
        rows = [rows[unit] for unit in order]
    else:
        found = of if isinstance(of, DiagonalGaussian) else model.encode(of)
        nats = found.kl().double().mean(0).numpy(force=True)
        order, by = _largest(nats, most), "those with the largest KL come first"
        names = [f"{name}, {own:.2f} nats" for name, own in zip(names, nats, strict=True)]
        rows = _unit_rows(model, start, group, order)
    others = "zero" if item is None else "those of an item"
    note = f"one unit of {name_of(model)} in each row, the others {others}; {by}"
    return _figure(model, rows, [names[unit] for unit in order], "Traversals of the latent units", note)


def principal_traversals(model: Model, items: Sequence[Item] | Tensor, trained_on: int = 0) -> "Figure":
    """One principal axis of the codes of items in each row, from -3 to 3 standard deviations about their mean.

    The note says how many of the items the model was `trained_on`.
    """
    _check_codes(model)
    codes = codes_of(model, items)
    mean, axes, scales = latent.principal_axes(codes)
    most = MOST_AXES if model.modality.has_pixels else MOST_OF_SEQUENCES
    used = [place for place in range(len(scales)) if scales[place] > 1e-6 * scales[0]][:most]
    if not used:
        raise ValueError(f"{len(codes):,} codes that are all alike have no axes; give more items")
    zero = torch.zeros_like(mean)
    walks = [mean + latent.traversal(zero, scales[place] * axes[place], _values(model)) for place in used]
    shares = shares_of(scales)
    names = [f"axis {place + 1}, {shares[place]}" for place in used]
    note = f"from the mean of {counted_codes(model, codes, trained_on)}, in standard deviations; % of their variance"
    return _figure(model, _decoded(model, walks), names, "Traversals along the principal axes", note)


def sweep(
    model: Model, items: Sequence[Item], attributes: Strengths, strengths: Sequence[float] = STRENGTHS,
    orthogonal: bool = False, decoding: Decoding = GREEDY, seed: int = 0,
) -> "Figure":  # fmt: skip
    """Each item made again with more and more of an attribute, an item in each row, a strength in each column.

    `attributes` are what `add_attributes` takes: the strengths of the sweep are those of all that have none of their
    own. `orthogonal`: each vector leaves all other attributes of the run alone.

    >>> pictures.sweep(model, ["rock.mid", "samba.mid"], "density").savefig("density.png")  # doctest: +SKIP

    Raises ValueError for an attribute that was not fitted, without an item, and where all have a strength of their own.
    """
    groups = all_windows(model.modality, items, model.vae.latent)
    moved, table = swept(model, groups, attributes, strengths, orthogonal)
    figure = model.modality.picture(model.in_windows().reconstruct(moved, decoding, seed), table)
    return _drawn(model, figure)


def swept(
    model: Model, groups: Sequence[Windows], attributes: Strengths, strengths: Sequence[float], orthogonal: bool = False
) -> tuple[list[Windows], Sweep]:
    """The items of a sweep as a model reads them, row by row, and how they stand; see `sweep`."""
    if not groups:
        raise ValueError("a sweep needs an item to start from, and there is none; give at least one")
    names = [attributes] if isinstance(attributes, str) else attributes
    asked = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names)
    swept_ones = [name for name, strength in asked.items() if strength is None]
    if not swept_ones:
        raise ValueError("a sweep gives strengths, and each attribute has one; leave one of them out")
    columns = [
        moved_windows(model, groups, {**asked, **dict.fromkeys(swept_ones, strength)}, orthogonal)
        for strength in strengths
    ]
    fixed = [f"{name} {_number(strength)}" for name, strength in asked.items() if strength is not None]
    title = f"{' and '.join(swept_ones)}, from {_number(strengths[0])} to {_number(strengths[-1])}"
    title += f", with {', '.join(fixed)}" if fixed else ""
    rows = [_named(model, group) for group in groups] if len(groups) > 1 else [""]
    units = dict.fromkeys(model.attributes[name].unit for name in swept_ones)
    note = f"added to codes of {name_of(model)}, in {' or '.join(units)}"
    return [one for row in zip(*columns, strict=True) for one in row], Sweep(
        rows, [_number(strength) for strength in strengths], title, note
    )


def name_of(model: Model) -> str:
    """What a model is called: by the folder of its run."""
    return "the model" if model.run is None else model.run.path.resolve().name


def counted_codes(model: Model, codes: Tensor, trained_on: int) -> str:
    """How many codes a picture is made of, in words, and how many of these are of items for training."""
    count = f"{len(codes):,} codes of {name_of(model)}"
    return f"{count} ({trained_on:,} of training items)" if trained_on else count


def codes_of(model: Model, items: Sequence[Item] | Tensor) -> Tensor:
    """(N, Z) codes in float64 on the CPU: the means of items, or the codes themselves."""
    if isinstance(items, np.ndarray) and items.dtype.kind == "f" and items.shape[1:] == (model.vae.latent,):
        items = torch.from_numpy(items)
    codes = items if isinstance(items, Tensor) else model.encode(items).mean
    return codes.to("cpu", torch.float64)


def shares_of(scales: Tensor) -> list[str]:
    """The share of the variance along each axis in per cent, by the standard deviations."""
    shares = 100 * scales**2 / (scales**2).sum().clamp(min=1e-300)
    return [f"{share:.0f} %" for share in shares.tolist()]


def _check_codes(model: Model) -> None:
    """Raises ValueError for a language model, which has no code to traverse."""
    if not model.vae.latent:
        raise ValueError(f"{name_of(model)} is a language model (model.latent=0), without codes to traverse")


def _values(model: Model) -> list[float]:
    return VALUES if model.modality.has_pixels else OF_SEQUENCES


def _unit_rows(model: Model, start: Tensor, group: Windows | None, units: Sequence[int]) -> list[list[list[Item]]]:
    """What becomes of a code (Z,), that of an item or of none, with each of the units set to all values."""
    eye = torch.eye(len(start), dtype=torch.float64)
    walks = [latent.traversal(start, eye[unit], _values(model)) for unit in units]
    if group is None:
        return _decoded(model, walks)
    # as the item is made again: as long, in its tempo and its metre
    made = iter(model.in_windows().reconstruct([group.moved(z - start) for walk in walks for z in walk]))
    return [[next(made) for _ in walk] for walk in walks]


def _decoded(model: Model, walks: Sequence[Tensor]) -> list[list[list[Item]]]:
    """The pieces of codes (S, Z), row by row."""
    made = iter(model.in_windows().decode(torch.cat(list(walks))))
    return [[next(made) for _ in walk] for walk in walks]


def _effect(model: Model, row: Sequence[Sequence[Item]]) -> float:
    """How much of what stands in the middle of a row is other in the rest of it, on average."""
    middle = row[len(row) // 2]
    return float(np.mean([changed_share(model.modality, middle, piece) for piece in row]))


def _largest(values: np.ndarray, most: int) -> list[int]:
    """The places of the largest values, the largest first."""
    return [int(place) for place in np.argsort(-values, kind="stable")[:most]]


def _figure(
    model: Model, rows: Sequence[Sequence[Sequence[Item]]], names: Sequence[str], title: str, note: str
) -> "Figure":
    table = Sweep(names, [_number(value) for value in _values(model)], title, note)
    return _drawn(model, model.modality.picture([piece for row in rows for piece in row], table))


def _drawn(model: Model, figure: "Figure | None") -> "Figure":
    """The figure. Raises ValueError where a modality draws none."""
    if figure is None:
        raise ValueError(f"items of {model.modality.name} have no picture; see pictures.plane for their codes")
    return figure


def _named(model: Model, group: Windows) -> str:
    """The name of an item: a sentence itself, a file without its folder; several windows have that of the first."""
    name = group.names[0]
    return name if model.modality.printed([]) is not None else name.rpartition("/")[2]


def _number(value: float) -> str:
    """A number of at most three digits with a true minus sign."""
    return f"{value + 0.0:.3g}".replace("-", "\N{MINUS SIGN}")
