"""Likelihoods against closed forms, against sums over all sequences, and over every way to batch the same items."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from seqvae.core.discrepancy import discrepancy
from seqvae.core.vae import VAE
from seqvae.evaluation import likelihood
from seqvae.evaluation.likelihood import bits_per_byte, elbo, importance_weighted_nll, perplexity
from seqvae.noise import Noise
from seqvae.settings import Objective
from seqvae.training import validation
from seqvae.training.validation import SEED, validate
from seqvae.types import Batch
from tests.evaluation.models import (
    FEATURES,
    SCALE,
    batchings,
    linear_gaussian_evidence,
    linear_gaussian_vae,
    lstm_vae,
    real_valued_batch,
    token_batch,
)


def shift_posterior(vae: VAE) -> None:
    """Move q(z|x) away from the true posterior: means by up to 0.5, variances by a factor of 2."""
    assert vae.to_mean is not None
    assert vae.to_scale is not None
    with torch.no_grad():
        vae.to_mean.bias += torch.tensor([0.5, -0.3, 0.2], dtype=torch.float64)
        vae.to_scale.bias += math.log(2.0)


@pytest.mark.parametrize("samples", [2, 11])
def test_the_weighted_bound_of_a_validation_is_the_evidence_when_q_is_the_true_posterior(samples: int) -> None:
    vae = linear_gaussian_vae()
    x = torch.randn(7, FEATURES, dtype=torch.float64) * 2
    batches, settings = [real_valued_batch(x[:4]), real_valued_batch(x[4:])], Objective(importance_samples=samples)
    figures = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, settings)
    assert figures["iw_bound_nats"] == pytest.approx(float(linear_gaussian_evidence(vae, x).mean()), abs=1e-12)
    assert figures["perplexity_bound"] is None
    shift_posterior(vae)
    figures = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, settings)
    expected = importance_weighted_nll(vae, batches, samples, SEED).mean_nll_nats
    assert figures["iw_bound_nats"] == pytest.approx(-expected, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "penalty"),
    [
        ({"beta": 0.25}, lambda kl: 0.25 * kl.sum(1).mean()),
        ({"beta": 0.5, "free_nats_total": 1.7}, lambda kl: 0.5 * (kl.sum(1) - 1.7).clamp(min=0).mean()),
        ({"free_nats_per_dimension": 0.6}, lambda kl: kl.mean(0).clamp(min=0.6).sum()),
        ({"target_kl_nats": 1.5, "beta": 2.0}, lambda kl: 2 * (kl.sum(1).mean() - 1.5).abs()),
        ({"target_kl_nats": 4.0, "beta": 0.5, "target_kl_by": "controller"}, lambda kl: (4 - kl.sum(1).mean()) / 2),
        ({"free_nats_per_dimension_and_example": 0.2}, lambda kl: kl.clamp(min=0.2).sum(1).mean()),
    ],
)
def test_a_validation_gives_the_objective_of_all_items_at_its_final_beta(
    changes: dict[str, float], penalty: Callable[[Tensor], Tensor]
) -> None:
    vae = linear_gaussian_vae()
    shift_posterior(vae)
    x = torch.randn(7, FEATURES, dtype=torch.float64) * 2
    whole, keys = real_valued_batch(x), torch.arange(7)
    batches = [real_valued_batch(x[:4], keys[:4]), real_valued_batch(x[4:], keys[4:])]
    figures = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, Objective(**changes))
    with torch.no_grad():
        terms = vae(whole, Noise(SEED, whole.keys), dropout=False)
    assert 0.1 < float(penalty(terms.kl)) < float(terms.kl.sum(1).mean()) + 0.5
    assert figures["objective_nats"] == pytest.approx(float(-terms.log_px.mean() + penalty(terms.kl)), abs=1e-9)
    assert "objective_nats" not in validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums)


def test_a_validation_has_the_discrepancy_of_all_its_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = linear_gaussian_vae()
    shift_posterior(vae)
    x, keys = torch.randn(7, FEATURES, dtype=torch.float64) * 2, torch.arange(7)
    batches = [real_valued_batch(x[:5], keys[:5]), real_valued_batch(x[5:], keys[5:])]
    asked = Objective(mmd=30.0, beta=0.5, mmd_kernel="gaussian", mmd_estimator="biased")
    figures = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, asked)
    with torch.no_grad():
        codes = torch.cat([vae(batch, Noise(SEED, batch.keys), dropout=False).z for batch in batches])
    assert figures["mmd"] == pytest.approx(discrepancy(codes, "gaussian", "biased").item())
    with monkeypatch.context() as patch:  # of some, spread over the batches
        patch.setattr(validation, "COMPARED", 3)
        some = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, asked)["mmd"]
        assert some == pytest.approx(discrepancy(codes[[0, 3, 6]], "gaussian", "biased").item())
    rest = figures["reconstruction_nats"] + 0.5 * figures["kl_nats"]
    assert figures["objective_nats"] == pytest.approx(rest + 30 * figures["mmd"])
    vae.has_points, vae.to_scale = True, None  # points, whose KL is no part of the objective
    figures = validate(vae, batches, torch.zeros(1, dtype=torch.float64), lambda sums: sums, asked)
    assert figures["objective_nats"] == pytest.approx(figures["reconstruction_nats"] + 30 * figures["mmd"])


@pytest.mark.parametrize("samples", [1, 2, 11])
def test_the_importance_weighted_bound_is_exact_when_q_is_the_true_posterior(samples: int) -> None:
    vae = linear_gaussian_vae()
    x = torch.randn(7, FEATURES, dtype=torch.float64) * 2
    scored = importance_weighted_nll(vae, [real_valued_batch(x)], samples)
    torch.testing.assert_close(scored.nll_nats, -linear_gaussian_evidence(vae, x), rtol=0, atol=1e-12)


def test_the_importance_weighted_bound_rises_with_samples_from_the_elbo_to_the_evidence() -> None:
    """Monte Carlo over 4000 keys of one x; differences are held to four standard errors."""
    vae = linear_gaussian_vae()
    shift_posterior(vae)
    x = torch.randn(1, FEATURES, dtype=torch.float64)
    batch = real_valued_batch(x.expand(4000, -1))
    evidence = float(linear_gaussian_evidence(vae, x))
    # KL(q || true posterior) in closed form: the means' shift over the true variance, and twice the variance.
    precision = 1 + vae.decoder.weight.detach().square().sum(0) / SCALE**2
    shift = torch.tensor([0.5, -0.3, 0.2], dtype=torch.float64)
    gap = float(0.5 * (2.0 - 1 - math.log(2.0) + shift**2 * precision).sum())

    means, errors = [], []
    for samples in (1, 4, 32):
        bound = -importance_weighted_nll(vae, [batch], samples).nll_nats
        means.append(float(bound.mean()))
        errors.append(float(bound.std()) / math.sqrt(4000))
    assert abs(means[0] - (evidence - gap)) < 4 * errors[0]
    assert means[0] + 4 * errors[0] < means[1] - 4 * errors[1]
    assert means[1] + 4 * errors[1] < means[2] - 4 * errors[2]
    assert means[2] < evidence + 4 * errors[2]
    assert evidence - means[2] < 0.1 * gap


def test_one_importance_sample_is_the_single_draw_bound_of_the_same_noise() -> None:
    vae = linear_gaussian_vae()
    shift_posterior(vae)
    batch = real_valued_batch(torch.randn(7, FEATURES, dtype=torch.float64))
    noise = Noise(3, batch.keys)
    q = vae.posterior(batch)
    z = q.rsample(noise)
    log_px = vae(batch, noise, dropout=False).log_px  # the ELBO's own first term
    expected = log_px + (Normal(0.0, 1.0).log_prob(z) - Normal(q.mean, q.scale).log_prob(z)).sum(1)
    scored = importance_weighted_nll(vae, [batch], 1, seed=3)
    torch.testing.assert_close(-scored.nll_nats, expected.detach(), rtol=0, atol=1e-12)


def test_elbo_sums_the_parts_that_torch_distributions_give() -> None:
    vae = linear_gaussian_vae()
    shift_posterior(vae)
    x = torch.randn(7, FEATURES, dtype=torch.float64)
    batch = real_valued_batch(x)
    q = vae.posterior(batch)
    z = q.rsample(Noise(0, batch.keys))
    likelihoods = Normal(z @ vae.decoder.weight.T + vae.decoder.bias, SCALE).log_prob(x).detach()
    kl = torch.distributions.kl_divergence(Normal(q.mean, q.scale), Normal(0.0, 1.0)).detach()

    bound = elbo(vae, [batch])
    assert (bound.items, bound.tokens) == (7, 7)
    assert bound.reconstruction_nats == pytest.approx(-float(likelihoods.sum()), rel=1e-12)
    assert bound.kl_per_unit.tolist() == pytest.approx(kl.sum(0).tolist(), rel=1e-12)
    assert bound.kl_nats == pytest.approx(float(kl.sum()), rel=1e-12)
    assert bound.elbo_nats == pytest.approx(float(likelihoods.sum() - kl.sum()), rel=1e-12)
    assert bound.mean_elbo_nats == pytest.approx(bound.elbo_nats / 7)
    assert bound.mean_elbo_nats == pytest.approx(-bound.mean_reconstruction_nats - bound.mean_kl_nats)
    assert float(bound.mean_kl_per_unit.sum()) == pytest.approx(bound.mean_kl_nats)


def all_sequences(outcomes: int, longest: int) -> tuple[list[Tensor], list[Tensor]]:
    """Every sequence that ends (in outcome 0) within `longest` steps, and every one of `longest` steps that goes on."""
    words = range(1, outcomes)
    ended = [torch.tensor([*body, 0]) for length in range(longest) for body in itertools.product(words, repeat=length)]
    unfinished = [torch.tensor(body) for body in itertools.product(words, repeat=longest)]
    return ended, unfinished


@pytest.mark.parametrize("longest", [2, 4])
def test_the_probabilities_of_all_sequences_of_a_language_model_sum_to_one(longest: int) -> None:
    """The finished sequences and the prefixes that are still unfinished share the whole mass."""
    vae = lstm_vae(latent=0, outcomes=3)
    ended, unfinished = all_sequences(3, longest)
    assert (len(ended), len(unfinished)) == (2**longest - 1, 2**longest)
    rows = ended + unfinished
    scored = importance_weighted_nll(vae, [token_batch(rows, range(len(rows)))], samples=1)
    probabilities = torch.exp(-scored.nll_nats)
    assert float(probabilities.sum()) == pytest.approx(1.0, abs=1e-12)
    assert 0.01 < float(probabilities[: len(ended)].sum()) < 0.99  # neither part is idle


def test_the_probabilities_of_all_sequences_given_a_code_sum_to_one() -> None:
    vae = lstm_vae(latent=5, outcomes=3)
    ended, unfinished = all_sequences(3, 4)
    rows = ended + unfinished
    batch = token_batch(rows, range(len(rows)))
    codes = torch.randn(2, 5, dtype=torch.float64)
    log_px = torch.stack([vae.decoder.log_prob(z.expand(len(rows), -1), batch).detach() for z in codes])
    assert log_px.exp().sum(1).tolist() == pytest.approx([1.0, 1.0], abs=1e-12)
    assert float((log_px[0] - log_px[1]).abs().min()) > 1e-3  # the codes are not ignored


@pytest.mark.parametrize("latent", [0, 5])
@pytest.mark.parametrize("arrangement", ["alone", "padded", "backwards"])
def test_likelihoods_do_not_depend_on_how_the_items_are_batched(
    sentences: list[Tensor], latent: int, arrangement: str
) -> None:
    vae = lstm_vae(latent=latent, outcomes=9)
    arranged = batchings(sentences)
    whole, other = (elbo(vae, arranged[name], seed=2) for name in ("one batch", arrangement))
    assert (other.items, other.tokens) == (7, 28)
    assert other.reconstruction_nats == pytest.approx(whole.reconstruction_nats, rel=1e-13)
    torch.testing.assert_close(other.kl_per_unit, whole.kl_per_unit, rtol=1e-13, atol=0)

    first, second = (importance_weighted_nll(vae, arranged[name], 4, seed=2) for name in ("one batch", arrangement))
    torch.testing.assert_close(second.nll_nats, first.nll_nats, rtol=1e-13, atol=0)
    assert second.keys.tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert second.tokens.tolist() == [3, 8, 1, 5, 2, 5, 4]
    assert len({round(value, 6) for value in first.nll_nats.tolist()}) == 7


def test_the_importance_weighted_bound_does_not_depend_on_the_chunks(
    sentences: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    batches = batchings(sentences)["padded"]
    whole = importance_weighted_nll(vae, batches, samples=11).nll_nats
    for rows in (1, 4, 11, 30):  # one draw, part of an item's draws, one item, two items at a time
        torch.testing.assert_close(
            importance_weighted_nll(vae, batches, 11, rows_per_chunk=rows).nll_nats, whole, rtol=1e-13, atol=0
        )
    monkeypatch.setattr(likelihood, "STEPS_PER_CHUNK", 40)
    torch.testing.assert_close(importance_weighted_nll(vae, batches, 11).nll_nats, whole, rtol=1e-13, atol=0)


def recorded_rows(vae: VAE, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int]]:
    """Lists that fill with the rows of each call of the encoder and of the decoder."""
    encoded: list[int] = []
    decoded: list[int] = []

    def record(rows: list[int], call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def recording(*arguments: Tensor | Batch | None) -> Tensor:
            rows.extend(len(item) for item in arguments if isinstance(item, Batch))
            return call(*arguments)

        return recording

    if vae.encoder is not None:
        monkeypatch.setattr(vae.encoder, "forward", record(encoded, vae.encoder.forward))
    monkeypatch.setattr(vae.decoder, "log_prob", record(decoded, vae.decoder.log_prob))
    return encoded, decoded


def test_many_items_and_samples_at_a_time_equal_one_item_and_one_sample_at_a_time(sentences: list[Tensor]) -> None:
    """In single precision, as users score; the other way reads a word a step, and adds up in double precision."""
    vae, samples = lstm_vae(latent=5, outcomes=9).float().requires_grad_(False), 60
    expected = []
    for key, sentence in enumerate(sentences, start=10):
        batch = token_batch([sentence], [key])
        q = vae.posterior(batch)
        log_weights = []
        for z in q.rsample(Noise(0, batch.keys), samples).split(1):
            state, x_prev, log_px = vae.decoder.start(z), None, 0.0
            for token in sentence.split(1):
                h, state = vae.decoder.step(state, x_prev)
                log_px += float(vae.decoder.likelihood.scores(h)[0, token])
                x_prev = token
            ratio = Normal(0.0, 1.0).log_prob(z) - Normal(q.mean, q.scale).log_prob(z)
            log_weights.append(log_px + float(ratio.sum()))
        top = max(log_weights)
        expected.append(math.log(samples) - top - math.log(sum(math.exp(weight - top) for weight in log_weights)))
        assert max(log_weights) - min(log_weights) > 0.1, "the draws differ"
    found = importance_weighted_nll(vae, batchings(sentences)["backwards"], samples, rows_per_chunk=100).nll_nats
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("rows", [3, 25])
def test_the_encoder_runs_once_an_item_and_the_decoder_on_bounded_rows(
    sentences: list[Tensor], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    encoded, decoded = recorded_rows(vae, monkeypatch)
    importance_weighted_nll(vae, batchings(sentences)["backwards"], samples=11, rows_per_chunk=rows)
    assert encoded == [2, 5]
    assert max(decoded) <= rows
    assert sum(decoded) == 7 * 11


def test_five_thousand_samples_of_an_item_go_by_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    _, decoded = recorded_rows(vae, monkeypatch)
    importance_weighted_nll(vae, [token_batch([torch.tensor([3, 1, 0]), torch.tensor([2, 0])], [0, 1])], samples=5000)
    assert decoded == [2048, 2048, 904] * 2


def test_long_sequences_get_fewer_rows(sentences: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    _, decoded = recorded_rows(vae, monkeypatch)
    monkeypatch.setattr(likelihood, "STEPS_PER_CHUNK", 40)
    importance_weighted_nll(vae, batchings(sentences)["one batch"], samples=2)
    assert decoded == [4, 4, 4, 2]  # 40 steps // 8 steps = 5 rows, so two items at a time


def test_large_items_get_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, batch = linear_gaussian_vae(), real_valued_batch(torch.randn(7, FEATURES, dtype=torch.float64))
    whole = importance_weighted_nll(vae, [batch], samples=4).nll_nats
    _, decoded = recorded_rows(vae, monkeypatch)
    monkeypatch.setattr(likelihood, "VALUES_PER_CHUNK", 9 * FEATURES + 1)
    scored = importance_weighted_nll(vae, [batch], samples=4)
    assert decoded == [8, 8, 8, 4]  # nine rows, so two items at a time
    torch.testing.assert_close(scored.nll_nats, whole, rtol=1e-13, atol=0)


def test_a_language_model_is_scored_once_and_exactly(sentences: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    vae = lstm_vae(latent=0, outcomes=9)
    batches = batchings(sentences)["one batch"]
    _, decoded = recorded_rows(vae, monkeypatch)
    scored = importance_weighted_nll(vae, batches, samples=100)
    assert decoded == [7]
    bound = elbo(vae, batches)
    assert bound.kl_nats == 0.0
    assert bound.kl_per_unit.shape == (0,)
    assert bound.elbo_nats == pytest.approx(-scored.total_nll_nats, rel=1e-13)
    assert bound.mean_elbo_nats == pytest.approx(-scored.mean_nll_nats, rel=1e-13)
    assert scored.total_tokens == bound.tokens == 28


def test_dropout_is_off(sentences: list[Tensor]) -> None:
    batches = batchings(sentences)["one batch"]
    figures = []
    for drop in (0.0, 0.5):
        torch.manual_seed(0)
        vae = lstm_vae(latent=5, outcomes=9, input_dropout=drop, output_dropout=drop, word_dropout=drop)
        nll = importance_weighted_nll(vae, batches, samples=2).total_nll_nats
        figures.append((elbo(vae, batches).elbo_nats, nll))
    assert figures[0] == figures[1]


def test_an_impossible_item_has_an_infinite_cost_and_leaves_the_others_alone() -> None:
    vae = lstm_vae(latent=0, outcomes=4)
    with torch.no_grad():
        vae.decoder.likelihood.projection.bias[3] = -torch.inf
    rows = [torch.tensor([1, 2, 0]), torch.tensor([3, 0])]
    nll = importance_weighted_nll(vae, [token_batch(rows, [0, 1])], samples=1).nll_nats
    assert math.isfinite(nll[0])
    assert nll[1] == math.inf


def test_perplexity_and_bits_per_byte_have_their_values() -> None:
    assert perplexity(30.0, 12) == pytest.approx(12.182493960703473)  # exp(2.5)
    assert bits_per_byte(30.0, 12) == pytest.approx(3.6067376022224087)  # 2.5 / ln 2
    assert perplexity(1e9, 2) == math.inf


def test_a_uniform_model_has_the_perplexity_of_its_outcomes(sentences: list[Tensor]) -> None:
    vae = lstm_vae(latent=0, outcomes=9)
    with torch.no_grad():
        vae.decoder.likelihood.projection.weight.zero_()
        vae.decoder.likelihood.projection.bias.zero_()
    scored = importance_weighted_nll(vae, batchings(sentences)["padded"], samples=1)
    assert perplexity(scored.total_nll_nats, scored.total_tokens) == pytest.approx(9.0, rel=1e-12)


def test_nothing_to_evaluate_is_refused(sentences: list[Tensor]) -> None:
    vae = lstm_vae(latent=5, outcomes=9)
    with pytest.raises(ValueError, match="0 items"):
        elbo(vae, [])
    with pytest.raises(ValueError, match="0 items"):
        importance_weighted_nll(vae, [], samples=1)
    with pytest.raises(ValueError, match="samples=0"):
        importance_weighted_nll(vae, batchings(sentences)["alone"], samples=0)
    with pytest.raises(ValueError, match="0 tokens"):
        perplexity(1.0, 0)
    with pytest.raises(ValueError, match="0 bytes"):
        bits_per_byte(1.0, 0)
