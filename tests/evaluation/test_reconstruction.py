"""Accuracy against single decoder steps; BLEU against hand counts and against sacrebleu's own sentence scores."""

import math
import random

import numpy as np
import pytest
import torch
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor

from seqvae.evaluation.reconstruction import (
    TokenAccuracy,
    bleu,
    distinct_ngrams,
    edit_distance,
    exact_match,
    f1,
    free_running_accuracy,
    self_bleu,
    step_accuracy,
    token_accuracy,
)
from seqvae.nets.draws import Choice
from seqvae.nets.sampling import generate
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.evaluation.models import batchings, lstm_vae, token_batch


@pytest.mark.parametrize("latent", [0, 5])
@pytest.mark.parametrize("arrangement", ["one batch", "alone", "padded", "backwards"])
def test_token_accuracy_counts_what_single_steps_from_the_posterior_mean_predict(
    sentences: list[Tensor], latent: int, arrangement: str
) -> None:
    vae = lstm_vae(latent=latent, outcomes=9)
    with torch.no_grad():  # these outcomes are frequent in the sentences, so that some predictions come true
        vae.decoder.likelihood.projection.bias[sentences[1][:3]] += 2.0
    correct = 0
    for row in sentences:
        state = vae.decoder.start(vae.posterior(token_batch([row], [0])).mean)
        previous = None
        for outcome in row:
            h, state = vae.decoder.step(state, previous)
            previous = outcome.unsqueeze(0)
            correct += int(vae.decoder.likelihood.scores(h).argmax(1) == outcome)
    assert 0 < correct < 28
    accuracy = token_accuracy(vae, batchings(sentences)[arrangement])
    assert accuracy == TokenAccuracy(correct, 28)
    assert accuracy.share == correct / 28


def test_padding_that_equals_the_prediction_is_not_counted(sentences: list[Tensor]) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    with torch.no_grad():
        vae.decoder.likelihood.projection.bias[4] = 1e3  # every prediction is outcome 4, and so is the padding
    right = sum(int((row == 4).sum()) for row in sentences)
    batch = token_batch(sentences, range(7), extra_padding=3, filler=4)
    assert token_accuracy(vae, [batch]) == TokenAccuracy(right, 28)


def test_token_accuracy_of_nothing_is_none() -> None:
    assert token_accuracy(lstm_vae(latent=5, outcomes=9), []).share is None


def test_a_code_may_be_drawn_in_place_of_the_mean(sentences: list[Tensor]) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    batch = token_batch(sentences, range(7))
    q = vae.posterior(batch)
    with torch.no_grad():  # far from the mean, so that other outcomes are the most probable
        vae.to_scale.bias += 6.0
    z = vae.posterior(batch).rsample(Noise(2, batch.keys))
    right = int(((vae.decoder.predict(z, batch) == batch.x) & batch.mask).sum())
    assert token_accuracy(vae, [batch], seed=2) == TokenAccuracy(right, 28)
    assert not torch.equal(vae.decoder.predict(z, batch), vae.decoder.predict(q.mean, batch))


@pytest.mark.parametrize("code_seed", [None, 3])
def test_free_running_predicts_from_its_own_draws(sentences: list[Tensor], code_seed: int | None) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    with torch.no_grad():  # or what is read would hardly matter
        for parameter in vae.decoder.parameters():
            parameter.mul_(5.0)
    batch = token_batch(sentences, range(7))
    q = vae.posterior(batch)
    z = q.mean if code_seed is None else q.rsample(Noise(code_seed, batch.keys))
    drawn = generate(vae.decoder, z, Noise(6, batch.keys), Choice(), batch.x.shape[1], None)
    predicted = vae.decoder.predict(z, Batch(drawn.x, drawn.lengths, batch.keys))
    expected = [int(((x == batch.x) & batch.mask).sum()) for x in (predicted, drawn.x)]
    assert expected[0] != expected[1]
    found = free_running_accuracy(vae, [batch], seed=6, code_seed=code_seed)
    assert found == (TokenAccuracy(expected[0], 28), TokenAccuracy(expected[1], 28))
    apart = [token_batch([row], [key]) for key, row in enumerate(sentences)]
    assert free_running_accuracy(vae, apart, seed=6, code_seed=code_seed) == found


def test_a_step_that_is_a_set_is_right_as_a_whole_only() -> None:
    truth = [np.array([[1, 0, 1], [0, 0, 0]]), np.array([[1, 1, 1]])]
    guess = [np.array([[1, 0, 1], [0, 0, 1], [1, 1, 1]]), np.array([[1, 1, 1]])]
    assert step_accuracy(truth, guess) == TokenAccuracy(2, 3)
    with pytest.raises(ValueError, match="a reconstruction of 1 steps cannot be compared with 2 steps"):
        step_accuracy(truth, guess[::-1])


def test_f1_weighs_false_and_missed_hits_alike() -> None:
    truth = [np.array([[1, 0, 0], [1, 0, 0], [1, 0, 1]]), np.array([[0, 1, 0]])]
    guess = [np.array([[1, 0, 0], [0, 0, 0], [1, 1, 1]]), np.array([[1, 1, 0]])]
    # class 0: 2 right, 1 missed, 1 false; class 1: 1 right, 1 false; class 2: all right
    assert f1(truth, guess, 3) == pytest.approx([4 / 6, 2 / 3, 1.0])


