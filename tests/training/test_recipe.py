"""A recipe in Python: by name or path, below the values that are named beside it."""

from pathlib import Path

import numpy as np
import pytest

from seqvae.training.run import train
from tests.modalities.images.made import stack
from tests.training.small import values, write_corpus


def test_a_recipe_is_taken_by_its_name_and_values_stand_over_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=stack(20, 6, 5))
    few = {"model": {"widths": "12"}, "train": {"epochs": 1, "threads": 1}}
    run = train("images", tmp_path / "images.npz", tmp_path / "run", few, device="cpu", recipe="mnist-plane")
    assert (run.settings["model"]["latent"], run.settings["model"]["widths"]) == (2, "12")  # 2: the recipe's
    assert run.settings["train"]["epochs"] == 1


def test_a_recipe_is_taken_by_its_path_and_its_epochs_are_those_that_are_asked_for(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    first = train("text", corpus, tmp_path / "first", values(epochs=1, seed=3), device="cpu")
    again = train("text", corpus, tmp_path / "again", device="cpu", recipe=first.path / "config.json")
    assert again.settings == first.settings
    assert again.weights(again.best_step()).keys() == first.weights(first.best_step()).keys()


def test_a_recipe_of_another_modality_or_an_unknown_one_is_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    with pytest.raises(ValueError, match="recipe mnist-plane is for images, not text"):
        train("text", corpus, tmp_path / "run", recipe="mnist-plane")
    with pytest.raises(ValueError, match=r"no recipe 'mnist-plan'; .* Did you mean 'mnist-plane' \(4 min\)\?"):
        train("images", corpus, tmp_path / "run", recipe="mnist-plan")
    assert not (tmp_path / "run").exists()
