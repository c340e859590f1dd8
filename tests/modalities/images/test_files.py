"""Image files: every mode to grey or RGB, labels and splits by folders, sizes, and damaged files among good ones."""

import io
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqvae.modalities.images import files
from seqvae.modalities.images.files import UnreadableImage
from seqvae.modalities.images.reading import Reading, files_of, pictures_of, shape_of, splits_of
from tests.modalities.images.made import read, refusal, stack, write_idx, write_image

GREY = stack(1, 5, 4)[0]
COLOUR = stack(1, 5, 4, 3)[0]


def saved(folder: Path, image: Image.Image, name: str = "some.png", **settings: object) -> Path:
    path = folder / name
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif", "webp"])
def test_grey_levels_are_those_of_the_file(ending: str, tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY), f"some.{ending}", **({"lossless": True} if ending == "webp" else {}))
    ((picture,), report) = read(path, Reading(channels="grey"))
    assert np.array_equal(picture.pixels, GREY[:, :, None])
    assert report.to_dict()["counts"] == {"image files read": 1}
    if ending != "webp":  # a format that has no grey
        assert shape_of([path], Reading()) == (5, 4, 1)


@pytest.mark.parametrize(
    "ending", ["pgm", "PGM", "pnm", "dib", "jp2", "avif", "qoi", "pcx", "sgi", "bw", "ico", "tga", "apng", "gif", "TIF"]
)
def test_a_folder_holds_whatever_a_single_file_may_be(ending: str, tmp_path: Path) -> None:
    image = Image.fromarray(stack(1, 16, 16)[0])  # as large as the least icon
    settings = {"quality": 100} if ending == "avif" else {"sizes": [(16, 16)]} if ending == "ico" else {}
    path = tmp_path / "s1" / f"1.{ending}"
    path.parent.mkdir()
    (image.convert("RGB") if ending in ("qoi", "avif") else image).save(path, **settings)
    ((picture,), report) = read(tmp_path, Reading(channels="grey"))
    assert np.abs(picture.pixels[:, :, 0].astype(int) - np.asarray(image)).max() <= (8 if ending == "avif" else 0)
    assert picture.label == "s1"
    assert report.to_dict()["counts"] == {"image files read": 1}
    assert read(path, Reading(channels="grey"))[0][0].pixels.tolist() == picture.pixels.tolist()


