"""The evaluation of image models: bits per dimension, points without a likelihood, neighbours, memory and progress."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae import evaluate as evaluation
from seqvae import generate
from seqvae.config import from_dict
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus, prepare
from seqvae.data import Batches, Part
from seqvae.evaluate import Settings, evaluate, score_items, units
from seqvae.evaluation.latent import code_gain, collect_posterior
from seqvae.evaluation.likelihood import importance_weighted_nll
from seqvae.generate import Decoding, Length
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.picture import Picture
from seqvae.modalities.images.settings import ImageData, ImageModel
from seqvae.modalities.text.sentences import Text
from seqvae.noise import Noise
from tests.modalities.images.made import stack
from tests.training.small import MODEL, write_corpus

FEW = Settings(importance_samples=3, prior_samples=2)
LIKELIHOODS = {
    "elbo_nats", "reconstruction_nats", "kl_nats", "elbo_bits", "reconstruction_bits", "kl_bits", "iw_nll_nats",
    "importance_samples", "mutual_information_nats", "mutual_information_cap_nats", "mutual_information_error_nats",
    "bits_per_dimension",
}  # fmt: skip
ELSEWHERE = {  # of sequences, and of models with a fitted prior
    "elbo_fitted_prior_nats", "elbo_fitted_prior_bits", "kl_fitted_prior_nats", "kl_fitted_prior_bits",
    "tokens", "perplexity", "perplexity_per_word", "bits_per_character", "bits_per_byte", "unknown_nats", "words",
    "characters", "bytes", "step_accuracy_teacher_forced", "step_accuracy_free_running",
    "step_accuracy_drawn", "step_accuracy_greedy", "exact_match", "bleu", "self_bleu", "samples", "sample_temperature",
}  # fmt: skip
BLACK_AND_WHITE = np.where(stack(11, 5, 4, 1) > 127, 255, 0).astype(np.uint8)
GREY = stack(11, 5, 4, 1)


def quiet(done: int, total: int, what: str) -> None: ...


def image_model(
    folder: Path, pixels: np.ndarray, labels: list[str] | None = None, data: Any = None, **model: Any
) -> tuple[VAE, Images, Corpus]:
    """A small model in double precision with weights large enough to tell images apart, and the images encoded."""
    path = folder / "images.npz"
    np.savez(path, images=pixels) if labels is None else np.savez(path, images=pixels, labels=np.array(labels))
    modality = Images(ImageData(**(data or {})))
    modality.fit(lambda: map(Picture, pixels))
    sizes = from_dict(ImageModel, {"latent": 3, "widths": "6", **model}, "model")
    torch.manual_seed(0)
    vae = VAE(*modality.nets(sizes), posterior=sizes.posterior).double()
    with torch.no_grad():
        for layer in (vae.to_mean, vae.to_scale):
            if layer is not None:
                layer.weight.mul_(4.0)
    return vae, modality, prepare(modality, [path])


def test_bits_per_dimension_are_the_weighted_nats_by_pixel_and_channel(tmp_path: Path) -> None:
    vae, modality, corpus = image_model(tmp_path, BLACK_AND_WHITE)
    figures = evaluate(vae, modality, corpus, FEW, quiet)
    assert list(figures) == list(units(modality))
    batch = Batches(Part(corpus), 11).load(np.arange(11))
    expected = importance_weighted_nll(vae, [batch], 3).mean_nll_nats
    assert figures["iw_nll_nats"] == pytest.approx(expected, rel=1e-10)
    assert figures["bits_per_dimension"] == pytest.approx(expected / (5 * 4 * math.log(2)), rel=1e-10)
    assert figures["items"] == 11
    assert {name for name in figures if figures[name] is None} == ELSEWHERE | {
        "neighbour_accuracy",
        "summed_error",
    }


def test_a_model_that_knows_nothing_needs_a_bit_a_pixel(tmp_path: Path) -> None:
    for channels in (1, 3):
        black_and_white = np.where(stack(6, 5, 4, channels) > 127, 255, 0).astype(np.uint8)
        vae, modality, corpus = image_model(tmp_path, black_and_white)
        with torch.no_grad():
            for parameter in vae.parameters():
                parameter.zero_()
        figures = evaluate(vae, modality, corpus, FEW, quiet)
        assert figures["bits_per_dimension"] == pytest.approx(1.0, rel=1e-6)
        assert figures["iw_nll_nats"] == pytest.approx(20 * channels * math.log(2), rel=1e-6)
        assert figures["mean_squared_error"] == pytest.approx((128 * 128 + 127 * 127) / 2 / 255**2, rel=0.02)


@pytest.mark.parametrize(
    ("likelihood", "pixels", "data", "has_bits"),
    [
        ("bernoulli", GREY, {}, False),
        ("bernoulli", BLACK_AND_WHITE, {}, True),
        ("bernoulli", GREY, {"binarise": "static"}, True),
        ("bernoulli", GREY, {"binarise": "dynamic"}, True),
        ("gaussian", BLACK_AND_WHITE, {}, False),
        ("laplace", BLACK_AND_WHITE, {}, False),
        ("logistic", GREY, {}, True),
    ],
)
def test_only_distributions_over_levels_have_bits_per_dimension(
    likelihood: str, pixels: np.ndarray, data: dict[str, Any], has_bits: bool, tmp_path: Path
) -> None:
    vae, modality, corpus = image_model(tmp_path, pixels, data=data, likelihood=likelihood)
    figures = evaluate(vae, modality, corpus, FEW, quiet)
    assert (figures["bits_per_dimension"] is not None) == has_bits
    assert figures["iw_nll_nats"] is not None
    if has_bits:
        assert figures["bits_per_dimension"] == pytest.approx(figures["iw_nll_nats"] / (20 * math.log(2)))


def test_one_grey_pixel_of_many_images_is_enough_to_be_no_likelihood(tmp_path: Path) -> None:
    pixels = np.zeros((900, 28, 28, 1), np.uint8)  # more than a batch holds
    pixels[-1, -1, -1] = 254
    vae, modality, corpus = image_model(tmp_path, pixels)
    assert evaluate(vae, modality, corpus, Settings(importance_samples=1), quiet)["bits_per_dimension"] is None


def test_points_have_no_likelihood_but_errors_and_neighbours(tmp_path: Path) -> None:
    labels = ["b", "a", "b"] * 3 + ["a", "a"]
    vae, modality, corpus = image_model(tmp_path, GREY, labels, posterior="point")
    figures = evaluate(vae, modality, corpus, FEW, quiet)
    assert {name for name in figures if figures[name] is None} == (LIKELIHOODS | ELSEWHERE | {"summed_error"}) - {
        "reconstruction_nats"
    }
    assert 0 <= figures["neighbour_accuracy"] <= 1
    batch = Batches(Part(corpus), 11).load(np.arange(11))
    mean = vae.posterior(batch).mean.detach()
    assert figures["active_units"] == int((mean.var(0) > 0.01).sum()) >= 1
    assert figures["reconstruction_nats"] == pytest.approx(-vae.decoder.log_prob(mean, batch).mean().item(), rel=1e-6)
    guess = vae.decoder.predict(mean, batch)
    error = (guess.double() - batch.x.double()).square().mean() / 255**2
    assert figures["mean_squared_error"] == pytest.approx(float(error), rel=1e-12)


def test_a_text_model_with_points_keeps_the_figures_of_steps(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "corpus.txt", 9)
    modality = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: iter(source.read_text().splitlines()))
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 3}, "model")), posterior="point")
    corpus = prepare(modality, [source])
    figures = evaluate(vae, modality, corpus, FEW, quiet)
    assert (figures["items"], figures["tokens"]) == (9, corpus.steps)
    missing = {name for name in figures if figures[name] is None}
    assert missing >= (LIKELIHOODS | {"perplexity", "bits_per_byte", "self_bleu"}) - {"reconstruction_nats"}
    assert 0 <= figures["step_accuracy_teacher_forced"] <= 1
    assert figures["bleu"] is not None


def test_the_neighbours_vote_by_the_labels_of_the_corpus(tmp_path: Path) -> None:
    labels = [str(place % 3) for place in range(11)]
    vae, modality, corpus = image_model(tmp_path, GREY, labels)
    q = vae.posterior(Batches(Part(corpus), 11).load(np.arange(11)))
    right = 0
    for item in range(11):
        distances = (q.mean - q.mean[item]).norm(dim=1)
        nearest = [place for place in distances.argsort().tolist() if place != item][:5]
        votes = [labels[place] for place in nearest]
        right += min(sorted(set(votes)), key=lambda label: -votes.count(label)) == labels[item]
    assert evaluate(vae, modality, corpus, FEW, quiet)["neighbour_accuracy"] == pytest.approx(right / 11)


def test_what_the_decoder_gains_from_codes_is_the_difference_of_its_bounds_by_own_and_by_other_codes(
    tmp_path: Path,
) -> None:
    vae, modality, corpus = image_model(tmp_path, BLACK_AND_WHITE)
    loaded = [Batches(Part(corpus), 4).load(indices) for indices in Batches(Part(corpus), 4).in_order()]
    gain = code_gain(vae, loaded, *collect_posterior(vae, loaded), FEW.seed)
    figures = evaluate(vae, modality, corpus, FEW, quiet)
    assert figures["code_gain_nats"] == pytest.approx(gain.nats)
    assert figures["reconstruction_nats"] == pytest.approx(gain.own_nats)
    assert abs(gain.nats) > 0.01
    one = image_model(tmp_path, BLACK_AND_WHITE[:1])
    assert evaluate(*one, FEW, quiet)["code_gain_nats"] is None


def rows_of(monkeypatch: pytest.MonkeyPatch, net: Any, name: str, place: int) -> list[int]:
    """A list that fills with the rows of each call of a net's function."""
    rows: list[int] = []
    call = getattr(net, name)
    monkeypatch.setattr(net, name, lambda *given: rows.append(len(given[place])) or call(*given))
    return rows


