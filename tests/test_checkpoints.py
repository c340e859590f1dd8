"""Which weights are used: the best, the last, or those of a step, on the command line and in Python."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import seqvae
from seqvae.cli import main
from seqvae.runs.run import Checkpoint, Run
from seqvae.training import run as training
from seqvae.training import validator
from seqvae.training.run import resume, train
from tests.training.small import Listener, records, values, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Checkpoints of the steps 4, 8 and 12, the best of which is the first."""
    bounds = iter([-3.0, -4.0, -5.0])

    def validated(*_: Any) -> dict[str, Any]:
        return {"elbo_nats": next(bounds), "kl_nats": 1.0, "active_units": 1, "perplexity_bound": 2.0}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validator, "validate", validated)
        settings = values(epochs=3, learning_rate=0.05)
        return train("text", corpus, tmp_path_factory.mktemp("runs") / "run", settings, device="cpu")


def invoke(*words: Sequence[str] | Path | str) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("checkpoint", "step"), [("best", 4), ("last", 12), ("LAST", 12), (8, 8), ("8", 8), ("12", 12)]
)
def test_the_weights_are_those_of_the_checkpoint(checkpoint: int | str, step: int, run: Run, tmp_path: Path) -> None:
    model = seqvae.load(run.path, "cpu", checkpoint=checkpoint)
    loaded = dict(model.vae.named_parameters())
    for name, weight in run.weights(step).items():
        assert torch.equal(loaded[name], weight), name
    model.save(tmp_path / "copy")
    assert Run(tmp_path / "copy").steps() == [step]


def test_without_a_word_the_best_weights_are_used(run: Run) -> None:
    assert seqvae.load(run.path, "cpu").run.used_step == run.best_step() == 4


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("7", r"has no checkpoint of step 7; there are 4 \(best\), 8, 12 \(last\)$"),
        ("1,200", r"has no checkpoint of step 1,200; there are 4 \(best\), 8, 12 \(last\)$"),
        (
            "newest",
            r"^checkpoint newest is not possible; give best, last or the number of a step: .* has 4 \(best\), 8",
        ),
        ("-1", r"^checkpoint -1 is not possible"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_refused_with_those_that_are(checkpoint: str, message: str, run: Run) -> None:
    with pytest.raises(ValueError, match=message):
        seqvae.load(run.path, "cpu", checkpoint)
    assert invoke("sample", run.path, "--checkpoint", checkpoint).exit_code != 0


def test_every_command_that_uses_a_model_takes_the_option(run: Run, corpus: Path, tmp_path: Path) -> None:
    latents = tmp_path / "latents.npz"
    sentence, other = corpus.read_text().splitlines()[:2]
    lines = {
        "sample": ["-n", "2"], "reconstruct": [sentence], "interpolate": [sentence, other],
        "similar": [sentence], "encode": [sentence, "--out", latents], "decode": [latents],
        "evaluate": [corpus, "--importance-samples", "2", "--json", tmp_path / "figures.json"],
        "plot": ["--only", "network", "--out", tmp_path / "plot"],
    }  # fmt: skip
    for command, words in lines.items():
        for checkpoint, code in (("last", 0), ("7", 2)):
            result = invoke(command, run.path, *words, "--checkpoint", checkpoint)
            assert result.exit_code == code, (command, checkpoint, result.output)
    assert json.loads((tmp_path / "figures.json").read_text())["step"] == 12


def test_info_lists_the_checkpoints(run: Run) -> None:
    assert "checkpoints at steps 4 (best), 8, 12 (last); step 4 is used" in invoke("info", run.path).output


def test_the_ends_of_stages_are_kept_and_named_for_what_they_are(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "copy")
    copy = Run(tmp_path / "copy")
    for step, best, stage, ends in (
        (13, 13, 0, [13]), (17, None, 1, [13]), (18, 18, 1, [13]), (19, 19, 1, [13, 19]), (21, 21, 2, [13, 19]),
        (24, 21, 2, [13, 19]), (27, 21, 2, [13, 19]),
    ):  # fmt: skip
        weights = {"w": torch.full((1,), float(step))}
        copy.save(step, Checkpoint(weights, {}, {"best_step": best, "stage": stage, "stage_ends": ends}))
    assert copy.steps() == [13, 19, 21, 24, 27]
    assert copy.listed_steps() == "13 (end of stage 1), 19 (end of stage 2), 21 (best), 24, 27 (last)"
    assert float(copy.weights(13)["w"]) == 13.0
    shutil.rmtree(copy.path / "checkpoints" / "step-00000013")
    assert copy.listed_steps() == "19 (end of stage 2), 21 (best), 24, 27 (last)"


def test_a_run_starts_from_a_checkpoint_of_another_and_remembers_it(
    run: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    listener = Listener()
    begin: dict[str, Any] = {"device": "cpu", "start_from": run.path, "checkpoint": "8"}
    whole = train("text", corpus, tmp_path / "whole", {"train": {"epochs": 1}}, reporter=listener, **begin)
    assert f"from {run.path}, step 8: takes encoder, posterior, decoder" in " ".join(listener.messages[:2])
    assert whole.settings["from_step"] == 8
    for name, weight in whole.weights(0).items() if 0 in whole.steps() else ():
        assert torch.equal(weight, run.weights(8)[name])
    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", die)
        with pytest.raises(KeyboardInterrupt):
            train("text", corpus, tmp_path / "cut", {"train": {"epochs": 1}}, **begin)
    assert records(resume(tmp_path / "cut", device="cpu")) == records(whole)
    with pytest.raises(ValueError, match="has no checkpoint of step 9"):
        train("text", corpus, tmp_path / "new", {}, **{**begin, "checkpoint": 9})
    with pytest.raises(
        ValueError, match=r"^checkpoint=last chooses weights of another run; name that run with start_from$"
    ):
        train("text", corpus, tmp_path / "new", {}, device="cpu", checkpoint="last")
    assert not (tmp_path / "new").exists()
