"""The variational autoencoder, and what it asks of its encoder and decoder."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.core.importance import Draws, weighted_bound
from seqvae.core.normalisation import NormalisedMean
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Prior, StandardNormal
from seqvae.noise import Noise
from seqvae.types import Batch


@runtime_checkable
class Encoder(Protocol):
    """x to features, one vector an example."""

    features: int

    def __call__(self, batch: Batch, noise: Noise | None = None) -> Float[Tensor, "B H"]:
        """Features of each example; `noise` switches dropout on."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """z to the distribution of x. Decoders know nothing of importance samples and own no KL.

    Where x has steps (`has_steps`), the decoder is also a `nets.sampling.StepDecoder`, with `start` and `step`.
    Otherwise, as with images, T = 1 and it has `draw(z, noise, choice)`, which gives x (B, 1, ...) at once.
    """

    has_steps: bool
    latent: int

    def step_log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, "B T"]:
        """log p(x_t | x_<t, z) of each step in nats, teacher forced, zero on padding.

        With a sampling probability the inputs are in part the decoder's own draws (training only; no likelihood).
        """
        ...

    def log_prob(
        self, z: Float[Tensor, "B Z"], batch: Batch, noise: Noise | None = None, sampling_probability: float = 0.0
    ) -> Float[Tensor, " B"]:
        """log p(x|z) in nats: the sum over steps."""
        ...

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> Shaped[Tensor, "B T ..."]:
        """The most probable outcome of each step after the true steps before it."""
        ...


ONE_DRAW = Draws()


# Parts of the weights, and how the names of their weights begin; the posterior is its mean and its scale.
PARTS = {
    "encoder": ("encoder.",), "posterior": ("to_mean.", "to_scale."), "mean": ("to_mean.",), "scale": ("to_scale.",),
    "decoder": ("decoder.",), "prior": ("prior.",),
}  # fmt: skip
ALL_PARTS = ("encoder", "posterior", "decoder", "prior")


def parts_without(frozen: Iterable[str]) -> tuple[str, ...]:
    """The parts of the weights that are left where some stay as they are.

    >>> parts_without(["encoder", "mean"]), parts_without([]) == ALL_PARTS
    (('scale', 'decoder', 'prior'), True)
    """
    named = tuple(frozen)
    single = [part for part, beginnings in PARTS.items() if len(beginnings) == 1]
    return tuple(part for part in single if not is_of(PARTS[part][0], named)) if named else ALL_PARTS


def is_of(weight: str, parts: Iterable[str]) -> bool:
    """Whether the weight of a name is of one of the parts.

    >>> is_of("decoder.likelihood.projection.bias", ["encoder", "decoder"])
    True
    """
    return weight.startswith(tuple(beginning for part in parts for beginning in PARTS[part]))


class Codes(NamedTuple):
    """What encoding gives: the KL of each unit in nats (B, Z), the posterior mean (B, Z), and draws of z (BK, Z).

    Of a prior that is learned the KL is estimated by the draws, and each unit has an equal share of it.
    Rows b * K ... (b + 1) * K - 1 of the draws belong to example b.
    """

    kl: Float[Tensor, "B Z"]
    mean: Float[Tensor, "B Z"]
    z: Float[Tensor, "BK Z"]


class Terms(NamedTuple):
    """What an objective is made from: log p(x|z) in nats (B,), and what encoding gives, as in `Codes`.

    Of several draws of z log p(x|z) is the mean, and `bound` the importance-weighted bound.
    """

    log_px: Float[Tensor, " B"]
    kl: Float[Tensor, "B Z"]
    mean: Float[Tensor, "B Z"]
    z: Float[Tensor, "BK Z"]
    bound: Float[Tensor, " B"] | None = None

    @property
    def codes(self) -> Codes:
        """What encoding gave, without gradient."""
        return Codes(self.kl.detach(), self.mean.detach(), self.z.detach())


def _rows(layer: nn.Linear, rows: slice) -> nn.Linear:
    """A layer of some of the outputs of another."""
    weight, bias = layer.weight.detach()[rows].clone(), layer.bias.detach()[rows].clone()
    part = nn.Linear(layer.in_features, len(bias), device="meta")  # where nothing is drawn
    part.weight, part.bias = nn.Parameter(weight), nn.Parameter(bias)
    return part


class VAE(nn.Module):
    """Encoder, diagonal Gaussian posterior and decoder (Kingma and Welling 2014).

    Without an encoder (`encoder=None`, no latent units) it is the decoder alone: a language model. `scale` as in
    `DiagonalGaussian.from_features`. `initial_scale`: the layers that give the posterior start normal with this
    scale, their biases at zero (Magenta's MusicVAE: 0.001); 0 leaves them as torch draws them. With `posterior="point"`
    it is a plain autoencoder: a Gaussian of scale zero, so that each draw is the mean, without a KL term and without a
    likelihood of x. With `least_kl_nats` no posterior has a KL below it, of which each unit has an equal
    share (`DiagonalGaussian.of_least_kl`); `scale` then has no meaning. With `batch_norm_scale`
    the means of a batch in training are normalised to that scale (`NormalisedMean`). `prior`: a density of codes that
    is learned along with encoder and decoder, in the place of N(0, I) (Chen et al. 2017, section 3.2).
    """

    encoder: Encoder | None
    decoder: Decoder

    def __init__(
        self,
        encoder: nn.Module | None,
        decoder: nn.Module,
        scale: Literal["exp", "softplus"] = "exp",
        initial_scale: float = 0.0,
        posterior: Literal["gaussian", "point"] = "gaussian",
        least_kl_nats: float = 0.0,
        batch_norm_scale: float = 0.0,
        prior: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder = cast(Encoder | None, encoder)
        self.decoder = cast(Decoder, decoder)
        self.scale: Literal["exp", "softplus"] = scale
        self.latent = self.decoder.latent
        if (encoder is None) != (self.latent == 0):
            raise ValueError(
                f"{self.latent} latent units {'without' if encoder is None else 'with'} an encoder; "
                "a model has both or neither"
            )
        self.has_points = posterior == "point"
        self.least_kl_nats = least_kl_nats
        self.prior = prior
        self.to_mean: nn.Linear | NormalisedMean | None = None
        self.to_scale: nn.Linear | None = None
        if self.encoder is None:
            return
        # drawn as one layer, of as many outputs as the posterior has numbers
        joint = nn.Linear(self.encoder.features, self.latent if self.has_points else 2 * self.latent)
        if initial_scale:
            nn.init.normal_(joint.weight, std=initial_scale)
            nn.init.zeros_(joint.bias)
        mean = _rows(joint, slice(self.latent))
        self.to_mean = NormalisedMean(mean, batch_norm_scale) if batch_norm_scale else mean
        self.to_scale = None if self.has_points else _rows(joint, slice(self.latent, None))

    def posterior(self, batch: Batch, noise: Noise | None = None, by_batch: bool = False) -> DiagonalGaussian:
        """q(z|x) of each example; `by_batch` matters to `NormalisedMean` alone."""
        if self.encoder is None or self.to_mean is None:
            empty = torch.zeros(len(batch), 0, dtype=self.dtype, device=batch.x.device)
            return DiagonalGaussian(empty, empty)
        h = self.encoder(batch, noise)
        if isinstance(self.to_mean, NormalisedMean):
            features = self.to_mean(h, by_batch)
            if self.to_scale is not None:
                features = torch.cat([features, self.to_scale(h).to(features.dtype)], 1)
        else:
            features = self._features(h, self.to_mean)
        if features.dtype != torch.float64:
            features = features.float()  # autocast gives 16 bits, in which the terms of a small KL cancel to nothing
        if self.has_points:
            return DiagonalGaussian(features, torch.full_like(features, -torch.inf))
        if self.least_kl_nats:
            return DiagonalGaussian.of_least_kl(features, self.least_kl_nats / self.latent)
        return DiagonalGaussian.from_features(features, self.scale)

    def _features(self, h: Float[Tensor, "B H"], to_mean: nn.Linear) -> Float[Tensor, "B F"]:
        weight: Tensor = to_mean.weight
        bias: Tensor = to_mean.bias
        if self.to_scale is not None:  # both in one product, which is faster
            weight, bias = torch.cat([weight, self.to_scale.weight]), torch.cat([bias, self.to_scale.bias])
        return F.linear(h, weight, bias)

    def forward(
        self,
        batch: Batch,
        noise: Noise,
        dropout: bool = True,
        sampling_probability: float = 0.0,
        draws: Draws = ONE_DRAW,
        by_batch: bool = False,
    ) -> Terms:
        """The terms of the evidence lower bound with one draw of z for each example, or the bound of several.

        `noise` draws z and, with `dropout`, the dropout masks. A sampling probability (scheduled sampling, of one draw
        only) needs dropout to be on, and what it gives is an objective to train on, not a bound. `by_batch`, as
        training asks for it, normalises means by the batch where means are normalised.
        """
        masks = noise if dropout else None
        q = self.posterior(batch, masks, by_batch)
        if draws.samples == 1:
            z = q.rsample(noise)
            return Terms(self.decoder.log_prob(z, batch, masks, sampling_probability), self._kl(q, z), q.mean, z)
        bound, log_px, z = weighted_bound(self.decoder.log_prob, self.log_prior, batch, q, noise, masks, draws)
        return Terms(log_px, self._kl(q, z), q.mean, z, bound)

    def codes(
        self, batch: Batch, noise: Noise, dropout: bool = True, samples: int = 1, by_batch: bool = False
    ) -> Codes:
        """What `forward` gives with the same noise, up to the decoder."""
        q = self.posterior(batch, noise if dropout else None, by_batch)
        z = q.rsample(noise, samples)
        return Codes(self._kl(q, z), q.mean, z)

    @property
    def own_prior(self) -> Prior:
        """The prior that the weights are trained with: N(0, I), or the one that is learned."""
        return StandardNormal(self.latent) if self.prior is None else cast(Prior, self.prior)

    def log_prior(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(z) in nats, of `own_prior`."""
        with torch.autocast(z.device.type, enabled=False):  # a difference of large numbers
            return self.own_prior.log_prob(z)

    def _kl(self, q: DiagonalGaussian, z: Float[Tensor, "BK Z"]) -> Float[Tensor, "B Z"]:
        """The KL of each unit in nats, as in `Codes`; points have none."""
        if self.has_points:
            return torch.zeros_like(q.mean)
        if self.prior is None:
            return q.kl()
        examples, units = q.mean.shape
        ratio = q.repeat(len(z) // examples).log_prob(z) - self.log_prior(z)
        return (ratio.unflatten(0, (examples, -1)).mean(1, keepdim=True) / units).expand(-1, units)

    def log_weights(
        self, batch: Batch, noise: Noise, samples: int, q: DiagonalGaussian | None = None
    ) -> Float[Tensor, "B K"]:
        """log p(x, z_k) - log q(z_k|x) in nats for `samples` draws of each example (Burda et al. 2016)."""
        q = self.posterior(batch) if q is None else q
        return self.log_weights_of(q.rsample(noise, samples), batch, q)

    def log_weights_of(self, z: Float[Tensor, "BK Z"], batch: Batch, q: DiagonalGaussian) -> Float[Tensor, "B K"]:
        """log p(x, z) - log q(z|x) in nats of codes z; rows b * K ... (b + 1) * K - 1 belong to example b."""
        samples = z.shape[0] // len(batch)
        log_px = self.decoder.log_prob(z, batch.repeat(samples))
        log_weight: Tensor = log_px + self.log_prior(z) - q.repeat(samples).log_prob(z)
        return log_weight.unflatten(0, (len(batch), samples))

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the weights that the model has: a language model is a decoder alone, points have no scale."""
        names = [name for name, _ in self.named_parameters()]
        separate = [part for part, beginnings in PARTS.items() if len(beginnings) == 1]
        return tuple(part for part in separate if any(is_of(name, [part]) for name in names))

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device
