"""Image files (PNG, JPEG and others) to pixels, and what their headers say."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqvae.modalities.images.picture import as_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow reads by itself, with the endings of each: readers that start another program (EPS, WMF) or that need a
# plug-in of somebody else (FITS, GRIB, HDF5) are not among them. TGA has no mark of its own, so all others come first.
SUFFIXES_OF = {
    "PNG": (".png", ".apng"), "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "GIF": (".gif",), "BMP": (".bmp",),
    "DIB": (".dib",), "WEBP": (".webp",), "TIFF": (".tif", ".tiff"), "PPM": (".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"), "AVIF": (".avif",), "QOI": (".qoi",),
    "PCX": (".pcx",), "SGI": (".sgi", ".rgb", ".rgba", ".bw"), "SUN": (".ras",), "ICO": (".ico",), "TGA": (".tga",),
}  # fmt: skip
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
ORIENTATION = 0x0112  # the number of the EXIF tag
TURNED_BY_EXIF = ("JPEG", "MPO", "WEBP")
MOST_PIXELS = 64_000_000
MOST_LEARNED = 1 << 20  # pixels of an image that is not resized
MOST_AT_ONCE = 1 << 24  # pixels that are converted at once: this takes some ten times their bytes
LEAST_LEFT = 1 << 22  # about so many pixels are left of an image that has more: several for each that is learned
GREY_MODES = ("1", "L", "LA", "La", "I", "F")
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


class UnreadableImage(ValueError):
    """An image file that cannot be read. `reason` is the same sentence for all files with the same fault."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is no image that can be read: {reason}; give another file")
        self.reason = reason


def look(path: Path) -> tuple[int, int, int]:
    """Height, width and channels of an image file by its header. Raises UnreadableImage."""
    with _opened(path) as image:
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        return height, width, 3 if _has_colour(image) else 1


def load(path: Path, resizes: bool = False) -> np.ndarray:
    """(H, W, C) uint8 of an image file, of its first frame where there are several.

    Where it is resized afterwards, a large one is decoded to fewer pixels, each the mean of a square of those it has;
    memory holds no more than the image itself then. Raises UnreadableImage, also for a large one as it is.
    """
    with _opened(path) as image:
        pixels = image.width * image.height
        if pixels > MOST_LEARNED and not resizes:
            raise UnreadableImage(path, f"it has more than {MOST_LEARNED:,} pixels, and is not resized (data.size)")
        if pixels > MOST_AT_ONCE:
            image.draft(None, (image.width // 2, image.height // 2))  # a JPEG can be decoded to a part of its size
            if image.width * image.height > MOST_AT_ONCE:
                return _shrunk(image, path)
        if _orientation(image) > 1:
            from PIL import ImageOps

            return pixels_of(ImageOps.exif_transpose(image))
        if image.mode == "F" and not np.all(np.abs(np.asarray(image) - 0.5) <= 0.5):
            raise UnreadableImage(path, "it holds floats outside [0, 1]")
        return pixels_of(image)


def pixels_of(image: "Image") -> np.ndarray:
    """(H, W, C) uint8 of a PIL image; what is transparent becomes white. Raises ValueError for floats outside [0, 1].

    Images of 16 bits keep their upper 8: PIL's own conversion to 8 bits would cut off all that is above 255.
    """
    from PIL import Image

    colour = _has_colour(image)
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64).clip(0, 65535)
        if image.mode.startswith("I;16") or image.format == "PPM" or levels.max() > 255:
            levels >>= 8
        return levels.astype(np.uint8)[:, :, None]
    if image.mode == "F":
        return as_bytes(np.asarray(image), "the image")[:, :, None]
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), above)
    pixels = np.asarray(image.convert("RGB" if colour else "L"))
    return pixels.reshape(*pixels.shape[:2], -1)


def _shrunk(image: "Image", path: Path) -> np.ndarray:
    """The pixels of a large image, those of each square as their mean. Strips of it are converted one after another."""
    from PIL import Image, ImageOps

    if image.mode.startswith(("I", "F")):
        raise UnreadableImage(path, f"it has more than {MOST_AT_ONCE:,} pixels of more than 8 bits")
    factor = math.ceil(math.sqrt(image.width * image.height / LEAST_LEFT))
    rows = factor * max(1, LEAST_LEFT // (factor * image.width))
    strips = []
    for top in range(0, image.height, rows):
        pixels = pixels_of(image.crop((0, top, image.width, min(top + rows, image.height))))
        part = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).reduce(factor)
        strips.append(np.asarray(part).reshape(part.height, part.width, -1))
    whole = np.concatenate(strips)
    upright = Image.fromarray(whole if whole.shape[2] == 3 else whole[:, :, 0])
    upright.getexif()[ORIENTATION] = _orientation(image)
    return pixels_of(ImageOps.exif_transpose(upright))


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels (H, W, C) at another size: the mean over each pixel's area where it shrinks, else bilinear."""
    from PIL import Image

    shrinks = height <= pixels.shape[0] and width <= pixels.shape[1]
    way = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).resize((width, height), way)
    return np.asarray(image).reshape(height, width, -1)


def grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1) uint8: the luma of RGB pixels (ITU-R 601-2), as PIL has it."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


@contextmanager
def _opened(path: Path) -> "Iterator[Image]":
    """The open image; whatever goes wrong with it leaves as UnreadableImage."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():  # a device or a pipe may go on for ever
        raise UnreadableImage(path, "it is no regular file" if path.exists() else "it is not there")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers complain about metadata that nobody asked for
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_formats()) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                yield image
    except (UnreadableImage, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableImage(path, f"it has more than {MOST_PIXELS // 1_000_000} million pixels") from None
    except UnidentifiedImageError:
        reason = "it is in no known image format" if path.stat().st_size else "it is empty"
        raise UnreadableImage(path, reason) from None
    except PermissionError:
        raise UnreadableImage(path, "it may not be opened") from None
    except Exception:  # PIL's readers leave damaged files with exceptions of every kind
        raise UnreadableImage(path, "it is truncated or damaged") from None


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are read, as far as this Pillow has them."""
    from PIL import Image

    Image.init()
    return tuple(name for name in SUFFIXES_OF if name in Image.OPEN)


def _orientation(image: "Image") -> int:
    """1 to 8 as in EXIF; from 5 on the image lies on its side."""
    if image.format not in TURNED_BY_EXIF:
        return 1
    turn = image.getexif().get(ORIENTATION, 1)
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _has_colour(image: "Image") -> bool:
    """Whether the mode, or the palette, has colours."""
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return not image.mode.startswith(GREY_MODES)
