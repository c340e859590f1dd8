"""Configuration: plain values become typed ones, and what is wrong is named with the remedy."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from seqvae import config
from seqvae.config import from_dict, merge, nearest, options, parse_overrides, read_json, read_toml
from seqvae.nets.sizes import SequenceModel
from seqvae.settings import Config, Objective, Train, build_config, changed_keys, with_train


@dataclass(frozen=True)
class Data:
    """A modality's data section that has every kind of field."""

    tokenizer: Literal["word", "character"] = field(default="word", metadata={"help": "how text is cut"})
    size: int = 8
    share: float = 0.5
    quiet: bool = False
    unknown: str = "<unk>"
    limit: int | None = None


def make(**sections: dict[str, Any]) -> Config:
    return build_config("text", Data, SequenceModel, sections)


def test_what_is_not_given_has_its_default() -> None:
    assert make() == Config("text", Data(), SequenceModel(), Objective(), Train())


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("size", "16", 16),
        ("size", " +16 ", 16),
        ("size", "-3", -3),
        ("size", 16.0, 16),
        ("share", "0.25", 0.25),
        ("share", "1e-3", 1e-3),
        ("share", 1, 1.0),
        ("quiet", "true", True),
        ("quiet", "No", False),
        ("quiet", "1", True),
        ("quiet", True, True),
        ("unknown", "", ""),
        ("unknown", "none", "none"),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "7", 7),
        ("tokenizer", "character", "character"),
    ],
)
def test_values_take_the_declared_type(key: str, given: object, expected: object) -> None:
    value = getattr(from_dict(Data, {key: given}, "data"), key)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("key", "given", "takes"),
    [
        ("size", "1.5", "a whole number"),
        ("size", 1.5, "a whole number"),
        ("size", True, "a whole number"),
        ("size", "+-5", "a whole number"),
        ("size", "²", "a whole number"),
        ("size", float("inf"), "a whole number"),
        ("size", None, "a whole number"),
        ("size", [1], "a whole number"),
        ("share", "half", "a finite number"),
        ("share", "nan", "a finite number"),
        ("share", float("inf"), "a finite number"),
        ("share", 10**400, "a finite number"),
        ("share", False, "a finite number"),
        ("share", [0.5], "a finite number"),
        ("quiet", "maybe", "true or false"),
        ("quiet", 1, "true or false"),
        ("unknown", 3, "text"),
        ("limit", "few", "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_is_possible(key: str, given: object, takes: str) -> None:
    with pytest.raises(ValueError) as error:
        from_dict(Data, {key: given}, "data")
    assert str(error.value) == f"data.{key}={given} is not possible; it takes {takes}"


def test_a_choice_that_does_not_exist_is_refused_with_the_choices_and_the_nearest() -> None:
    with pytest.raises(ValueError) as error:
        make(data={"tokenizer": "words"})
    assert str(error.value) == "data.tokenizer=words is not possible; choose word, character. Did you mean 'word'?"


@pytest.mark.parametrize(
    ("section", "key", "meant"),
    [
        ("model", "latnet", "model.latent"),
        ("model", "dropout_word", "model.word_dropout"),
        ("train", "epoch", "train.epochs"),
        ("train", "learningrate", "train.learning_rate"),
        ("objective", "free_nats", "objective.free_nats_total"),
        ("data", "sise", "data.size"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(section: str, key: str, meant: str) -> None:
    with pytest.raises(ValueError) as error:
        make(**{section: {key: 1}})
    assert str(error.value).startswith(f"no configuration key '{section}.{key}'; there are {section}.")
    assert str(error.value).endswith(f" Did you mean '{meant}'?")


def test_a_key_given_in_the_wrong_section_is_answered_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'objective\.beta'\?$"):
        make(model={"beta": 0.5})
    with pytest.raises(ValueError, match=r"Did you mean 'train\.epochs'\?$"):
        make(objective={"epochs": 3})


def test_an_unknown_section_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ValueError, match=r"no configuration section 'modle'; .* Did you mean 'model'\?$"):
        build_config("text", Data, SequenceModel, {"modle": {"latent": 3}})


@pytest.mark.parametrize("given", [5, "latent", ["latent"]])
def test_a_section_that_is_a_value_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"^model=.* is not possible; it is a section, so write model\.name=value$"):
        build_config("text", Data, SequenceModel, {"model": given})


def test_overrides_are_read_as_the_declared_types_and_the_last_one_wins() -> None:
    pairs = ["model.latent=16", " train.learning_rate = 3e-4", "data.unknown=a=b", "model.latent=8"]
    nested = parse_overrides(pairs)
    assert nested == {"model": {"latent": "8"}, "train": {"learning_rate": "3e-4"}, "data": {"unknown": "a=b"}}
    config = make(**nested)
    assert (config.model.latent, config.train.learning_rate, config.data.unknown) == (8, 3e-4, "a=b")


@pytest.mark.parametrize("pair", ["latent=16", "model.latent", "", "=", "model"])
def test_an_override_without_section_or_value_is_refused(pair: str) -> None:
    with pytest.raises(ValueError, match=r"write section\.name=value, such as model\.latent=16"):
        parse_overrides([pair])


def test_merging_lays_the_second_over_the_first_and_changes_neither() -> None:
    base = {"model": {"latent": 32, "embedding": 64}, "train": {"epochs": 3}}
    extra = {"model": {"latent": 8}, "objective": {"beta": 0.5}}
    assert merge(base, extra) == {
        "model": {"latent": 8, "embedding": 64},
        "train": {"epochs": 3},
        "objective": {"beta": 0.5},
    }
    assert base == {"model": {"latent": 32, "embedding": 64}, "train": {"epochs": 3}}


def test_a_configuration_survives_json() -> None:
    config = make(model={"latent": 3}, objective={"beta": 0.3}, train={"precision": "bf16"}, data={"limit": 4})
    plain = json.loads(json.dumps(config.to_dict()))
    assert build_config(plain.pop("modality"), Data, SequenceModel, plain) == config


def test_changed_keys_names_exactly_the_keys_that_differ() -> None:
    old = make(model={"latent": 3}).to_dict()
    new = make(model={"latent": 4}, train={"epochs": 5}).to_dict()
    assert changed_keys(old, new) == ["model.latent", "train.epochs"]
    assert changed_keys(old, old) == []
    del old["train"]["clip"]
    assert changed_keys(old, new) == ["model.latent", "train.clip", "train.epochs"]


def test_with_train_changes_the_train_section_only() -> None:
    config = make()
    assert with_train(config, epochs=7).to_dict() == merge(config.to_dict(), {"train": {"epochs": 7}})


def test_options_lists_type_default_and_help_of_every_key() -> None:
    listed = options("data", Data)
    assert listed["data.tokenizer"] == (Literal["word", "character"], "word", "how text is cut")
    assert list(listed) == [f"data.{name}" for name in ("tokenizer", "size", "share", "quiet", "unknown", "limit")]
    with pytest.raises(TypeError, match="is not a configuration dataclass"):
        options("data", int)


@pytest.mark.parametrize(("section", "cls"), [("model", SequenceModel), ("objective", Objective), ("train", Train)])
def test_every_key_has_a_help_text_and_a_default_of_its_own_type(section: str, cls: type) -> None:
    for key, (_, default, text) in options(section, cls).items():
        assert text, key
        assert getattr(from_dict(cls, {key.partition(".")[2]: str(default)}, section), key.partition(".")[2]) == default


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    assert nearest("qqq", ["latent", "beta"]) == ""
    assert nearest("lattent", ["latent", "beta"]) == " Did you mean 'latent'?"


def test_a_toml_recipe_is_read_and_its_faults_are_placed(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[model]\nlatent = 3\n[data]\nunknown = "é"\n', encoding="utf-8")
    assert read_toml(recipe) == {"model": {"latent": 3}, "data": {"unknown": "é"}}
    recipe.write_text("[model]\nlatent = = 3\n")
    with pytest.raises(ValueError, match=r"recipe\.toml is not valid TOML: .*line 2"):
        read_toml(recipe)
    recipe.write_bytes(b'[data]\nunknown = "\xe9"\n')
    with pytest.raises(ValueError, match=r"recipe\.toml is not valid TOML: .*0xe9"):
        read_toml(recipe)


def test_a_file_of_settings_is_read_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "MOST_BYTES", 20)
    for name, read, content in (("a.toml", read_toml, "a = '{}'"), ("a.json", read_json, '{{"a": "{}"}}')):
        (tmp_path / name).write_text(content.format("x" * (20 - len(content.format("")))))
        assert list(read(tmp_path / name)) == ["a"]
        (tmp_path / name).write_text(content.format("x" * 20))
        with pytest.raises(ValueError, match=rf"{name} has more than 20 bytes, too many for a file of settings"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"model": ', r"config\.json is not valid JSON: .*restore the file from a copy"),
        (b'{"model": "\xe9"}', r"config\.json is not valid JSON: .*restore the file from a copy"),
        (b"[1, 2]", r"config\.json holds a JSON list, not an object"),
    ],
    ids=["cut off", "not UTF-8", "a list"],
)
def test_a_damaged_json_file_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_json(path)


def test_a_json_object_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"train": {"epochs": 2}}', encoding="utf-8")
    assert read_json(path) == {"train": {"epochs": 2}}
