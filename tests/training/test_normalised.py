"""Training with normalised posterior means: running statistics are weights like others, and a batch is whole."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import seqvae
from seqvae.modalities.text.settings import TextData
from seqvae.nets.sizes import SequenceModel
from seqvae.runs.run import Run
from seqvae.settings import Config, build_config
from seqvae.training.limits import check_processes, check_values
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import MODEL, records, values, write_corpus

SCALE = 0.7
FLOOR = MODEL["latent"] * SCALE**2 / 2
SETTINGS = values(
    model={"batch_norm_scale": SCALE, "word_dropout": 0.3}, objective={"free_nats_per_dimension": 0.01},
    epochs=6, batch_size=5, accumulate=2, checkpoint_steps=4, log_steps=1, validate_steps=6, learning_rate=0.02,
    decay_to_best=True, decay_steps=0, decay_patience=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "alone", SETTINGS, device="cpu")


def config(**values: object) -> Config:
    kept = {"model": {"batch_norm_scale": SCALE}, "train": values}
    return build_config("text", TextData, SequenceModel, kept)


def test_the_divergence_of_every_step_is_above_the_floor(alone: Run) -> None:
    lines = records(alone, "train")
    assert len(lines) > 20
    assert all(line["kl_nats"] > 0.999 * FLOOR for line in lines)


def test_a_resumed_run_has_the_same_statistics_to_the_last_bit(corpus: Path, alone: Run, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="step 17"):
        train("text", [corpus], tmp_path / "run", SETTINGS, device="cpu", objective=stopped_after(17))
    assert differences(alone.path, resume(tmp_path / "run", device="cpu").path) == []


def test_a_loaded_model_has_the_statistics_and_an_item_its_own_code(alone: Run, tmp_path: Path) -> None:
    model = seqvae.load(alone.path, device="cpu")
    statistics = {name: value for name, value in alone.weights(alone.best_step()).items() if "running" in name}
    assert sorted(statistics) == ["to_mean.running_mean", "to_mean.running_variance"]
    assert torch.equal(model.vae.to_mean.running_mean, statistics["to_mean.running_mean"])
    assert statistics["to_mean.running_mean"].abs().min() > 0
    sentences = ["the cat sees a dog", "bird", "a small red bird likes the old cat and finds not the dog"]
    together = model.encode(sentences).mean
    for row, sentence in zip(together, sentences, strict=True):
        assert torch.allclose(model.encode([sentence]).mean[0], row, atol=1e-6)
    model.save(tmp_path / "copy")
    assert torch.equal(seqvae.load(tmp_path / "copy", device="cpu").encode(sentences).mean, together)


def test_a_stage_that_draws_the_mean_anew_begins_its_statistics_anew(corpus: Path, tmp_path: Path) -> None:
    brief = {**SETTINGS, "train": {**SETTINGS["train"], "epochs": 1}}
    stages = [{}, {"keep": ["encoder", "scale", "decoder"]}]
    run = train("text", [corpus], tmp_path / "run", {**brief, "stages": stages}, device="cpu")
    whole = train("text", [corpus], tmp_path / "whole", {**brief, "stages": [{}, {}]}, device="cpu")
    anew, through = (int(each.weights(each.steps()[-1])["to_mean.updates"]) for each in (run, whole))
    assert anew > 8
    assert through == 2 * anew


def test_batches_of_one_example_and_several_processes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.batch_norm_scale=0\.7 is not possible with train\.batch_size=1"):
        check_values(config(batch_size=1))
    check_values(config(batch_size=1000, batch_by="tokens"))
    with pytest.raises(ValueError, match=r"model\.batch_norm_scale=0\.7 is not possible with 2 processes"):
        check_processes(config(), 2)
    check_processes(config(), 1)
    check_processes(replace(config(), model=SequenceModel()), 2)
