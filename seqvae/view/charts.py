"""What a run and its model are like: curves of the loss, the latent plane, the layers of the network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import MaxNLocator

from seqvae.view.sheet import BLUE, COLOURS, FAINT, INK, MUSTARD, OTHER, RED, SOFT, TEAL, Sheet, frame, shortened

TERMS = {"elbo_nats": "negative ELBO", "reconstruction_nats": "reconstruction", "kl_nats": "KL"}
TRAINING, VALIDATION = BLUE, RED
FAR = 5.0  # heights of what a curve has later on, above which its beginning leaves the panel
MOST_CLASSES = len(COLOURS)  # that get a colour
LEAST_COLOURED = 0.5  # share of the points with a label; where fewer had a colour, none has,
SMALL_CLASS = 5  # nor where the classes with one would have fewer points on average
LONGEST_LABEL = 24  # letters
LEAST_NAMED = 10  # points that have their label among them: it would hide fewer
MOST_NEIGHBOURS = 2000  # points among which the places of the labels are found
PLANE = 6.6  # inches, its longer side
SCALE, SHADES = 2.6, "viridis"  # the height of a scale of numbers in inches, and its colours
ROW = 0.27
LONGEST_BAR = 2.3
PARTS = {"x": OTHER, "encoder": BLUE, "to_mean": MUSTARD, "to_scale": MUSTARD, "z": MUSTARD, "decoder": TEAL}


class Layer(Protocol):
    """A layer of a network as it is drawn."""

    @property
    def name(self) -> str:
        """Its place in the model, with points between the parts."""

    @property
    def kind(self) -> str:
        """What it computes, such as Linear."""

    @property
    def output_shape(self) -> Sequence[int]:
        """The shape of what it gives, items first; empty where that is not known."""

    @property
    def parameters(self) -> int:
        """How many numbers it learns."""


def losses(
    train: Sequence[Mapping[str, Any]], validation: Sequence[Mapping[str, Any]], title: str = "", note: str = "",
    unit: str = "nats per item",
) -> Figure:  # fmt: skip
    """Negative ELBO, reconstruction and KL over the epochs, of training and of validation, in nats per item.

    `unit` names them where they are something else. The records are those of metrics.jsonl. A ring marks the last that
    is the best on the validation data; its value stands above the panel. With several importance samples a broken line
    is the tighter bound. First steps that are worse by far leave a panel at its top, or the rest of the curve would be
    flat: an arrow says from where. Without any KL (a plain autoencoder) there is the reconstruction alone.

    Raises ValueError when there is nothing to draw.
    """
    records = [*train, *validation]
    if not records:
        raise ValueError("0 records make no curve; train for at least one epoch")
    has_kl = any(record.get("kl_nats") for record in records)
    terms = list(TERMS) if has_kl else ["reconstruction_nats"]
    width, height, pitch = 3.3, 2.7, 4.0
    sheet = Sheet(0.85 + pitch * len(terms) - (pitch - width), height + 1.0, title, note)
    for column, term in enumerate(terms):
        axes = sheet.axes(0.85 + pitch * column, 0.3, width, height)
        _draw_curves(axes, train, validation, term)
        axes.set_title(TERMS[term], fontsize=10.5, color=INK, loc="left", pad=7)
        axes.set_xlabel("epoch", fontsize=9.5, color=SOFT)
        if column == 0:
            axes.set_ylabel(unit, fontsize=9.5, color=SOFT)
            axes.legend(
                frameon=False, fontsize=9, labelcolor=INK, handlelength=1.4, ncols=3, borderaxespad=0, borderpad=0,
                loc="upper left", bbox_to_anchor=(0, -0.6 / height),
            )  # fmt: skip
    return sheet.figure


def plane(
    codes: np.ndarray, labels: np.ndarray | None = None, label_names: Sequence[str] = (),
    axis_names: tuple[str, str] = ("z1", "z2"), prior: bool = False, title: str = "", note: str = "",
    shade: tuple[np.ndarray, str] | None = None,
) -> Figure:  # fmt: skip
    """The codes (N, 2) of items as points, coloured by label (N,), an index of `label_names` or -1 for none.

    Or by a number for each, `shade`, whose scale with its name stands beside them; what has none (NaN) is grey.

    Each label of ten points or more stands among them, too, so that nobody has to keep ten colours apart.
    Beyond ten labels the most frequent ones have a colour, and the others are grey; where these would be most of the
    points, or all labels have a few only, there are no colours, which the note then says. `prior`: circles that hold
    39, 86 and 99 % of a standard normal in two units.

    Raises ValueError for anything but two coordinates for each item, and one label.
    """
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes):
        raise ValueError(f"codes of shape {codes.shape} are no plane; give (N, 2), a row for each item")
    if labels is not None and labels.shape != (len(codes),):
        raise ValueError(f"{len(codes)} codes have labels of shape {labels.shape}; give one for each")
    low, high = _limits(codes, prior)
    scale = PLANE / (high - low).max()
    across, down = np.maximum((high - low) * scale, 2.4)
    groups = [] if labels is None else _groups(labels, label_names)
    if labels is not None and not groups:
        note = f"{note}; {len(np.unique(labels[labels >= 0])):,} labels, too many for colours".removeprefix("; ")
    key = 0.35 + 0.08 * max((len(name) for name, _, _ in groups), default=-4) if shade is None else 1.15
    sheet = Sheet(0.55 + across + key, down + 0.42, title, note)
    axes = sheet.axes(0.55, 0, across, down)
    frame(axes, ("left", "bottom"))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=(1, 2, 5, 10)))
    axes.set_xlabel(axis_names[0], fontsize=11, color=INK)
    axes.set_ylabel(axis_names[1], fontsize=11, color=INK)
    for radius in (1, 2, 3) if prior else ():
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=FAINT, linewidth=1, zorder=1))
    colours = np.full(len(codes), COLOURS[0], dtype=object)
    if shade is not None:
        colours = _shaded(sheet.axes(0.75 + across, 0.05, 0.16, min(down, SCALE)), *shade)
    _draw_points(axes, codes, groups, colours)
    return sheet.figure


def network(layers: Sequence[Layer], title: str = "", note: str = "") -> Figure:
    """The layers from top to bottom in the order in which they run: how wide they are, what they give and learn.

    The length of a bar is the logarithm of the number of values that the layer gives for one item.
    """
    if not layers:
        raise ValueError("0 layers make no diagram; give at least one")
    names = [layer.name for layer in layers]
    outputs = [layer.output_shape for layer in layers]
    shapes = [" x ".join(f"{size:,}" for size in shape[1:]) or "1" * bool(shape) for shape in outputs]
    columns = {
        "layer": names, "kind": [layer.kind for layer in layers], "output of one item": shapes,
        "parameters": [f"{layer.parameters:,}" if layer.parameters else "" for layer in layers],
    }  # fmt: skip
    widths = {head: 0.3 + 0.088 * max(map(len, [head, *cells])) for head, cells in columns.items()}
    sheet = Sheet(LONGEST_BAR + 0.25 + sum(widths.values()) - 0.3, ROW * (len(layers) + 2) + 0.1, title, note)
    bars = sheet.axes(0, ROW, LONGEST_BAR, ROW * len(layers))
    bars.set(xlim=(-1, 1), ylim=(len(layers), 0))
    values = np.array([1 + math.log2(max(1, math.prod(shape[1:]))) if shape else 0 for shape in outputs])
    for row, half in enumerate(values / max(1, values.max())):
        bars.add_patch(Rectangle((-half, row + 0.12), 2 * half, 0.76, facecolor=_part_colour(names[row]), linewidth=0))
    left = LONGEST_BAR + 0.25
    for head, cells in columns.items():
        number = head == "parameters"
        x, align = (left + widths[head] - 0.3, "right") if number else (left, "left")
        sheet.text(x, 0.5 * ROW, head, 9, SOFT, align=align)
        for row, cell in enumerate(cells):
            sheet.text(x, (row + 1.5) * ROW, cell, 9.5, INK, align=align)
        left += widths[head]
    total = sum(layer.parameters for layer in layers)
    sheet.text(left - 0.3, (len(layers) + 1.6) * ROW, f"{total:,} parameters", 9.5, weight="bold", align="right")
    return sheet.figure


def _draw_curves(
    axes: Axes, train: Sequence[Mapping[str, Any]], validation: Sequence[Mapping[str, Any]], term: str
) -> None:
    """One term of the bound over the epochs, with its value where the weights were the best on the validation data."""
    sign = -1.0 if term == "elbo_nats" else 1.0
    curves = [_curve(records, term, sign) for records in (train, validation)]
    for (epochs, nats), name, colour in zip(curves, ("training", "validation"), (TRAINING, VALIDATION), strict=True):
        marker = "o" if name == "validation" or len(epochs) == 1 else ""
        axes.plot(epochs, nats, color=colour, linewidth=1.6, label=name, marker=marker, markersize=3.2)
    weighted, bounds = _curve(validation, "iw_bound_nats", -1.0), curves[1][1]
    if term == "elbo_nats" and len(weighted[0]):
        axes.plot(*weighted, color=VALIDATION, linewidth=1.6, linestyle="--", label="importance weighted")
        bounds = np.concatenate([curves[1][1], weighted[1]])
    axes.set_xlim(left=0)
    _set_limits(axes, curves[0], bounds)
    best = next((record for record in reversed(validation) if record.get("best")), None)
    if best is not None and best[term] is not None:
        place, value = best["epoch"], sign * best[term]
        axes.plot([place], [value], "o", markersize=9, fillstyle="none", color=INK, markeredgewidth=1.2)
        # Above the panel, where neither a curve nor an axis is in the way.
        axes.set_title(f"\N{WHITE CIRCLE} {_number(value)}", fontsize=9.5, color=INK, loc="right", pad=7)
    frame(axes, ("left", "bottom"))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10), integer=axes.get_xlim()[1] > 2))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _curve(records: Sequence[Mapping[str, Any]], term: str, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and nats of the records that have this term; what was not finite is a gap."""
    kept = [record for record in records if term in record]
    nats = [sign * record[term] if record[term] is not None else np.nan for record in kept]
    return np.array([record["epoch"] for record in kept], float), np.array(nats, float)


