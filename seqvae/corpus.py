"""Files to memory-mapped arrays: a corpus is encoded once, streaming, into flat files.

They lie in the cache, under names that are made of the content of the sources and the encoding.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seqvae.cache import META, claim, corpora_folder, strangers_in
from seqvae.config import read_json
from seqvae.files import file_hash, own
from seqvae.modalities import encoding
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.encoding import Encoded
from seqvae.noise import MULTIPLIERS
from seqvae.runs.run import Run

FORMAT = 3  # of the folder of a corpus
KEY_FORMAT = 1  # of its name, which runs remember
_FILES = ("steps.bin", "offsets.bin")
_LABELS = "labels.bin"  # where items have labels


class Corpus:
    """Encoded items, memory mapped: one flat file of steps and one of offsets."""

    def __init__(self, folder: Path, modality: Modality) -> None:
        """Raises ValueError when the folder does not hold what was written into it."""
        if not (folder / META).is_file():
            raise ValueError(f"{folder} holds no encoded corpus; run `seqvae cache clear`")
        meta = read_json(folder / META)
        if meta.get("format") != FORMAT:
            raise ValueError(f"{folder} has format {meta.get('format')}, not {FORMAT}; run `seqvae cache clear`")
        self.folder = folder
        self.items: int = meta["items"]
        self.steps: int = meta["steps"]
        self.report = Report.from_dict(meta["report"])
        self.modality = modality
        self.label_names: list[str] = sorted(meta["labels"])
        self.equal_steps: int | None = meta["equal_steps"]  # of each item, where all have as many
        for name in (*_FILES, _LABELS)[: 3 if self.label_names else 2]:
            if meta.get("sha256", {}).get(name) != file_hash(folder / name):
                raise ValueError(f"{folder / name} does not hold what was encoded; run `seqvae cache clear`")
        self._steps = _map(folder / "steps.bin", np.dtype(meta["dtype"]), (self.steps, *meta["step_shape"]))
        self._offsets = _map(folder / "offsets.bin", np.dtype(np.int64), (self.items + 1,))
        self._met_labels: list[str] = meta["labels"]
        self._counted: int | None = meta.get("bytes")  # where encoding counted them

    def __len__(self) -> int:
        return self.items

    @property
    def values(self) -> int:
        """The numbers that all steps hold together."""
        return self._steps.size

    def __getitem__(self, index: int) -> np.ndarray:
        first, last = self._offsets[index : index + 2]
        return self._steps[first:last]

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(B, T, ...): these items of a corpus whose items have equally many steps, in one go."""
        return self._steps.reshape(self.items, -1, *self._steps.shape[1:])[indices]

    @cached_property
    def labels(self) -> np.ndarray | None:
        """(N,) the place in `label_names` of each item's label, -1 for one without; None where no item has one."""
        if not self._met_labels:
            return None
        places = np.array([self.label_names.index(name) for name in self._met_labels] + [-1])  # the last one is for -1
        labels: np.ndarray = places[_map(self.folder / _LABELS, np.dtype(np.int32), (self.items,))]
        return labels

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

        Where encoding did not count it, that is done when it is first asked for.
        """
        if self._counted is not None:
            return self._counted
        total = 0
        for index in range(len(self)):
            size = self.modality.size_bytes(self.modality.decode(self[index]))
            if size is None:
                return None
            total += size
        return total

    @cached_property
    def sizes(self) -> Counter[str]:
        """How many words, characters and the like all items have together, as decoded."""
        total: Counter[str] = Counter()
        for index in range(len(self)):
            total.update(self.modality.sizes(self.modality.decode(self[index])))
        return total


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    # as a plain array, since a slice of a memmap takes five times as long
    return np.asarray(np.memmap(path, dtype, "r", shape=shape)) if math.prod(shape) else np.zeros(shape, dtype)


def write_corpus(modality: Modality, sources: Sequence[Path], folder: Path) -> None:
    """Encode all items of the sources into `folder`, streaming; the folder appears only when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = Report([str(source) for source in sources])
    writing = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        meta = _encode_all(modality, sources, writing, report)
        names = (*_FILES, _LABELS)[: 3 if meta["labels"] else 2]
        meta["sha256"] = {name: file_hash(writing / name) for name in names}
        (writing / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        try:
            writing.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster: its folder is as good
                raise
    finally:
        shutil.rmtree(writing, ignore_errors=True)


def _encode_all(modality: Modality, sources: Sequence[Path], folder: Path, report: Report) -> dict[str, Any]:
    with contextlib.ExitStack() as files:
        opened = (files.enter_context(open(folder / name, "wb")) for name in (*_FILES, _LABELS))
        writer, step = _Writer(*opened), modality.step_type
        for some in modality.arrays_of(modality.read(sources, report), report):
            writer.add(some)
    if not writer.labels:
        (folder / _LABELS).unlink()
    report.items = writer.items
    return {
        "format": FORMAT, "items": writer.items, "steps": writer.steps, "dtype": np.dtype(step.dtype).str,
        "step_shape": list(step.shape), "equal_steps": writer.equal_steps, "labels": list(writer.labels),
        "bytes": writer.size, "report": report.to_dict(),
    }  # fmt: skip


class _Writer:
    """Arrays to a flat file of steps, one of offsets and one of labels; memory does not grow with their number."""

    def __init__(self, step_file: BinaryIO, offset_file: BinaryIO, label_file: BinaryIO) -> None:
        self._files = (step_file, offset_file, label_file)
        self._least = self._most = 0  # steps of an item
        self.items = self.steps = 0
        self.size: int | None = 0  # bytes of all items as decoded, None where they were not counted
        self.labels: dict[str, int] = {}  # in the order in which they were met
        offset_file.write(np.int64(0).tobytes())

    @property
    def equal_steps(self) -> int | None:
        return self._most if self.items and self._least == self._most else None

    def add(self, some: Encoded) -> None:
        if not len(some.lengths):
            return
        step_file, offset_file, label_file = self._files
        # not ndarray.tofile, whose error for a full disk has no errno
        step_file.write(some.steps.data)
        offset_file.write((self.steps + np.cumsum(some.lengths, dtype=np.int64)).data)
        label_file.write(np.array([self._place(label) for label in some.labels], dtype=np.int32).data)
        least, most = int(some.lengths.min()), int(some.lengths.max())
        self._least, self._most = min(self._least, least) if self.items else least, max(self._most, most)
        self.items += len(some.lengths)
        self.steps += len(some.steps)
        self.size = None if self.size is None or some.size is None else self.size + some.size

    def _place(self, label: str | None) -> int:
        return -1 if label is None else self.labels.setdefault(label, len(self.labels))


def check_readable_again(source: Path) -> None:
    """Raises ValueError for a device and the like, which may have no end: data are read several times."""
    if source.exists() and not (source.is_file() or source.is_dir()):
        raise ValueError(f"{source} is no file and no folder, but a device or the like; give a file")


def content_hash(source: Path, files: Sequence[Path], named: bool = False) -> str:
    """sha256 of the contents of a source's files and of their names below it; `named`: of that of a lone file, too.

    Raises ValueError when there is nothing at `source`, or what can be read once only.
    """
    if not source.exists():
        raise ValueError(f"there is no file or folder {source}; check the path, or restore the data")
    check_readable_again(source)
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            name = path.name if named and path == source else os.path.relpath(path, source)
            digest.update(name.encode())
            digest.update(bytes.fromhex(file_hash(path)))
    return digest.hexdigest()


def prepare(modality: Modality, sources: Sequence[Path]) -> Corpus:
    """The encoded corpus of these sources, from the cache when it is there and whole, else encoded anew.

    Raises ValueError when nothing is left to learn from, with what was dropped and why.
    """
    named = modality.labels_are_names
    contents = [content_hash(source, modality.files_of(source), named) for source in sources]
    key = hashlib.sha256(
        "\n".join([str(KEY_FORMAT), modality.name, modality.fingerprint(), *contents]).encode()
    ).hexdigest()
    corpus = _cached(modality, sources, own(corpora_folder(), key[:32]))
    corpus.report.sources = [str(source) for source in sources]
    if not len(corpus):
        why = "; ".join(corpus.report.lines())
        names = ("" if modality.split == "all" else f"the split '{modality.split}' of ") + ", ".join(map(str, sources))
        raise ValueError(f"no items are left in {names} ({why or 'nothing was found'}); give other files or limits")
    return corpus


def encoded(modality: Modality, key: str) -> Corpus:
    """The corpus of the cache whose folder has this name. Raises ValueError when it is not there or damaged."""
    return Corpus(own(corpora_folder(), key), modality)


def training_data(modality: Modality, run: Run | None) -> Corpus | None:
    """The items that a run was trained on, encoded, for baselines (`Modality.has_baselines`).

    None where there are no baselines, and where the cache has them no longer.
    """
    if run is None or not modality.has_baselines:
        return None
    with contextlib.suppress(ValueError, KeyError):  # the cache was cleared; or the run was imported
        return encoded(modality, run.report["train"]["key"])
    return None


def _cached(modality: Modality, sources: Sequence[Path], folder: Path) -> Corpus:
    if folder.exists():
        try:
            return Corpus(folder, modality)
        except (ValueError, KeyError, TypeError):  # damaged: moved away first, so that nobody meets half a folder
            for strange in strangers_in(folder):
                raise ValueError(f"{strange} stands in the cache and was not written by seqvae; move it away") from None
            with tempfile.TemporaryDirectory(prefix=".damaged-", dir=folder.parent) as away:
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    folder.rename(Path(away) / folder.name)
    claim()
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
    some = max(1, min(encoding.BUFFER_ITEMS, encoding.BUFFER_VALUES * len(corpus) // max(1, corpus.values)))
    with np.errstate(over="ignore"):
        for first in range(0, len(corpus), some):
            ends = corpus.ends(first, min(first + some, len(corpus)))
            steps = _as_integers(corpus.between(ends)).reshape(ends[-1] - ends[0], -1).astype(np.uint64)
            weights = scrambled(np.arange(1, steps.shape[1] + 1, dtype=np.uint64))
            places = np.arange(ends[0], ends[-1]) - np.repeat(ends[:-1], np.diff(ends))
            mixed = scrambled((steps * weights).sum(1) + scrambled(places.astype(np.uint64) + np.uint64(1)))
            yield np.add.reduceat(mixed, ends[:-1] - ends[0])


def _as_integers(x: np.ndarray) -> np.ndarray:
    """Numbers of any type as integers, equal ones as equal ones: of floats their bits."""
    return x if x.dtype.kind in "biu" else (x + 0.0).view(f"u{x.dtype.itemsize}")  # -0.0 becomes 0.0


def scrambled(x: np.ndarray) -> np.ndarray:
    """64 bits from 64 bits, one to one and without a pattern (SplitMix64's finaliser)."""
    with np.errstate(over="ignore"):
        for shift, factor in zip((30, 27), MULTIPLIERS, strict=True):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))
