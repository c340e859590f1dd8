"""Several parts in one picture: the rows of each, in bands above each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from seqvae.view.grids import Rows

ROW = 0.085  # inches


@dataclass(frozen=True)
class Drawn:
    """What is drawn of each part of a clip, from the lowest band up; all are as long."""

    bands: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.bands[0])


class ScoreRows:
    """The rows of all bands, from the lowest band up, all of one height."""

    def __init__(self, bands: Sequence[Rows]) -> None:
        self._bands = bands

    @property
    def count(self) -> int:
        """How many rows the bands have together."""
        return sum(band.count for band in self._bands)

    @property
    def height(self) -> float:
        """In inches."""
        return self.count * ROW

    def _bottoms(self) -> list[int]:
        """The rows below each band."""
        return [sum(band.count for band in self._bands[:place]) for place in range(len(self._bands))]

    @property
    def names(self) -> list[tuple[int, str]]:
        """The names of the rows of all bands."""
        pairs = zip(self._bottoms(), self._bands, strict=True)
        return [(bottom + row, name) for bottom, band in pairs for row, name in band.names]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What the colours of any band mean."""
        return [key for band in self._bands for key in band.keys]

    def draw(self, axes: Axes, drawn: Drawn, first: int, last: int, steps_per_beat: int) -> None:
        """Each part in its band."""
        for bottom, band, own in zip(self._bottoms(), self._bands, drawn.bands, strict=True):
            inner = axes.inset_axes((0, bottom / self.count, 1, band.count / self.count))
            inner.set(xlim=(0, last - first), ylim=(0, band.count))
            inner.set_axis_off()
            band.draw(inner, own, first, last, steps_per_beat)
        axes.hlines(self._bottoms()[1:], 0, last - first, color="#22252b", linewidth=0.8, zorder=2)
