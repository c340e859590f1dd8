"""Generation: latent codes to arrays, and arrays to codes. The one path that makes new items; it knows no files.

Work goes in chunks of `batch_size` rows, so memory is bounded. A row depends on its code, the seed and its key alone.
"""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from seqvae.config import kind_of
from seqvae.core import latent
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Prior
from seqvae.core.vae import VAE
from seqvae.data import collate
from seqvae.nets.decoder import State
from seqvae.nets.draws import Choice
from seqvae.nets.images import ImageDecoder
from seqvae.nets.sampling import StepDecoder, beam_search, check_length_penalty, generate
from seqvae.noise import Noise
from seqvae.types import Batch

BUDGET_BYTES = 1 << 30  # of memory for what one call makes
BYTES_OF_ITEM = 1 << 10  # besides its numbers: the arrays, words, notes or pictures that hold these
COPIES = 4  # of the numbers, on their way from a decoder to a file
MOST_BEAM = 1000  # hypotheses, of each of which all outcomes are weighed


def check_count(name: str, count: int, numbers: int, squared: bool = False) -> None:
    """Raises ValueError where so many items (their square), each of some numbers, take more than BUDGET_BYTES."""
    each = BYTES_OF_ITEM + COPIES * numbers * 8
    most = max(1, BUDGET_BYTES // each)
    most = math.isqrt(most) if squared else most
    if whole(name, count) > most:
        raise ValueError(
            f"{name}={count} is more than memory is used for at once ({BUDGET_BYTES >> 30} GiB, and each result takes "
            f"{each >> 10:,} KiB); give at most {most:,}, and other seeds for more"
        )


def whole(name: str, value: object) -> int:
    """A whole number of any library as Python's own. Raises ValueError, which names it, for anything else."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name}={value!r} is not possible; give a whole number") from None


def number(name: str, value: object) -> float:
    """A number of any library as Python's own. Raises ValueError, which names it, for anything else."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r} is not possible; give a number") from None


@dataclass(frozen=True)
class Decoding:
    """How codes become items: greedy by default, by drawing with a temperature, or by beam search.

    `top_k`, `top_p`: see `Choice`; `length_penalty`: see `beam_search`; `batch_size`: rows computed at once.

    Raises ValueError for a value that is not possible, and for a beam together with a temperature.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    beam: int = 1
    length_penalty: float = 0.0
    batch_size: int = 256

    def __post_init__(self) -> None:
        for name in ("beam", "batch_size"):
            if whole(name, getattr(self, name)) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is not possible; give 1 or more")
        if self.beam > MOST_BEAM:
            raise ValueError(f"beam={self.beam} is not possible; give 1 to {MOST_BEAM}")
        check_length_penalty(self.length_penalty)
        if self.choice.temperature > 0.0 and self.beam > 1:
            raise ValueError(
                f"beam={self.beam} and temperature={self.temperature} exclude each other, since beam search does not "
                "draw; drop one of them"
            )

    @property
    def choice(self) -> Choice:
        """How one outcome is chosen."""
        return Choice(number("temperature", self.temperature), whole("top_k", self.top_k), number("top_p", self.top_p))


GREEDY = Decoding()


def at(temperature: float | None, decoding: Decoding) -> Decoding:
    """The decoding at a temperature, where one is named."""
    if temperature is None or not isinstance(decoding, Decoding):
        return decoding
    return replace(decoding, temperature=temperature)


def codes_of(z: Shaped[Tensor, "..."] | np.ndarray) -> Shaped[Tensor, "..."]:
    """(N, Z) of any real type that numpy knows, in the byte order of this machine."""
    if isinstance(z, Tensor) and not z.is_complex():
        return torch.atleast_1d(z)
    try:
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            return torch.from_numpy(np.array(z, dtype=np.float64, ndmin=1))
    except (TypeError, ValueError):
        raise ValueError(
            f"{kind_of(z)} is no table of codes; give a tensor or an array (N, Z), such as encode(items).mean"
        ) from None


@dataclass(frozen=True)
class Length:
    """Where sequences end: at the outcome `end` (None: nowhere before), and after `max_steps` at the latest.

    `held`, steps (T, ...), is what all sequences keep a part of where there is nothing for each of them.

    Raises ValueError when `max_steps` is below 1.
    """

    max_steps: int
    end: int | None = None
    held: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"max_steps={self.max_steps} is not possible; give 1 or more")


def decode(
    vae: VAE, z: Float[Tensor, "N Z"], length: Length, decoding: Decoding = GREEDY, seed: int = 0, first_key: int = 0,
    held: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:  # fmt: skip
    """The sequence of each code, without padding, end step included; row i draws by (seed, first_key + i).

    `held` has steps for each row, of which a part is kept (`nets.likelihoods.Holding`), such as the hits of a groove.

    Raises ValueError when the codes have another size than the model's, or are not finite.
    """
    return _decode(vae, z, torch.arange(first_key, first_key + len(z)), length, decoding, seed, held)


def _decode(
    vae: VAE, z: Float[Tensor, "N Z"], keys: Int[Tensor, " N"], length: Length, decoding: Decoding, seed: int,
    held: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:  # fmt: skip
    if not isinstance(decoding, Decoding):
        raise ValueError(f"{decoding!r} is no way to decode; give a Decoding, such as Decoding(temperature=0.8)")
    if z.dim() != 2 or z.shape[1] != vae.latent:
        raise ValueError(
            f"codes of shape {tuple(z.shape)} do not fit this model; give (N, {vae.latent}), one row for each item"
        )
    z, seed = z.to(vae.device, vae.dtype), whole("seed", seed)
    finite = z.isfinite().all(1)
    if not finite.all():
        raise ValueError(
            f"row {int(finite.logical_not().nonzero()[0])} of the codes holds NaN or infinity as {vae.dtype}; give "
            "finite numbers"
        )
    if held is None and length.held is not None:
        held = [length.held] * len(z)
    rows = max(1, decoding.batch_size // decoding.beam)
    arrays: list[np.ndarray] = []
    with torch.inference_mode():
        for first in range(0, len(z), rows):
            chunk = slice(first, first + rows)
            kept = None if held is None else _held(held[chunk], length.max_steps).to(vae.device)
            arrays += _unpad(_generate(vae, z[chunk], keys[chunk].to(vae.device), length, decoding, seed, kept))
    return arrays


def _held(arrays: Sequence[np.ndarray], steps: int) -> Shaped[Tensor, "N T ..."]:
    """The arrays as one batch of so many steps; what they lack is zero."""
    x = collate(arrays, range(len(arrays))).x[:, :steps]
    return torch.cat([x, x.new_zeros(len(x), steps - x.shape[1], *x.shape[2:])], 1)


def _generate(
    vae: VAE, z: Float[Tensor, "N Z"], keys: Int[Tensor, " N"], length: Length, decoding: Decoding, seed: int,
    held: Shaped[Tensor, "N T ..."] | None = None,
) -> Batch:  # fmt: skip
    if not vae.decoder.has_steps:
        if decoding.beam > 1:
            raise ValueError(f"beam={decoding.beam} is for sequences, and this model makes all at once; leave it out")
        x = cast(ImageDecoder, vae.decoder).draw(z, Noise(seed, keys), decoding.choice)
        return Batch(x=x, lengths=torch.ones_like(keys), keys=keys)
    decoder = cast(StepDecoder[State], vae.decoder)
    if decoding.beam > 1:
        penalty = float(decoding.length_penalty)
        return beam_search(decoder, z, decoding.beam, length.max_steps, length.end, penalty, held)
    return generate(decoder, z, Noise(seed, keys), decoding.choice, length.max_steps, length.end, held)


def _unpad(batch: Batch) -> list[np.ndarray]:
    x = batch.x.cpu().numpy()
    return [row[:length].copy() for row, length in zip(x, batch.lengths.tolist(), strict=True)]


def prior_codes(vae: VAE, n: int, seed: int, prior: Prior | None = None) -> Float[Tensor, "N Z"]:
    """`n` codes of the prior, by default N(0, I); code i depends on (seed, i) alone.

    Raises ValueError when n is negative.
    """
    n, seed = whole("n", n), whole("seed", seed)
    if n < 0:
        raise ValueError(f"{n} samples are not possible; give 0 or more")
    return _codes_of(vae, Noise(seed, torch.arange(n)), prior)


def further_prior_codes(vae: VAE, key: int, n: int, seed: int, prior: Prior | None = None) -> Float[Tensor, "N Z"]:
    """`n` codes in place of code `key` of `prior_codes`, none of which stands there."""
    return _codes_of(vae, Noise(whole("seed", seed), torch.tensor([key])).repeat(n), prior)


def _codes_of(vae: VAE, noise: Noise, prior: Prior | None) -> Float[Tensor, "N Z"]:
    drawn_from = vae.own_prior if prior is None else prior
    return drawn_from.codes(noise).to(vae.device, vae.dtype)


def batches_of(
    vae: VAE, arrays: Sequence[np.ndarray], batch_size: int = 256, settle: Callable[[Batch], Batch] | None = None,
    first_key: int = 0,
) -> Iterator[Batch]:  # fmt: skip
    """The arrays in batches of about one length on the model's device; their keys are their places, from `first_key`.

    Raises ValueError when `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} is not possible; give 1 or more")
    order = sorted(range(len(arrays)), key=lambda place: len(arrays[place]))
    for first in range(0, len(order), batch_size):
        places = order[first : first + batch_size]
        batch = collate([arrays[place] for place in places], [first_key + place for place in places])
        yield (batch if settle is None else settle(batch)).to(vae.device)


def encode(
    vae: VAE, arrays: Sequence[np.ndarray], batch_size: int = 256, settle: Callable[[Batch], Batch] | None = None
) -> DiagonalGaussian:
    """q(z|x) of each array, (N, Z), in the order of the arrays; `settle` is the modality's, where it does something.

    Raises ValueError when `batch_size` is below 1.
    """
    empty = torch.zeros(0, vae.latent, dtype=vae.dtype, device=vae.device)
    means, log_scales, order = [empty], [empty], [torch.zeros(0, dtype=torch.int64, device=vae.device)]
    with torch.inference_mode():
        for batch in batches_of(vae, arrays, batch_size, settle):
            q = vae.posterior(batch)
            means.append(q.mean)
            log_scales.append(q.log_scale)
            order.append(batch.keys)
    back = torch.cat(order).argsort()
    # indexed outside inference mode: the caller may change the result in place
    return DiagonalGaussian(torch.cat(means)[back], torch.cat(log_scales)[back])


def sample(
    vae: VAE, n: int, length: Length, decoding: Decoding = GREEDY, seed: int = 0,
    held: Sequence[np.ndarray] | None = None, prior: Prior | None = None,
) -> list[np.ndarray]:  # fmt: skip
    """`n` sequences from the prior; sequence i depends on (seed, i), and on what is held of it, alone."""
    return decode(vae, prior_codes(vae, n, seed, prior), length, decoding, seed, held=held)


def interpolate(
    vae: VAE,
    path: latent.Path,
    places: Sequence[float],
    length: Length,
    decoding: Decoding = GREEDY,
    seed: int = 0,
    key: int = 0,
) -> list[np.ndarray]:
    """The sequences at these places of a path between codes; see `core.latent.even_places`.

    Waypoints are what `decode` gives for them at the place `key`: where outcomes are drawn, all points meet the same
    noise, so neighbours differ by their codes only.
    """
    codes = path.at(places)
    return _decode(vae, codes, torch.full((len(codes),), key), length, decoding, seed)


def palette(
    vae: VAE,
    corners: Float[Tensor, "4 Z"],
    size: int,
    length: Length,
    decoding: Decoding = GREEDY,
    mode: Literal["slerp", "lerp"] = "slerp",
    seed: int = 0,
    key: int = 0,
) -> list[np.ndarray]:
    """`size` x `size` sequences, row by row, between four codes: top left, top right, bottom left, bottom right.

    The two outer columns are interpolated, then each row between them. All points meet the same noise, that of
    `key`.
    Raises ValueError for fewer than two rows or an unknown mode.
    """
    left, right = (latent.interpolate(corners[side], corners[side + 2], size, mode) for side in (0, 1))
    rows = [latent.interpolate(a, b, size, mode) for a, b in zip(left, right, strict=True)]
    return _decode(vae, torch.cat(rows), torch.full((size * size,), key), length, decoding, seed)


def moved(
    z: Float[Tensor, " Z"], towards: Float[Tensor, "N Z"], distances: Sequence[float]
) -> Float[Tensor, "N Z"]:  # fmt: skip
    """Codes on the great arcs from one towards others, at distances in shares of their lengths: 0 the one, 1 the other.

    Raises ValueError for a distance outside [0, 1].
    """
    for distance in distances:
        if not 0.0 <= distance <= 1.0:
            raise ValueError(f"distance={distance} is not possible; give 0 (no change) to 1 (any other)")
    codes = towards.clone()
    for row, (other, distance) in enumerate(zip(towards, distances, strict=True)):
        codes[row] = latent.slerp(z, other, distance)
    return codes


def vary(
    vae: VAE,
    z: Float[Tensor, " Z"],
    towards: Float[Tensor, "N Z"],
    distances: Sequence[float],
    keys: Int[Tensor, " N"],
    length: Length,
    decoding: Decoding = GREEDY,
    seed: int = 0,
) -> list[np.ndarray]:
    """Sequences near a code, from codes that are `moved`; where outcomes are drawn, row i meets the noise of its key.

    Raises ValueError for a distance outside [0, 1].
    """
    return _decode(vae, moved(z, towards, distances), keys, length, decoding, seed)
