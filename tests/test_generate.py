"""The library's generation: chunks change nothing, rows belong to their keys, wrong settings are refused in words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqvae.config import from_dict
from seqvae.core.latent import Path, even_places
from seqvae.core.vae import VAE
from seqvae.data import collate
from seqvae.generate import Decoding, Length, decode, encode, interpolate, prior_codes, sample
from seqvae.modalities.images.nets import image_nets
from seqvae.modalities.images.settings import ImageModel
from seqvae.nets.likelihoods import Categorical
from tests.nets.made import lstm_decoder, lstm_encoder

END = 2
GREEDY = {"temperature": 0.0}
DRAWN = {"temperature": 1.0, "top_p": 0.95}
BEAM = {"beam": 3, "length_penalty": 0.5}
MANNERS = [GREEDY, DRAWN, BEAM]


def small_vae(latent: int = 3) -> VAE:
    """Seven outcomes in float64, with weights large enough for outcomes to differ, and codes far apart."""
    torch.manual_seed(1)
    sizes = {"latent": latent, "encoder_hidden": 4, "decoder_hidden": 6}
    encoder = lstm_encoder(nn.Embedding(7, 5), 5, **sizes) if latent else None
    decoder = lstm_decoder(nn.Embedding(7, 5), 5, Categorical(6, 7), **sizes)
    vae = VAE(encoder, decoder).double()
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.normal_()
        for layer in (vae.to_mean, vae.to_scale) if latent else ():
            layer.weight.mul_(4.0)
    return vae


def decoding(max_steps: int = 9, end: int | None = END, **manner: Any) -> tuple[Length, Decoding]:
    return Length(max_steps, end), Decoding(**manner)


def reconstruct(
    vae: VAE, arrays: Sequence[np.ndarray], length: Length, manner: Decoding, seed: int = 0, settle: Any = None
) -> list[np.ndarray]:
    return decode(vae, encode(vae, arrays, manner.batch_size, settle).mean, length, manner, seed)


def arrays(count: int) -> list[np.ndarray]:
    """Sequences of different lengths in no order, end included."""
    random = np.random.default_rng(0)
    return [np.append(random.integers(3, 7, random.integers(0, 8)), END).astype(np.uint16) for _ in range(count)]


def lists(rows: list[np.ndarray]) -> list[list[int]]:
    return [row.tolist() for row in rows]


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("latent", [3, 0])
def test_the_size_of_the_chunks_changes_nothing(manner: dict[str, Any], latent: int) -> None:
    vae, z = small_vae(latent), torch.randn(13, latent).double()
    whole = lists(decode(vae, z, *decoding(**manner), seed=4))
    assert len(whole) == 13
    for batch_size in (1, 5, 13):
        assert lists(decode(vae, z, *decoding(**manner, batch_size=batch_size), seed=4)) == whole


def test_a_row_is_drawn_by_its_key() -> None:
    vae, z = small_vae(), torch.randn(13, 3).double()
    whole = lists(decode(vae, z, *decoding(**DRAWN)))
    assert lists(decode(vae, z[5:], *decoding(**DRAWN), first_key=5)) == whole[5:]
    assert lists(decode(vae, z[5:], *decoding(**DRAWN))) != whole[5:]


@pytest.mark.parametrize("latent", [3, 0])
def test_a_sample_depends_on_the_seed_and_its_place_alone(latent: int) -> None:
    vae = small_vae(latent)
    five = lists(sample(vae, 5, *decoding(**DRAWN), seed=1))
    assert lists(sample(vae, 12, *decoding(**DRAWN, batch_size=7), seed=1))[:5] == five
    assert lists(sample(vae, 5, *decoding(**DRAWN), seed=2)) != five
    assert len(set(map(tuple, five))) > 1
    assert sample(vae, 0, *decoding(**DRAWN), seed=1) == []


def test_samples_end_once_or_are_cut() -> None:
    rows = lists(sample(small_vae(), 40, *decoding(**DRAWN), seed=0))
    assert all(END not in row[:-1] and (row[-1] == END or len(row) == 9) for row in rows)
    assert len({len(row) for row in rows}) > 2


def test_sampling_leaves_torchs_own_generator_alone() -> None:
    vae = small_vae()
    before = torch.get_rng_state()
    sample(vae, 5, *decoding(**DRAWN), seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_prior_codes_are_standard_normal_and_each_belongs_to_its_place() -> None:
    vae = small_vae()
    z = prior_codes(vae, 20_000, seed=3)
    assert torch.equal(prior_codes(vae, 7, seed=3), z[:7])
    assert not torch.equal(prior_codes(vae, 7, seed=4), z[:7])
    assert z.dtype == torch.float64
    # five standard errors of the mean and of the second moments of 20,000 standard normal numbers
    assert (z.mean(0).abs() < 5 / 20_000**0.5).all()
    assert ((z.T @ z / 20_000 - torch.eye(3)).abs() < 5 * (2 / 20_000) ** 0.5).all()
    assert prior_codes(small_vae(latent=0), 4, seed=3).shape == (4, 0)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_codes_come_in_the_order_of_the_arrays_whatever_the_chunks(batch_size: int) -> None:
    vae, x = small_vae(), arrays(13)
    q = encode(vae, x, batch_size)
    for row, array in enumerate(x):
        alone = vae.posterior(collate([array], [0]))
        torch.testing.assert_close(q.mean[row], alone.mean[0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(q.log_scale[row], alone.log_scale[0], rtol=1e-12, atol=1e-12)
    assert len({len(array) for array in x}) > 2


def test_codes_may_be_changed_in_place_and_carry_gradients() -> None:
    z = encode(small_vae(), arrays(4)).mean
    z[:, 1] += 2.0
    z.requires_grad_()
    z.square().sum().backward()
    assert torch.equal(z.grad, 2 * z.detach())


def test_nothing_in_gives_nothing_out() -> None:
    vae = small_vae()
    assert encode(vae, []).mean.shape == (0, 3)
    assert decode(vae, torch.zeros(0, 3), *decoding()) == []
    assert reconstruct(vae, [], *decoding()) == []


@pytest.mark.parametrize("manner", MANNERS)
def test_a_reconstruction_is_the_decoded_posterior_mean(manner: dict[str, Any]) -> None:
    vae, x = small_vae(), arrays(6)
    codes = torch.cat([vae.posterior(collate([array], [0])).mean for array in x]).detach()
    expected = lists(decode(vae, codes, *decoding(**manner), seed=2))
    assert lists(reconstruct(vae, x, *decoding(**manner), seed=2)) == expected
    assert len(set(map(tuple, expected))) > 1


@pytest.mark.parametrize("mode", ["slerp", "lerp"])
@pytest.mark.parametrize("manner", MANNERS)
def test_an_interpolation_begins_and_ends_with_the_plain_reconstructions(manner: dict[str, Any], mode: str) -> None:
    vae, x = small_vae(), arrays(4)[1:3]
    a, b = encode(vae, x).mean
    path = Path(torch.stack([a, b]), mode)
    way = lists(interpolate(vae, path, even_places(5), *decoding(**manner, batch_size=2), seed=2))
    assert len(way) == 5
    assert [way[0]] == lists(reconstruct(vae, x[:1], *decoding(**manner), seed=2))
    assert [way[-1]] == lists(reconstruct(vae, x[1:], *decoding(**manner), seed=2))
    assert way[0] != way[-1]


def test_an_interpolation_between_equal_codes_stays_even_when_outcomes_are_drawn() -> None:
    a = torch.randn(3).double()
    way = lists(interpolate(small_vae(), Path(torch.stack([a, a])), even_places(4), *decoding(**DRAWN), seed=2))
    assert way == [way[0]] * 4


def test_a_model_without_latent_units_decodes_encodes_and_interpolates() -> None:
    vae, x = small_vae(latent=0), arrays(4)
    assert encode(vae, x).mean.shape == (4, 0)
    greedy = lists(reconstruct(vae, x, *decoding()))
    assert greedy == [greedy[0]] * 4
    assert lists(interpolate(vae, Path(torch.zeros(2, 0)), even_places(3), *decoding())) == greedy[:3]
    assert lists(decode(vae, torch.zeros(2, 0), *decoding(**BEAM)))[0][-1] == END


@pytest.mark.parametrize(("manner", "most"), [(GREEDY, 6), (BEAM, 2)])
def test_no_more_rows_are_computed_at_once_than_asked_for(
    manner: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae, started = small_vae(), []
    start = vae.decoder.start

    def spy(z: Tensor, held: Tensor | None) -> Any:
        started.append(len(z))
        return start(z, held)

    monkeypatch.setattr(vae.decoder, "start", spy)
    decode(vae, torch.randn(13, 3), *decoding(**manner, batch_size=6))  # a beam of 3 makes 3 rows of each code
    assert max(started) == most
    assert sum(started) == 13


def test_rows_do_not_keep_their_batch_alive() -> None:
    assert all(row.base is None for row in sample(small_vae(), 3, *decoding(), seed=0))


def test_codes_of_another_type_are_converted() -> None:
    vae, z = small_vae(), torch.randn(6, 3)
    assert lists(decode(vae, z, *decoding())) == lists(decode(vae, z.double(), *decoding()))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_steps": 0}, "max_steps=0 is not possible; give 1 or more"),
        ({"beam": 0}, "beam=0 is not possible; give 1 or more"),
        ({"batch_size": -3}, "batch_size=-3 is not possible; give 1 or more"),
        ({"length_penalty": -1.0}, "length_penalty=-1.0 is not possible; give a number from 0 (none) to 10"),
        ({"temperature": -1.0}, "a temperature of -1.0 is not possible; give 0 (greedy) or more"),
        ({"top_k": -1}, "top_k=-1 is not possible; give 1 or more, or 0 for no limit"),
        ({"top_p": 0.0}, "top_p=0.0 is not possible; give a share in (0, 1]"),
        (
            {"beam": 4, "temperature": 0.8},
            "beam=4 and temperature=0.8 exclude each other, since beam search does not draw; drop one of them",
        ),
    ],
)
def test_impossible_settings_are_refused_in_words(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        decoding(**settings)
    assert str(error.value) == sentence


def test_codes_that_do_not_fit_are_refused_in_words() -> None:
    vae = small_vae()
    with pytest.raises(ValueError, match=r"shape \(2, 4\) do not fit this model; give \(N, 3\)"):
        decode(vae, torch.zeros(2, 4), *decoding())
    with pytest.raises(ValueError, match=r"shape \(3,\) do not fit this model; give \(N, 3\)"):
        decode(vae, torch.zeros(3), *decoding())
    spoilt = torch.zeros(5, 3)
    spoilt[3, 1], spoilt[4, 0] = torch.nan, torch.inf
    with pytest.raises(ValueError, match="row 3 of the codes holds NaN or infinity"):
        decode(vae, spoilt, *decoding())
    with pytest.raises(ValueError, match="-1 samples are not possible; give 0 or more"):
        sample(vae, -1, *decoding(), seed=0)
    with pytest.raises(ValueError, match="batch_size=0 is not possible; give 1 or more"):
        encode(vae, arrays(2), batch_size=0)


def test_codes_too_large_for_the_models_type_are_refused() -> None:
    codes = torch.zeros(4, 3, dtype=torch.float64)
    codes[2, 1] = 1e300
    with pytest.raises(ValueError, match=r"row 2 of the codes holds NaN or infinity as torch\.float32"):
        decode(small_vae().float(), codes, *decoding(5, END))


def image_vae(likelihood: str = "bernoulli") -> VAE:
    """Images of 4 x 3 in colour, in float64, with weights large enough for pixels to differ."""
    model = from_dict(ImageModel, {"latent": 3, "widths": "6", "likelihood": likelihood}, "model")
    vae = VAE(*image_nets((4, 3, 3), model)).double()
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.normal_()
    return vae


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "laplace", "logistic"])
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_images_come_out_at_once_whatever_the_chunks_and_by_their_keys(likelihood: str, temperature: float) -> None:
    vae, z = image_vae(likelihood), torch.randn(13, 3).double()
    at = decoding(1, None, temperature=temperature)
    whole = decode(vae, z, *at, seed=4)
    assert {(x.shape, x.dtype.name) for x in whole} == {((1, 4, 3, 3), "uint8")}
    for batch_size in (1, 5):
        for one, other in zip(decode(vae, z, at[0], replace(at[1], batch_size=batch_size), seed=4), whole, strict=True):
            assert np.array_equal(one, other)
    later = decode(vae, z[5:], *at, seed=4, first_key=5)
    assert all(np.array_equal(one, other) for one, other in zip(later, whole[5:], strict=True))
    moved = decode(vae, z[5:], *at, seed=4)
    assert all(np.array_equal(one, other) for one, other in zip(moved, whole[5:], strict=True)) == (temperature == 0.0)


def test_a_mean_is_grey_where_a_draw_is_black_or_white() -> None:
    vae, z = image_vae(), torch.randn(2000, 3).double() * 0.0
    mean, drawn = decode(vae, z[:1], *decoding(1, None))[0], sample_of(vae, z)
    assert 0 < np.median(mean) < 255
    assert np.unique(drawn).tolist() == [0, 255]
    share = mean / 255  # five standard errors, and half a level
    assert (np.abs(drawn.mean(0) / 255 - share) <= 5 * np.sqrt(share * (1 - share) / 2000) + 0.5 / 255).all()


def sample_of(vae: VAE, z: Tensor) -> np.ndarray:
    return np.stack(decode(vae, z, *decoding(1, None, temperature=1.0), seed=1))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_images_are_settled_before_they_are_encoded(batch_size: int) -> None:
    vae = image_vae()
    x = list(np.random.default_rng(0).integers(0, 256, (13, 1, 4, 3, 3), dtype=np.uint8))
    q = encode(vae, x, batch_size, settle=lambda batch: replace(batch, x=255 - batch.x))
    inverted = encode(vae, [255 - one for one in x])
    torch.testing.assert_close(q.mean, inverted.mean, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(q.mean, encode(vae, x).mean)
    made = reconstruct(vae, x, *decoding(1, None), settle=lambda batch: replace(batch, x=255 - batch.x))
    expected = decode(vae, inverted.mean, *decoding(1, None))
    assert all(np.array_equal(one, other) for one, other in zip(made, expected, strict=True))


def test_a_beam_is_refused_where_there_are_no_steps() -> None:
    with pytest.raises(ValueError, match=r"^beam=3 is for sequences, and this model makes all at once; leave it out$"):
        decode(image_vae(), torch.zeros(2, 3), *decoding(1, None, beam=3))


def test_a_temperature_in_the_place_of_a_decoding_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        ValueError, match=r"0\.8 is no way to decode; give a Decoding, such as Decoding\(temperature=0\.8\)"
    ):
        decode(small_vae(), torch.zeros(1, 3), Length(5, END), 0.8)  # type: ignore[arg-type]
