"""Few items get other defaults, which config.json and the terminal show; short epochs are validated by steps."""

from pathlib import Path
from typing import Any

import pytest

from seqvae import modalities
from seqvae.modalities.text.sentences import Text
from seqvae.model import load
from seqvae.settings import build_config
from seqvae.training import suited
from seqvae.training.run import train
from tests.training.small import Listener, records, write_corpus

NETS = {"latent": 4, "embedding": 5, "encoder_hidden": 7, "decoder_hidden": 8}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty sentences, for which the defaults are nets that train in a moment, and twelve steps."""
    few = {"model": {**NETS, "word_dropout": 0.25}, "objective": {"beta": 0.125}, "train": {"learning_rate": 0.02}}
    monkeypatch.setattr(Text, "few_defaults", few)
    monkeypatch.setattr(Text, "least_steps", 12)
    monkeypatch.setattr(Text, "defaults", {"train": {"epochs": 2, "threads": 1, "batch_size": 16}})
    return write_corpus(tmp_path / "corpus.txt")


def test_few_items_get_the_defaults_for_few_under_what_is_asked_for(corpus: Path, tmp_path: Path) -> None:
    listener = Listener()
    asked = {"data": {"tokenizer": "word"}, "model": {"latent": "3"}}
    run = train("text", corpus, tmp_path / "run", asked, device="cpu", reporter=listener)
    assert {name: run.settings["model"][name] for name in NETS} == {**NETS, "latent": 3}
    assert (run.settings["objective"]["beta"], run.settings["train"]["learning_rate"]) == (0.125, 0.02)
    assert run.settings["train"]["epochs"] == 3, "four steps an epoch"
    assert run.steps()[-1] == 12
    assert listener.messages[0] == (
        "for 54 sentences the defaults are model.embedding=5, model.encoder_hidden=7, model.decoder_hidden=8, "
        "model.word_dropout=0.25, objective.beta=0.125, train.epochs=3, train.learning_rate=0.02; --set KEY=VALUE "
        "gives others"
    )
    assert load(run.path).vae.latent == 3


@pytest.mark.parametrize("length", [{"epochs": 1}, {"steps": 3}])
def test_who_says_how_long_to_train_gets_the_usual_defaults(
    length: dict[str, int], corpus: Path, tmp_path: Path
) -> None:
    listener = Listener()
    run = train("text", corpus, tmp_path / "run", {"train": length}, device="cpu", reporter=listener)
    usual = build_config("text", Text.data_config, Text.model_config, {})
    assert run.settings["model"] == usual.to_dict()["model"]
    assert run.settings["objective"]["beta"] == 1.0
    assert not [line for line in listener.messages if line.startswith("for ")]


def test_many_items_get_the_usual_defaults(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Text, "few_items", 59)
    run = train("text", corpus, tmp_path / "run", {"model": NETS}, device="cpu")
    assert run.settings["objective"]["beta"] == 1.0


@pytest.mark.parametrize(("most", "expected"), [(8000, 257 + 20 + 20), (290, 290)])
def test_few_sentences_get_pieces_that_are_met_more_than_a_few_times(
    most: int, expected: int, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,600 bytes with 19 letters and the space."""
    text = corpus.read_text()
    lines = (text * 2)[:1599].rstrip("\n")
    corpus.write_text(lines + "\n" * (1600 - len(lines)))
    characters = len(set(lines) - {"\n"})
    fields = {**Text.defaults["train"], "epochs": 1}
    monkeypatch.setattr(Text, "defaults", {"data": {"vocabulary_size": most}, "train": fields})
    run = train("text", corpus, tmp_path / "run", {}, device="cpu")
    size = run.settings["data"]["vocabulary_size"]
    assert abs(size - (expected - 20 + characters)) <= 1 if most == 8000 else size == expected
    modality = load(run.path).modality
    assert isinstance(modality, Text)
    assert modality.outcomes <= size
    assert modality.encode(lines.splitlines()[0], modalities.base.Report()) is not None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"epochs": 50}, 10),  # 200 steps, twenty validations
        ({"epochs": 40}, 0),  # few enough as they are
        ({"epochs": 50, "steps": 100}, 0),
        ({"epochs": 50, "validate_steps": 7}, 7),
    ],
)
def test_short_epochs_are_validated_by_steps_where_they_are_many(
    asked: dict[str, int], expected: int, corpus: Path, tmp_path: Path
) -> None:
    values = {"data": {"tokenizer": "word"}, "model": NETS, "train": asked}
    run = train("text", corpus, tmp_path / "run", values, device="cpu")
    assert run.settings["train"]["validate_steps"] == expected
    found = [record["step"] for record in records(run, "validation")]
    if expected:
        assert found[:3] == [expected, 2 * expected, 3 * expected]


def test_longer_epochs_are_validated_each(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suited, "SHORT_EPOCH", 4)
    values: dict[str, Any] = {
        "data": {"tokenizer": "word"},
        "model": NETS,
        "train": {"epochs": 50, "decay_patience": 0},
    }
    run = train("text", corpus, tmp_path / "run", values, device="cpu")
    assert len(records(run, "validation")) == 50


@pytest.mark.parametrize("name", modalities.REGISTRY)
def test_the_defaults_for_few_are_keys_that_the_modality_has(name: str) -> None:
    kind = modalities.get(name)
    assert kind.few_items > 0
    config = build_config(name, kind.data_config, kind.model_config, kind.few_defaults)
    usual = build_config(name, kind.data_config, kind.model_config, kind.defaults)
    assert suited.said_of(usual, config, 9, "items") is not None
