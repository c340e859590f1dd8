"""Files to memory-mapped arrays to length-bucketed, seeded, resumable batches.

A corpus is encoded once, streaming, into flat files under a cache that is keyed by the content of the sources and by
the encoding. The order of an epoch is a function of (seed, epoch) alone, so a position is two numbers.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from seqvae.config import read_json
from seqvae.modalities.base import Modality, Report
from seqvae.types import Batch

FORMAT = 1
WINDOW_ITEMS = 2**18  # items that are shuffled and sorted by length together
_BUFFER_STEPS = 2**20  # encoded steps held before they go to the file


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

    def __init__(self, folder: Path) -> None:
        meta = read_json(folder / "corpus.json")
        self.folder = folder
        self.items: int = meta["items"]
        self.steps: int = meta["steps"]
        self.bytes: int | None = meta["bytes"]
        self.report = Report(meta["report"]["sources"], meta["report"]["items"], Counter(meta["report"]["counts"]))
        shape = (self.steps, *meta["step_shape"])
        self._steps = _map(folder / "steps.bin", np.dtype(meta["dtype"]), shape)
        self._offsets = _map(folder / "offsets.bin", np.dtype(np.int64), (self.items + 1,))

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> np.ndarray:
        first, last = self._offsets[index : index + 2]
        return self._steps[first:last]

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        """The number of steps of each of these items."""
        return self._offsets[indices + 1] - self._offsets[indices]


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    expected = int(np.prod(shape)) * dtype.itemsize
    if not path.exists() or path.stat().st_size != expected:
        raise ValueError(f"{path} does not hold the {expected} bytes that were encoded; run `seqvae cache clear`")
    return np.memmap(path, dtype, "r", shape=shape) if expected else np.zeros(shape, dtype)


def write_corpus(modality: Modality, sources: Sequence[Path], folder: Path) -> None:
    """Encode all items of the sources into `folder`, streaming; the folder appears only when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = Report([str(source) for source in sources])
    writing = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        meta = _encode_all(modality, sources, writing, report)
        (writing / "corpus.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was faster: its folder is as good
            writing.rename(folder)
    finally:
        shutil.rmtree(writing, ignore_errors=True)


def _encode_all(modality: Modality, sources: Sequence[Path], folder: Path, report: Report) -> dict[str, Any]:
    items = steps = size = 0
    known_size = True
    dtype, step_shape = np.dtype(np.uint16), ()
    pending: list[np.ndarray] = []
    pending_steps = 0
    with open(folder / "steps.bin", "wb") as step_file, open(folder / "offsets.bin", "wb") as offset_file:
        offset_file.write(np.int64(0).tobytes())

        def flush() -> None:
            nonlocal pending_steps
            if pending:
                np.concatenate(pending).tofile(step_file)
                ends = steps - pending_steps + np.cumsum([len(x) for x in pending], dtype=np.int64)
                ends.tofile(offset_file)
            pending.clear()
            pending_steps = 0

        for source in sources:
            for item in modality.read(source, report):
                x = modality.encode(item, report)
                if x is None:
                    continue
                item_bytes = modality.size_bytes(modality.decode(x))
                known_size, size = known_size and item_bytes is not None, size + (item_bytes or 0)
                dtype, step_shape = x.dtype, x.shape[1:]
                pending.append(x)
                items, steps, pending_steps = items + 1, steps + len(x), pending_steps + len(x)
                if pending_steps >= _BUFFER_STEPS:
                    flush()
        flush()
    report.items = items
    return {
        "format": FORMAT, "items": items, "steps": steps, "bytes": size if known_size else None,
        "dtype": dtype.str, "step_shape": list(step_shape), "report": report.to_dict(),
    }  # fmt: skip


def content_hash(source: Path) -> str:
    """sha256 of a file's content, or of the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if path.is_file():
            digest.update(str(path.relative_to(source)).encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def prepare(modality: Modality, sources: Sequence[Path]) -> Corpus:
    """The encoded corpus of these sources, from the cache when it is there.

    Raises ValueError when nothing is left to learn from, with what was dropped and why.
    """
    key = hashlib.sha256(
        "\n".join([str(FORMAT), modality.name, modality.fingerprint(), *map(content_hash, sources)]).encode()
    ).hexdigest()
    folder = cache_folder() / "corpora" / key[:32]
    if not folder.exists():
        write_corpus(modality, sources, folder)
    corpus = Corpus(folder)
    corpus.report.sources = [str(source) for source in sources]
    if not len(corpus):
        why = "; ".join(f"{count} {reason}" for reason, count in sorted(corpus.report.counts.items()))
        names = ", ".join(map(str, sources))
        raise ValueError(f"no items are left in {names} ({why or 'nothing was found'}); give other files or limits")
    return corpus


def _uniform(seed: int, indices: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each item, the same at every call (SplitMix64's finaliser)."""
    with np.errstate(over="ignore"):
        x = indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64((seed * 0x2545F4914F6CDD1D) % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Part:
    """The items of a corpus that are held out (or that are not): a share chosen by the seed, at least one.

    With share 0 the part is the whole corpus. Memory does not grow with the corpus.
    """

    def __init__(self, corpus: Corpus, share: float = 0.0, held_out: bool = False, seed: int = 0) -> None:
        self.corpus = corpus
        self._seed, self._held_out = seed, held_out
        self._limit = share
        if share:
            lowest = min(_uniform(seed, window).min() for window in _windows(len(corpus)))
            self._limit = max(share, float(np.nextafter(lowest, 1.0)))
        self.items = sum(len(self.indices(window)) for window in _windows(len(corpus)))
        self.steps = sum(int(corpus.lengths(self.indices(window)).sum()) for window in _windows(len(corpus)))

    def __len__(self) -> int:
        return self.items

    def indices(self, window: np.ndarray) -> np.ndarray:
        """Those of the corpus indices that belong to this part."""
        if not self._limit:
            return window
        return window[(_uniform(self._seed, window) < self._limit) == self._held_out]


def _windows(items: int) -> Iterator[np.ndarray]:
    for first in range(0, items, WINDOW_ITEMS):
        yield np.arange(first, min(first + WINDOW_ITEMS, items))


@dataclass(frozen=True)
class Batches:
    """Batches of items of about one length, in an order that is a function of (seed, epoch).

    `size` counts examples, or tokens (then padded steps of a batch stay within it; a longer item stands alone).
    Shuffling and sorting by length happen within windows of the corpus.
    """

    part: Part
    size: int
    by: Literal["examples", "tokens"] = "examples"
    seed: int = 0

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
            by_length = np.argsort(lengths, kind="stable")
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
            # lengths rise, so the padded size of the first n items is n * lengths[first + n - 1]
            last = first + max(1, self.size // int(lengths[first]))
            padded = np.arange(1, len(lengths[first:last]) + 1) * lengths[first:last]
            count = max(1, int(np.searchsorted(padded, self.size, side="right")))
            batches.append(members[first : first + count])
            first += count
        return batches

    def load(self, indices: np.ndarray) -> Batch:
        """The items with these corpus indices as one batch; the indices are its keys."""
        return collate([self.part.corpus[int(index)] for index in indices], indices)


def collate(arrays: Sequence[np.ndarray], keys: Iterable[int]) -> Batch:
    """Arrays of (T, ...) as one batch, padded on the right with zeros."""
    lengths = np.array([len(x) for x in arrays], dtype=np.int64)
    padded = np.zeros((len(arrays), int(lengths.max(initial=1)), *arrays[0].shape[1:]), dtype=np.int64)
    for row, x in zip(padded, arrays, strict=True):
        row[: len(x)] = x
    return Batch(torch.from_numpy(padded), torch.from_numpy(lengths), torch.as_tensor(np.asarray(keys, np.int64)))
