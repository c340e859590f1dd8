"""Images that are small as files and large as pixels are read in bounded memory, or refused by their headers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqvae import modalities
from seqvae.modalities.images import files
from seqvae.modalities.images.files import UnreadableImage
from seqvae.modalities.images.reading import Reading, pictures_of, shape_of
from tests.modalities.images.made import read, stack

READ = """
import resource, sys
from pathlib import Path
import numpy
from PIL import Image
from seqvae.modalities.base import Report
from seqvae.modalities.images.reading import Reading, read_pictures, shape_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reading, paths = Reading((28, 28)), [Path(sys.argv[1])]
list(read_pictures(paths, reading, shape_of(paths, reading), Report()))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of more than 100 pixels are decoded to some 24."""
    monkeypatch.setattr(files, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(files, "LEAST_LEFT", 24)


def means(pixels: np.ndarray, factor: int) -> np.ndarray:
    """The mean of each square of pixels (H, W, C), as far as there are any."""
    rows = [pixels[top : top + factor] for top in range(0, len(pixels), factor)]
    squares = [[row[:, left : left + factor] for left in range(0, row.shape[1], factor)] for row in rows]
    return np.array([[square.mean((0, 1)) for square in row] for row in squares])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "1", "P"])
def test_a_large_image_is_decoded_to_the_means_of_its_squares(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(stack(1, 13, 11, 4)[0]).convert("RGB" if mode == "P" else mode)
    image = image.quantize(9) if mode == "P" else image
    image.save(tmp_path / "a.png")
    whole = files.load(tmp_path / "a.png", resizes=True)
    assert whole.shape[:2] == (13, 11)
    monkeypatch.setattr(files, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(files, "LEAST_LEFT", 24)
    found = files.load(tmp_path / "a.png", resizes=True)
    assert found.shape == (5, 4, whole.shape[2])
    assert np.abs(found - means(whole, 3)).max() < 1


@pytest.mark.usefixtures("small_limits")
def test_a_large_image_that_lies_on_its_side_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stack(1, 12, 20, 3)[0]).save(tmp_path / "a.webp", lossless=True, exif=exif)
    found = files.load(tmp_path / "a.webp", resizes=True)
    monkeypatch.setattr(files, "MOST_AT_ONCE", 1000)
    whole = files.load(tmp_path / "a.webp", resizes=True)
    assert (found.shape, whole.shape) == ((5, 3, 3), (20, 12, 3))
    assert np.abs(found - means(whole, 4)).max() < 1


@pytest.mark.usefixtures("small_limits")
def test_a_large_jpeg_is_decoded_to_a_part_of_its_size(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None], 16, 0)).save(tmp_path / "a.jpg", quality=95)
    assert (files.look(tmp_path / "a.jpg"), files.load(tmp_path / "a.jpg", resizes=True).shape) == (
        (16, 24, 1), (8, 12, 1),
    )  # fmt: skip
    ((picture,), report) = read(tmp_path / "a.jpg", Reading(size=(1, 4)))
    assert np.abs(picture.pixels[0, :, 0] - [25.0, 85.0, 145.0, 205.0]).max() <= 3
    assert report.of("images resized to 1 x 4") == 1


@pytest.mark.usefixtures("small_limits")
def test_large_images_of_more_than_eight_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((12, 12), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(UnreadableImage, match="it has more than 100 pixels of more than 8 bits"):
        files.load(tmp_path / "a.tiff", resizes=True)


def test_what_is_too_large_to_be_learned_as_it_is_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_LEARNED", 20)
    for name, axes in (("a.png", (4, 5)), ("b.png", (3, 7))):
        Image.fromarray(stack(1, *axes)[0]).save(tmp_path / name)
    assert shape_of([tmp_path / "a.png"], Reading()) == (4, 5, 1)
    with pytest.raises(
        ValueError, match=r"b\.png is 3 x 7 grey, and images of more than 20 pixels .*; pass data\.size"
    ):
        shape_of([tmp_path / "b.png"], Reading())
    with pytest.raises(ValueError, match=r"b\.png is no image .*: it has more than 20 pixels, and is not resized"):
        pictures_of(tmp_path / "b.png", Reading(), (4, 5, 1))
    assert pictures_of(tmp_path / "b.png", Reading(size=(2, 2)), (2, 2, 1))[0].pixels.shape == (2, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "most"), [("L", 250), ("RGBA", 450)])
def test_a_small_file_of_many_pixels_takes_little_more_memory_than_the_image(
    mode: str, most: int, tmp_path: Path
) -> None:
    """It took 700 MB and 1,300 MB when all of it was converted at once."""
    Image.new(mode, (7900, 7900)).save(tmp_path / "a.png")
    root = Path(modalities.__file__).parents[2]
    command = [sys.executable, "-c", READ, str(tmp_path / "a.png")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert int(done.stdout) < most
