"""Words of other toolkits lead to our keys and values."""

from typing import get_args

import pytest

from seqvae import modalities
from seqvae.config import options
from seqvae.meanings import KEYS, VALUES, key_for, value_for
from seqvae.settings import Objective, Train, build_config

KINDS = {name: modalities.get(name) for name in modalities.REGISTRY}
OF_ALL = {
    key: kind
    for modality in KINDS.values()
    for section, cls in (
        ("data", modality.data_config), ("model", modality.model_config), ("objective", Objective), ("train", Train),
    )
    for key, (kind, _, _) in options(section, cls).items()
}  # fmt: skip
ASKED = (
    "loss", "lr", "learning_rate", "hidden", "hidden_size", "kl_weight", "beta", "z_dim", "latent_dim", "latent_size",
    "dropout", "vocab", "vocab_size", "batch", "epochs", "layers", "embedding", "optimizer", "wd", "seed",
)  # fmt: skip


def refusal(modality: str, **sections: dict[str, object]) -> str:
    """The sentence with which a configuration is refused."""
    kind = KINDS[modality]
    with pytest.raises(ValueError) as error:
        build_config(modality, kind.data_config, kind.model_config, sections)
    return str(error.value)


@pytest.mark.parametrize("word", KEYS)
def test_every_word_means_keys_that_some_modality_has(word: str) -> None:
    assert set(KEYS[word]) <= OF_ALL.keys()


@pytest.mark.parametrize("word", VALUES)
def test_every_value_is_a_choice_of_some_key(word: str) -> None:
    assert VALUES[word] in {choice for kind in OF_ALL.values() for choice in get_args(kind)}


@pytest.mark.parametrize("word", ASKED)
def test_the_words_of_most_tutorials_are_known(word: str) -> None:
    assert key_for(word, OF_ALL) is not None


@pytest.mark.parametrize(
    ("modality", "section", "word", "meant"),
    [
        ("images", "model", "loss", "model.likelihood"),
        ("images", "model", "hidden_size", "model.widths"),
        ("text", "model", "hidden_size", "model.decoder_hidden"),
        ("drums", "model", "z_dim", "model.latent"),
        ("text", "model", "dropout", "model.word_dropout"),
        ("text", "data", "vocab", "data.vocabulary_size"),
        ("images", "objective", "kl_weight", "objective.beta"),
        ("images", "train", "lr", "train.learning_rate"),
        ("drums", "model", "lr", "train.learning_rate"),
        ("text", "optimizer", "lr", "train.learning_rate"),
        ("text", "hyper", "epochs", "train.epochs"),
    ],
)
def test_an_unknown_key_is_answered_by_what_its_word_means(modality: str, section: str, word: str, meant: str) -> None:
    assert refusal(modality, **{section: {word: 1}}).endswith(f" Did you mean '{meant}'?")


def test_a_word_whose_meaning_a_modality_lacks_is_answered_by_no_guess_from_the_spelling() -> None:
    assert "Did you mean" not in refusal("text", model={"loss": "mse"})


def test_a_word_of_sampling_is_answered_by_the_option() -> None:
    assert refusal("text", model={"temperature": 0.5}).endswith(
        " It is no key, and is said when a model is used: temperature of sample."
    )


@pytest.mark.parametrize(
    ("key", "word", "meant"),
    [
        ("likelihood", "mse", "squares"), ("likelihood", "BCE", "bernoulli"), ("likelihood", "L1", "laplace"),
        ("net", "cnn", "conv"), ("posterior", "autoencoder", "point"), ("activation", "swish", "silu"),
    ],
)  # fmt: skip
def test_a_value_is_answered_by_the_choice_that_it_means(key: str, word: str, meant: str) -> None:
    assert refusal("images", model={key: word}).endswith(f" Did you mean '{meant}'?")
    assert value_for(word, ["none of these"]) is None