def test_exact_match_counts_equal_items() -> None:
    assert exact_match(["a b", "c", "d", "e "], ["a b", "c", "D", "e"]) == 0.5
    assert exact_match([(1, 2), (3,)], [(1, 2), (4,)]) == 0.5
    assert exact_match([], []) is None


def test_bleu_has_the_value_of_a_hand_count() -> None:
    # Of 5, 4, 3, 2 runs of words 4, 3, 2, 1 match: (4/5 * 3/4 * 2/3 * 1/2) ** (1/4) = 0.2 ** 0.25.
    assert bleu(["a b c d e"], ["a b c d f"]) == pytest.approx(100 * 0.2**0.25)


def test_bleu_punishes_a_guess_that_is_too_short() -> None:
    assert bleu(["a b c d e f"], ["a b c d"]) == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_bleu_pools_the_counts_of_all_items() -> None:
    # Single words 4 of 4 and 4 of 5, pairs 3 of 3 and 3 of 4, triples 2 of 2 and 2 of 3, fours 1 of 1 and 1 of 2.
    expected = 100 * (8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25
    assert bleu(["p q r s", "a b c d e"], ["p q r s", "a b c d f"]) == pytest.approx(expected)


def test_bleu_smooths_orders_without_a_match() -> None:
    # Orders 1 to 4: 3/4, 1/3, then 0 of 2 and 0 of 1, which count as 1/2 of 1/2 and 1/4 of 1/1.
    assert bleu(["a b c d"], ["a b x d"]) == pytest.approx(100 * (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** 0.25)


def test_bleu_keeps_case_and_punctuation_and_splits_on_spaces_only() -> None:
    assert bleu(["A b c d."], ["A b c d."]) == pytest.approx(100.0)
    assert bleu(["A b c d."], ["A b c d ."]) < 100.0
    assert bleu(["A b c d."], ["a b c d."]) < 100.0


def test_short_items_that_come_back_whole_score_one_hundred() -> None:
    assert bleu(["a b", "c"], ["a b", "c"]) == pytest.approx(100.0)


def test_bleu_of_nothing_is_none_and_of_empty_guesses_zero() -> None:
    assert bleu([], []) is None
    assert bleu(["a b", "c"], ["", ""]) == 0.0
    assert bleu(["", "c"], ["a", ""]) == 0.0


def test_unequal_numbers_of_items_and_guesses_are_refused() -> None:
    with pytest.raises(ValueError, match="1 guesses cannot be compared with 2 items"):
        bleu(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="3 guesses cannot be compared with 2 items"):
        exact_match(["a", "b"], ["a", "b", "c"])


def test_self_bleu_is_the_mean_of_sacrebleus_scores_against_all_others() -> None:
    generator = random.Random(0)
    texts = [" ".join(generator.choices("abcd", k=generator.randint(0, 9))) for _ in range(40)]
    texts += texts[:2]
    texts += [" ".join(generator.choices("abcd", k=words)) for words in (12, 14, 19)]  # no other text is as long
    judge = BLEU(tokenize="none", force=True, effective_order=True)
    scores = [judge.sentence_score(text, texts[:i] + texts[i + 1 :]).score for i, text in enumerate(texts)]
    assert len(set(scores)) > 10
    assert self_bleu(texts) == pytest.approx(sum(scores) / len(scores), rel=1e-12)


def test_self_bleu_is_one_hundred_for_equal_and_zero_for_disjoint_texts() -> None:
    assert self_bleu(["a b c d e"] * 3) == pytest.approx(100.0)
    assert self_bleu(["a b c d e", "p q r s", "v w x"]) == 0.0


def test_self_bleu_uses_the_first_texts_up_to_its_limit() -> None:
    assert self_bleu(["a b c d", "a b c d", "p q r s", "t u v w"], limit=2) == pytest.approx(100.0)
    assert self_bleu(["a b c d", "a b c d", "p q r s", "t u v w"]) == pytest.approx(50.0)


def test_self_bleu_needs_two_texts() -> None:
    assert self_bleu(["a b c d"]) is None
    assert self_bleu([]) is None


def test_the_edit_distance_is_that_of_a_recursion_over_all_alignments() -> None:
    def brute(a: list[int], b: list[int]) -> int:
        if not a or not b:
            return len(a) + len(b)
        replaced = brute(a[1:], b[1:]) + (a[0] != b[0])
        return min(replaced, brute(a[1:], b) + 1, brute(a, b[1:]) + 1)

    random = np.random.default_rng(0)
    for _ in range(60):
        a, b = (random.integers(0, 3, random.integers(0, 6)).tolist() for _ in range(2))
        assert edit_distance(a, b) == brute(a, b), (a, b)


def test_distinct_ngrams_are_a_share_of_all_and_stay_within_a_text() -> None:
    texts = ["a b a b", "", "b", "a b c"]
    assert distinct_ngrams(texts, 1) == pytest.approx(3 / 8)
    assert distinct_ngrams(texts, 2) == pytest.approx(3 / 5)
    assert distinct_ngrams(texts, 4) == 1.0
    assert distinct_ngrams(texts, 5) is None
