"""Files to memory-mapped arrays to length-bucketed, seeded, resumable batches.

A corpus is encoded once, streaming, into flat files under a cache that is keyed by the content of the sources and by
the encoding. The order of an epoch is a function of (seed, epoch) alone, so a position is two numbers.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch

from seqvae.config import read_json
from seqvae.modalities.base import Modality, Report
from seqvae.noise import Noise
from seqvae.types import Batch

FORMAT = 1
WINDOW_ITEMS = 2**18  # items that are shuffled and sorted by length together
_BUFFER_STEPS = 2**20  # encoded steps held before they go to the file,
_BUFFER_ITEMS = 2**15  # or items, since a short array takes more memory than its steps
_FILES = ("steps.bin", "offsets.bin")


def cache_folder() -> Path:
    """Where encoded corpora are kept: SEQVAE_CACHE, else `~/.cache/seqvae`."""
    chosen = os.environ.get("SEQVAE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "seqvae"


def clear_cache() -> int:
    """Delete the cache; the number of bytes that it held."""
    folder = cache_folder()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return size


class Corpus:
    """Encoded items, memory mapped: one flat file of steps and one of offsets."""

    def __init__(self, folder: Path, modality: Modality) -> None:
        """Raises ValueError when the folder does not hold what was written into it."""
        if not (folder / "corpus.json").is_file():
            raise ValueError(f"{folder} holds no encoded corpus; run `seqvae cache clear`")
        meta = read_json(folder / "corpus.json")
        self.folder = folder
        self.items: int = meta["items"]
        self.steps: int = meta["steps"]
        self.report = Report(meta["report"]["sources"], meta["report"]["items"], Counter(meta["report"]["counts"]))
        self.modality = modality
        for name in _FILES:
            if meta.get("sha256", {}).get(name) != _file_hash(folder / name):
                raise ValueError(f"{folder / name} does not hold what was encoded; run `seqvae cache clear`")
        self._steps = _map(folder / "steps.bin", np.dtype(meta["dtype"]), (self.steps, *meta["step_shape"]))
        self._offsets = _map(folder / "offsets.bin", np.dtype(np.int64), (self.items + 1,))

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> np.ndarray:
        first, last = self._offsets[index : index + 2]
        return self._steps[first:last]

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        """The number of steps of each of these items."""
        return self._offsets[indices + 1] - self._offsets[indices]

    def ends(self, first: int, last: int) -> np.ndarray:
        """Where the items from `first` to before `last` begin, and where the last of them ends."""
        return self._offsets[first : last + 1]

    def between(self, ends: np.ndarray) -> np.ndarray:
        """The steps of neighbouring items one after another, from `ends`."""
        return self._steps[ends[0] : ends[-1]]

    @cached_property
    def bytes(self) -> int | None:
        """The size in bytes of what the steps stand for, as decoded; None where that means nothing.

        Counted when it is first asked for, since training does not need it and decoding takes as long as encoding.
        """
        total = 0
        for index in range(len(self)):
            size = self.modality.size_bytes(self.modality.decode(self[index]))
            if size is None:
                return None
            total += size
        return total


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, dtype, "r", shape=shape) if math.prod(shape) else np.zeros(shape, dtype)


def write_corpus(modality: Modality, sources: Sequence[Path], folder: Path) -> None:
    """Encode all items of the sources into `folder`, streaming; the folder appears only when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = Report([str(source) for source in sources])
    writing = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        meta = _encode_all(modality, sources, writing, report)
        meta["sha256"] = {name: _file_hash(writing / name) for name in _FILES}
        (writing / "corpus.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        try:
            writing.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster: its folder is as good
                raise
    finally:
        shutil.rmtree(writing, ignore_errors=True)


def _encode_all(modality: Modality, sources: Sequence[Path], folder: Path, report: Report) -> dict[str, Any]:
    with open(folder / "steps.bin", "wb") as step_file, open(folder / "offsets.bin", "wb") as offset_file:
        writer = _Writer(step_file, offset_file)
        for item in modality.read(sources, report):
            x = modality.encode(item, report)
            if x is not None:
                writer.add(x)
        writer.flush()
    report.items = writer.items
    return {
        "format": FORMAT, "items": writer.items, "steps": writer.steps, "dtype": writer.dtype.str,
        "step_shape": list(writer.step_shape), "report": report.to_dict(),
    }  # fmt: skip


class _Writer:
    """Arrays to a flat file of steps and one of offsets; memory does not grow with their number."""

    def __init__(self, step_file: BinaryIO, offset_file: BinaryIO) -> None:
        self._step_file, self._offset_file = step_file, offset_file
        self._pending: list[np.ndarray] = []
        self._pending_steps = self._written_steps = 0
        self.items = 0
        self.dtype = np.dtype(np.uint16)
        self.step_shape: tuple[int, ...] = ()
        offset_file.write(np.int64(0).tobytes())

    @property
    def steps(self) -> int:
        return self._written_steps + self._pending_steps

    def add(self, x: np.ndarray) -> None:
        self.dtype, self.step_shape = x.dtype, x.shape[1:]
        self._pending.append(x)
        self._pending_steps += len(x)
        self.items += 1
        if self._pending_steps >= _BUFFER_STEPS or len(self._pending) >= _BUFFER_ITEMS:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        # not ndarray.tofile: it tells a full disk without the errno
        self._step_file.write(np.concatenate(self._pending).data)
        ends = self._written_steps + np.cumsum([len(x) for x in self._pending], dtype=np.int64)
        self._offset_file.write(ends.data)
        self._written_steps += self._pending_steps
        self._pending, self._pending_steps = [], 0


def _file_hash(path: Path) -> str:
    """sha256 of a file, read in pieces; the empty string where there is none."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(source: Path, files: Sequence[Path]) -> str:
    """sha256 of the contents of a source's files and of their names below it.

    Raises ValueError when there is nothing at `source`.
    """
    if not source.exists():
        raise ValueError(f"there is no file or folder {source}; check the path, or restore the data")
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(os.path.relpath(path, source).encode())
            digest.update(bytes.fromhex(_file_hash(path)))
    return digest.hexdigest()


def prepare(modality: Modality, sources: Sequence[Path]) -> Corpus:
    """The encoded corpus of these sources, from the cache when it is there and whole, else encoded anew.

    Raises ValueError when nothing is left to learn from, with what was dropped and why.
    """
    contents = [content_hash(source, modality.files_of(source)) for source in sources]
    key = hashlib.sha256(
        "\n".join([str(FORMAT), modality.name, modality.fingerprint(), *contents]).encode()
    ).hexdigest()
    corpus = _cached(modality, sources, cache_folder() / "corpora" / key[:32])
    corpus.report.sources = [str(source) for source in sources]
    if not len(corpus):
        why = "; ".join(f"{count} {reason}" for reason, count in sorted(corpus.report.counts.items()))
        names = ", ".join(map(str, sources))
        raise ValueError(f"no items are left in {names} ({why or 'nothing was found'}); give other files or limits")
    return corpus


def _cached(modality: Modality, sources: Sequence[Path], folder: Path) -> Corpus:
    if folder.exists():
        try:
            return Corpus(folder, modality)
        except (ValueError, KeyError, TypeError):  # damaged: moved away first, so that nobody meets half a folder
            with tempfile.TemporaryDirectory(prefix=".damaged-", dir=folder.parent) as away:
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    folder.rename(Path(away) / folder.name)
    write_corpus(modality, sources, folder)
    return Corpus(folder, modality)


def repeated(corpus: Corpus, among: Corpus) -> int:
    """How many items of a corpus also stand in another one, step for step.

    Items are compared by 64 bits: of a million, two different ones count as equal in one of millions of corpora. Memory
    grows with the number of items of `corpus` alone, by some 20 bytes each.
    """
    digests, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *_digests(corpus)]), return_counts=True)
    found = np.zeros(len(digests), dtype=bool)
    for others in _digests(among):
        found |= np.isin(digests, others)
    return int(counts[found].sum())


def _digests(corpus: Corpus) -> Iterator[np.ndarray]:
    """A number for each item that depends on all of its steps and their order, some thousand items at a time."""
    with np.errstate(over="ignore"):
        for first in range(0, len(corpus), _BUFFER_ITEMS):
            ends = corpus.ends(first, min(first + _BUFFER_ITEMS, len(corpus)))
            steps = corpus.between(ends).reshape(ends[-1] - ends[0], -1).astype(np.uint64)
            weights = _scrambled(np.arange(1, steps.shape[1] + 1, dtype=np.uint64))
            places = np.arange(ends[0], ends[-1]) - np.repeat(ends[:-1], np.diff(ends))
            mixed = _scrambled((steps * weights).sum(1) + _scrambled(places.astype(np.uint64) + np.uint64(1)))
            yield np.add.reduceat(mixed, ends[:-1] - ends[0])


def _scrambled(x: np.ndarray) -> np.ndarray:
    """64 bits from 64 bits, one to one and without a pattern (SplitMix64's finaliser)."""
    with np.errstate(over="ignore"):
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def _uniform(seed: int, indices: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each item, the same at every call."""
    with np.errstate(over="ignore"):
        x = indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64((seed * 0x2545F4914F6CDD1D) % 2**64)
    return (_scrambled(x) >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Part:
    """The items of a corpus that are held out (or that are not): a share chosen by the seed.

    Of two items or more at least one is held out and at least one is not. With share 0 the part is the whole corpus.
    Memory does not grow with the corpus.
    """

    def __init__(self, corpus: Corpus, share: float = 0.0, held_out: bool = False, seed: int = 0) -> None:
        self.corpus = corpus
        self._seed, self._held_out = seed, held_out
        self._limit = share
        if share:
            ends = [(u.min(), u.max()) for u in (_uniform(seed, window) for window in _windows(len(corpus)))]
            lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
            self._limit = min(max(share, float(np.nextafter(lowest, 1.0))), float(highest))
        self.items = sum(len(self.indices(window)) for window in _windows(len(corpus)))
        self.steps = sum(int(corpus.lengths(self.indices(window)).sum()) for window in _windows(len(corpus)))

    def __len__(self) -> int:
        return self.items

    def indices(self, window: np.ndarray) -> np.ndarray:
        """Those of the corpus indices that belong to this part."""
        return window[self.holds(window)]

    def holds(self, indices: np.ndarray) -> np.ndarray:
        """Whether each of these corpus indices belongs to this part."""
        if not self._limit:
            return np.ones(len(indices), dtype=bool)
        return (_uniform(self._seed, indices) < self._limit) == self._held_out


def _windows(items: int) -> Iterator[np.ndarray]:
    for first in range(0, items, WINDOW_ITEMS):
        yield np.arange(first, min(first + WINDOW_ITEMS, items))


@dataclass(frozen=True)
class Batches:
    """Batches of items of about one length, in an order that is a function of (seed, epoch).

    `size` counts examples, or tokens (then padded steps of a batch stay within it; a longer item stands alone).
    Lengths of a batch differ by less than `spread` steps, up to the batches at the edges: 1 gives the least padding,
    more mixes items of different structure, which the gradient of a small batch gains from.
    Shuffling and sorting by length happen within windows of the corpus.
    """

    part: Part
    size: int
    by: Literal["examples", "tokens"] = "examples"
    seed: int = 0
    spread: int = 1

    def epoch(self, epoch: int) -> Iterator[np.ndarray]:
        """The batches of an epoch as arrays of corpus indices."""
        windows = list(range(0, len(self.part.corpus), WINDOW_ITEMS))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(windows))
        for place in order:
            random = np.random.default_rng([self.seed, epoch, 1 + int(place)])
            first = windows[place]
            members = self.part.indices(np.arange(first, min(first + WINDOW_ITEMS, len(self.part.corpus))))
            members = random.permutation(members)
            lengths = self.part.corpus.lengths(members)
            by_length = np.argsort(lengths // self.spread, kind="stable")
            batches = self._cut(members[by_length], lengths[by_length])
            for index in random.permutation(len(batches)):
                yield batches[index]

    def count(self) -> int:
        """The number of batches in an epoch: exact for examples, at least that many for tokens."""
        total = len(self.part) if self.by == "examples" else self.part.steps
        return -(-total // self.size)

    def in_order(self) -> Iterator[np.ndarray]:
        """All items once, longest last, unshuffled: for evaluation."""
        for window in _windows(len(self.part.corpus)):
            members = self.part.indices(window)
            lengths = self.part.corpus.lengths(members)
            by_length = np.argsort(lengths, kind="stable")
            yield from self._cut(members[by_length], lengths[by_length])

    def _cut(self, members: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        if self.by == "examples":
            return [members[first : first + self.size] for first in range(0, len(members), self.size)]
        batches, first = [], 0
        while first < len(members):
            longest = np.maximum.accumulate(lengths[first : first + self.size])
            padded = np.arange(1, len(longest) + 1) * longest  # steps of a batch of the first n items
            count = max(1, int(np.searchsorted(padded, self.size, side="right")))
            batches.append(members[first : first + count])
            first += count
        return batches

    def load(self, indices: np.ndarray) -> Batch:
        """The items with these corpus indices as one batch; the indices are its keys."""
        return collate([self.part.corpus[int(index)] for index in indices], indices)

    def varied(self, indices: np.ndarray, step: int) -> Batch:
        """The same batch as training sees it at a step: varied as the modality says, by the seed, step and keys."""
        batch = self.load(indices)
        noise = Noise(self.seed, batch.keys, step)
        return self.part.corpus.modality.augment(batch, lambda: self._partners(noise), noise)

    def _partners(self, noise: Noise) -> Batch:
        """For each row some other item of the part, drawn anew at each step; now and then it is the same item."""
        drawn = (noise.bits("partner", 1).squeeze(1) % len(self.part.corpus)).numpy()
        return self.load(np.where(self.part.holds(drawn), drawn, noise.keys.numpy()))


def collate(arrays: Sequence[np.ndarray], keys: Iterable[int]) -> Batch:
    """Arrays of (T, ...) as one batch, padded on the right with zeros."""
    lengths = np.array([len(x) for x in arrays], dtype=np.int64)
    padded = np.zeros((len(arrays), int(lengths.max(initial=1)), *arrays[0].shape[1:]), dtype=np.int64)
    for row, x in zip(padded, arrays, strict=True):
        row[: len(x)] = x
    return Batch(torch.from_numpy(padded), torch.from_numpy(lengths), torch.as_tensor(np.asarray(keys, np.int64)))
