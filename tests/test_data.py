"""Batches that meet every item once in an order that is known, and parts that are held out."""

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae import data as data_module
from seqvae.corpus import prepare
from seqvae.data import Batches, Part, collate
from seqvae.modalities import encoding
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.digits import Digits


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))


def written(folder: Path, *lines: str) -> Path:
    path = folder / "digits.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


class Lengths:
    """Stands for a corpus of items with these numbers of steps."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = np.array(lengths, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._lengths)

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        return self._lengths[indices]


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BUFFER_VALUES", 2**12)
    monkeypatch.setattr(data_module, "WINDOW_ITEMS", 2**10)
    peaks = []
    for lines in (5_000, 40_000):
        path = tmp_path / f"{lines}.txt"
        path.write_text("1234567\n" * lines)
        tracemalloc.start()
        corpus = prepare(Digits(), [path])
        batches = Batches(Part(corpus, 0.1), 50)
        assert sum(map(len, batches.epoch(0))) == len(batches.part)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert corpus.steps == 8 * lines
    assert peaks[1] < 1.2 * peaks[0]


LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=80)


@settings(deadline=None, max_examples=150)
@given(
    lengths=LENGTHS, size=st.integers(1, 90), by=st.sampled_from(["examples", "tokens"]), seed=st.integers(0, 2**31),
    epoch=st.integers(0, 5), window=st.integers(1, 40), share=st.sampled_from([0.0, 0.3]),
    spread=st.sampled_from([1, 4, 50]),
)  # fmt: skip
def test_every_item_comes_exactly_once_an_epoch(
    lengths: list[int], size: int, by: Any, seed: int, epoch: int, window: int, share: float, spread: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "WINDOW_ITEMS", window)
        part = Part(Lengths(lengths), share if len(lengths) > 1 else 0.0, False, seed)  # type: ignore[arg-type]
        batches = Batches(part, size, by, seed, spread)
        members = part.indices(np.arange(len(lengths))).tolist()
        order = list(batches.epoch(epoch))
        again = list(batches.epoch(epoch))
        for found in (order, list(batches.in_order())):
            assert sorted(np.concatenate(found).tolist()) == members
            for batch in found:
                longest = max(lengths[i] for i in batch)
                assert len(batch) == 1 or (len(batch) if by == "examples" else len(batch) * longest) <= size
        assert [batch.tolist() for batch in order] == [batch.tolist() for batch in again]
        rest = list(islice(batches.epoch(epoch), 2, None))
        assert [batch.tolist() for batch in rest] == [batch.tolist() for batch in order[2:]]
        if by == "examples" and window >= len(lengths):
            assert len(order) == batches.count()


def test_the_order_differs_between_epochs_and_seeds() -> None:
    part = Part(Lengths([3] * 50))  # type: ignore[arg-type]
    orders = {
        tuple(np.concatenate(list(Batches(part, 7, "examples", seed).epoch(epoch))).tolist())
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))
    }
    assert len(orders) == 4


@pytest.mark.parametrize(("spread", "widest"), [(1, 2), (10, 10)])
def test_batches_hold_items_of_about_one_length(spread: int, widest: int) -> None:
    lengths = np.arange(1000) % 100 + 10
    batches = Batches(Part(Lengths(lengths.tolist())), 20, spread=spread)  # type: ignore[arg-type]
    order = list(batches.epoch(0))
    assert len(order) == 50
    assert max(int(np.ptp(lengths[batch])) + 1 for batch in order) <= widest
    mixed = [len(set(lengths[batch])) for batch in order]
    assert min(mixed) >= (2 if spread == 1 else 5)


@settings(deadline=None, max_examples=100)
@given(items=st.integers(2, 300), seed=st.integers(0, 2**40), window=st.integers(1, 99), share=st.floats(0.001, 0.999))
def test_a_part_and_its_complement_are_disjoint_complete_and_not_empty(
    items: int, seed: int, window: int, share: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "WINDOW_ITEMS", window)
        corpus = Lengths([2] * items)
        rest, held_out = (Part(corpus, share, chosen, seed) for chosen in (False, True))  # type: ignore[arg-type]
    found = [part.indices(np.arange(items)).tolist() for part in (rest, held_out)]
    assert sorted(found[0] + found[1]) == list(range(items))
    assert [len(rest), len(held_out)] == [len(found[0]), len(found[1])]
    assert min(len(rest), len(held_out)) >= 1
    assert [rest.steps, held_out.steps] == [2 * len(rest), 2 * len(held_out)]


def test_the_held_out_share_is_about_what_was_asked_for_and_does_not_move_when_a_corpus_grows() -> None:
    small, large = (Part(Lengths([1] * n), 0.05, True, 3) for n in (20_000, 40_000))  # type: ignore[arg-type]
    # standard deviation of the share: sqrt(0.05 * 0.95 / 40000) = 0.0011
    assert len(large) / 40_000 == pytest.approx(0.05, abs=0.0044)
    indices = np.arange(20_000)
    assert small.indices(indices).tolist() == large.indices(indices).tolist()


def test_collated_items_are_padded_on_the_right_and_keep_their_keys() -> None:
    batch = collate([np.array([5, 0]), np.array([7, 8, 9, 0]), np.array([0])], [12, 3, 40])
    assert batch.x.tolist() == [[5, 0, 0, 0], [7, 8, 9, 0], [0, 0, 0, 0]]
    assert batch.lengths.tolist() == [2, 4, 1]
    assert batch.keys.tolist() == [12, 3, 40]
    assert batch.x.dtype == torch.int64


def test_the_keys_of_a_batch_are_places_in_the_corpus(tmp_path: Path) -> None:
    source = written(tmp_path, "312", "4", "", "55555", "12")
    batches = Batches(Part(prepare(Digits(), [source])), 2, "examples", 5)
    loaded = {
        int(key): x[:length].tolist()
        for indices in batches.epoch(3)
        for b in [batches.load(indices)]
        for key, x, length in zip(b.keys, b.x, b.lengths, strict=True)
    }
    assert loaded == {0: [3, 1, 2, 0], 1: [4, 0], 2: [0], 3: [5, 5, 5, 5, 5, 0], 4: [1, 2, 0]}


class Moved(Digits):
    """What evaluation sees is moved by 100; what training sees by its noise, and by that of a partner."""

    def settle(self, batch: Batch) -> Batch:
        return replace(batch, x=batch.x + 100)

    def augment(self, batch: Batch, others: Callable[[], Batch], noise: Noise) -> Batch:
        assert torch.equal(noise.keys, batch.keys)
        x = batch.x * 10 + noise.bits("moved", 1) % 10
        return replace(batch, x=torch.cat([x, others().x], 1), lengths=2 * batch.lengths)


@pytest.mark.parametrize("lines", [("12", "34", "56"), ("12", "34", "567")], ids=["equal lengths", "different ones"])
def test_evaluation_sees_settled_items_and_training_varied_ones_that_were_never_settled(
    lines: tuple[str, ...], tmp_path: Path
) -> None:
    batches = Batches(Part(prepare(Moved(dtype=np.int16), [written(tmp_path, *lines)])), 2, seed=3)
    indices = np.array([1, 0])
    loaded = batches.load(indices)
    assert loaded.x.tolist() == [[103, 104, 100], [101, 102, 100]]
    assert loaded.keys.tolist() == [1, 0]
    first, again, later = (batches.varied(indices, step).x for step in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    shift = Noise(3, torch.tensor([1, 0]), 4).bits("moved", 1) % 10
    assert torch.equal(first[:, :3], torch.tensor([[30, 40, 0], [10, 20, 0]]) + shift)
    assert set(map(tuple, first[:, 3:].tolist())) <= {(1, 2, 0), (3, 4, 0), (5, 6, 0), (5, 6, 7)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_bytes_stay_bytes_and_other_integers_can_look_up_embeddings(dtype: Any, tmp_path: Path) -> None:
    expected = torch.uint8 if dtype == np.uint8 else torch.int64
    for lines in (("12", "34"), ("1", "345")):
        corpus = prepare(Digits(f"{lines}{dtype}", dtype=dtype), [written(tmp_path, *lines)])
        assert (corpus.equal_steps is None) == (lines[0] == "1")
        batch = Batches(Part(corpus), 2).load(np.array([1, 0]))
        assert batch.x.dtype == expected
        assert batch.lengths.dtype == batch.keys.dtype == torch.int64
        assert batch.lengths.tolist() == [len(lines[1]) + 1, len(lines[0]) + 1]
        assert collate([corpus[1], corpus[0]], [1, 0]).x.dtype == expected


def test_batches_of_equal_lengths_are_those_made_item_by_item(tmp_path: Path) -> None:
    source = written(tmp_path, *(f"{number:03}" for number in range(200)))
    batches = Batches(Part(prepare(Digits(), [source]), 0.2, True, 5), 7, "examples", 2)
    made = [batches.load(indices) for indices in batches.epoch(1)]
    batches.part.corpus.equal_steps = None  # so that items are collated
    for batch, indices in zip(made, batches.epoch(1), strict=True):
        collated = batches.load(indices)
        for one, other in ((batch.x, collated.x), (batch.lengths, collated.lengths), (batch.keys, collated.keys)):
            assert torch.equal(one, other)
            assert one.dtype == other.dtype
    assert sum(map(len, made)) == len(batches.part) < 100


def test_steps_that_are_no_whole_numbers_keep_their_fractions() -> None:
    batch = collate([np.array([[0.25, -0.5]], np.float32), np.array([[1.5, 0.0], [0.0, 0.75]], np.float32)], [3, 4])
    assert batch.x.tolist() == [[[0.25, -0.5], [0.0, 0.0]], [[1.5, 0.0], [0.0, 0.75]]]


def test_a_share_of_the_items_is_drawn_from_an_n_gram_of_the_part(tmp_path: Path) -> None:
    lines = [*("12" * (1 + number % 3) for number in range(60)), *("34" * (1 + number % 3) for number in range(60))]
    part = Part(prepare(Digits(), [written(tmp_path, *lines)])).alone(np.arange(60))
    batches = Batches(part, 60, seed=4)
    indices = np.arange(60)
    own = batches.encoded(indices)
    for share, least, most in ((0.0, 0, 0), (0.5, 10, 45), (1.0, 25, 60)):
        batch = batches.varied(indices, 3, share)
        changed = [
            not torch.equal(x[:length], y[:other])
            for x, y, length, other in zip(batch.x, own.x, batch.lengths, own.lengths, strict=True)
        ]
        assert least <= sum(changed) <= most
        assert set(batch.x.flatten().tolist()) == {0, 1, 2}, "only the part's own items are counted"
        for x, length in zip(batch.x.tolist(), batch.lengths.tolist(), strict=True):
            assert x.index(0) == length - 1 <= 6, "no item is longer than the longest of the part"
        assert torch.equal(batch.keys, own.keys)
        assert batch.x.dtype == own.x.dtype
        alone = batches.varied(indices[7:8], 3, share)
        assert torch.equal(alone.x[0], batch.x[7, : alone.lengths[0]])
    assert not torch.equal(batches.varied(indices, 3, 1.0).lengths, batches.varied(indices, 4, 1.0).lengths)


def test_drawn_items_never_make_a_batch_of_tokens_larger(tmp_path: Path) -> None:
    lines = ["12" * (1 + number % 12) for number in range(200)]
    batches = Batches(Part(prepare(Digits(), [written(tmp_path, *lines)])), 100, "tokens")
    changed = 0
    for indices in batches.epoch(0):
        own, batch = batches.encoded(indices), batches.varied(indices, 3, 1.0)
        assert batch.x.numel() <= own.x.numel() <= 100
        assert (batch.lengths <= own.lengths).all()
        changed += int((batch.lengths < own.lengths).sum())
    assert changed > 40
    batches = Batches(batches.part, 10)
    assert any(batches.varied(x, 3, 1.0).x.shape[1] > batches.encoded(x).x.shape[1] for x in batches.epoch(0))


def test_items_without_an_end_are_drawn_as_long_as_they_were(tmp_path: Path) -> None:
    class Windows(Digits):
        end = None  # type: ignore[assignment]

    corpus = prepare(Windows(dtype=np.uint8), [written(tmp_path, *(str(n) for n in range(70, 130)))])
    batches = Batches(Part(corpus), 60)
    own, batch = batches.encoded(np.arange(60)), batches.varied(np.arange(60), 0, 1.0)
    assert batch.x.shape == (60, 4)
    assert torch.equal(batch.lengths, own.lengths)
    assert set(own.lengths.tolist()) == {3, 4}
    assert batch.x.dtype == torch.uint8
    assert not torch.equal(batch.x, own.x)
