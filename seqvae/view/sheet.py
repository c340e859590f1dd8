"""The sheet that pictures are laid out on: lengths in inches from the top left, type, and colours for ten classes."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

INK, SOFT, FAINT = "#22252b", "#5d636e", "#c9ccd3"
DOTS = 150  # an inch, as `png` writes them
LARGEST_SIDE = 20_000  # pixels
MARGIN = 0.2
TITLE, NOTE = 0.34, 0.29
TITLE_LETTER, NOTE_LETTER = 0.118, 0.073  # their widest, on average
# Ten colours, any two of which stay at least 0.2 apart in OKLab (Ottosson 2020) as seen with full colour vision, and
# 0.11 with each of the three kinds of colour blindness (simulated after Machado et al. 2009); none as light as paper.
BLUE, RED, TEAL, MAGENTA, MUSTARD = "#3192ff", "#de1010", "#1c7e71", "#d351c2", "#ada312"
NAVY, PINK, VIOLET, LIME, MAROON = "#113c96", "#ffaab3", "#7d00f9", "#4cf114", "#7a1434"
COLOURS = (BLUE, RED, TEAL, MAGENTA, MUSTARD, NAVY, PINK, VIOLET, LIME, MAROON)
OTHER = "#8f939c"  # of all that have no colour of their own


class Sheet:
    """An empty figure with room for content of a size below its title and a softer note on what is shown.

    All lengths are in inches; places are counted from the top left of the content.
    """

    def __init__(self, width: float, height: float, title: str = "", note: str = "") -> None:
        self._top = MARGIN + (TITLE if title else 0.0) + (NOTE if note else 0.0)
        width = max(width, TITLE_LETTER * len(title), NOTE_LETTER * len(note))
        self._across, self._down = _whole(width + 2 * MARGIN), _whole(self._top + height + MARGIN)
        self._ground: Axes | None = None
        self.figure = Figure(figsize=(self._across, self._down), dpi=DOTS, facecolor="white")
        if title:
            self.text(0, MARGIN + 0.11 - self._top, title, 13, weight="bold")
        if note:
            self.text(0, -0.5 * NOTE - 0.06, note, 9.5, colour=SOFT)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes without ticks and frame, on whole dots: a picture of whole dots is then not resampled."""
        left, width, height = _whole(MARGIN + left), _whole(width), _whole(height)
        bottom = self._down - _whole(self._top + top) - height
        place = (left / self._across, bottom / self._down, width / self._across, height / self._down)
        axes = self.figure.add_axes(place)
        axes.set_xticks([])
        axes.set_yticks([])
        frame(axes, ())
        return axes

    def picture(self, left: float, top: float, width: float, height: float, image: np.ndarray) -> None:
        """An image (H, W, C) in its grey levels or colours, on whole dots; 0 is always black and 255 white."""
        if self._ground is None:  # one for all images: axes of their own would take ten times as long
            self._ground = self.axes(-MARGIN, -self._top, self._across, self._down)
            self._ground.set(xlim=(0, self._across), ylim=(self._down, 0))
            self._ground.patch.set_visible(False)
        left, top = _whole(MARGIN + left), _whole(self._top + top)
        shown = image[..., 0] if image.shape[2] == 1 else image
        # What is shrunk is averaged; what is not keeps its pixels.
        method = "antialiased" if width * DOTS < image.shape[1] - 0.5 else "nearest"
        box = (left, left + _whole(width), top + _whole(height), top)
        drawn = AxesImage(self._ground, cmap="gray", interpolation=method, extent=box)
        drawn.set_data(shown)
        drawn.set_clim(0, 255)
        self._ground.add_image(drawn)

    def text(
        self, left: float, middle: float, text: str, size: float, colour: str = INK, weight: str = "normal",
        align: str = "left",
    ) -> None:  # fmt: skip
        """A line of text, centred on a height and taken as it is: a dollar sign starts no formula."""
        x, y = (MARGIN + left) / self._across, 1 - (self._top + middle) / self._down
        written = self.figure.text(x, y, text, fontsize=size, color=colour, weight=weight, va="center", ha=align)
        written.set_parse_math(False)


def shortened(label: str, longest: int) -> str:
    """A label of so many letters at most, and three at least, which keeps the index of FILE#INDEX.

    >>> shortened("the ninth song of us", 16), shortened("the ninth song of us#12", 16)
    ('the ninth song …', 'the ninth so…#12')
    """
    longest = max(3, longest)
    if len(label) <= longest:
        return label
    name, mark, index = label.rpartition("#")
    end = f"…#{index}" if mark and index.isdigit() and len(index) < longest // 2 else "…"
    return f"{(name if len(end) > 1 else label)[: longest - len(end)]}{end}"


def frame(axes: Axes, sides: Sequence[str]) -> None:
    """Show only these sides of the frame, thin and soft."""
    for name, side in axes.spines.items():
        side.set_visible(name in sides)
        side.set(color=SOFT, linewidth=0.8)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9, width=0.8)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file of 150 dots an inch, of fewer where a side would exceed 20,000 dots."""
    content = io.BytesIO()
    dots = min(150.0, LARGEST_SIDE / max(figure.get_size_inches()))
    with warnings.catch_warnings():
        # A title may hold letters that the font has not; a box in their place is no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(content, format="png", dpi=dots, metadata={"Software": None})
    return content.getvalue()


def _whole(inches: float) -> float:
    """A length rounded to whole dots."""
    return round(inches * DOTS) / DOTS
