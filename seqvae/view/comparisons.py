"""Runs beside each other: rate and distortion, the KL of each unit, the course of training."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqvae.view.sheet import COLOURS, FAINT, INK, SOFT, Sheet, frame

WIDTH, HEIGHT = 5.4, 4.0
LINES = 6  # of equal bounds


def _legend_beside(axes: Axes) -> None:
    axes.legend(
        frameon=False, fontsize=9, labelcolor=INK, handlelength=1.4, borderaxespad=0, loc="upper left",
        bbox_to_anchor=(1.03, 1),
    )  # fmt: skip


def _axes(names: Sequence[str], title: str, note: str, across: str, up: str) -> tuple[Sheet, Axes]:
    sheet = Sheet(0.75 + WIDTH + 0.5 + 0.085 * max(map(len, names)), HEIGHT + 0.5, title, note)
    axes = sheet.axes(0.75, 0, WIDTH, HEIGHT)
    frame(axes, ("left", "bottom"))
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=(1, 2, 5, 10)))
    axes.set_xlabel(across, fontsize=9.5, color=SOFT)
    axes.set_ylabel(up, fontsize=9.5, color=SOFT)
    return sheet, axes


def rate_distortion(points: Mapping[str, Sequence[tuple[float, float]]], title: str = "") -> Figure:
    """KL (rate) and reconstruction (distortion) of runs in nats per item; a name has a point for each of its seeds.

    Along each broken line their sum, the negative ELBO, is the same (Alemi et al. 2018, figure 1). Raises ValueError
    without a point.
    """
    if not any(points.values()):
        raise ValueError("no run has a KL and a reconstruction; give one with a latent code")
    note = "on a broken line the negative ELBO is the same, and lower on those nearer to the corner below"
    sheet, axes = _axes(list(points), title, note, "KL, nats per item", "reconstruction, nats per item")
    for (name, found), colour in zip(points.items(), cycle(COLOURS), strict=False):
        rates, distortions = zip(*found, strict=True) if found else ((), ())
        axes.plot(rates, distortions, "o", color=colour, label=name, markersize=7)
    axes.margins(0.15)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    left = max(left, -0.03 * right)  # no KL is below 0
    axes.set(xlim=(left, right), ylim=(low, high))
    for total in MaxNLocator(LINES).tick_values(left + low, right + high):
        if left + low < total < right + high:
            axes.axline((left, total - left), slope=-1, color=FAINT, linewidth=0.9, linestyle="--", zorder=0)
            x = min(right, total - low)
            axes.annotate(
                f"{total:g}", (x, total - x), (3, 0), "data", "offset points", fontsize=8, color=SOFT, va="bottom"
            )
    _legend_beside(axes)
    return sheet.figure


def kl_per_unit(units: Mapping[str, Sequence[float]], title: str = "") -> Figure:
    """The KL of each latent unit in nats per item, the largest first, of each run. Raises ValueError without units."""
    if not any(len(kl) for kl in units.values()):
        raise ValueError("no run has latent units; give one with a latent code")
    note = "units of each run, the largest first"
    units = {name: kl for name, kl in units.items() if len(kl)}
    sheet, axes = _axes(list(units), title, note, "unit", "KL, nats per item")
    for (name, kl), colour in zip(units.items(), cycle(COLOURS), strict=False):
        ordered = np.sort(np.asarray(kl, float))[::-1]
        axes.plot(np.arange(1, len(ordered) + 1), ordered, "o-", color=colour, label=name, markersize=3, linewidth=1.4)
    axes.set_ylim(bottom=0)
    _legend_beside(axes)
    return sheet.figure


def training(courses: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str = "") -> Figure:
    """The negative ELBO on the validation data over the epochs, in nats per item, of each run: (epochs, nats).

    Raises ValueError without a point.
    """
    if not any(len(epochs) for epochs, _ in courses.values()):
        raise ValueError("no run has been validated; give one that was trained for an epoch")
    sheet, axes = _axes(
        list(courses), title, "on the validation data of each run", "epoch", "negative ELBO, nats per item"
    )
    for (name, (epochs, nats)), colour in zip(courses.items(), cycle(COLOURS), strict=False):
        axes.plot(epochs, nats, "o-", color=colour, label=name, markersize=3, linewidth=1.4)
    axes.set_xlim(left=0)
    _legend_beside(axes)
    return sheet.figure
