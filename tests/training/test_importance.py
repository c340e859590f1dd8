"""Training by the importance-weighted bound, and plain autoencoders, whose codes are not drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.build import build_vae as initial
from seqvae.build import open_run
from seqvae.core.importance import Draws
from seqvae.core.vae import VAE
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.likelihood import importance_weighted_nll
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.settings import ImageData, ImageModel
from seqvae.model import Model, load
from seqvae.noise import Noise
from seqvae.runs.run import Run
from seqvae.settings import Config, Objective, build_config
from seqvae.training import validator
from seqvae.training.corpora import fit_modality, parts
from seqvae.training.limits import check_values
from seqvae.training.loop import Interrupted
from seqvae.training.progress import Progress
from seqvae.training.run import resume, train
from seqvae.training.schedules import GROWTH, Schedules
from seqvae.training.validation import SEED, validate
from tests.kill_and_resume import differences
from tests.modalities.images.made import mnist_like, write_idx
from tests.training.objectives import stopped_after
from tests.training.small import records, write_corpus
from tests.training.small import values as text_values

WEIGHTED = {
    "importance_samples": 9, "first_importance_samples": 1, "kept_samples": 1.5, "estimator": "doubly_reparameterized",
}  # fmt: skip


def values(
    objective: dict[str, Any] | None = None, model: dict[str, Any] | None = None, **train: Any
) -> dict[str, Any]:
    return {
        "data": {"binarise": "dynamic"},
        "model": {"latent": 3, "widths": "8,6", **(model or {})},
        "objective": WEIGHTED if objective is None else objective,
        "train": {"epochs": 3, "batch_size": 8, "threads": 1, "log_steps": 1, "learning_rate": 0.01, **train},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images of 5 x 4 to train on, and some for testing."""
    place = tmp_path_factory.mktemp("images")
    mnist_like(place, train=40, test=6)
    return place


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """WEIGHTED, never stopped."""
    return train("images", folder, tmp_path_factory.mktemp("runs") / "whole", values(), device="cpu")


def draws_of_steps(monkeypatch: pytest.MonkeyPatch) -> list[Draws]:
    """A list that fills with how z is drawn at each step of training."""
    found: list[Draws] = []
    forward = VAE.forward

    def spy(self: VAE, batch: Any, noise: Any, dropout: bool = True, *rest: Any, **named: Any) -> Any:
        if dropout:
            found.append(named["draws"])
        return forward(self, batch, noise, dropout, *rest, **named)

    monkeypatch.setattr(VAE, "forward", spy)
    return found


def config_of(**objective: Any) -> Config:
    return build_config("images", ImageData, ImageModel, {"objective": objective, "train": {"epochs": 4}})


def samples(config: Config, epoch: int, examples: int = 0) -> int:
    """The draws of z after so many epochs of ten examples."""
    return Schedules(config, 10).at(Progress(epoch=epoch, examples=examples)).draws.samples


def test_the_draws_grow_by_equal_factors_over_three_quarters_of_the_training() -> None:
    assert GROWTH == 0.75
    config = config_of(importance_samples=64, first_importance_samples=1)
    grown = [samples(config, epoch, half) for epoch in range(4) for half in (0, 5)]
    # after 0, 1/8, ... 7/8 of the training: 64 to the power of 0, 1/6, 2/6 ... 1
    assert grown == [1, 2, 4, 8, 16, 32, 64, 64]
    config = config_of(importance_samples=50, first_importance_samples=5)
    assert [samples(config, epoch) for epoch in range(5)] == [5, 11, 23, 50, 50]
    for constant in ({"importance_samples": 7}, {"importance_samples": 7, "first_importance_samples": 7}):
        assert samples(config_of(**constant), 1) == 7