@pytest.mark.parametrize(("items", "samples"), [(3, 5000), (1500, 3)])
def test_likelihoods_need_memory_for_a_chunk_alone(
    items: int, samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 784 pixels the encoder meets 668 images at once, and the decoder 2048."""
    pixels = np.where(stack(items, 28, 28, 1) > 127, 255, 0).astype(np.uint8)
    vae, modality, corpus = image_model(tmp_path, pixels)
    encoded = rows_of(monkeypatch, vae.encoder, "forward", 0)
    decoded = rows_of(monkeypatch, vae.decoder, "log_prob", 0)
    evaluate(vae.float(), modality, corpus, Settings(importance_samples=samples), quiet)
    assert max(decoded) == {3: 2048, 1500: 3 * 668}[items]
    assert sum(decoded) == items * (samples + 1 + 2), "the bound, and codes in their places and shuffled, beside"
    assert max(encoded) == min(items, 668)


def test_what_is_watched_goes_from_nothing_to_all_in_many_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "VALUES_PER_BATCH", 100 * 20)
    pixels = np.where(stack(350, 5, 4, 1) > 127, 255, 0).astype(np.uint8)
    vae, modality, corpus = image_model(tmp_path, pixels, [str(place % 10) for place in range(350)])
    calls: dict[str, list[tuple[int, int]]] = {}

    def watch(done: int, total: int, what: str) -> None:
        calls.setdefault(what, []).append((done, total))

    evaluate(vae, modality, corpus, Settings(importance_samples=300), watch)
    assert list(calls) == [
        "evidence lower bound", "likelihood", "pixels", "latent code", "shuffled codes", "reconstructions",
    ]  # fmt: skip
    for what, found in calls.items():
        done = [call[0] for call in found]
        assert (done[0], done[-1]) == (0, 350), what
        assert done == sorted(done), what
        assert {call[1] for call in found} == {350}, what
    assert len(calls["latent code"]) == 1 + 4
    assert len(calls["likelihood"]) == 1 + 11, "the part that takes long, in proportion to its samples"


def test_a_model_without_a_code_is_scored_in_whole_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one pass over the data is short, so batches are not cut for the sake of progress."""
    source = write_corpus(tmp_path / "corpus.txt", 300)
    modality = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: iter(source.read_text().splitlines()))
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 0}, "model")))
    rows = rows_of(monkeypatch, vae, "log_weights_of", 1)
    figures = evaluate(vae, modality, prepare(modality, [source]), Settings(importance_samples=5000), quiet)
    assert sum(rows) == 300
    assert len(rows) == 1
    assert figures["importance_samples"] == 1
    assert figures["iw_nll_nats"] == pytest.approx(-figures["elbo_nats"], rel=1e-6)


