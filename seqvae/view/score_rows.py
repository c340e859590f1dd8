"""Several parts in one picture: the rows of each, in bands above each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from seqvae.view.grids import Rows

ROW = 0.085  # inches
TITLE = "#5b6270"


@dataclass(frozen=True)
class Drawn:
    """What is drawn of each part of a clip, from the lowest band up; all are as long."""

    bands: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.bands[0])


class ScoreRows:
    """The rows of all bands, from the lowest band up; a band is as high as it has it, or nearly.

    Heights are whole numbers of that of a row of a piano roll, of bands with higher rows those of each row. A band's
    title stands in its upper left corner.
    """

    def __init__(self, bands: Sequence[Rows], titles: Sequence[str]) -> None:
        self._bands, self._titles = bands, titles

    @property
    def count(self) -> int:
        """How many rows of a piano roll are as high as all bands together."""
        return sum(map(_height, self._bands))

    @property
    def height(self) -> float:
        """In inches."""
        return self.count * ROW

    def _bottoms(self) -> list[int]:
        """The height below each band."""
        return [sum(map(_height, self._bands[:place])) for place in range(len(self._bands))]

    @property
    def edges(self) -> list[float]:
        """Those of all bands; where two bands meet there is a line of their own."""
        pairs = zip(self._bottoms(), self._bands, strict=True)
        return [bottom + edge * _height(band) / band.count for bottom, band in pairs for edge in band.edges]

    @property
    def names(self) -> list[tuple[float, str]]:
        """The names of the rows of all bands, in the middle of each."""
        pairs = zip(self._bottoms(), self._bands, strict=True)
        return [
            (bottom + (row + 0.5) * _height(band) / band.count - 0.5, name)
            for bottom, band in pairs
            for row, name in band.names
        ]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What the colours of any band mean."""
        return [key for band in self._bands for key in band.keys]

    def draw(self, axes: Axes, drawn: Drawn, first: int, last: int, steps_per_beat: int) -> None:
        """Each part in its band."""
        for bottom, band, own, title in zip(self._bottoms(), self._bands, drawn.bands, self._titles, strict=True):
            inner = axes.inset_axes((0, bottom / self.count, 1, _height(band) / self.count))
            inner.set(xlim=(0, last - first), ylim=(0, band.count))
            inner.set_axis_off()
            band.draw(inner, own, first, last, steps_per_beat)
            inner.text(0.004, 0.97, title, transform=inner.transAxes, fontsize=6, color=TITLE, va="top", zorder=4)
        axes.hlines(self._bottoms()[1:], 0, last - first, color="#22252b", linewidth=0.8, zorder=2)


def _height(band: Rows) -> int:
    """Of a band, in rows of a piano roll."""
    each = int(band.height / band.count / ROW + 1e-6)
    return band.count * each if each else round(band.height / ROW)
