"""Published corpora as arrays, by split."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import seqvae
from seqvae import downloads
from seqvae.downloads import Known
from tests.modalities.images.made import mnist_like


def test_mnist_is_images_and_labels_by_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mnist_like(tmp_path)
    contents = {file.name: (tmp_path / file.name).read_bytes() for file in downloads.MNIST}
    files = tuple(Known(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items())
    monkeypatch.setattr(downloads, "MNIST", files)
    digits = seqvae.mnist(tmp_path)
    assert list(digits) == ["train", "test"]
    for split, found in digits.items():
        assert np.array_equal(found.images, made[f"x_{split}"])
        assert np.array_equal(found.labels, made[f"y_{split}"])
    few = {"model": {"latent": 2, "widths": "8"}, "train": {"epochs": 1, "threads": 1}}
    run = seqvae.train("images", digits["train"], tmp_path / "run", few, valid=digits["test"], device="cpu")
    assert [run.report[part]["items"] for part in ("train", "valid")] == [7, 3]


def test_the_published_mnist_has_the_digits_that_it_is_known_for(shared_data: Path) -> None:
    digits = seqvae.mnist(shared_data / "mnist")
    assert [part.images.shape for part in digits.values()] == [(60_000, 28, 28), (10_000, 28, 28)]
    assert [part.labels[:5].tolist() for part in digits.values()] == [[5, 0, 4, 1, 9], [7, 2, 1, 0, 4]]
    assert digits["train"].images.mean() == pytest.approx(33.318, abs=1e-3)
