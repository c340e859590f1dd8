"""Small models whose figures are known, and ways to batch the same items differently."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqvae.core.vae import VAE
from seqvae.nets.likelihoods import Categorical
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets.made import lstm_decoder, lstm_encoder

FEATURES, LATENT, SCALE = 5, 3, 0.7


class Flat(nn.Module):
    """The encoder that passes x on."""

    features = FEATURES

    def forward(self, batch: Batch, noise: Noise | None = None) -> Tensor:
        return batch.x.flatten(1)


class LinearGaussianDecoder(nn.Module):
    """p(x|z) = N(W z + b, SCALE^2), with orthogonal columns of W, so that the true posterior is diagonal."""

    has_steps = False
    latent = LATENT

    def __init__(self) -> None:
        super().__init__()
        columns, _ = torch.linalg.qr(torch.randn(FEATURES, LATENT, dtype=torch.float64))
        self.weight = nn.Parameter(columns * torch.tensor([1.5, 0.8, 0.4], dtype=torch.float64))
        self.bias = nn.Parameter(torch.linspace(-1.0, 2.0, FEATURES, dtype=torch.float64))

    def log_prob(self, z: Tensor, batch: Batch, noise: Noise | None = None, sampling: float = 0.0) -> Tensor:
        residual = (batch.x.flatten(1) - z @ self.weight.T - self.bias) / SCALE
        return (-0.5 * residual**2 - math.log(SCALE) - 0.5 * math.log(2 * math.pi)).sum(1)


def linear_gaussian_vae() -> VAE:
    """A VAE whose q(z|x) is the true posterior: precision 1 + |w|^2 / s^2, mean = W'(x - b) / s^2 / precision."""
    decoder = LinearGaussianDecoder()
    vae = VAE(Flat(), decoder).double()
    assert vae.to_mean is not None
    assert vae.to_scale is not None
    with torch.no_grad():
        precision = 1 + decoder.weight.square().sum(0) / SCALE**2
        to_mean = decoder.weight.T / SCALE**2 / precision.unsqueeze(1)
        vae.to_mean.weight.copy_(to_mean)
        vae.to_mean.bias.copy_(-to_mean @ decoder.bias)
        vae.to_scale.weight.zero_()
        vae.to_scale.bias.copy_(-precision.log())
    return vae


def linear_gaussian_evidence(vae: VAE, x: Tensor) -> Tensor:
    """log N(x; b, W W' + s^2), by torch.distributions."""
    weight, bias = vae.decoder.weight, vae.decoder.bias
    covariance = weight @ weight.T + SCALE**2 * torch.eye(FEATURES, dtype=torch.float64)
    return torch.distributions.MultivariateNormal(bias, covariance).log_prob(x).detach()


def real_valued_batch(x: Tensor, keys: Tensor | None = None) -> Batch:
    """(B, F) as one step of F features."""
    items = x.shape[0]
    return Batch(
        x=x.unsqueeze(1),
        lengths=torch.ones(items, dtype=torch.int64),
        keys=torch.arange(items) if keys is None else keys,
    )


def lstm_vae(latent: int, outcomes: int, hidden: int = 6, **dropout: float) -> VAE:
    """A small LSTM VAE with weights large enough that every item scores differently."""
    embedding = 4
    sizes = {"latent": latent, "decoder_hidden": hidden, "decoder_layers": 2, **dropout}
    decoder = lstm_decoder(nn.Embedding(outcomes, embedding), embedding, Categorical(hidden, outcomes), **sizes)
    encoder = lstm_encoder(nn.Embedding(outcomes, embedding), embedding, encoder_hidden=hidden + 1) if latent else None
    vae = VAE(encoder, decoder).double()
    for parameter in vae.parameters():
        nn.init.uniform_(parameter, -0.9, 0.9)
    return vae


def token_batch(rows: Sequence[Tensor], keys: Sequence[int], extra_padding: int = 0, filler: int = 0) -> Batch:
    """Rows of different lengths, padded to the longest and `extra_padding` steps more."""
    lengths = torch.tensor([len(row) for row in rows])
    x = torch.full((len(rows), int(lengths.max()) + extra_padding), filler)
    for row, target in zip(rows, x, strict=True):
        target[: len(row)] = row
    return Batch(x=x, lengths=lengths, keys=torch.tensor(keys))


def batchings(rows: Sequence[Tensor]) -> dict[str, list[Batch]]:
    """The same items, keys 10, 11, ..., as one batch, alone, padded with something else, and in another order."""
    keys = [10 + place for place in range(len(rows))]
    backwards = list(range(len(rows)))[::-1]
    return {
        "one batch": [token_batch(rows, keys)],
        "alone": [token_batch([row], [key]) for row, key in zip(rows, keys, strict=True)],
        "padded": [token_batch(rows, keys, extra_padding=5, filler=2)],
        "backwards": [
            token_batch([rows[i] for i in part], [keys[i] for i in part]) for part in (backwards[:2], backwards[2:])
        ],
    }
