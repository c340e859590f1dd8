"""The random numbers that belong to examples: their quality, and that nothing but their names decides them.

Statistical bounds are five standard errors, so a sound generator fails one check in about two million.
"""

import math
from collections.abc import Callable
from zlib import crc32

import pytest
import torch
from torch import Tensor

from seqvae import noise as noise_module
from seqvae.noise import Noise, dropout
from seqvae.types import Batch

SITES = ("posterior", "encoder input", "decoder input", "decoder output", "word", "draw", "prior")
MASK = 2**64 - 1


def keys(count: int, first: int = 0) -> Tensor:
    return torch.arange(first, first + count)


def mix(x: int) -> int:
    """SplitMix64's finaliser in unbounded integers."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


def test_the_finaliser_gives_the_published_stream_of_splitmix64() -> None:
    # the reference output for the seed 1234567
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    states = [(1234567 + i * 0x9E3779B97F4A7C15) & MASK for i in (1, 2, 3, 4)]
    signed = torch.tensor([s - 2**64 if s >= 2**63 else s for s in states])
    assert [x & MASK for x in noise_module._mix_(signed).tolist()] == expected
    assert [mix(s) for s in states] == expected


@pytest.mark.parametrize("seed", [0, 1, -7, 2**63 - 1, 2**64 + 5])
def test_wrapping_tensors_agree_with_unbounded_integers(seed: int) -> None:
    origin = seed * 0x2545F4914F6CDD1D + crc32(b"word") + 3 * 0x632BE5AB
    for key in (0, 11, 2**62):
        row = Noise(seed, torch.tensor([key]), 3).bits("word", 2)[0].tolist()
        state = mix((mix(origin & MASK) + key) & MASK)
        assert [x & MASK for x in row] == [mix((state + i * 0x9E3779B97F4A7C15) & MASK) for i in (1, 2)]


def test_every_bit_is_set_half_of_the_time() -> None:
    bits = Noise(0, keys(400)).bits("posterior", 250).flatten()
    share = torch.stack([(bits >> place & 1).double().mean() for place in range(64)])
    assert (share - 0.5).abs().max() < 5 * 0.5 / math.sqrt(bits.numel())


def test_uniform_numbers_fill_their_cells_evenly() -> None:
    uniform = Noise(0, keys(300)).uniform("draw", 400)
    counts = torch.histc(uniform, 100, 0.0, 1.0)
    expected = uniform.numel() / 100
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    assert abs(chi_square - 99) < 5 * math.sqrt(2 * 99)


def test_uniform_numbers_are_never_zero_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Noise(0, keys(2))
    for pattern in (-1, 0, 2**63 - 1, -(2**63)):
        monkeypatch.setattr(Noise, "bits", lambda self, site, count, x=pattern: torch.full((2, count), x))
        uniform = noise.uniform("draw", 3)
        assert (uniform > 0).all()
        assert (uniform < 1).all()
        assert noise.normal("draw", 3).isfinite().all()


def test_normal_numbers_have_the_moments_and_tails_of_a_standard_normal() -> None:
    normal = Noise(0, keys(500)).normal("posterior", 400)
    error = 5 / math.sqrt(normal.numel())
    assert abs(normal.mean().item()) < error
    assert abs((normal**2).mean().item() - 1) < error * math.sqrt(2)
    assert abs((normal**3).mean().item()) < error * math.sqrt(15)
    assert abs((normal**4).mean().item() - 3) < error * math.sqrt(96)
    beyond = (normal.abs() > 3).double().mean().item()
    assert abs(beyond - 0.0026998) < 5 * math.sqrt(0.0027 / normal.numel())


@pytest.mark.parametrize(
    "other",
    [
        lambda n: Noise(1, n.keys),
        lambda n: Noise(-1, n.keys),
        lambda n: Noise(2**32, n.keys),
        lambda n: n.at(1),
        lambda n: n.at(2**31),
        lambda n: Noise(0, n.keys + 1),
        lambda n: Noise(0, n.keys + 2**32),
        lambda n: Noise(1, n.keys - 1, 1),
    ],
    ids=["next seed", "last seed", "far seed", "next step", "far step", "next key", "far key", "all three"],
)
def test_names_that_are_near_each_other_give_unrelated_numbers(other: Callable[[Noise], Noise]) -> None:
    noise = Noise(0, keys(300))
    a, b = noise.bits("posterior", 200), other(noise).bits("posterior", 200)
    assert not (a == b).any()
    share = torch.stack([((a ^ b) >> place & 1).double().mean() for place in range(64)])
    assert (share - 0.5).abs().max() < 5 * 0.5 / math.sqrt(a.numel())
    uniform = noise.uniform("posterior", 200), other(noise).uniform("posterior", 200)
    assert abs(correlation(*uniform)) < 5 / math.sqrt(a.numel())


def test_places_of_use_and_positions_are_unrelated() -> None:
    noise = Noise(0, keys(300))
    drawn = [noise.uniform(site, 200) for site in SITES]
    bound = 5 / math.sqrt(drawn[0].numel())
    pairs = [(a, b) for i, a in enumerate(drawn) for b in drawn[:i]]
    assert all(abs(correlation(a, b)) < bound for a, b in pairs)
    assert abs(correlation(drawn[0][:, 1:], drawn[0][:, :-1])) < 5 / math.sqrt(300 * 199)
    assert abs(correlation(drawn[0][1:], drawn[0][:-1])) < 5 / math.sqrt(299 * 200)


def test_no_two_names_share_a_number() -> None:
    drawn = [
        Noise(seed, keys(30), step).bits(site, 5).flatten()
        for seed in (-1, 0, 1, 2, 2**40)
        for step in (0, 1, 2, 1000, 10**6)
        for site in SITES
    ]
    numbers = torch.cat(drawn)
    assert numbers.unique().numel() == numbers.numel() == 5 * 5 * 7 * 30 * 5


def test_an_example_has_the_same_numbers_alone_and_in_any_batch_and_order() -> None:
    whole = Noise(3, keys(7, first=100), 5)
    order = torch.tensor([4, 0, 6])
    numbers = whole.bits("word", 3)
    assert torch.equal(whole.select(order).bits("word", 3), numbers[order])
    assert torch.equal(whole.select(order).keys, torch.tensor([104, 100, 106]))
    assert torch.equal(Noise(3, torch.tensor([104]), 5).bits("word", 3), numbers[4:5])
    assert torch.equal(whole.bits("word", 8)[:, :3], numbers)
    assert torch.equal(whole.at(9).at(5).bits("word", 3), numbers)


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    noise = Noise(0, keys(3))
    noise.normal("posterior", 4)
    dropout(torch.ones(3, 2, 5), 0.5, noise, "word")
    assert torch.equal(torch.get_rng_state(), before)


def test_copies_stand_in_the_row_order_of_a_repeated_batch() -> None:
    batch = Batch(x=torch.zeros(4, 2), lengths=torch.full((4,), 2), keys=keys(4, first=20))
    noise = Noise(0, batch.keys)
    repeated = noise.repeat(3).bits("posterior", 2).unflatten(0, (4, 3))
    for example in range(4):
        alone = Noise(0, batch.repeat(3).keys[3 * example : 3 * example + 1]).repeat(3).bits("posterior", 2)
        assert torch.equal(repeated[example], alone)


def test_copies_are_unrelated_to_each_other_and_do_not_depend_on_their_number() -> None:
    noise = Noise(0, keys(200))
    copies = noise.repeat(5).uniform("posterior", 100).unflatten(0, (200, 5)).unbind(1)
    for i, a in enumerate([noise.uniform("posterior", 100), *copies]):
        assert all(abs(correlation(a, b)) < 5 / math.sqrt(a.numel()) for b in copies[i:])
    assert torch.equal(noise.repeat(2).uniform("posterior", 100)[1::2], copies[1])


def test_copies_of_copies_are_all_different() -> None:
    numbers = Noise(0, keys(6)).repeat(4).repeat(4).bits("posterior", 1)
    assert numbers.unique().numel() == 6 * 4 * 4


@pytest.mark.parametrize("drop", [0.1, 0.25, 0.5, 0.9])
def test_masks_keep_the_share_that_was_asked_for(drop: float) -> None:
    kept = Noise(0, keys(40)).keep("word", drop, 50, 70).double()
    assert abs(kept.mean().item() - (1 - drop)) < 5 * math.sqrt(drop * (1 - drop) / kept.numel()) + 1 / 65536
    bound = 5 / math.sqrt(kept[:, 1:, 1:].numel())
    assert abs(correlation(kept[:, :, 1:], kept[:, :, :-1])) < bound
    assert abs(correlation(kept[:, 1:], kept[:, :-1])) < bound
    assert abs(correlation(kept[1:], kept[:-1])) < bound


def test_masks_near_both_ends_of_the_range_keep_nearly_all_and_nearly_nothing() -> None:
    noise = Noise(0, keys(30))
    assert noise.keep("word", 0.0, 20, 30).all()
    assert noise.keep("word", 1e-5, 20, 30).double().mean() > 0.999
    assert noise.keep("word", 0.9999999, 20, 30).double().mean() < 0.001


def test_a_mask_is_the_same_at_any_padding_and_in_any_batch() -> None:
    noise = Noise(0, keys(6))
    mask = noise.keep("word", 0.5, 9, 5)
    assert torch.equal(noise.keep("word", 0.5, 13, 5)[:, :9], mask)
    assert torch.equal(noise.select(torch.tensor([4])).keep("word", 0.5, 9, 5), mask[4:5])


@pytest.mark.parametrize("drop", [-0.1, 1.0, 1.5, math.nan])
def test_a_dropout_probability_outside_its_range_is_refused(drop: float) -> None:
    with pytest.raises(ValueError, match=r"is not possible; give one in \[0, 1\)"):
        Noise(0, keys(1)).keep("word", drop, 1)


def test_dropout_scales_what_it_keeps_so_that_the_mean_stays() -> None:
    x = torch.full((50, 40, 30), 3.0, dtype=torch.float64)
    dropped = dropout(x, 0.2, Noise(0, keys(50)), "decoder input")
    assert sorted(dropped.unique().tolist()) == pytest.approx([0.0, 3.75])
    assert abs(dropped.mean().item() - 3.0) < 5 * 3.0 * math.sqrt(0.25 / x.numel()) + 3.0 / 65536


def test_locked_dropout_has_one_mask_for_all_steps_of_an_example() -> None:
    x = torch.ones(300, 7, 30, dtype=torch.float64)
    dropped = dropout(x, 0.2, Noise(0, keys(300)), "decoder input", locked=True)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert abs(dropped[:, 0].mean().item() - 1.0) < 5 * math.sqrt(0.25 / dropped[:, 0].numel()) + 1 / 65536
    assert not torch.equal(dropped[0], dropped[1])


def test_shared_noise_is_that_of_the_step_whatever_the_examples() -> None:
    here, there = Noise(4, keys(5), step=2), Noise(4, keys(1, first=90), step=2)
    assert here.shared().bits("weights", 8).shape == (1, 8)
    assert torch.equal(here.shared().bits("weights", 8), there.shared().bits("weights", 8))
    for other in (here.at(3), Noise(5, keys(5), step=2)):
        assert not torch.equal(other.shared().bits("weights", 8), here.shared().bits("weights", 8))


def test_dropout_without_noise_or_probability_returns_its_input() -> None:
    x = torch.ones(2, 3, 4)
    assert dropout(x, 0.5, None, "word") is x
    assert dropout(x, 0.0, Noise(0, keys(2)), "word") is x
