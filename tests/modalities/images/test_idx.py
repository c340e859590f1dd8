"""MNIST's format: the values, the labels beside, and every way in which a file can be wrong."""

import gzip
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.images import idx
from seqvae.modalities.images.reading import Reading, files_of, pictures_of, shape_of, splits_of
from tests.modalities.images.made import idx_bytes, mnist_like, read, refusal, stack, write_idx

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_and_labels_are_those_of_the_files(ending: str, tmp_path: Path) -> None:
    made = mnist_like(tmp_path, ending=ending)
    for part in ("train", "test"):
        pictures, _ = read(tmp_path, Reading(split=part))
        assert np.array_equal([picture.pixels[:, :, 0] for picture in pictures], made[f"x_{part}"])
        assert [picture.label for picture in pictures] == [str(label) for label in made[f"y_{part}"]]
    everything, report = read(tmp_path)
    assert len(everything) == 10
    assert not report.counts
    assert set(splits_of([tmp_path])) - {None} == {"train", "test"}
    assert shape_of([tmp_path], Reading()) == (5, 4, 1)


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    values = stack(3, 5, 4)
    content = idx_bytes(values)
    for name, written in (("a.bin", content), ("b.bin", gzip.compress(content)), ("c-ubyte", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        pictures, _ = read(tmp_path / name)
        assert np.array_equal([picture.pixels[:, :, 0] for picture in pictures], values)
        assert {picture.label for picture in pictures} == {None}


def test_colour_stacks_have_four_axes(tmp_path: Path) -> None:
    values = stack(2, 5, 4, 3)
    pictures, _ = read(write_idx(tmp_path / "images-idx4-ubyte.gz", values))
    assert np.array_equal([picture.pixels for picture in pictures], values)


def test_every_file_that_counts_is_named_and_no_other(tmp_path: Path) -> None:
    mnist_like(tmp_path)
    (tmp_path / ".hidden").write_bytes(idx_bytes(stack(2, 5, 4)))
    (tmp_path / "preview.png").write_bytes(b"")
    (tmp_path / "README").write_text("digits")
    names = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", f"{IMAGES}.gz", f"{LABELS}.gz"]
    assert [path.name for path in files_of(tmp_path)] == names
    assert [path.name for path in files_of(tmp_path / f"{IMAGES}.gz")] == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_a_compressed_copy_beside_the_plain_file_is_not_read_twice(tmp_path: Path) -> None:
    mnist_like(tmp_path, ending="")
    mnist_like(tmp_path, ending=".gz")
    assert len(read(tmp_path)[0]) == 10


def test_files_of_labels_among_the_sources_are_passed_over(tmp_path: Path) -> None:
    mnist_like(tmp_path)
    sources = sorted(tmp_path.glob("train-*"))
    assert shape_of(sources, Reading()) == (5, 4, 1)
    assert refusal(tmp_path / f"{LABELS}.gz", shape=(5, 4, 1)).startswith(
        f"{LABELS}.gz holds labels, not images; give the file of images"
    )


def test_the_pictures_of_one_file_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    made = mnist_like(tmp_path)
    pictures = pictures_of(tmp_path / f"{IMAGES}.gz", Reading(), (5, 4, 1))
    assert len(pictures) == 7
    assert np.array_equal(pictures[6].pixels[:, :, 0], made["x_train"][6])
    assert pictures[-1] == pictures[6]
    assert pictures[1:3] == [pictures[1], pictures[2]]
    assert pictures[2].label == str(made["y_train"][2])
    with pytest.raises(IndexError):
        pictures[7]


GOOD = idx_bytes(stack(3, 5, 4))
PACKED = gzip.compress(GOOD, mtime=0)
HUGE = struct.pack(">4I", 0x803, 2**31, 2**20, 2**20)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", f"{IMAGES} is empty; get the file again"),
        (b"\0\0", f"{IMAGES} is truncated; get the file again"),
        (b"\x89PNG\r\n\x1a\n", f"{IMAGES} is no IDX file: it starts with 0x89504e47, and MNIST's images with 0x000008"),
        (GOOD[:10], f"{IMAGES} is truncated within its header; get the file again"),
        (
            GOOD[:-1],
            f"{IMAGES} is truncated: its header promises 3 x 5 x 4, 76 bytes, and there are 75; get the file again",
        ),
        (GOOD + b"!", f"{IMAGES} is damaged: it goes on after the 76 bytes of 3 x 5 x 4 that its header promises"),
        (gzip.compress(GOOD[:-1]), f"{IMAGES} is truncated: its header promises 3 x 5 x 4, 76 bytes, and there are 75"),
        (gzip.compress(GOOD + b"!"), f"{IMAGES} is damaged: it goes on after the 76 bytes of 3 x 5 x 4 that its heade"),
        (PACKED[:-12], f"{IMAGES} is truncated: its compressed data ends too early; get the file again"),
        (PACKED[:40] + b"\xff" * 9 + PACKED[49:], f"{IMAGES} is damaged: it does not decompress ("),
        (PACKED[:-5] + b"\0" + PACKED[-4:], f"{IMAGES} is damaged: it does not decompress (CRC check failed"),
        (HUGE, f"{IMAGES} is truncated: its header promises 2,147,483,648 x 1,048,576 x 1,048,576, "),
        (gzip.compress(HUGE), f"{IMAGES} is truncated or damaged: its header promises 2,147,483,648 x 1,048,576 x 1"),
        (idx_bytes(stack(3, 5, 4), code=0x0D), f"{IMAGES} holds floats; give an IDX file of unsigned bytes"),
        (idx_bytes(stack(3, 5)), f"{IMAGES} is 3 x 5; give images as (count, height, width), (count, height, width, 1"),
        (idx_bytes(stack(0, 5, 4)), f"{IMAGES} is 0 x 5 x 4, which is no image at all; give another file"),
        (idx_bytes(stack(1, 20000, 1)), f"{IMAGES} has images of 20000 x 1 grey; give images of at most 16384 a side"),
    ],
    ids=[
        "empty", "half a magic number", "wrong magic number", "half a header", "a byte too few", "a byte too many",
        "packed, too few", "packed, too many", "packed, cut", "packed, damaged", "packed, wrong checksum",
        "exabytes", "packed exabytes", "floats", "two axes", "no image", "huge images",
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(content)
    assert refusal(tmp_path / IMAGES).startswith(sentence)
    assert refusal(tmp_path).startswith(sentence)


def test_labels_have_to_be_as_many_as_images(tmp_path: Path) -> None:
    mnist_like(tmp_path)
    write_idx(tmp_path / f"{LABELS}.gz", stack(6))
    assert refusal(tmp_path / f"{IMAGES}.gz") == (
        f"{IMAGES}.gz holds 7 images and {LABELS}.gz 6 labels; put files of one origin together, or move the labels "
        "away"
    )
    write_idx(tmp_path / f"{LABELS}.gz", stack(7, 2))
    assert refusal(tmp_path / f"{IMAGES}.gz").startswith(f"{LABELS}.gz has 2 axes, as labels have not")


def test_a_bomb_takes_no_more_memory_than_its_header_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / IMAGES
    zeros = bytes(1 << 20)
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(struct.pack(">4I", 0x803, 100, 28, 28))
        for _ in range(256):
            file.write(zeros)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "goes on after the 78,416 bytes" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB
    monkeypatch.setattr(idx, "MOST_UNPACKED", 1000)
    assert (
        refusal(path) == f"{IMAGES} holds 78,416 bytes, too many to unpack in memory; unpack it to a file with gunzip"
    )


def test_mnist_is_read_as_everyone_counts_it(shared_data: Path) -> None:
    folder = shared_data / "mnist"
    pictures, _ = read(folder, Reading(split="test"))
    counts = np.bincount([int(picture.label) for picture in pictures])
    assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    mean = np.mean([picture.pixels for picture in pictures]) / 255
    assert mean == pytest.approx(0.1325, abs=5e-5)
    assert [pictures[number].label for number in range(5)] == ["7", "2", "1", "0", "4"]
