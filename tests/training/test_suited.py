"""Defaults suit the number of items, which config.json and the terminal show; short epochs are validated by steps."""

from pathlib import Path
from typing import Any

import pytest

from seqvae import modalities
from seqvae.corpus import prepare
from seqvae.modalities.text import sentences
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from seqvae.model import load
from seqvae.runs.run import Run
from seqvae.settings import build_config
from seqvae.training import suited
from seqvae.training.limits import check_processes
from seqvae.training.loop import Interrupted
from seqvae.training.run import train
from tests.training.objectives import stopped_after
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
        "model.word_dropout=0.25, objective.beta=0.125, train.epochs=3, train.learning_rate=0.02; set KEY=VALUE "
        "for others"
    )
    assert load(run.path).vae.latent == 3


def test_cycles_are_not_squeezed_into_the_rise_for_few_items(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", {"model": NETS, "objective": {"beta": 0.125, "anneal_steps": 4}})
    for schedule, steps in (("cyclical", 0), ("sigmoid", 4)):
        asked = {"data": {"tokenizer": "word"}, "objective": {"schedule": schedule}}
        objective = train("text", corpus, tmp_path / schedule, asked, device="cpu").settings["objective"]
        assert (objective["anneal_steps"], objective["anneal_epochs"], objective["beta"]) == (steps, None, 0.125)


def test_epochs_are_no_more_than_the_steps_for_few_items_need(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", {"model": NETS, "train": {"steps": 9}})
    monkeypatch.setattr(Text, "least_steps", 40)
    run = train("text", corpus, tmp_path / "run", {"data": {"tokenizer": "word"}}, device="cpu")
    assert (run.steps()[-1], run.settings["train"]["epochs"]) == (9, 3)


def test_steps_that_were_asked_for_are_not_cut_short_by_the_epochs_of_the_defaults(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", {"model": NETS, "train": {"batch_size": 57}})
    run = train("text", corpus, tmp_path / "run", {"train": {"steps": 23}}, device="cpu")
    assert (run.steps()[-1], run.settings["train"]["epochs"]) == (23, 23), "the default is 20 epochs"


@pytest.mark.parametrize("length", [{"epochs": 1}, {"steps": 3}])
def test_who_says_how_long_to_train_gets_that_length_and_the_defaults_for_few(
    length: dict[str, int], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"model": NETS, "objective": {"beta": 0.125}, "train": {"epochs": 7, "stop_patience": 1}}
    monkeypatch.setattr(Text, "few_defaults", few)
    run = train("text", corpus, tmp_path / "run", {"train": length}, device="cpu")
    assert {name: run.settings["model"][name] for name in NETS} == NETS
    assert run.settings["objective"]["beta"] == 0.125
    assert {name: run.settings["train"][name] for name in length} == length
    assert run.settings["train"]["stop_patience"] == 0
    assert run.steps()[-1] == (4 if "epochs" in length else 3)


def test_a_recipe_is_left_as_it_is(corpus: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text("modality = 'text'\n[data]\ntokenizer = 'word'\n[model]\nlatent = 3\n[train]\nsteps = 1\n")
    listener = Listener()
    run = train("text", corpus, tmp_path / "run", device="cpu", reporter=listener, recipe=recipe)
    usual = build_config("text", Text.data_config, Text.model_config, {"model": {"latent": 3}})
    assert run.settings["model"] == usual.to_dict()["model"]
    assert run.settings["objective"]["beta"] == 1.0
    assert not [line for line in listener.messages if line.startswith("for ")]


def test_more_items_get_defaults_of_their_own(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Text, "few_items", 53)
    monkeypatch.setattr(sentences, "SUITED_TO_MORE", {"model": {"embedding": 6}})
    run = train("text", corpus, tmp_path / "run", {"model": NETS | {"embedding": 5}}, device="cpu")
    assert (run.settings["objective"]["beta"], run.settings["model"]["embedding"]) == (1.0, 5)
    run = train("text", corpus, tmp_path / "other", {"train": {"steps": 1}}, device="cpu")
    assert run.settings["model"]["embedding"] == 6


WITH_REMEDY = {"model": {**NETS, "batch_norm_scale": 0.9}, "objective": {"beta": 0.125, "anneal_steps": 2}}


def test_who_asks_for_no_remedy_gets_that_of_the_defaults(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", WITH_REMEDY)
    usual = train("text", corpus, tmp_path / "usual", {"train": {"steps": 1}}, device="cpu").settings
    assert (usual["model"]["batch_norm_scale"], usual["objective"]["beta"]) == (0.9, 0.125)


@pytest.mark.parametrize(
    "asked",
    [
        {"objective": {"free_nats_total": 2.0}},
        {"objective": {"beta": 1.0}},
        {"objective": {"target_kl_nats": 3.0}},
        {"model": {"least_kl_nats": 1.0}},
        {"model": {"posterior": "point"}},
        {"model": {"latent": 0}},
    ],
)
def test_a_remedy_that_is_asked_for_takes_the_place_of_that_of_the_defaults(
    asked: dict[str, dict[str, Any]], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", WITH_REMEDY)
    run = train("text", corpus, tmp_path / "run", {**asked, "train": {"steps": 1}}, device="cpu").settings
    assert (run["model"]["batch_norm_scale"], run["objective"]["beta"]) == (0.0, 1.0)
    assert run["objective"]["anneal_steps"] == 2
    assert run["model"]["embedding"] == NETS["embedding"]


def test_the_quadratic_discrepancy_stands_beside_the_remedy_of_the_defaults(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", {"model": {**NETS, "batch_norm_scale": 0.9}})
    for kernel, scale in (("quadratic", 0.9), ("gaussian", 0.0)):
        asked = {"objective": {"mmd": 2.0, "mmd_kernel": kernel}, "train": {"steps": 1}}
        run = train("text", corpus, tmp_path / kernel, asked, device="cpu").settings
        assert run["model"]["batch_norm_scale"] == scale


def test_several_processes_get_free_bits_in_the_place_of_normalised_means(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "few_defaults", {"model": {"batch_norm_scale": 0.9}})
    config, modality = build_config("text", TextData, Text.model_config, {}), Text(TextData(tokenizer="word"))
    modality.fit(lambda: corpus.read_text().splitlines())
    items = prepare(modality, [corpus])
    one, two = (suited.suited_to_data(config, {}, modality, items, processes) for processes in (1, 2))
    assert (one.model.batch_norm_scale, one.objective.free_nats_per_dimension_and_example) == (0.9, 0.0)
    assert (two.model.batch_norm_scale, two.objective.free_nats_per_dimension_and_example) == (0.0, 0.25)
    check_processes(two, 2)


def fitted(tokenizer: str, most: int = 8000) -> Text:
    """A text modality that has learned from sentences of eight characters, the space among them."""
    modality = Text(TextData(tokenizer=tokenizer, vocabulary_size=most))
    modality.fit(lambda: ["bad cafe fed", "a face faded", "gab bag cab"] * 20)
    return modality


def test_few_sentences_get_pieces_that_are_met_often_and_single_words_are_spelt() -> None:
    modality = fitted("unigram")
    assert modality.suited_to(100, 3600)["data"]["vocabulary_size"] == 256 + 1 + 8 + 3600 // 12
    assert modality.suited_to(1000, 7200)["data"]["tokenizer"] == "character"
    assert modality.suited_to(90_000, 700_000)["data"]["tokenizer"] == "character"
    assert modality.suited_to(1000, 7200)["train"]["ngram_share"] == 1.0
    assert "ngram_share" not in modality.suited_to(90_000, 700_000)["train"]
    assert "tokenizer" not in modality.suited_to(90_000, 7_000_000).get("data", {})
    assert fitted("unigram", 270).suited_to(100, 3600)["data"]["vocabulary_size"] == 270, "no more than the usual"
    assert "data" not in fitted("word").suited_to(100, 3600)


def test_pieces_are_learned_anew_for_few_sentences(corpus: Path, tmp_path: Path) -> None:
    run = train("text", corpus, tmp_path / "run", {}, device="cpu")
    size = run.settings["data"]["vocabulary_size"]
    sentences = corpus.read_text()
    assert size == 256 + 1 + len(set(sentences) - {"\n"}) + len(sentences) // 12
    modality = load(run.path).modality
    assert isinstance(modality, Text)
    assert modality.outcomes <= size


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
    steps = 3 * expected + 1
    with pytest.raises(Interrupted, match=f"after step {steps}"):  # how the rest of it goes is not asked
        train("text", corpus, tmp_path / "run", values, device="cpu", objective=stopped_after(steps))
    run = Run(tmp_path / "run")
    assert run.settings["train"]["validate_steps"] == expected
    assert [record["step"] for record in records(run, "validation")] == [expected, 2 * expected, 3 * expected][
        : steps - 1
    ]


def test_longer_epochs_are_validated_each(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suited, "SHORT_EPOCH", 4)
    values: dict[str, Any] = {
        "data": {"tokenizer": "word"},
        "model": NETS,
        "train": {"epochs": 50, "decay_patience": 0},
    }
    with pytest.raises(Interrupted, match="after step 13"):
        train("text", corpus, tmp_path / "run", values, device="cpu", objective=stopped_after(13))
    assert Run(tmp_path / "run").settings["train"]["validate_steps"] == 0
    assert [record["step"] for record in records(tmp_path / "run", "validation")] == [4, 8, 12]


@pytest.mark.parametrize("name", modalities.REGISTRY)
def test_the_defaults_for_few_are_keys_that_the_modality_has(name: str) -> None:
    kind = modalities.get(name)
    assert kind.few_items > 0
    config = build_config(name, kind.data_config, kind.model_config, kind.few_defaults)
    usual = build_config(name, kind.data_config, kind.model_config, kind.defaults)
    assert suited.said_of(usual, config, 9, "items") is not None
