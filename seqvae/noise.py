"""Random numbers that belong to examples.

Every random number that training or generation uses is a pure function of (seed, step, example, place of use,
position). So an example meets the same noise alone, in any batch, on any process, at any padding and on any
device; nothing about randomness has to be saved to resume a run. The generator is counter based: the mixing
function of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 13)
over a counter, in wrapping 64-bit integers.
"""

import math
from hashlib import blake2b
from zlib import crc32

import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

# SplitMix64's constants as unsigned 64-bit numbers, for all that mixes numbers as it does.
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, odd: neighbouring multiples of it lie far apart
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # after the shifts by 30 and by 27
_MASK = 2**64 - 1
_WITHOUT_FLOAT64 = ("mps",)


def signed(value: int) -> int:
    """An integer modulo 2^64 as torch's int64 holds it, in [-2^63, 2^63)."""
    value &= _MASK
    return value - 2**64 if value >= 2**63 else value


def _xor_shift_(x: Int64[Tensor, "*any"], shift: int) -> Int64[Tensor, "*any"]:
    return x.bitwise_xor_((x >> shift).bitwise_and_((1 << (64 - shift)) - 1))


def _mix_(x: Int64[Tensor, "*any"]) -> Int64[Tensor, "*any"]:
    """SplitMix64's finaliser, in place on int64."""
    _xor_shift_(x, 30).mul_(signed(MULTIPLIERS[0]))
    _xor_shift_(x, 27).mul_(signed(MULTIPLIERS[1]))
    return _xor_shift_(x, 31)


class Noise:
    """The random numbers of a batch of examples at one step of training or generation.

    `keys` name the examples. `site` names the place of use, so that two uses in one step are independent.
    """

    def __init__(self, seed: int, keys: Int64[Tensor, " B"], step: int = 0) -> None:
        self._seed = seed
        self._keys = keys
        self._step = step

    @property
    def keys(self) -> Int64[Tensor, " B"]:
        """The example that each row belongs to."""
        return self._keys

    def at(self, step: int) -> "Noise":
        """The noise of the same examples at another step."""
        return Noise(self._seed, self._keys, step)

    def shared(self) -> "Noise":
        """The noise of the step itself, one row whatever the batch: for what all examples of a step have in common."""
        return Noise(self._seed, torch.zeros_like(self._keys[:1]), self._step)

    def branch(self, name: str) -> "Noise":
        """Noise of the same examples and step that is independent of this one and of branches of other names."""
        digest = blake2b(f"{self._seed} {name}".encode(), digest_size=7).digest()
        return Noise(int.from_bytes(digest, "little"), self._keys, self._step)

    def select(self, rows: Int[Tensor, " N"] | Bool[Tensor, " B"]) -> "Noise":
        """The noise of some of the rows, by index or mask."""
        return Noise(self._seed, self._keys[rows], self._step)

    def repeat(self, samples: int) -> "Noise":
        """Independent noise for `samples` copies of each example, in the row order of `Batch.repeat`."""
        copies = torch.arange(samples, device=self._keys.device)
        # mixed again after the sum, or copy i of copy j would be copy j of copy i
        keys = _mix_(self._keys.unsqueeze(1) + _mix_((copies + 1) * signed(GOLDEN)))
        return Noise(self._seed, keys.flatten(), self._step)

    def bits(self, site: str, count: int) -> Int64[Tensor, "B {count}"]:
        """Uniform over all 64-bit patterns."""
        origin = torch.full_like(self._keys, signed(self._seed * 0x2545F4914F6CDD1D + crc32(site.encode())))
        state = _mix_(_mix_(origin.add_(self._step * 0x632BE5AB)).add_(self._keys))
        counter = torch.arange(1, count + 1, device=self._keys.device).mul_(signed(GOLDEN))
        return _mix_(state.unsqueeze(1) + counter)

    def uniform(self, site: str, count: int) -> Float64[Tensor, "B {count}"]:
        """Uniform in (0, 1), both ends excluded; on the CPU where the device has no float64."""
        bits = self.bits(site, count)
        bits = bits.cpu() if bits.device.type in _WITHOUT_FLOAT64 else bits
        high_bits = (bits >> 12) & (2**52 - 1)  # with 53 the half would round the largest up to 1
        return high_bits.double().add_(0.5).mul_(2.0**-52)

    def normal(self, site: str, count: int) -> Float64[Tensor, "B {count}"]:
        """Standard normal, by the inverse of its distribution function; device as `uniform`."""
        return torch.special.ndtri(self.uniform(site, count))

    def keep(self, site: str, drop: float, steps: int, features: int = 1) -> Bool[Tensor, "B {steps} {features}"]:
        """True with probability 1 - drop, to a resolution of 1/65536.

        A step's mask does not depend on how many steps the batch has.
        """
        if not 0.0 <= drop < 1.0:
            raise ValueError(f"a dropout probability of {drop} is not possible; give one in [0, 1)")
        words = math.ceil(features / 4)  # four 16-bit draws to a word
        draws = self.bits(site, steps * words).view(torch.int16).unflatten(1, (steps, words * 4))
        return draws[:, :, :features] >= min(round(drop * 65536), 65535) - 32768


def dropout(
    x: Float[Tensor, "B T F"], drop: float, noise: Noise | None, site: str, locked: bool = False
) -> Float[Tensor, "B T F"]:
    """x with elements set to zero with probability `drop` and the rest scaled by 1 / (1 - drop).

    Without noise (evaluation, generation) the input is returned as it is (Srivastava et al. 2014). With `locked` an
    example's steps all lose the same features (Gal and Ghahramani 2016, section 4).
    """
    if noise is None or drop == 0.0:
        return x
    return x * noise.keep(site, drop, 1 if locked else x.shape[1], x.shape[2]).to(x.dtype).mul_(1.0 / (1.0 - drop))
