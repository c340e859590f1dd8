"""The cache of encoded corpora, and batches that meet every item once in an order that is known."""

import json
import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae import corpus as corpus_module
from seqvae import data as data_module
from seqvae.corpus import Corpus, cache_folder, clear_cache, content_hash, prepare, repeated
from seqvae.data import Batches, Part, collate
from seqvae.modalities.base import Arrangement, Modality, Report, Split
from seqvae.noise import Noise
from seqvae.types import Batch


class Digits:
    """Lines of digits; item "312" is the array 3, 1, 2, 0."""

    name: ClassVar[str] = "digits"
    data_config: ClassVar[type] = object
    model_config: ClassVar[type] = object
    data = None
    end = 0
    max_steps = 100
    reading_keys: ClassVar[frozenset[str]] = frozenset()
    sampling_temperature: ClassVar[float] = 1.0
    least_steps: ClassVar[int] = 0
    defaults: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, mark: str = "", longest: int = 99, labelled: bool = False) -> None:
        self.mark, self.longest, self.labelled = mark, longest, labelled
        self.encoded = self.decoded = 0

    def files_of(self, source: Path) -> Sequence[Path]:
        return [source]

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
        for source in sources:
            with open(source, encoding="ascii") as file:
                for line in file:
                    yield line.rstrip("\n")

    def encode(self, item: str, report: Report) -> np.ndarray | None:
        self.encoded += 1
        if len(item) > self.longest:
            report.counts["too long"] += 1
            return None
        return np.array([*map(int, item), 0], dtype=np.int16)

    def decode(self, x: np.ndarray, like: str | None = None) -> str:
        self.decoded += 1
        return "".join(map(str, x[:-1]))

    def fingerprint(self) -> str:
        return self.mark

    def size_bytes(self, item: str) -> int | None:
        return len(item) + 1

    def fit(self, items: Callable[[], Iterable[str]]) -> None: ...
    def load(self, folder: Path) -> None: ...
    def save(self, folder: Path) -> list[Path]: ...
    def nets(self, model: Any) -> Any: ...
    def augment(self, batch: Batch, others: Callable[[], Batch], noise: Noise) -> Batch:
        return batch

    def settle(self, batch: Batch) -> Batch:
        return batch

    def label_of(self, item: str) -> str | None:
        return None if item.startswith("0") else f"first {item[:1]}" if self.labelled else None

    def of_split(self, split: Split, sources: Sequence[Path]) -> None: ...
    def accept(self, given: str) -> list[str]: ...
    def as_long_as(self, item: str, other: str) -> str: ...
    def present(self, items: Sequence[str]) -> str: ...
    def write(self, given: Sequence[str], folder: Path, arrangement: Arrangement = "set") -> list[Path]: ...
    def metrics(self, truth: Sequence[str], guess: Sequence[str]) -> dict[str, float | None]: ...


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "digits.txt"
    path.write_text("312\n4\n\n55555\n12\n")
    return path


