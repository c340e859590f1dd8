"""Forward and reverse perplexity of samplers that are known to be good, collapsed, or stuck on one sentence."""

import math
import random
from pathlib import Path

import pytest

from seqvae.evaluate import score_items
from seqvae.language_models import load_language_model, reverse_perplexity, word_perplexity
from seqvae.modalities.items import Items
from seqvae.model import Model
from seqvae.training.run import train
from tests.training.small import values, write_corpus

PLACES = (
    ("the", "a", "my"), ("small", "red", "old", "loud"), ("cat", "dog", "bird", "fox", "horse"),
    ("sees", "likes", "finds", "hears"), ("every", "one", "no"), ("house", "tree", "river", "road", "hill"),
)  # fmt: skip


def sentences(count: int, seed: int) -> list[str]:
    """Sentences of a grammar, each word drawn by itself."""
    rng = random.Random(seed)
    return [" ".join(rng.choice(words) for words in PLACES) for _ in range(count)]


LANGUAGE_MODEL = values(model={"latent": 0, "decoder_hidden": 24}, epochs=12, batch_size=16, learning_rate=1e-2)
ENTROPY = sum(math.log(len(words)) for words in PLACES)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    run = train("text", Items(sentences(400, 0)), tmp_path_factory.mktemp("lm") / "run", LANGUAGE_MODEL, device="cpu")
    return load_language_model(run.path, "cpu")


@pytest.mark.slow
def test_both_perplexities_tell_a_good_sampler_from_collapsed_ones(language_model: Model) -> None:
    """The good sampler is the grammar itself, whose perplexity is exp(entropy / 7 words) = 3.2."""
    data = sentences(100, 1)
    samplers = {
        "good": sentences(300, 2),
        "collapsed": ["the the the the the", "the cat the cat", "a a a"] * 100,
        "single": sentences(1, 3) * 300,
    }
    best = math.exp(ENTROPY / 7)
    assert word_perplexity(language_model, data) == pytest.approx(best, rel=0.15)
    forward = {name: word_perplexity(language_model, texts) for name, texts in samplers.items()}
    reverse = {name: reverse_perplexity(language_model, texts, data) for name, texts in samplers.items()}
    assert forward["good"] == pytest.approx(best, rel=0.15)
    assert forward["collapsed"] > 2 * forward["good"]
    assert forward["single"] < 1.3 * forward["good"], "alone it does not find out a sampler that repeats itself"
    assert reverse["good"] == pytest.approx(best, rel=0.25)
    assert reverse["collapsed"] > 2 * reverse["good"]
    assert reverse["single"] > 2 * reverse["good"]


def test_the_perplexity_is_by_word_and_charges_for_spelling(language_model: Model) -> None:
    (known,) = sentences(1, 5)
    modality = language_model.modality
    nats = float(
        score_items(language_model.vae, modality, [[language_model.windows(known).arrays[0]]], 1, 0).iw_nll_nats
    )
    assert word_perplexity(language_model, [known]) == pytest.approx(math.exp(nats / 7))
    hiding, spelt = known.replace(known.split()[2], "zebra"), known.replace(known.split()[2], modality.data.unknown)
    charge = 6 * math.log(257)
    assert word_perplexity(language_model, [hiding]) == pytest.approx(
        word_perplexity(language_model, [spelt]) * math.exp(charge / 7)
    )


def test_a_reverse_training_takes_no_weights(language_model: Model) -> None:
    """After a step of no length the model knows nothing of the data that the language model was trained on."""
    steps = {"epochs": 1, "learning_rate": 1e-12}
    outcomes = language_model.modality.tokenizer.size
    found = reverse_perplexity(language_model, sentences(20, 2), sentences(20, 1), steps)
    assert found == pytest.approx(outcomes, rel=0.3)


def test_a_model_with_a_code_is_no_language_model(tmp_path: Path) -> None:
    run = train("text", write_corpus(tmp_path / "corpus.txt"), tmp_path / "run", values(epochs=1), device="cpu")
    with pytest.raises(
        ValueError, match=r"has a latent code and is no language model of text; train one with model.latent=0"
    ):
        load_language_model(run.path, "cpu")