def test_each_step_takes_as_many_draws_as_the_progress_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = draws_of_steps(monkeypatch)
    run = train("images", folder, tmp_path / "run", values(), device="cpu")
    done = [(step // 5 + step % 5 * 8 / 38) / 3 for step in range(15)]  # 38 images in batches of 8, three epochs
    assert [draws.samples for draws in found] == [round(9 ** min(1.0, share / 0.75)) for share in done]
    assert [found[step].samples for step in (0, 2, 5, 8, 11, 12)] == [1, 2, 3, 5, 9, 9]
    assert {(draws.beta, draws.doubly_reparameterized, draws.kept) for draws in found} == {(1.0, True, 1.5)}
    assert run.steps()[-1] == len(found) == 15
    found.clear()
    plain = values({"importance_samples": 3, "schedule": "linear", "anneal_steps": 4, "beta_start": 0.2}, steps=6)
    train("images", folder, tmp_path / "plain", plain, device="cpu")
    assert [draws.beta for draws in found] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert {(draws.samples, draws.doubly_reparameterized, draws.kept) for draws in found} == {(3, False, 0.0)}


def test_the_metrics_tell_both_bounds_and_the_best_is_that_of_the_weighted_one(whole: Run) -> None:
    validations = records(whole, "validation")
    assert len(validations) == 3
    for record in validations:
        assert record["iw_bound_nats"] > record["elbo_nats"]
        assert record["elbo_nats"] == pytest.approx(-record["reconstruction_nats"] - record["kl_nats"])
        assert record["perplexity_bound"] is None
    assert validations[-1]["best"] == (
        validations[-1]["iw_bound_nats"] > max(record["iw_bound_nats"] for record in validations[:-1])
    )


def test_the_loss_is_the_negative_bound_of_the_images_as_training_sees_them(folder: Path, tmp_path: Path) -> None:
    run = train("images", folder, tmp_path / "run", values({"importance_samples": 9}, steps=1), device="cpu")
    _, config, modality = open_run(run.path)
    part, _ = parts([prepare(modality.of_split("train", [folder]), [folder])], 0)
    batches = Batches(part, 8, seed=0)
    batch = batches.varied(next(batches.epoch(0)), 0)
    bound = initial(config, modality)(batch, Noise(0, batch.keys, 0), draws=Draws(9)).bound
    assert records(run, "train")[0]["loss"] == pytest.approx(-float(bound.detach().mean()), rel=1e-6)


def test_one_draw_leaves_the_importance_weighted_bound_out(folder: Path, tmp_path: Path) -> None:
    run = train("images", folder, tmp_path / "run", values({}, epochs=1), device="cpu")
    assert "iw_bound_nats" not in records(run, "validation")[0]


def test_validation_gives_the_weighted_bound_of_the_evaluation_on_settled_images(whole: Run, folder: Path) -> None:
    model = load(whole.path)
    split = model.modality.of_split("train", [folder])
    _, held_out = parts([prepare(split, [folder])], 0)
    batches = Batches(held_out, 8)
    loaded = [batches.load(indices) for indices in batches.in_order()]
    assert all(((batch.x == 0) | (batch.x == 255)).all() for batch in loaded)
    figures = validate(
        model.vae, loaded, torch.zeros(1, dtype=torch.float64), lambda sums: sums, Objective(importance_samples=9)
    )
    expected = importance_weighted_nll(model.vae, loaded, 9, SEED).mean_nll_nats
    assert figures["iw_bound_nats"] == pytest.approx(-expected, rel=1e-6)
    best = [record for record in records(whole, "validation") if record["best"]][-1]
    assert best["iw_bound_nats"] == pytest.approx(-expected, rel=1e-5), "the loaded weights are the best ones"


def test_the_best_weights_are_those_of_the_best_weighted_bound(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elbo, weighted = iter([-5.0, -3.0, -4.0]), iter([-2.0, -2.5, -1.5])
    monkeypatch.setattr(
        validator, "validate",
        lambda *_: {"elbo_nats": next(elbo), "iw_bound_nats": next(weighted), "kl_nats": 1.0, "active_units": 1},
    )  # fmt: skip
    run = train("images", folder, tmp_path / "run", values(), device="cpu")
    assert [record["best"] for record in records(run, "validation")] == [True, False, True]
    assert run.best_step() == 15


@pytest.mark.parametrize("step", [3, 8, 13])
def test_a_stopped_run_ends_in_the_same_bits(step: int, folder: Path, whole: Run, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=f"step {step}"):
        train("images", folder, tmp_path / "run", values(), device="cpu", objective=stopped_after(step))
    assert differences(whole.path, resume(tmp_path / "run", device="cpu").path) == []


def test_accumulated_batches_have_the_bound_of_one_large_batch(folder: Path, tmp_path: Path) -> None:
    """A batch of 20 as two of 10: the first step's loss, whose draws belong to the images alone."""
    large = values({**WEIGHTED, "first_importance_samples": 0}, steps=1, batch_size=40)
    small = values({**WEIGHTED, "first_importance_samples": 0}, steps=1, batch_size=11, accumulate=4)
    found = [
        records(train("images", folder, tmp_path / str(place), settings, device="cpu"), "train")[0]
        for place, settings in enumerate((large, small))
    ]
    for name in ("loss", "elbo_nats", "kl_nats", "gradient_norm"):
        assert found[1][name] == pytest.approx(found[0][name], rel=1e-4), name


@pytest.mark.parametrize("name", ["images", "text"])
def test_points_have_no_kl_and_codes_that_no_noise_draws(name: str, folder: Path, tmp_path: Path) -> None:
    if name == "images":
        run = train("images", folder, tmp_path / "run", values({}, {"posterior": "point"}), device="cpu")
    else:
        corpus = write_corpus(tmp_path / "corpus.txt")
        run = train("text", corpus, tmp_path / "run", text_values({"posterior": "point"}), device="cpu")
    for record in records(run):
        assert record["kl_nats"] is None
        assert record["elbo_nats"] == pytest.approx(-record["reconstruction_nats"])
    model = Model.load(run.path, "cpu")
    assert model.vae.to_mean is not None
    assert model.vae.to_scale is None
    assert model.vae.to_mean.out_features == model.vae.latent == 3
    _, _, modality = open_run(run.path)
    batch = Batches(Part(prepare(modality, [folder if name == "images" else corpus])), 7).load(np.arange(7))
    terms = [model.vae(batch, Noise(seed, batch.keys), dropout=False) for seed in (0, 1)]
    assert torch.equal(terms[0].log_px, terms[1].log_px)
    q = model.vae.posterior(batch)
    assert torch.equal(terms[0].log_px, model.vae.decoder.log_prob(q.mean, batch))
    assert torch.equal(q.scale, torch.zeros_like(q.mean))
    assert not terms[0].kl.any()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"objective": {"importance_samples": 4, "first_importance_samples": 5}},
            r"^objective\.first_importance_samples=5 is more than objective\.importance_samples=4, to which they grow",
        ),
        (
            {"objective": {"first_importance_samples": 2}},
            r"first_importance_samples=2 is more than objective\.importance_samples=1",
        ),
        (
            {"objective": {"importance_samples": 4, "free_nats_per_dimension": 0.1}},
            r"^objective\.importance_samples=4 does not go with objective\.free_nats_per_dimension=0\.1, since .* a "
            r"single draw; set objective\.free_nats_per_dimension=0, or importance_samples to 1$",
        ),
        (
            {"objective": {"importance_samples": 4, "free_nats_total": 0.1}},
            r"does not go with objective\.free_nats_total=0\.1",
        ),
        (
            {"objective": {"importance_samples": 4, "sampling_rate": 0.1}},
            r"does not go with objective\.sampling_rate=0\.1",
        ),
        (
            {"objective": {"importance_samples": 4}, "model": {"posterior": "point"}},
            r"does not go with model\.posterior=point, since points are not drawn; set model\.posterior=gaussian, or",
        ),
        ({"objective": {"importance_samples": 0}}, r"importance_samples=0 is not possible; give 1 or more"),
        ({"objective": {"kept_samples": -1}}, r"kept_samples=-1\.0 is not possible; give 0 or more"),
        (
            {"objective": {"kept_samples": 2}},
            r"^objective\.kept_samples=2\.0 is for several draws; leave it out, or give",
        ),
        (
            {"objective": {"estimator": "doubly_reparameterized"}},
            "estimator=doubly_reparameterized is for several draws",
        ),
    ],
)
def test_objectives_that_exclude_each_other_are_refused(section: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_values(build_config("images", ImageData, ImageModel, section))
    check_values(build_config("images", ImageData, ImageModel, {"objective": WEIGHTED}))


def test_a_modality_learns_from_what_is_kept_for_training_alone(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.full((4, 5, 3), 40, np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.full((9, 5, 3), 200, np.uint8))
    modality = Images(ImageData())
    fit_modality(modality, [tmp_path])
    assert modality.shape == (5, 3, 1)
    assert np.array_equal(modality._mean, np.full((5, 3, 1), 40))
    both = Images(ImageData())
    fit_modality(both, [tmp_path / "t10k-images-idx3-ubyte"])
    assert np.array_equal(both._mean, np.full((5, 3, 1), 200)), "a source without a part for training is learned from"


def test_files_for_testing_are_not_trained_on(whole: Run, folder: Path) -> None:
    assert {name: part["items"] for name, part in whole.report.items()} == {"train": 40}
    _, config, modality = open_run(whole.path)
    assert (config.train.batch_size, config.objective.importance_samples) == (8, 9)
    assert modality.of_split("valid", [folder]) is None