def test_reconstructions_are_made_from_the_codes_that_are_asked_for(tmp_path: Path) -> None:
    vae, modality, corpus = image_model(tmp_path, GREY)
    batch = Batches(Part(corpus), 11).load(np.arange(11))
    q = vae.posterior(batch)
    for codes, z in (("mean", q.mean), ("drawn", q.rsample(Noise(5, batch.keys)))):
        settings = Settings(importance_samples=3, prior_samples=2, codes=codes, seed=5)  # type: ignore[arg-type]
        error = (vae.decoder.predict(z, batch).double() - batch.x.double()).square().mean() / 255**2
        figures = evaluate(vae, modality, corpus, settings, quiet)
        assert figures["mean_squared_error"] == pytest.approx(float(error), rel=1e-12), codes


@pytest.mark.parametrize("posterior", ["gaussian", "point"])
@pytest.mark.parametrize("likelihood", ["gaussian", "squares", "laplace"])
def test_the_summed_error_is_that_of_the_codes_that_the_bound_draws(
    likelihood: str, posterior: str, tmp_path: Path
) -> None:
    vae, modality, corpus = image_model(tmp_path, GREY, likelihood=likelihood, posterior=posterior)
    batch = Batches(Part(corpus), 11).load(np.arange(11))
    z = vae.posterior(batch).rsample(Noise(FEW.seed, batch.keys))
    errors = batch.x.squeeze(1).double() / 255 - vae.decoder.likelihood.mean(vae.decoder.layers(z))  # type: ignore[operator]
    expected = (errors.abs() if likelihood == "laplace" else errors.square()).sum((1, 2, 3)).mean().item()
    assert evaluate(vae, modality, corpus, FEW, quiet)["summed_error"] == pytest.approx(expected, rel=1e-5)