def _set_limits(axes: Axes, training: tuple[np.ndarray, np.ndarray], validation: np.ndarray) -> None:
    """Show all values, unless a few first ones are FAR times as high as nine tenths: then an arrow says the first."""
    every = np.concatenate([training[1], validation])
    if not np.isfinite(every).any():
        return
    least, most = float(np.nanmin(every)), float(np.nanmax(every))
    usual = float(np.nanmax([np.nanquantile(every, 0.9), *validation]))
    cut = most - least > FAR * (usual - least) > 0
    top = least + FAR / 2 * (usual - least) if cut else most
    room = 0.06 * max(top - least, 1e-6)
    axes.set_ylim(least - room, top + room)
    outside = np.flatnonzero(training[1] > top + room)
    if len(outside):
        place, value = training[0][outside[-1]], training[1][outside[0]]
        written = axes.annotate(f"\N{UPWARDS ARROW} {_number(value)}", (place, 1), (9, -3), "data", "offset points")
        written.xycoords = ("data", "axes fraction")
        written.set(fontsize=9, color=TRAINING, va="top", ha="left")


def _number(value: float) -> str:
    """A number with two digits behind the point and a true minus sign."""
    return f"{value:,.2f}".replace("-", "\N{MINUS SIGN}")


def _limits(codes: np.ndarray, prior: bool) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the part of the plane that is shown: all but the outermost points, and the prior."""
    low, high = np.quantile(codes, [0.001, 0.999], axis=0)
    if prior:
        low, high = np.minimum(low, -2.2), np.maximum(high, 2.2)
    room = np.maximum(0.05 * (high - low), 1e-3)
    return low - room, high + room


def _groups(labels: np.ndarray, names: Sequence[str]) -> list[tuple[str, str, np.ndarray]]:
    """Name, colour and rows of each label that is there, in the order of the names; last those beyond ten, in grey.

    None at all where those beyond ten have most of the points, or where all are small.

    Of ten labels at most each has its colour for good, whichever of them are there.
    """
    present, counts = np.unique(labels[labels >= 0], return_counts=True)
    kept = present if len(present) <= MOST_CLASSES else np.sort(present[np.argsort(-counts)[: MOST_CLASSES - 1]])
    coloured = np.isin(labels, kept).sum()
    if len(kept) < len(present) and coloured < max(LEAST_COLOURED * counts.sum(), SMALL_CLASS * len(kept)):
        return []
    named = {label: str(names[label]) if label < len(names) else str(label) for label in kept.tolist()}
    few = present.max(initial=0) < MOST_CLASSES
    groups = [
        (shortened(name, LONGEST_LABEL), COLOURS[label if few else place], np.flatnonzero(labels == label))
        for place, (label, name) in enumerate(named.items())
    ]
    if len(kept) < len(present):
        rest = np.flatnonzero((labels >= 0) & ~np.isin(labels, kept))
        groups.append((f"{len(present) - len(kept)} others", OTHER, rest))
    if (labels < 0).any():
        groups.append(("no label", OTHER, np.flatnonzero(labels < 0)))
    return groups


def _shaded(axes: Axes, values: np.ndarray, name: str) -> np.ndarray:
    """(N, 4) the colours of numbers, and their scale; the outermost hundredths have the colours of its ends."""
    low, high = np.nanquantile(values, [0.01, 0.99])
    high = max(high, low + 1e-9 * max(1.0, abs(low)))
    axes.imshow(np.linspace(1, 0, 256)[:, None], cmap=SHADES, aspect="auto", extent=(0, 1, low, high))
    axes.yaxis.tick_right()
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    axes.yaxis.set_label_position("right")
    axes.set_ylabel(name, fontsize=9.5, color=SOFT, parse_math=False)
    shades = colormaps[SHADES].with_extremes(bad=OTHER)
    colours: np.ndarray = shades(np.ma.masked_invalid((values - low) / (high - low)))
    return colours


def _draw_points(
    axes: Axes, codes: np.ndarray, groups: Sequence[tuple[str, str, np.ndarray]], colours: np.ndarray
) -> None:
    """All points in one mixed order, so that no label covers another, and the names at the middles.

    `colours` are those of points that are in no group.
    """
    for _, colour, rows in groups:
        colours[rows] = colour
    order = np.random.default_rng(0).permutation(len(codes))
    area = float(np.clip(45_000 / len(codes), 4.5, 36))
    opacity = float(np.clip(5_000 / len(codes), 0.5, 0.9))
    axes.scatter(codes[order, 0], codes[order, 1], s=area, c=colours[order], alpha=opacity, linewidths=0, zorder=2)
    named = [group for group in groups if group[1] != OTHER and len(group[2]) >= LEAST_NAMED]
    reach = 0.05 * float(np.ptp(axes.get_xlim()))
    places = _apart(np.array([_middle(codes, rows, order, reach) for _, _, rows in named]), reach)
    for (name, colour, _), (x, y) in zip(named, places, strict=True):
        box = {"boxstyle": "round,pad=0.22", "facecolor": "white", "edgecolor": colour, "linewidth": 1.8, "alpha": 0.95}
        size = 12 if len(name) <= 3 else 9
        written = axes.text(x, y, name, fontsize=size, weight="bold", color=INK, ha="center", va="center", bbox=box)
        written.set(parse_math=False, zorder=3)
    for name, colour, _ in groups:
        axes.scatter([], [], s=42, c=colour, linewidths=0, label=name)
    if groups:
        legend = axes.legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=10, labelcolor=INK,
            handletextpad=0.2, borderaxespad=0, labelspacing=0.45,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)


def _middle(codes: np.ndarray, rows: np.ndarray, order: np.ndarray, reach: float) -> np.ndarray:
    """The point of a label around which its own points are many and a large share of all."""
    shown = order[:MOST_NEIGHBOURS]
    own = np.isin(shown, rows)
    points = codes[shown[own]] if own.any() else codes[rows[:1]]
    near = ((points[:, None] - codes[shown]) ** 2).sum(2) < reach**2
    # Among equals the one nearest to the median, which is the middle of a cloud.
    away = ((points - np.median(codes[rows], axis=0)) ** 2).sum(1)
    score = near[:, own].sum(1) ** 2 / np.maximum(1, near.sum(1)) - 1e-3 * away / (1 + away.max())
    middle: np.ndarray = points[score.argmax()]
    return middle


def _apart(places: np.ndarray, least: float) -> np.ndarray:
    """Places (N, 2) pushed apart until no two are nearer than `least`, or nearly so."""
    for _ in range(100):
        for first in range(len(places)):
            for second in range(first):
                way = places[first] - places[second]
                length = float(np.hypot(*way))
                if length < least:
                    push = 0.5 * (least - length) * (way / length if length else np.array([0.0, 1.0]))
                    places[first] += push
                    places[second] -= push
    return places


def _part_colour(name: str) -> str:
    """The colour of the part of the model that a layer belongs to."""
    return PARTS.get(name.partition(".")[0], OTHER)
