"""Images in .npz files: names, kinds of numbers, and what is refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqvae.modalities.base import Report
from seqvae.modalities.images.reading import (
    Reading,
    files_of,
    named_pictures,
    pictures_of,
    read_pictures,
    shape_of,
    splits_of,
)
from tests.modalities.images.made import read, refusal, stack

TRAIN, TEST = stack(6, 5, 4, seed=1), stack(2, 5, 4, seed=2)


def saved(folder: Path, compressed: bool = True, **arrays: object) -> Path:
    path = folder / "some.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_val", "Y_val"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_are_found_by_their_names(names: tuple[str, ...], compressed: bool, tmp_path: Path) -> None:
    labels = np.arange(6, dtype=np.int64), np.array([[3], [1]], np.uint8)
    arrays = dict(zip(names, (TRAIN, labels[0], TEST, labels[1]), strict=True))
    path = saved(tmp_path, compressed, **arrays)
    other = "valid" if "X_val" in names else "test"
    assert set(splits_of([path])) - {None} == {"train", other}
    pictures, _ = read(path, Reading(split="train"))
    assert np.array_equal([picture.pixels[:, :, 0] for picture in pictures], TRAIN)
    assert [picture.label for picture in pictures] == list("012345")
    pictures, _ = read(tmp_path)  # the folder, train before the rest
    assert np.array_equal([picture.pixels[:, :, 0] for picture in pictures], [*TRAIN, *TEST])
    assert [picture.label for picture in pictures] == list("01234531")
    stacked = pictures_of(path, Reading(), (5, 4, 1))
    assert len(stacked) == 8
    named = list(named_pictures([path, path], Reading(split=other), (5, 4, 1), Report()))
    assert [one.name.removeprefix(f"{path}#") for one in named] == ["6", "7", "6", "7"]
    assert all(one.item == stacked[int(one.name.rpartition("#")[2])] for one in named)
    assert [stacked[5], stacked[6], stacked[-1]] == [pictures[5], pictures[6], pictures[7]]


@pytest.mark.parametrize("arrays", [{"images": TRAIN}, {"x": TRAIN}, {"X": TRAIN}, {"anything": TRAIN}])
def test_arrays_without_a_split_tell_of_none(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = saved(tmp_path, **arrays)
    assert not any(splits_of([path]))
    assert np.array_equal([picture.pixels[:, :, 0] for picture in read(path)[0]], TRAIN)


@pytest.mark.parametrize(
    ("images", "labels"), [("x_{}.npy", "y_{}.npy"), ("{}-images.npy", "{}-labels.npy"), ("a_{}.NPY", "a_{}_label.npy")]
)
def test_a_npy_file_is_a_stack_with_its_labels_beside_it(images: str, labels: str, tmp_path: Path) -> None:
    for part, values in (("train", TRAIN), ("test", TEST)):
        with open(tmp_path / images.format(part), "wb") as file:
            np.save(file, values)
        np.save(tmp_path / labels.format(part), np.arange(len(values)) + 3)
    (tmp_path / "notes.txt").write_text("")
    pictures, _ = read(tmp_path, Reading(split="train"))
    assert np.array_equal([picture.pixels[:, :, 0] for picture in pictures], TRAIN)
    assert [picture.label for picture in pictures] == list("345678")
    assert [picture.label for picture in read(tmp_path, Reading(split="test"))[0]] == list("34")
    path = tmp_path / images.format("train")
    assert pictures_of(path, Reading(), (5, 4, 1))[2] == pictures[2]
    assert tmp_path / labels.format("train") in files_of(path)
    assert refusal(tmp_path / labels.format("train")).startswith(
        f"{labels.format('train')} holds labels, not images; g"
    )
    np.save(tmp_path / labels.format("train"), np.arange(5))
    assert f"{images.format('train')} holds 6 images and " in refusal(path)


@pytest.mark.parametrize(
    "values", [stack(3, 5, 4, 3), np.asfortranarray(stack(3, 5, 4, 1)), stack(3, 25), stack(2, 5, 4) > 9]
)
def test_a_npy_file_holds_images_of_any_kind(values: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", values)
    found = np.stack([picture.pixels for picture in read(tmp_path / "some.npy")[0]])
    expected = values * np.uint8(255) if values.dtype == bool else values
    assert np.array_equal(found.ravel(), expected.ravel())
    np.save(tmp_path / "some.npy", values / np.float32(255))
    found = np.stack([picture.pixels for picture in read(tmp_path)[0]])
    assert np.array_equal(found.ravel(), values.ravel() if values.dtype != bool else np.rint(values.ravel()))


def test_a_npy_file_that_is_no_stack_of_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert refusal(path) == "some.npy holds Python objects; store an array of numbers"
    np.save(path, np.float32(3))
    assert refusal(path).startswith("some.npy is a single number; give images as (count, height, width)")
    np.save(path, stack(3, 5, 4))
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path) == ("some.npy is truncated or damaged: its header promises 60 bytes; write the file again")
    path.write_bytes(b"\x93NUMPY\x01\x00")
    assert refusal(path) == "some.npy is no array that can be read; write the file again"


def test_image_files_go_before_loose_arrays_of_a_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "embeddings.npy", stack(3, 5, 4))
    Image.fromarray(TRAIN[0]).save(tmp_path / "a.png")
    assert len(read(tmp_path)[0]) == 1


def test_the_name_of_the_file_may_tell_the_split(tmp_path: Path) -> None:
    for name in ("kana-train.npz", "kana-test.npz"):
        np.savez(tmp_path / name, TRAIN if "train" in name else TEST)
    assert set(splits_of([tmp_path])) - {None} == {"train", "test"}
    assert len(read(tmp_path, Reading(split="test"))[0]) == 2


def test_labels_may_be_words(tmp_path: Path) -> None:
    path = saved(tmp_path, images=TEST, labels=np.array(["cat", "dog"]))
    assert [picture.label for picture in read(path)[0]] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (stack(3, 5, 4), None),
        (stack(3, 5, 4, 1), None),
        (stack(3, 5, 4, 3), None),
        (stack(3, 25), None),
        (stack(3, 5, 4) > 99, (stack(3, 5, 4) > 99) * 255),
        ((stack(3, 5, 4) > 99).astype(np.uint8), (stack(3, 5, 4) > 99) * 255),
        (stack(3, 5, 4) / 255, stack(3, 5, 4)),
        ((stack(3, 5, 4) / 255).astype(np.float16), None),
        (np.asfortranarray(stack(3, 5, 4)), None),
    ],
    ids=["grey", "one channel", "RGB", "rows", "bool", "zeros and ones", "floats", "half floats", "Fortran order"],
)
def test_kinds_of_numbers_become_levels_of_grey(values: np.ndarray, expected: object, tmp_path: Path) -> None:
    path = saved(tmp_path, images=values)
    found = np.array([picture.pixels for picture in read(path)[0]])
    if expected is None:
        expected = np.rint(values.astype(float) * 255) if values.dtype.kind == "f" else values
    shape = (3, 5, 5, 1) if values.ndim == 2 else (3, 5, 4, values.shape[3] if values.ndim == 4 else 1)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.reshape(expected, shape))


class Trap:
    """An object that would be built by pickle."""


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (
            {"images": np.full((2, 5, 4), 2.5)},
            "'images' of some.npz holds floats from 2.5 to 2.5; give floats in",
        ),
        ({"images": np.full((2, 5, 4), np.nan)}, "'images' of some.npz holds floats from nan to nan; give floats in"),
        (
            {"images": np.ones((2, 5, 4), np.int64)},
            "'images' of some.npz holds int64; give uint8 of 0 to 255, bool",
        ),
        ({"images": stack(2, 7)}, "'images' of some.npz is 2 x 7; give images as (count, height, width), (count, heig"),
        ({"images": stack(2, 3, 5, 4)}, "'images' of some.npz is 2 x 3 x 5 x 4; give images as (count, height, width)"),
        ({"images": np.array(3)}, "'images' of some.npz is a single number; give images as"),
        ({"images": stack(0, 5, 4)}, "'images' of some.npz is 0 x 5 x 4, which is no image at all; give another file"),
        ({"images": np.array([Trap()])}, "'images' of some.npz holds Python objects; store an array of numbers"),
        ({"images": TEST, "labels": np.arange(3)}, "'images' of some.npz holds 2 images and 'labels' 3 labels; put fi"),
        (
            {"images": TEST, "labels": np.ones(2)},
            "'labels' of some.npz is float64 of shape (2,); give one whole",
        ),
        ({"a": TEST, "b": TEST}, "some.npz has no array of images by name (it has a, b); call it x_train (with y_tra"),
        ({}, "some.npz has no array of images by name (it is empty); call it x_train"),
    ],
)
def test_what_holds_no_images_is_refused_in_one_sentence(
    arrays: dict[str, np.ndarray], sentence: str, tmp_path: Path
) -> None:
    assert refusal(saved(tmp_path, **arrays)).startswith(sentence)


def test_damaged_archives_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, compressed=False, images=TRAIN)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith("some.npz is no .npz that can be read (File is not a zip file); get or write")
    place = content.index(TRAIN.tobytes())
    path.write_bytes(content[:place] + b"\0" + content[place + 1 :])
    assert refusal(path).startswith("some.npz is no .npz that can be read (Bad CRC-32")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("a.png", b"")
    assert refusal(tmp_path / "images.zip") == "images.zip is a zip; unpack it, and give the folder"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"nothing of numpy's")
    assert refusal(path) == "'images' of some.npz is no array that can be read; write the file again"


def test_a_header_that_promises_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    import io

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**31, 2**10, 2**10)}
    )
    path = tmp_path / "some.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(1000))
    assert refusal(path).startswith("'images' of some.npz is truncated or damaged: its header promises 2,251,799,813")


def test_several_archives_of_one_folder_follow_one_another(tmp_path: Path) -> None:
    for name, values in (("b.npz", TRAIN), ("a.npz", TEST)):
        np.savez(tmp_path / name, images=values)
    assert [picture.pixels[0, 0, 0] for picture in read(tmp_path)[0]] == [*TEST[:, 0, 0], *TRAIN[:, 0, 0]]
    assert shape_of([tmp_path / "b.npz", tmp_path / "a.npz"], Reading()) == (5, 4, 1)
    both = read_pictures([tmp_path / "b.npz", tmp_path / "a.npz"], Reading(), (5, 4, 1), Report())
    assert [picture.pixels[0, 0, 0] for picture in both] == [*TRAIN[:, 0, 0], *TEST[:, 0, 0]]