def test_bits_per_byte_are_those_of_the_weighted_likelihood(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "corpus.txt", 20)
    modality = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: iter(source.read_text().splitlines()))
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 3}, "model"))).double()
    figures = evaluate(vae, modality, prepare(modality, [source]), FEW, quiet)
    assert abs(figures["iw_nll_nats"] + figures["elbo_nats"]) > 1e-4, "the two bounds have to differ for this"
    size = len(source.read_bytes())
    assert figures["bits_per_byte"] == pytest.approx(figures["iw_nll_nats"] * 20 / (size * math.log(2)), rel=1e-9)


def test_what_has_no_likelihood_is_not_scored(tmp_path: Path) -> None:
    vae, modality, corpus = image_model(tmp_path, GREY, posterior="point")
    with pytest.raises(ValueError, match=r"a plain autoencoder .* has no likelihood; score with another model"):
        score_items(vae, modality, [[corpus[0]]], 3, 0)


def test_samples_stand_beside_as_many_items_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{' very' * (number % 4)} small cat {number}".strip() for number in range(60)]
    source = tmp_path / "corpus.txt"
    source.write_text("".join(f"{line}\n" for line in lines))
    modality = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: iter(lines))
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 3}, "model"))).double()
    seen: list[list[str]] = []
    metrics = Text.sample_metrics
    monkeypatch.setattr(Text, "sample_metrics", lambda self, items: seen.append(list(items)) or metrics(self, items))
    corpus = prepare(modality, [source])
    drawn: dict[float, list[str]] = {}
    for temperature, used in ((None, Text.sampling_temperature), (0.3, 0.3)):
        settings = Settings(importance_samples=1, prior_samples=40, temperature=temperature, seed=7)
        figures = evaluate(vae, modality, corpus, settings, quiet)
        assert (figures["samples"], figures["sample_temperature"]) == (40, used)
        samples, data = seen[-2:]
        arrays = generate.sample(vae, 40, Length(modality.max_steps, modality.end), Decoding(used), seed=7)
        assert samples == [modality.decode(x) for x in arrays]
        assert len(data) == len(set(data)) == 40
        assert set(data) < set(lines)
        assert figures["data_self_bleu"] == pytest.approx(metrics(modality, data)["self_bleu"])
        assert figures["sample_words"] == pytest.approx(sum(len(one.split()) for one in samples) / 40)
        assert figures["data_words"] == pytest.approx(sum(len(one.split()) for one in data) / 40)
        drawn[used] = samples
    assert drawn[0.3] != drawn[1.0]
    assert seen[1] == seen[3] != sorted(seen[1], key=lines.index), "chosen by the seed, not the first"
    few = Settings(importance_samples=1, prior_samples=70)
    assert evaluate(vae, modality, corpus, few, quiet)["samples"] == 70
    assert sorted(seen[-1]) == sorted(lines), "all, where there are fewer"


