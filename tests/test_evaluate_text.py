"""The evaluation of texts: figures by word, character and byte, unknown words, scores of single items."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from seqvae.config import from_dict
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus, prepare
from seqvae.data import Batches, Part
from seqvae.evaluate import Settings, evaluate, score_items
from seqvae.evaluation.scores import Scores
from seqvae.modalities.items import Figures
from seqvae.modalities.text.sentences import Text
from seqvae.noise import Noise
from tests.training.small import MODEL

FEW = Settings(importance_samples=3, prior_samples=2)


class ScoredText(NamedTuple):
    """What `evaluate` takes first."""

    vae: VAE
    modality: Text
    corpus: Corpus


def scored_text(folder: Path, known: str, lines: str, **data: Any) -> tuple[Figures, ScoredText]:
    """The figures of a small model, of the words of `known`, on other lines; and what they are made from."""
    source = folder / f"{abs(hash((known, lines)))}.txt"
    source.write_text(lines)
    modality = Text(Text.data_config(vocabulary_size=0, **data))
    modality.fit(lambda: iter(known.splitlines()))
    torch.manual_seed(0)
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 3}, "model"))).double()
    corpus = prepare(modality, [source])
    return evaluate(vae, modality, corpus, FEW), ScoredText(vae, modality, corpus)


@pytest.mark.parametrize("kind", ["word", "character"])
def test_figures_by_word_character_and_byte_have_the_texts_own_denominators(kind: str, tmp_path: Path) -> None:
    lines = "the \u00e9t\u00e9 ends\nso do we all\n"
    figures, _ = scored_text(tmp_path, lines, lines, tokenizer=kind)
    assert (figures["words"], figures["characters"], figures["bytes"]) == (7 + 2, 24 + 2, 26 + 2)
    nats = 2 * figures["iw_nll_nats"]
    assert figures["unknown_nats"] == 0
    assert figures["perplexity_per_word"] == pytest.approx(math.exp(nats / 9), rel=1e-9)
    assert (figures["perplexity_per_word"] == pytest.approx(figures["perplexity"])) == (kind == "word")
    assert figures["bits_per_character"] == pytest.approx(nats / math.log(2) / 26, rel=1e-9)
    assert figures["bits_per_byte"] == pytest.approx(nats / math.log(2) / 28, rel=1e-9)


def test_unknown_words_are_charged_for_their_spelling(tmp_path: Path) -> None:
    known = "a b <unk>\n"
    spelt, _ = scored_text(tmp_path, known, "a <unk> b\nb\n", tokenizer="word")
    hiding, _ = scored_text(tmp_path, known, "a \u00e9lan b\nb\n", tokenizer="word")
    assert hiding["iw_nll_nats"] == pytest.approx(spelt["iw_nll_nats"])
    assert hiding["perplexity"] == pytest.approx(spelt["perplexity"]), "of its tokens, as papers have it"
    assert spelt["unknown_nats"] == 0, "the corpus's own word hides nothing"
    charge = (5 + 1) * math.log(257)
    assert hiding["unknown_nats"] == pytest.approx(charge / 2)
    nats = 2 * hiding["iw_nll_nats"] + charge
    assert (hiding["bytes"], hiding["characters"], hiding["words"]) == (12, 11, 6)
    assert hiding["bits_per_byte"] == pytest.approx(nats / math.log(2) / 12, rel=1e-9)
    assert hiding["bits_per_character"] == pytest.approx(nats / math.log(2) / 11, rel=1e-9)
    assert hiding["perplexity_per_word"] == pytest.approx(math.exp(nats / 6), rel=1e-9)
    assert hiding["bits_per_byte"] > spelt["bits_per_byte"]


def test_words_that_are_cut_off_are_not_charged_for(tmp_path: Path) -> None:
    figures, _ = scored_text(tmp_path, "a b\n", "a xyz zyx\n", tokenizer="word", max_length=2)
    assert figures["unknown_nats"] == pytest.approx(4 * math.log(257))
    assert (figures["words"], figures["bytes"]) == (3, len("a xyz\n"))


def test_a_corpus_that_was_encoded_before_unknown_words_were_measured_has_no_such_figures(tmp_path: Path) -> None:
    _, scored = scored_text(tmp_path, "a b\n", "a xyz zyx\n", tokenizer="word")
    scored.corpus.report.unshown.clear()
    figures = evaluate(*scored, FEW)
    assert (figures["bits_per_byte"], figures["perplexity_per_word"]) == (None, None)
    assert figures["perplexity"] is not None


def test_the_scores_of_items_are_those_that_the_figures_are_means_of(tmp_path: Path) -> None:
    _, scored = scored_text(tmp_path, "a b c\n", "a c b a b c\nb\na c\n", tokenizer="word")
    kept: list[Scores] = []
    figures = evaluate(*scored, FEW, keep=kept.append)
    (scores,) = kept
    assert (len(scores), scores.tokens.tolist()) == (3, [7, 2, 3])
    for name in ("elbo_nats", "reconstruction_nats", "kl_nats", "iw_nll_nats"):
        assert figures[name] == pytest.approx(float(getattr(scores, name).mean()), rel=1e-12), name
        assert len({round(value, 9) for value in getattr(scores, name).tolist()}) == 3, name
    assert float(scores.kl_per_unit_nats.sum()) == pytest.approx(figures["kl_nats"])
    batch = Batches(Part(scored.corpus), 3, "examples").load(np.arange(3))
    terms = scored.vae(batch, Noise(FEW.seed, batch.keys), dropout=False)
    torch.testing.assert_close(scores.kl_nats, terms.kl.detach().sum(1), rtol=1e-9, atol=0)
    torch.testing.assert_close(scores.reconstruction_nats, -terms.log_px.detach(), rtol=1e-9, atol=0)
    again = score_items(scored.vae, scored.modality, [[scored.corpus[place]] for place in range(3)], 3, FEW.seed)
    torch.testing.assert_close(again.iw_nll_nats, scores.iw_nll_nats, rtol=1e-9, atol=0)


def test_an_item_of_several_windows_costs_what_they_cost_together(tmp_path: Path) -> None:
    _, (vae, modality, corpus) = scored_text(tmp_path, "a b c\n", "a c b a b c\nb\na c\n", tokenizer="word")
    each = score_items(vae, modality, [[corpus[place]] for place in range(3)], 3, 0)
    pairs = score_items(vae, modality, [[corpus[0], corpus[1]], [corpus[2]]], 3, 0)
    for name in ("elbo_nats", "reconstruction_nats", "kl_nats", "iw_nll_nats", "tokens"):
        one, two, three = getattr(each, name).tolist()
        assert getattr(pairs, name).tolist() == pytest.approx([one + two, three], rel=1e-9), name
    torch.testing.assert_close(pairs.kl_per_unit_nats.sum() * 2, pairs.kl_nats.sum())


def test_an_estimate_of_information_has_its_cap_and_its_error(tmp_path: Path) -> None:
    figures, _ = scored_text(tmp_path, "a b\n", "a\nb\nb a\n", tokenizer="word")
    assert figures["mutual_information_cap_nats"] == pytest.approx(math.log(3))
    assert figures["mutual_information_error_nats"] == pytest.approx(math.sqrt(3 / 6))


def test_runs_of_four_words_are_not_counted_where_there_are_none() -> None:
    words = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    words.fit(lambda: ["a b c d e"])
    assert words.metrics(["a b c"], ["a b c d e"])["bleu"] is None
    assert words.sample_metrics(["a b c", "c d", "a b"])["self_bleu"] is None
    assert words.metrics(["a b c", "a b c d"], ["a b c", "d"])["bleu"] is not None
