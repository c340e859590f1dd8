"""Where images are written, and what their sheets show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqvae.files import store
from seqvae.modalities.images import output
from seqvae.modalities.images.output import files_of_images
from seqvae.modalities.items import Sweep
from seqvae.view import pictures
from tests.modalities.images.made import stack


def names(count: int, arrangement: Any, has_originals: bool = False) -> list[str]:
    images = [np.zeros((1, 1, 1), np.uint8)] * count
    written = files_of_images(images, arrangement, images if has_originals else ())
    return [file.name for result in written for file in result.files]


def write_images(images: Sequence[np.ndarray], folder: Path, arrangement: Any, originals: Any = ()) -> list[Path]:
    written = files_of_images(images, arrangement, originals)
    return [store(folder, file.name, file.content()) for result in written for file in result.files]


def test_there_is_a_file_for_each_image_and_a_sheet_of_all() -> None:
    assert names(0, "set") == []
    assert names(1, "set") == ["001.png", "images.png"]
    assert names(2, "set") == ["001.png", "002.png", "images.png"]
    assert names(2, "path")[-1] == "interpolation.png"
    assert names(4, "grid")[-1] == "palette.png"
    assert names(4, Sweep(["a", "b"], ["0", "1"]))[-1] == "sweep.png"
    assert names(1, "set", has_originals=True) == ["001.png", "reconstructions.png"]
    assert names(2, "path", has_originals=True)[-1] == "reconstructions.png"
    many = names(1001, "set")
    assert (many[0], many[-2]) == ("0001.png", "1001.png")
    assert names(1000, "set")[-2] == "1000.png"
    assert sorted(many[:-1]) == many[:-1]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What sheets are asked for."""
    found: list[tuple[str, Any]] = []
    for name in ("pairs", "strip", "image_grid", "sweep"):
        make = getattr(pictures, name)

        def spy(*given: Any, _name: str = name, _make: Any = make, **named: Any) -> Any:
            found.append((_name, (*map(len, given), *named.values())))
            return _make(*given, **named)

        monkeypatch.setattr(pictures, name, spy)
    return found


@pytest.mark.parametrize(
    ("arrangement", "originals", "expected"),
    [
        ("set", False, ("image_grid", (9, None, ()))),
        ("path", False, ("strip", (9,))),
        ("grid", False, ("image_grid", (9, 3, ()))),
        ("set", True, ("pairs", (9, 9))),
        (Sweep(["a", "b", "c"], ["0", "1", "2"], "title", "a note"), False, ("sweep", (3, 3, 3, 5, 6))),
    ],
)
def test_a_sheet_shows_all_images_as_they_are_arranged(
    arrangement: Any, originals: bool, expected: Any, shown: list[tuple[str, Any]], tmp_path: Path
) -> None:
    images = list(stack(9, 4, 3, 1))
    paths = write_images(images, tmp_path / "deep" / "out", arrangement, images[::-1] if originals else ())
    assert shown == [expected]
    for path, pixels in zip(paths[:-1], images, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), pixels[:, :, 0])
    with Image.open(paths[-1]) as sheet:
        assert min(sheet.size) > 50
    assert sorted(paths) == sorted((tmp_path / "deep" / "out").iterdir()), "nothing else is left there"


def test_a_sheet_of_very_many_images_shows_the_first(
    shown: list[tuple[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert output.MOST_ON_SHEET == 1024
    monkeypatch.setattr(output, "MOST_ON_SHEET", 5)
    images = list(stack(9, 4, 3, 3))
    write_images(images, tmp_path, "set")
    assert shown == [("image_grid", (5, None, ()))]
    assert len(list(tmp_path.iterdir())) == 10


def test_a_large_square_is_drawn_whole_and_a_long_way_in_rows(
    shown: list[tuple[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "MOST_ON_SHEET", 24)
    images = list(stack(25, 2, 2, 1))
    write_images(images, tmp_path / "square", "grid")
    write_images(images[:17], tmp_path / "way", "path")
    write_images(images[:16], tmp_path / "short", "path")
    assert shown[:2] == [("image_grid", (25, 5, ())), ("image_grid", (17, 16, ()))]
    assert shown[2][0] == "strip"


def test_a_single_image_is_written_as_it_is_and_enlarged(tmp_path: Path) -> None:
    (image,) = stack(1, 28, 28, 1)
    native, enlarged = write_images([image], tmp_path, "set")
    assert np.array_equal(np.asarray(Image.open(native)), image[:, :, 0])
    with Image.open(enlarged) as sheet:
        assert min(sheet.size) >= 448
    assert files_of_images([image], "set")[-1].note == "enlarged"


def test_images_of_one_pixel_are_written(tmp_path: Path) -> None:
    write_images([np.full((1, 1, 1), 7, np.uint8)] * 2, tmp_path, "path")
    assert np.asarray(Image.open(tmp_path / "002.png")).tolist() == [[7]]
