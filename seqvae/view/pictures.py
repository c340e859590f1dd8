"""Images side by side: grids, reconstructions, walks and the manifold, from arrays of bytes.

An image is uint8 (H, W), (H, W, 1) or (H, W, 3). All that stand in one figure have one size, and each of their pixels
covers a whole number of dots of the PNG, so that none is blurred.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from matplotlib.figure import Figure

from seqvae.view.sheet import DOTS, INK, SOFT, Sheet, shortened

PICTURE = 0.75  # inches that an image is to take at least, in figures of some of them
MANIFOLD = 9.0  # and the manifold of all
GAP, APART = 0.06, 0.2  # between images, and between those of different kinds
HEAD = 0.26  # a line of words above the columns
LETTER = 0.075  # of the names of rows
LONGEST_NAME = 24  # letters of them
NAME, SMALL_LETTER = 0.18, 0.065  # of those below images
WIDEST = 12  # images in a row of a grid
FEW = 3.0  # inches that the images of a row are to take at least together, where they are few
LEAST_APART = 0.035  # of two ticks of the manifold, as shares of its side


def image_grid(
    images: Sequence[np.ndarray], title: str = "", note: str = "", columns: int | None = None, names: Sequence[str] = ()
) -> Figure:
    """Images row by row, about as many rows as columns, with `names` below them if passed."""
    tiles = _tiles(images)
    columns = min(len(tiles), columns or min(WIDEST, math.ceil(math.sqrt(len(tiles)))))
    width, height = _size(tiles, max(PICTURE, FEW / columns))
    rows = math.ceil(len(tiles) / columns)
    pitch = height + GAP + (NAME if names else 0.0)
    sheet = Sheet(columns * (width + GAP) - GAP, rows * pitch - GAP, title, note)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left, top = column * (width + GAP), row * pitch
        sheet.picture(left, top, width, height, tile)
        if names:
            name = shortened(names[place], int(width / SMALL_LETTER))
            sheet.text(left + width / 2, top + height + 0.45 * NAME, name, 8, SOFT, align="center")
    return sheet.figure


def pairs(
    originals: Sequence[np.ndarray], reconstructions: Sequence[np.ndarray], title: str = "", note: str = ""
) -> Figure:
    """Each original above its reconstruction, in double rows of at most ten."""
    if len(originals) != len(reconstructions):
        raise ValueError(f"{len(originals)} originals have {len(reconstructions)} reconstructions; give one for each")
    return below_each_other({"original": originals, "reconstruction": reconstructions}, title, note)


def below_each_other(rows: Mapping[str, Sequence[np.ndarray]], title: str = "", note: str = "") -> Figure:
    """Images that belong together below each other, a named row for each kind, at most ten beside each other."""
    kinds = list(rows)
    tiles = _tiles([tile for name in kinds for tile in rows[name]])
    count = len(tiles) // len(kinds)
    columns = min(10, count)
    width, height = _size(tiles, PICTURE)
    left, block = 1.15, len(kinds) * height + (len(kinds) - 1) * GAP / 2 + 0.2
    sheet = Sheet(left + columns * (width + GAP) - GAP, math.ceil(count / columns) * block - 0.2, title, note)
    for place in range(count):
        row, column = divmod(place, columns)
        for below, name in enumerate(kinds):
            top = row * block + below * (height + GAP / 2)
            sheet.picture(left + column * (width + GAP), top, width, height, tiles[below * count + place])
            if column == 0:
                colour = INK if below else SOFT
                sheet.text(left - 0.12, top + height / 2, name, 9, colour, align="right")
    return sheet.figure


def manifold(
    images: Sequence[np.ndarray],
    size: int,
    title: str = "",
    note: str = "",
    names: tuple[str, str] = ("z1", "z2"),
    normals: Sequence[NormalDist] = (NormalDist(), NormalDist()),
) -> Figure:
    """`size` x `size` images without gaps, in the order of `core.latent.plane_grid`.

    The ticks stand at the coordinates of the plane: along each axis an image covers an equal share of a normal, so that
    their distances grow towards the middle. `names` are those of the two axes, `normals` their distributions.
    """
    tiles = _tiles(images)
    if len(tiles) != size * size:
        raise ValueError(f"{len(tiles)} images are no square of {size} rows; give {size * size}")
    height, width, channels = tiles.shape[1:]
    mosaic = tiles.reshape(size, size, height, width, channels).swapaxes(1, 2).reshape(size * height, -1, channels)
    across, down = _size(mosaic[None], MANIFOLD)
    left, bottom = 0.62, 0.55
    sheet = Sheet(left + across, down + bottom, title, note)
    sheet.picture(left, 0, across, down, mosaic)
    axes = sheet.axes(left, 0, across, down)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.patch.set_visible(False)
    for axis, normal in zip((axes.xaxis, axes.yaxis), normals, strict=True):
        values = _ticks(normal, size)
        axis.set_ticks([normal.cdf(value) for value in values], [_number(value) for value in values])
    axes.tick_params(labelsize=11, length=5)
    axes.set_xlabel(names[0], fontsize=12, color=INK)
    axes.set_ylabel(names[1], fontsize=12, color=INK, labelpad=2)
    return sheet.figure


def sweep(
    rows: Sequence[Sequence[np.ndarray]], names: Sequence[str], heads: Sequence[str], title: str = "", note: str = ""
) -> Figure:
    """Rows of images, each behind its name, where it has one, and each column below its head."""
    tiles = _tiles([image for row in rows for image in row])
    width, height = _size(tiles, PICTURE)
    names = [shortened(name, LONGEST_NAME) for name in names]
    longest = max(len(name) for name in names)
    left = 0.14 + LETTER * longest if longest else 0.0
    sheet = Sheet(left + len(heads) * (width + GAP) - GAP, HEAD + len(rows) * (height + GAP) - GAP, title, note)
    for column, head in enumerate(heads):
        middle = left + column * (width + GAP) + width / 2
        sheet.text(middle, HEAD / 2, shortened(head, int(width / SMALL_LETTER)), 9, SOFT, align="center")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, len(heads))
        top = HEAD + row * (height + GAP)
        sheet.picture(left + column * (width + GAP), top, width, height, tile)
        if column == 0:
            sheet.text(left - 0.14, top + height / 2, names[row], 9, align="right")
    return sheet.figure


def strip(images: Sequence[np.ndarray], title: str = "", note: str = "") -> Figure:
    """The steps of one walk beside each other, from the first to the last."""
    return walks([images], title=title, note=note)


def walks(
    rows: Sequence[Sequence[np.ndarray]],
    ends: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    title: str = "",
    note: str = "",
) -> Figure:
    """Interpolations below each other, from left to right, each between the originals that it joins, if passed."""
    lines = [[first, *row, last] for row, (first, last) in zip(rows, ends, strict=True)] if ends else rows
    tiles = _tiles([image for line in lines for image in line])
    width, height = _size(tiles, PICTURE)
    steps, apart, word = len(rows[0]), APART * bool(ends), ["original"] * bool(ends)
    # What the model made is set apart from the originals at both sides.
    lefts = [column * (width + GAP) + apart * ((column > 0) + (column > steps)) for column in range(len(lines[0]))]
    sheet = Sheet(lefts[-1] + width, HEAD + len(rows) * (height + GAP) - GAP, title, note)
    heads = [*word, *(f"{100 * place / max(1, steps - 1):.0f} %" for place in range(steps)), *word]
    for left, head in zip(lefts, heads, strict=True):
        sheet.text(left + width / 2, HEAD / 2, head, 9, INK if head in word else SOFT, align="center")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, len(lefts))
        sheet.picture(lefts[column], HEAD + row * (height + GAP), width, height, tile)
    return sheet.figure


def _tiles(images: Sequence[np.ndarray]) -> np.ndarray:
    """All images as one array (N, H, W, C). Raises ValueError when there are none, or they differ in size."""
    if not len(images):
        raise ValueError("0 images make no picture; give at least one")
    tiles = [np.asarray(image) for image in images]
    for tile in tiles:
        if tile.dtype != np.uint8 or tile.ndim not in (2, 3) or tile.shape[2:] not in ((), (1,), (3,)):
            raise ValueError(f"a {tile.dtype} array of shape {tile.shape} is no image; give uint8 (H, W) or (H, W, 3)")
        if tile.shape != tiles[0].shape:
            raise ValueError(f"images of shapes {tiles[0].shape} and {tile.shape} do not fit together; give one size")
    stacked = np.stack(tiles)
    return stacked[..., None] if stacked.ndim == 3 else stacked


def _size(tiles: np.ndarray, least: float) -> tuple[float, float]:
    """Width and height in inches: whole dots for each pixel, about `least` on the longer side; large ones shrink."""
    height, width = tiles.shape[1:3]
    scale = max(1, round(least * DOTS / max(width, height)))
    inches = min(scale / DOTS, 2 * least / max(width, height))
    return width * inches, height * inches


def _ticks(normal: NormalDist, size: int) -> list[float]:
    """Round coordinates of a manifold, half a deviation or less apart, from the middle outwards as far as they fit.

    From the middle of the first cell to the middle of the last: further out nothing was decoded.
    """
    if normal.stdev <= 0:
        return [normal.mean]
    power = 10.0 ** math.floor(math.log10(normal.stdev / 2))
    step = power * max(factor for factor in (1, 2, 5) if factor * power <= normal.stdev / 2)
    first, last = (normal.inv_cdf(share) for share in (0.5 / size, 1 - 0.5 / size))
    values = [step * place for place in range(math.ceil(first / step), math.floor(last / step) + 1)]
    kept: list[float] = []
    for value in sorted(values, key=lambda value: abs(value - normal.mean)):
        if all(abs(normal.cdf(value) - normal.cdf(other)) >= LEAST_APART for other in kept):
            kept.append(value)
    return sorted(kept)


def _number(value: float) -> str:
    """A number of at most four digits with a true minus sign."""
    return f"{value + 0.0:.4g}".replace("-", "\N{MINUS SIGN}")