def test_portable_maps_hold_bits_colours_and_sixteen_bits(tmp_path: Path) -> None:
    write_image(tmp_path / "a.ppm", COLOUR)
    Image.fromarray(GREY > 99).save(tmp_path / "b.pbm")
    (tmp_path / "c.pgm").write_bytes(b"P5 4 5 65535\n" + (GREY // 2).astype(">u2").tobytes())  # darker than 1/255
    (tmp_path / "d.pgm").write_text("P2 4 5 15\n" + " ".join(map(str, (GREY // 17).ravel())))
    found = [picture.pixels for picture in read(tmp_path)[0]]
    assert np.array_equal(found[0], COLOUR)
    assert np.array_equal(found[1][:, :, 0], (GREY > 99) * 255)
    assert found[2].max() == 0
    assert np.array_equal(found[3][:, :, 0], GREY // 17 * 17)


def test_readers_that_start_other_programs_are_not_asked(tmp_path: Path) -> None:
    assert not {"EPS", "WMF", "PDF"} & set(files.SUFFIXES_OF)
    content = io.BytesIO()
    Image.fromarray(COLOUR).save(content, "EPS")
    for name in ("a.eps", "b.png"):
        (tmp_path / name).write_bytes(content.getvalue())
    assert refusal(tmp_path / "a.eps").startswith("a.eps is no image that can be read: it is in no known image format")
    assert refusal(tmp_path).startswith("b.png is no image that can be read: it is in no known image format")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(COLOUR), COLOUR),
        (Image.fromarray(GREY > 99), (GREY > 99)[:, :, None] * 255),
        (Image.fromarray(GREY.astype(np.uint16) * 257), GREY[:, :, None]),
        (Image.fromarray(GREY).convert("P"), GREY[:, :, None]),
        (Image.fromarray(COLOUR).quantize(32), None),
        (Image.fromarray(np.dstack([GREY, np.where(GREY > 99, 255, 0).astype(np.uint8)])), None),
        (Image.fromarray(np.dstack([COLOUR, np.where(GREY > 99, 255, 0).astype(np.uint8)])), None),
    ],
    ids=["RGB", "bits", "16 bits", "grey palette", "palette", "grey with alpha", "RGB with alpha"],
)
def test_modes_become_grey_or_rgb(image: Image.Image, expected: np.ndarray | None, tmp_path: Path) -> None:
    path = saved(tmp_path, image)
    found = read(path)[0][0].pixels
    if expected is None and image.mode == "P":
        expected = np.asarray(image.convert("RGB"))
    elif expected is None:  # what is transparent is white
        expected = np.where((GREY > 99)[:, :, None], COLOUR if image.mode == "RGBA" else GREY[:, :, None], 255)
    assert np.array_equal(found, expected)
    assert shape_of([path], Reading()) == expected.shape


def test_floats_outside_0_to_1_are_no_image(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY.astype(np.float32) / 255), "some.tif")
    assert np.array_equal(read(path)[0][0].pixels, GREY[:, :, None])
    saved(tmp_path, Image.fromarray(GREY.astype(np.float32)), "some.tif")
    assert refusal(path) == "some.tif is no image that can be read: it holds floats outside [0, 1]; give another file"


def test_photographs_stand_upright(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :16] = 255  # bright on the left, which orientation 6 turns to the top
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.fromarray(pixels), "photo.jpg", exif=exif, quality=95)
    assert shape_of([path], Reading()) == (80, 40, 3)
    upright = read(path)[0][0].pixels
    assert upright.shape == (80, 40, 3)
    assert upright[:12].mean() > 240
    assert upright[20:].mean() < 15


def test_the_subfolder_is_the_label_and_order_is_by_name(tmp_path: Path) -> None:
    levels = {"b/2.png": 1, "b/deeper/1.png": 2, "a/9.PNG": 3, "top.jpeg": 4, ".hidden/1.png": 5, "a/.1.png": 6}
    for name, level in levels.items():
        write_image(tmp_path / name, np.full((5, 4), level, np.uint8))
    (tmp_path / "notes.txt").write_text("not looked at")
    pictures, report = read(tmp_path)
    assert [(int(picture.pixels[0, 0, 0]), picture.label) for picture in pictures] == [
        (3, "a"), (1, "b"), (2, "b"), (4, None),
    ]  # fmt: skip
    assert report.to_dict()["counts"] == {"image files read": 4}
    assert [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path)] == [
        "a/9.PNG", "b/2.png", "b/deeper/1.png", "top.jpeg",
    ]  # fmt: skip
    assert not any(splits_of([tmp_path]))


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_top_folders_are_splits(name: str, tmp_path: Path) -> None:
    for number, top in enumerate(("train/7", f"{name}/7", "test/8", "extra/9")):
        write_image(tmp_path / top / "a.png", np.full((5, 4), number, np.uint8))
    assert set(splits_of([tmp_path])) - {None} == {"train", "valid", "test"}
    for number, (split, label) in enumerate((("train", "7"), ("valid", "7"), ("test", "8"))):
        ((picture,), _) = read(tmp_path, Reading(split=split))
        assert (picture.pixels[0, 0, 0], picture.label) == (number, label)
    assert len(read(tmp_path)[0]) == 4


def test_a_class_that_is_called_test_is_a_class(tmp_path: Path) -> None:
    for top in ("rest", "test"):
        write_image(tmp_path / top / "a.png", GREY)
    assert not any(splits_of([tmp_path]))
    assert [picture.label for picture in read(tmp_path)[0]] == ["rest", "test"]
    assert refusal(tmp_path, Reading(split="test"), (5, 4, 1)) == (
        "split=test is shown by no name in FOLDER, but no split at all; leave it out, or give other files"
    )


def test_images_of_different_sizes_need_a_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    write_image(tmp_path / "b.png", stack(1, 6, 4)[0])
    assert refusal(tmp_path) == "b.png is 6 x 4 and a.png 5 x 4 (height x width); pass data.size to resize all"
    pictures, report = read(tmp_path, Reading(size=(5, 4)))
    assert np.array_equal(pictures[0].pixels, GREY[:, :, None])
    assert pictures[1].pixels.shape == (5, 4, 1)
    assert report.to_dict()["counts"] == {"image files read": 2, "images resized to 5 x 4": 1}


def test_shrinking_takes_the_mean_of_areas(tmp_path: Path) -> None:
    means = np.array([[200, 100, 10], [40, 80, 120]])
    board = np.kron(means, np.ones((2, 2), int)) + np.tile([[-10, 10], [30, -30]], (2, 3)).clip(-10)
    path = write_image(tmp_path / "a.png", board.astype(np.uint8))
    ((picture,), _) = read(path, Reading(size=(2, 3)))
    assert picture.pixels[:, :, 0].tolist() == (means + 5).tolist()


def test_one_coloured_image_makes_all_rgb(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    write_image(tmp_path / "b.png", COLOUR)
    pictures, _ = read(tmp_path)
    assert np.array_equal(pictures[0].pixels, np.repeat(GREY[:, :, None], 3, axis=2))
    assert np.array_equal(pictures[1].pixels, COLOUR)
    pictures, _ = read(tmp_path, Reading(channels="grey"))
    assert np.array_equal(pictures[0].pixels, GREY[:, :, None])
    luma = COLOUR @ [0.299, 0.587, 0.114]
    assert np.abs(pictures[1].pixels[:, :, 0] - luma).max() < 1
    (tmp_path / "b.png").unlink()
    assert shape_of([tmp_path], Reading(channels="rgb")) == (5, 4, 3)


@pytest.mark.parametrize(
    ("pixels", "shape", "sentence"),
    [
        (
            stack(1, 6, 4)[0],
            (5, 4, 1),
            "a.png is 6 x 4 grey, and 5 x 4 grey is needed; resize it, or train with data.s",
        ),
        (COLOUR, (5, 4, 1), "a.png is 5 x 4 RGB, and 5 x 4 grey is needed; turn it into grey levels, or train with"),
    ],
)
def test_an_image_that_does_not_fit_the_model_is_refused(
    pixels: np.ndarray, shape: tuple[int, int, int], sentence: str, tmp_path: Path
) -> None:
    path = write_image(tmp_path / "a.png", pixels)
    assert refusal(path, Reading(), shape).startswith(sentence)
    with pytest.raises(ValueError, match=" is needed; "):
        pictures_of(path, Reading(), shape)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def test_damaged_files_among_good_ones_are_left_out_and_counted(tmp_path: Path) -> None:
    good = png(stack(1, 50, 40)[0])
    contents = {
        "a.png": good, "b.png": good[:-500], "c.png": good[:-900], "d.png": b"", "e.jpg": b"GIF87", "f.png": good,
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "g.png").symlink_to(tmp_path / "gone.png")
    pictures, report = read(tmp_path)
    assert len(pictures) == 2
    assert report.to_dict()["counts"] == {
        "image files read": 2,
        f"unreadable image files skipped: it is truncated or damaged, such as {tmp_path / 'b.png'}": 2,
        f"unreadable image files skipped: it is empty, such as {tmp_path / 'd.png'}": 1,
        f"unreadable image files skipped: it is in no known image format, such as {tmp_path / 'e.jpg'}": 1,
        f"unreadable image files skipped: it is not there, such as {tmp_path / 'g.png'}": 1,
    }


def test_where_nothing_can_be_read_it_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert refusal(tmp_path / "a.png") == "a.png is no image that can be read: it is empty; give another file"
    (tmp_path / "b.png").write_bytes(png(GREY)[:45])
    sentence = "none of the 2 image files can be read, the first because it is empty; give other files"
    assert refusal(tmp_path) == sentence
    assert refusal(tmp_path, shape=(5, 4, 1)) == sentence
    with pytest.raises(UnreadableImage, match=r"b\.png is no image that can be read: it is truncated or damaged; give"):
        pictures_of(tmp_path / "b.png", Reading(), (5, 4, 1))


def test_too_large_an_image_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_image(tmp_path / "a.png", GREY)
    monkeypatch.setattr(files, "MOST_PIXELS", 19)
    assert refusal(path).startswith("a.png is no image that can be read: it has more than 0 million pixels")
    monkeypatch.undo()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 19)  # PIL warns from here on
    assert refusal(path).startswith("a.png is no image that can be read: it has more than 64 million pixels")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("imges", "there is no file or folder imges; give IDX files such as MNIST's, .npz or .npy arrays"),
        ("empty", "FOLDER holds no images (.png, .apng, .jpg, .jpeg, .jpe, .jfif, .gif, .bmp, .dib, .webp, .tif, ."),
        ("text", "FOLDER holds no images (.png, .apng, .jpg, .jpeg, .jpe, .jfif, .gif, .bmp, .dib, .webp, .tif, .t"),
        ("text/a.txt", "a.txt is no image that can be read: it is in no known image format; give another file"),
    ],
)
def test_a_source_without_images_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    for folder in ("images", "empty", "text"):
        (tmp_path / folder).mkdir()
    for letter in "ab":
        (tmp_path / "text" / f"{letter}.txt").write_text("words")
    found = refusal(tmp_path / name)
    assert found.startswith(sentence)
    assert name != "imges" or found.endswith(" Did you mean 'images'?")


