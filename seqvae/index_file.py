"""The file of an index: codes of a corpus, with names, labels and costs of its items. A safetensors file.

It is written in one go from parts that lie in files without a name, so that memory does not grow with the corpus and
nothing stays of what is cut off; it is read through a memory map, and reading runs no code.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from safetensors import SafetensorError, safe_open

from seqvae.config import Values
from seqvae.files import check_regular, write_atomically
from seqvae.runs.verified import demand

FORMAT = 1
FACTS = "seqvae.index"  # where the metadata of the file keeps what is said of the index, as JSON
# The widest numbers first, so that each array lies in the file as its numbers want it.
KINDS = {"name_ends": "I64", "codes": "F32", "elbo_nats": "F32", "steps": "I32", "labels": "I32", "names": "U8"}
_TYPES: dict[object, np.dtype] = {
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_OF_FACTS: dict[str, Any] = {
    "modality": str, "weights": str, "step": int, "folder": str, "sources": list, "label_names": list, "sha256": dict,
}  # fmt: skip
_PIECE = 1 << 22  # bytes that are copied at once


@dataclass(frozen=True)
class Rows:
    """Some items of an index: posterior means (N, Z), lower bounds in nats and steps (N,), names, labels or None."""

    codes: np.ndarray
    elbo_nats: np.ndarray
    steps: np.ndarray
    names: Sequence[str]
    labels: Sequence[str | None]


class IndexWriter:
    """Rows to a file, of which nothing is seen before all of it is there. Memory does not grow with their number."""

    def __init__(self, folder: Path, units: int) -> None:
        """`folder` is one on the disk that the file goes to."""
        self.items = 0
        self._units = units
        self._name_bytes = 0
        self._labels: dict[str, int] = {}  # in the order in which they were met
        with contextlib.ExitStack() as files:
            self._parts: dict[str, IO[bytes]] = {
                name: files.enter_context(tempfile.TemporaryFile(dir=folder)) for name in KINDS
            }
            self._files = files.pop_all()
        self._hashes = {name: hashlib.sha256() for name in KINDS}
        self._put("name_ends", np.zeros(1, np.int64))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    @property
    def has_labels(self) -> bool:
        """Whether any item has a label."""
        return bool(self._labels)

    def add(self, rows: Rows) -> None:
        """More items, after those that were added before."""
        names = [name.encode("utf-8", "surrogatepass") for name in rows.names]
        ends = self._name_bytes + np.cumsum([len(name) for name in names], dtype=np.int64)
        labels = [-1 if label is None else self._labels.setdefault(label, len(self._labels)) for label in rows.labels]
        self._name_bytes += sum(map(len, names))
        self._put("names", np.frombuffer(b"".join(names), np.uint8))
        for name, values in {"name_ends": ends, "codes": rows.codes, "elbo_nats": rows.elbo_nats,
                             "steps": rows.steps, "labels": np.array(labels)}.items():  # fmt: skip
            self._put(name, values)
        self.items += len(names)

    def _put(self, name: str, values: np.ndarray) -> None:
        content = np.ascontiguousarray(values, _TYPES[KINDS[name]]).tobytes()
        self._parts[name].write(content)
        self._hashes[name].update(content)

    def write(self, path: Path, facts: Values) -> None:
        """Write the file; `facts` is what else is said of the index."""
        hashes = {name: hash_.hexdigest() for name, hash_ in self._hashes.items()}
        said = {"format": FORMAT, **facts, "label_names": list(self._labels), "sha256": hashes}
        header: dict[str, Any] = {"__metadata__": {FACTS: json.dumps(said)}}
        first = 0
        for name, kind in KINDS.items():
            last = self._parts[name].tell()
            size = last // _TYPES[kind].itemsize
            shape = [self.items, self._units] if name == "codes" else [size]
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [first, first + last]}
            first += last
        words = json.dumps(header).encode()
        words += b" " * (-len(words) % 8)
        write_atomically(path, self._content(len(words).to_bytes(8, "little") + words))

    def _content(self, header: bytes) -> Iterator[bytes]:
        yield header
        for name in KINDS:
            part = self._parts[name]
            part.seek(0)
            while piece := part.read(_PIECE):
                yield piece


class IndexFile:
    """An index as it lies in its file: arrays that are read where they are looked at."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for what is no index, is damaged, or of a format that this version does not know."""
        check_regular(path)
        if not path.exists():
            raise ValueError(f"there is no index {path}; make one with `seqvae index`")
        damaged = f"{path} is no index, or a damaged one; make it anew with `seqvae index`"
        try:
            with safe_open(path, "numpy") as file:  # which checks that the parts are where the header says
                facts = json.loads((file.metadata() or {})[FACTS])
            with open(path, "rb") as opened:
                header = json.loads(opened.read(size := int.from_bytes(opened.read(8), "little")))
        except (SafetensorError, KeyError, ValueError, RecursionError):
            raise ValueError(damaged) from None
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            found = facts.get("format") if isinstance(facts, dict) else None
            raise ValueError(f"{path} has format {found}, not {FORMAT}; make it anew with `seqvae index`")
        demand(path, facts, _OF_FACTS)
        self.path = path
        self.facts: dict[str, Any] = facts
        arrays = {name: _mapped(path, 8 + size, name, header.get(name, {})) for name in KINDS}
        self.codes, self.elbo_nats, self.steps = arrays["codes"], arrays["elbo_nats"], arrays["steps"]
        self.labels, self._names, self._name_ends = arrays["labels"], arrays["names"], arrays["name_ends"]
        hashes = {name: hashlib.sha256(array.data if array.size else b"").hexdigest() for name, array in arrays.items()}
        each = {len(self.codes), len(self.elbo_nats), len(self.steps), len(self.labels), len(self._name_ends) - 1}
        if hashes != facts["sha256"] or len(each) != 1 or self.codes.ndim != 2:
            raise ValueError(damaged)

    def __len__(self) -> int:
        return len(self.codes)

    def name(self, place: int) -> str:
        """The name of an item."""
        first, last = self._name_ends[place : place + 2].tolist()
        return self._names[first:last].tobytes().decode("utf-8", "surrogatepass")

    def label(self, place: int) -> str | None:
        """The label of an item; None where it has none."""
        label = int(self.labels[place])
        name: str | None = self.facts["label_names"][label] if label >= 0 else None
        return name


def _mapped(path: Path, start: int, name: str, place: dict[str, Any]) -> np.ndarray:
    """An array of the file, where the header says; an empty one where it is not what its name says."""
    if place.get("dtype") != KINDS[name]:
        return np.empty(0)
    first, last = place["data_offsets"]
    kind, shape = _TYPES[KINDS[name]], tuple(place["shape"])
    return np.memmap(path, kind, "r", start + first, shape) if last > first else np.empty(shape, kind)
