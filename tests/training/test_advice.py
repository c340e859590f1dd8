"""Remedies that a run could take up, and when items are few or words unknown."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqvae import modalities
from seqvae.config import merge
from seqvae.evaluation.latent import CodeGain
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Report
from seqvae.settings import Config, build_config
from seqvae.training.advice import advice_on_fit, advice_on_the_code, advice_on_unknown, remedies
from seqvae.training.code_use import CodeUse
from seqvae.training.limits import check_values
from seqvae.training.progress import Progress
from seqvae.training.run import train
from tests.training.small import Listener, values, write_corpus

NORMALISED, TARGET, FREE, BETA = (
    "model.batch_norm_scale=0.9",
    "objective.target_kl_nats=8",
    "objective.free_nats_per_dimension_and_example=0.4",
    "objective.beta=0.25",
)


def configured(name: str, values: dict[str, Any]) -> tuple[Config, Modality]:
    kind = modalities.get(name)
    config = build_config(name, kind.data_config, kind.model_config, merge(kind.defaults, values))
    check_values(config)
    return config, kind(config.data)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [NORMALISED, TARGET, FREE]),
        ({"objective": {"free_nats_per_dimension_and_example": 0.4}}, [NORMALISED, BETA]),
        ({"objective": {"free_nats_per_dimension_and_example": 0.1}}, [NORMALISED, FREE, BETA]),
        ({"objective": {"free_nats_per_dimension_and_example": 0.5}}, [NORMALISED, BETA]),
        ({"objective": {"free_nats_total": 4.0}}, [NORMALISED, BETA]),
        ({"objective": {"target_kl_nats": 8.0}}, [NORMALISED, BETA]),
        ({"objective": {"importance_samples": 5}}, [NORMALISED, BETA]),
        ({"model": {"batch_norm_scale": 0.9}, "objective": {"beta": 0.2}}, [TARGET, FREE]),
        ({"model": {"least_kl_nats": 2.0}}, [TARGET, FREE, BETA]),
    ],
)
def test_no_remedy_is_one_that_the_run_has_or_would_refuse(values: dict[str, Any], expected: list[str]) -> None:
    config, text = configured("text", values)
    found = remedies(text.words.against_collapse, config, text)
    assert found[: len(expected)] == expected
    assert set(found) - set(expected) <= {"model.word_dropout=0.4"}


@pytest.mark.parametrize(
    ("wanted", "own", "expected"),
    [
        ([NORMALISED, FREE], {}, f"Remedies, the one that helps most first: set {NORMALISED}; set {FREE}"),
        ([NORMALISED, BETA], {}, "This run has all remedies that usually help; more of them, or a smaller"),
        (
            [NORMALISED, TARGET, BETA, FREE],
            {"importance_samples": 5},
            "This run has some of the remedies that usually help; the others do not go with the rest of its "
            f"configuration: {TARGET}, {FREE}. A new run without what excludes them may help, or a smaller decoder",
        ),
        (
            [TARGET, FREE],
            {"importance_samples": 5},
            "The remedies that usually help do not go with the rest of this run's configuration: "
            f"{TARGET}, {FREE}. A new run without what excludes them may help, or a smaller decoder",
        ),
    ],
)
def test_a_run_hears_whether_it_has_the_remedies_or_would_refuse_them(
    wanted: list[str], own: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = {"batch_norm_scale": 0.9} if NORMALISED in wanted[:1] and (own or BETA in wanted) else {}
    config, text = configured("text", {"model": has, "objective": {"beta": 0.2, **own}})
    monkeypatch.setattr(type(text), "words", replace(text.words, against_collapse=tuple(wanted)))
    advice = advice_on_the_code(CodeUse(40, 0.01, CodeGain(30.0, 30.02)), 5, config, text)
    assert advice is not None
    assert f"hardly depend on their input. {expected}" in advice


@pytest.mark.parametrize("name", list(modalities.REGISTRY))
def test_every_modality_has_remedies_that_its_defaults_could_take_up(name: str) -> None:
    config, modality = configured(name, {})
    for wanted in (modality.words.against_collapse, modality.words.against_overfitting):
        assert remedies(wanted, config, modality)


@pytest.mark.parametrize(
    ("best", "train_nats", "valid_nats", "expected"),
    [
        (30, 25.0, 37.0, None),
        (21, 25.0, 37.0, None),
        (20, 25.0, 37.0, "validation got no better after step 20, while training went on: 57 sentences are little"),
        (30, 25.0, 51.0, "the reconstruction of step 30 is 25.0 nats in training, 51.0 in validation: 57 sentences"),
        (30, 0.1, 0.9, None),
        (None, 25.0, 51.0, None),
    ],
)
def test_items_are_few_where_training_fits_far_better_or_the_best_came_early(
    best: int | None, train_nats: float, valid_nats: float, expected: str | None
) -> None:
    config, text = configured("text", {"model": {"input_dropout": 0.5}})
    progress = Progress(step=30, first_step=10, best_step=best)
    advice = advice_on_fit(train_nats, valid_nats, progress, 57, config, text)
    assert (advice is None) is (expected is None)
    if advice is not None:
        assert str(expected) in advice
        assert "else set train.ngram_share=1; set model.word_dropout=0.4; set model.output_dropout=0.3" in advice
        assert "Fewer epochs" not in advice


def test_fewer_epochs_are_named_where_the_best_of_an_overfitted_run_came_early() -> None:
    config, images = configured("images", {})
    advice = advice_on_fit(60.0, 100.0, Progress(step=30, best_step=5), 1, config, images)
    assert advice is not None
    assert "1 image is little for this model" in advice
    assert advice.endswith(
        "Fewer epochs do as well, since validation got no better after step 5, while training went on"
    )


@pytest.mark.parametrize(("own_unknown", "expected"), [(0, True), (31, False), (2, True)])
def test_words_that_the_vocabulary_lacks_are_named_but_not_the_corpuss_own_word_for_them(
    own_unknown: int, expected: bool
) -> None:
    _, text = configured("text", {"data": {"tokenizer": "word"}})
    text.fit(lambda: ["a b <unk>"] * 3)
    report = Report()
    for word in ["<unk>"] * own_unknown + ["new"] * (32 - own_unknown) + ["a"] * 968:
        assert text.encode(word, report) is not None
    assert report.of("unknown tokens") == 32
    advice = advice_on_unknown(report, 1000, "validation", text)
    assert (advice is not None) is expected
    if advice is not None:
        assert advice.startswith("3% of the tokens of the validation data are unknown")
        assert "set data.tokenizer=unigram" in advice
    assert advice_on_unknown(Report(unshown=Counter()), 1000, "training", text) is None


def test_a_training_names_the_unknown_words_of_its_validation_data(tmp_path: Path) -> None:
    corpus, other = write_corpus(tmp_path / "corpus.txt"), tmp_path / "other.txt"
    other.write_text("completely different\nwords here\n")
    listener = Listener()
    settings = values(epochs=1)
    train("text", corpus, tmp_path / "run", settings, other, device="cpu", reporter=listener)
    (advice,) = [text for text in listener.messages if "unknown to the vocabulary" in text]
    assert advice.startswith("67% of the tokens of the validation data")  # four of six, ends counted
