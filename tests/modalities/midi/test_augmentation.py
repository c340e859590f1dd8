"""Changes to drum windows in training."""

from collections.abc import Callable

import pytest
import torch

from seqvae.modalities.midi.augmentation import augmented
from seqvae.modalities.midi.settings import DrumData
from seqvae.noise import Noise
from seqvae.types import Batch

CLASSES = 9
ROWS = 400


def batch_of(x: torch.Tensor, lengths: torch.Tensor | None = None) -> Batch:
    lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
    return Batch(x, lengths, torch.arange(len(x)) + 7)


def labels(fill: int, rows: int = ROWS, steps: int = 32) -> Batch:
    return batch_of(torch.full((rows, steps), fill))


def never() -> Batch:
    raise AssertionError("no other windows are needed")


def changed(batch: Batch, others: Callable[[], Batch] = never, step: int = 0, **shares: float) -> torch.Tensor:
    return augmented(batch, others, Noise(3, batch.keys, step), CLASSES, DrumData(**shares)).x  # type: ignore[arg-type]


def test_a_mixed_window_takes_whole_classes_from_the_other_window() -> None:
    full, empty = 2**CLASSES - 1, 0
    x = changed(labels(full), lambda: labels(empty), mix=1.0)
    assert (x == x[:, :1]).all(), "a class is taken on all steps or on none"
    taken = CLASSES - sum((x[:, 0] >> c) & 1 for c in range(CLASSES)).double()
    # the mean of 400 draws from Binomial(9, 0.35): 3.15, give or take four standard errors of 0.0715
    assert abs(float(taken.mean()) - 3.15) < 0.29


def test_only_the_share_that_is_asked_for_is_mixed() -> None:
    x = changed(labels(511), lambda: labels(0), mix=0.25)
    # a mixed row that takes no class (probability 0.65^9 = 0.02) cannot be told from others
    assert abs(float((x[:, 0] != 511).double().mean()) - 0.245) < 4 * (0.245 * 0.755 / ROWS) ** 0.5


def test_windows_of_another_length_are_not_mixed_in() -> None:
    short = batch_of(torch.zeros(ROWS, 24, dtype=torch.int64))
    assert (changed(labels(511), lambda: short, mix=1.0) == 511).all()
    longer = batch_of(torch.zeros(ROWS, 40, dtype=torch.int64))
    assert (changed(labels(511), lambda: longer, mix=1.0) == 511).all()


def test_dropping_removes_hits_and_adds_none() -> None:
    x = changed(labels(0b101010101), drop=1.0)
    assert ((x & 0b101010101) == x).all()
    kept = sum((x >> c) & 1 for c in (0, 2, 4, 6, 8)).double().mean() / 5
    # a hit stays with probability 0.9 * (1 - 0.15); its rate and its class are shared by a row, so the error is large
    assert abs(float(kept) - 0.765) < 0.03


def test_a_rotated_window_starts_at_another_quarter_of_itself() -> None:
    window = torch.arange(32).repeat(ROWS, 1)
    x = changed(batch_of(window), rotate=1.0)
    starts = x[:, 0]
    assert set(starts.tolist()) == set(range(0, 32, 4))
    assert torch.equal(x, (starts.unsqueeze(1) + torch.arange(32)) % 32)


def test_a_short_window_rotates_within_its_own_length() -> None:
    lengths = torch.where(torch.arange(ROWS) % 2 == 0, 24, 32)
    x = changed(batch_of(torch.arange(32).repeat(ROWS, 1), lengths), rotate=1.0)
    short = x[::2]
    assert torch.equal(short[:, :24].sort(1).values, torch.arange(24).repeat(len(short), 1))
    assert torch.equal(short[:, 24:], torch.arange(24, 32).repeat(len(short), 1))


@pytest.mark.parametrize(
    "shares", [{"mix": 0.5}, {"drop": 0.5}, {"rotate": 0.5}, {"mix": 0.9, "drop": 0.9, "rotate": 0.9}]
)
def test_a_windows_changes_do_not_depend_on_its_batch(shares: dict[str, float]) -> None:
    torch.manual_seed(0)
    whole, other = batch_of(torch.randint(512, (40, 32))), batch_of(torch.randint(512, (40, 32)))
    rows = torch.tensor([7, 3, 31])

    def take(batch: Batch) -> Batch:
        return Batch(batch.x[rows], batch.lengths[rows], batch.keys[rows])

    x = changed(whole, lambda: other, **shares)
    assert torch.equal(changed(take(whole), lambda: take(other), **shares), x[rows])
    assert not torch.equal(changed(whole, lambda: other, step=1, **shares), x)
    assert not torch.equal(x, whole.x)


def test_sets_are_changed_as_their_labels_are() -> None:
    torch.manual_seed(0)
    x, y = torch.randint(512, (40, 32)), torch.randint(512, (40, 32))
    bits = torch.arange(CLASSES)
    shares = {"mix": 0.8, "drop": 0.8, "rotate": 0.8}
    sets = changed(batch_of(x[..., None] >> bits & 1), lambda: batch_of(y[..., None] >> bits & 1), **shares)
    assert torch.equal((sets << bits).sum(2), changed(batch_of(x), lambda: batch_of(y), **shares))