@pytest.mark.parametrize("has", [True, False])
def test_products_in_sixteen_bits_give_the_same_figures_up_to_rounding(
    has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_corpus(tmp_path / "corpus.txt", 20)
    modality = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: iter(source.read_text().splitlines()))
    vae = VAE(*modality.nets(from_dict(Text.model_config, {**MODEL, "latent": 3}, "model")))
    corpus = prepare(modality, [source])
    monkeypatch.setattr(evaluation, "computes_bf16", lambda device: has)
    whole, low, auto = (
        evaluate(vae, modality, corpus, Settings(importance_samples=5, prior_samples=2, precision=name), quiet)  # type: ignore[arg-type]
        for name in ("fp32", "bf16", "auto")
    )
    for name in ("elbo_nats", "iw_nll_nats", "kl_nats"):
        assert low[name] == pytest.approx(whole[name], rel=2e-2), name
        assert auto[name] == (low if has else whole)[name], name
    assert low["iw_nll_nats"] != whole["iw_nll_nats"]
    assert low["code_gain_nats"] != whole["code_gain_nats"]
    for name in ("code_gain_nats", "mutual_information_nats", "word_edit_distance"):  # what is no likelihood
        assert auto[name] == whole[name], name


@pytest.mark.parametrize(("name", "means"), [("auto", "bf16 likelihoods"), ("fp32", "fp32"), ("bf16", "bf16")])
def test_precision_is_automatic_for_what_it_is_as_good_for(
    name: str, means: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(precision=name)  # type: ignore[arg-type]
    text = Text(Text.data_config(tokenizer="word", vocabulary_size=0))
    text.fit(lambda: iter(["a b"]))
    vae = VAE(*text.nets(from_dict(Text.model_config, MODEL, "model")))
    pixels, images, _ = image_model(tmp_path, GREY)
    monkeypatch.setattr(evaluation, "computes_bf16", lambda device: True)
    assert settings.precision_of(vae, text) == means
    exact = "fp32" if name == "auto" else means
    assert settings.precision_of(pixels.float(), images) == exact
    assert settings.precision_of(vae.double(), text) == exact
    monkeypatch.setattr(evaluation, "computes_bf16", lambda device: False)
    assert settings.precision_of(vae.float(), text) == exact