def test_an_image_file_gives_one_picture_and_a_folder_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", GREY)
    (picture,) = pictures_of(path, Reading(), (5, 4, 1))
    assert np.array_equal(picture.pixels, GREY[:, :, None])
    assert picture.label is None
    with pytest.raises(ValueError, match=r"is a folder; give one file of it$"):
        pictures_of(tmp_path, Reading(), (5, 4, 1))


def test_stacks_are_resized_and_turned_grey_as_files_are(tmp_path: Path) -> None:
    pixels = stack(2, 5, 4, 3)
    path = write_idx(tmp_path / "images-idx4-ubyte", pixels)
    reading = Reading(size=(3, 2), channels="grey")
    assert shape_of([path], reading) == (3, 2, 1)
    pictures, report = read(path, reading)
    assert report.to_dict()["counts"] == {"images resized to 3 x 2": 2}
    write_image(tmp_path / "one.png", pixels[1])
    assert pictures[1] == read(tmp_path / "one.png", reading)[0][0]
    assert pictures_of(path, reading, (3, 2, 1))[1] == pictures[1]


def test_damaged_bytes_never_end_in_another_error(tmp_path: Path) -> None:
    rng = random.Random(0)
    image = Image.fromarray(stack(1, 9, 7, 3)[0])
    path = tmp_path / "some.image"
    for kind in ("png", "jpeg", "bmp", "gif", "webp", "tiff", "ppm"):
        stream = io.BytesIO()
        image.save(stream, kind)
        for _ in range(60):
            content = bytearray(stream.getvalue())
            for _ in range(rng.choice((1, 3, 20))):
                content[rng.randrange(len(content))] = rng.randrange(256)
            path.write_bytes(content[: rng.choice((len(content), rng.randrange(len(content))))])
            with warnings.catch_warnings(record=True) as told:
                try:
                    shape = files.look(path)
                    assert files.load(path).shape == shape
                except UnreadableImage as error:
                    assert error.reason  # noqa: PT017
            assert not told
