"""Runs that take parts of the weights of others."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from seqvae.build import build_vae, load_weights, open_run, weights_of
from seqvae.core.vae import ALL_PARTS, is_of
from seqvae.runs.run import Run
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.processes import dies
from tests.training.small import Listener, values, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def source(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "source"
    return train("text", corpus, out, values(steps=6, learning_rate=0.05), device="cpu")


@pytest.mark.parametrize("take", [(), ("decoder",), ("posterior", "encoder")])
def test_a_run_takes_the_parts_that_are_named_and_says_so(
    take: tuple[str, ...], source: Run, corpus: Path, tmp_path: Path
) -> None:
    settings, listener = values(steps=1, seed=4), Listener()
    run = train(
        "text", corpus, tmp_path / "run", settings, device="cpu", start_from=source.path, take=take, reporter=listener
    )
    _, config, modality = open_run(run.path)
    own, other, found = weights_of(build_vae(config, modality)), source.weights(source.best_step()), run.weights(0)
    for name, weight in found.items():
        assert torch.equal(weight, (other if is_of(name, take or ALL_PARTS) else own)[name]), name
    parts = [part for part in ALL_PARTS if part != "prior"]  # N(0, I) has no weights
    taken = [part for part in parts if part in (take or parts)]
    drawn = ", ".join(part for part in parts if part not in taken) or "nothing"
    plan = f"takes {', '.join(taken)}, draws {drawn} anew"
    assert listener.messages[0] == f"from {source.path}, step {source.best_step()}: {plan}"
    assert run.settings.get("take", []) == list(take)


@pytest.mark.parametrize(
    ("take", "model"),
    [
        (("encoder", "posterior"), {"decoder_hidden": 24, "output_projection": 8, "initial_state": "dense"}),
        (("encoder", "posterior"), {"conductor_hidden": 9, "conductor_layers": 2, "segment_steps": 3}),
        (("decoder",), {"encoder_hidden": 24, "bidirectional": False, "pooling": "mean"}),
        (("encoder",), {"latent": 5, "batch_norm_scale": 0.6}),
        (("encoder", "decoder"), {"least_kl_nats": 1.0}),
    ],
)
def test_the_parts_that_are_drawn_anew_may_have_other_sizes(
    take: tuple[str, ...], model: dict[str, Any], source: Run, corpus: Path, tmp_path: Path
) -> None:
    settings = values(model, steps=1, seed=4)
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", start_from=source.path, take=take)
    other, found = source.weights(source.best_step()), run.weights(0)
    taken = {name for name in found if is_of(name, take)}
    assert taken == {name for name in other if is_of(name, take)}
    for name in taken:
        assert torch.equal(found[name], other[name]), name
    assert run.settings["model"] == open_run(source.path)[1].to_dict()["model"] | model
    sizes = [{name: weight.shape for name, weight in weights.items()} for weights in (found, other)]
    assert sizes[0] != sizes[1] or model == {"least_kl_nats": 1.0}, "the same sizes, used in another way"


@pytest.mark.parametrize(
    ("take", "key", "value", "kept"),
    [
        (("encoder",), "encoder_hidden", 24, "encoder"),
        (("mean", "scale"), "encoder_hidden", 24, "mean, scale"),
        (("encoder", "decoder"), "decoder_hidden", 24, "encoder, decoder"),
        (("decoder",), "latent", 5, "decoder"),
        (("encoder", "mean"), "batch_norm_scale", 0.6, "encoder, mean"),
        (("scale",), "least_kl_nats", 1.0, "scale"),
        ((), "initial_range", 0.5, "model"),
    ],
)
def test_the_parts_that_are_taken_keep_their_sizes(
    take: tuple[str, ...], key: str, value: float, kept: str, source: Run, corpus: Path, tmp_path: Path
) -> None:
    settings = values({key: value}, steps=1)
    with pytest.raises(
        ValueError, match=f"^`start_from` keeps the {kept} and encoding of .*, but model.{key} would change"
    ):
        train("text", corpus, tmp_path / "run", settings, device="cpu", start_from=source.path, take=take)
    assert not (tmp_path / "run").exists()


def test_the_parts_that_a_run_takes_are_remembered_until_its_first_checkpoint(
    source: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(out: Path) -> Run:
        settings = values(steps=2, seed=4)
        return train("text", corpus, out, settings, device="cpu", start_from=source.path, take=["decoder"])

    whole = begin(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", lambda *_: os._exit(9))
        assert dies(lambda: begin(tmp_path / "run")) == 9
    assert Run(tmp_path / "run").steps() == []
    assert differences(whole.path, resume(tmp_path / "run", device="cpu").path) == []


def test_parts_that_are_not_there_are_refused(source: Run, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no part 'coder' of the weights for a run to take; there are encoder, "):
        train("text", corpus, tmp_path / "run", values(), device="cpu", start_from=source.path, take=["coder"])
    with pytest.raises(ValueError, match=r"^take=\['decoder'\] chooses parts of another run's .* start_from$"):
        train("text", corpus, tmp_path / "run", values(), device="cpu", take=["decoder"])


def test_a_language_model_is_a_decoder_alone(corpus: Path, tmp_path: Path) -> None:
    settings, listener = values(model={"latent": 0}, steps=1), Listener()
    language = train("text", corpus, tmp_path / "lm", settings, device="cpu")
    train("text", corpus, tmp_path / "run", settings, device="cpu", start_from=language.path, reporter=listener)
    assert "takes decoder, draws nothing anew" in listener.messages[0]


def test_weights_of_other_parts_need_not_fit(source: Run) -> None:
    _, config, modality = open_run(source.path)
    vae, weights = build_vae(config, modality), dict(source.weights(6))
    weights["decoder.first"] = torch.zeros(99)
    load_weights(vae, weights, source.path, ["encoder"])
    assert all(
        torch.equal(weight, weights[name]) == is_of(name, ["encoder"])
        for name, weight in weights_of(vae).items()
        if weight.any() and not name.endswith("first")
    )
    del weights["encoder.embed.weight"]
    with pytest.raises(ValueError, match=r"\(encoder\.embed\.weight differs\)"):
        load_weights(vae, weights, source.path, ["encoder"])