class Lengths:
    """Stands for a corpus of items with these numbers of steps."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = np.array(lengths, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._lengths)

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        return self._lengths[indices]


def test_the_stand_in_is_a_modality() -> None:
    assert isinstance(Digits(), Modality)


def test_items_come_back_in_order_with_what_was_dropped(source: Path) -> None:
    corpus = prepare(Digits(longest=4), [source, source])
    assert [x.tolist() for x in (corpus[i] for i in range(len(corpus)))] == [[3, 1, 2, 0], [4, 0], [0], [1, 2, 0]] * 2
    assert (corpus.items, corpus.steps) == (8, 20)
    assert corpus.report.to_dict() == {"sources": [str(source)] * 2, "items": 8, "counts": {"too long": 2}}
    assert corpus.lengths(np.array([3, 0])).tolist() == [3, 4]
    assert corpus[0].dtype == np.int16


def test_items_that_stand_in_another_corpus_are_counted_step_for_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "_BUFFER_ITEMS", 3)  # so that several pieces are looked through
    contents = {"train": "12\n21\n\n123\n312\n999\n", "valid": "12\n12\n213\n\n31\n99\n123\n"}
    for name, lines in contents.items():
        (tmp_path / name).write_text(lines)
    train, valid = (prepare(Digits(), [tmp_path / name]) for name in contents)
    assert repeated(valid, train) == 4  # 12 twice, the empty one, 123
    assert repeated(train, valid) == 3
    assert repeated(train, train) == 6


def test_the_bytes_are_those_of_what_was_encoded_and_counted_only_when_asked(source: Path) -> None:
    modality = Digits(longest=4)
    corpus = prepare(modality, [source])
    assert modality.decoded == 0
    assert corpus.bytes == 4 + 2 + 1 + 3
    assert modality.decoded == 4
    assert (corpus.bytes, modality.decoded) == (10, 4)
    modality.size_bytes = lambda item: None  # type: ignore[method-assign]
    assert prepare(modality, [source]).bytes is None


def test_the_cache_is_keyed_by_content_and_encoding(source: Path, tmp_path: Path) -> None:
    modality = Digits()
    first = prepare(modality, [source])
    assert modality.encoded == 5
    copy = tmp_path / "elsewhere.txt"
    copy.write_bytes(source.read_bytes())
    second = prepare(modality, [copy])
    assert modality.encoded == 5, "the same content is not encoded again"
    assert second.folder == first.folder
    assert second.report.sources == [str(copy)]
    assert prepare(Digits("other encoding"), [source]).folder != first.folder
    copy.write_text("312\n")
    assert prepare(modality, [copy]).folder != first.folder
    assert len(list((cache_folder() / "corpora").iterdir())) == 3
    assert clear_cache() > 0
    assert not cache_folder().exists()
    assert clear_cache() == 0


def test_a_folder_is_keyed_by_the_names_and_contents_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("1")
    a, b = folder / "deep" / "a", folder / "deep" / "b"
    before = content_hash(folder, [a])
    assert content_hash(folder, [a]) == before
    a.rename(b)
    renamed = content_hash(folder, [b])
    b.write_text("2")
    assert len({before, renamed, content_hash(folder, [b])}) == 3
    with pytest.raises(ValueError, match=r"there is no file or folder .*missing"):
        content_hash(tmp_path / "missing", [])


@pytest.mark.parametrize("name", ["steps.bin", "offsets.bin", "corpus.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_cache_entry_is_encoded_anew(name: str, damage: str, source: Path) -> None:
    modality = Digits()
    file = prepare(modality, [source]).folder / name
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content if damage == "flipped" and name != "corpus.json" else content[:-3])
    with pytest.raises(ValueError, match=r"cache clear|not valid JSON"):
        Corpus(file.parent, modality)
    corpus = prepare(modality, [source])
    assert modality.encoded == 10
    assert corpus[3].tolist() == [5, 5, 5, 5, 5, 0]
    assert [path.name for path in corpus.folder.parent.iterdir()] == [corpus.folder.name]


def test_an_error_while_encoding_leaves_nothing_behind(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_module._Writer, "flush", fail)
    with pytest.raises(OSError, match="No space left"):
        prepare(Digits(), [source])
    assert list((cache_folder() / "corpora").iterdir()) == []


def test_a_process_that_is_faster_wins_and_its_folder_is_used(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode_all = corpus_module._encode_all
    folders: list[Path] = []

    def encode_twice(modality: Any, sources: Any, folder: Path, report: Report) -> dict[str, Any]:
        if not folders:
            folders.append(folder)
            prepare(Digits(), [source])  # the other process, from start to end
        return encode_all(modality, sources, folder, report)

    monkeypatch.setattr(corpus_module, "_encode_all", encode_twice)
    corpus = prepare(Digits(), [source])
    assert corpus[0].tolist() == [3, 1, 2, 0]
    assert len(list(corpus.folder.parent.iterdir())) == 1


def test_a_corpus_of_which_nothing_is_left_says_why(source: Path) -> None:
    with pytest.raises(ValueError, match=r"no items are left in .*digits\.txt \(5 too long\); give other files"):
        prepare(Digits(longest=-1), [source])


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "_BUFFER_VALUES", 2**12)
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


@pytest.mark.parametrize("buffer", [1, 7, 2**20])
def test_buffering_changes_nothing(buffer: int, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "_BUFFER_VALUES", buffer)
    corpus = prepare(Digits(), [source])
    assert [corpus[i].tolist() for i in range(5)] == [[3, 1, 2, 0], [4, 0], [0], [5, 5, 5, 5, 5, 0], [1, 2, 0]]


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


def test_the_keys_of_a_batch_are_places_in_the_corpus(source: Path) -> None:
    batches = Batches(Part(prepare(Digits(), [source])), 2, "examples", 5)
    loaded = {
        int(key): x[:length].tolist()
        for indices in batches.epoch(3)
        for b in [batches.load(indices)]
        for key, x, length in zip(b.keys, b.x, b.lengths, strict=True)
    }
    assert loaded == {0: [3, 1, 2, 0], 1: [4, 0], 2: [0], 3: [5, 5, 5, 5, 5, 0], 4: [1, 2, 0]}


def test_the_cache_stands_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(cache_folder()) == os.environ["SEQVAE_CACHE"]
    monkeypatch.delenv("SEQVAE_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "seqvae"


def test_an_entry_of_the_cache_names_the_hashes_of_its_files(source: Path) -> None:
    folder = prepare(Digits(), [source]).folder
    meta = json.loads((folder / "corpus.json").read_text())
    assert sorted(meta["sha256"]) == ["offsets.bin", "steps.bin"]
    assert meta["dtype"] == "<i2"
