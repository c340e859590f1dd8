"""Where the files of a checkpoint stand: a prefix, a folder, or a .tar, which is read in place."""

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from seqvae.config import few

FORMS = "give a .tar, a folder, or the prefix of PREFIX.index and PREFIX.data-00000-of-00001"
MANIFEST = "weights_manifest.json"
AGAIN = "get the checkpoint again"
_INDEX, _STATE = ".index", "checkpoint"  # the ending of indices; the file of a folder that names the newest
_SHARD = re.compile(r"(.+)\.data-\d{5}-of-\d{5}")
_MOST_MEMBERS = 10_000  # of a .tar
_LONGEST_STATE = 1 << 20  # bytes


@dataclass(frozen=True)
class Stored:
    """A file of a checkpoint, which is a range of the bytes of `path`: all of them, or a member of a .tar."""

    name: str
    path: Path
    size: int
    start: int = 0

    def read(self, offset: int, size: int) -> bytes:
        """Some of its bytes. Raises ValueError where it does not have them."""
        content = bytearray(self.check(offset, size))
        self.read_into(offset, memoryview(content))
        return bytes(content)

    def check(self, offset: int, size: int) -> int:
        """The size. Raises ValueError where the file has no such bytes."""
        if offset + size > self.size:
            raise ValueError(
                f"{self.name} is cut short: it needs {offset + size:,} bytes and has {self.size:,}; {AGAIN}"
            )
        return size

    def read_into(self, offset: int, memory: memoryview) -> None:
        """Fill memory with its bytes from an offset on. Raises ValueError where it does not have so many."""
        self.check(offset, len(memory))
        with open(self.path, "rb") as file:
            file.seek(self.start + offset)
            if file.readinto(memory) != len(memory):
                raise ValueError(f"{self.name} became shorter while it was read; {AGAIN}")


@dataclass(frozen=True)
class CheckpointFiles:
    """The index of a checkpoint, and the files beside it by their names without folders."""

    index: Stored
    others: dict[str, Stored]

    def shard(self, number: int, shards: int) -> Stored:
        """One of the files that hold the tensors. Raises ValueError when it is not there."""
        prefix = Path(self.index.name).name.removesuffix(_INDEX)
        name = f"{prefix}.data-{number:05}-of-{shards:05}"
        if name not in self.others:
            raise ValueError(f"{self.index.name} names {name}, which is not beside it; {AGAIN}, whole")
        return self.others[name]


def find_manifest(path: Path) -> Path | None:
    """The manifest of a checkpoint of magenta.js, which is its folder or the manifest itself; None for another one."""
    found = path / MANIFEST if path.is_dir() else path
    return found if found.name == MANIFEST and found.is_file() else None


def find_checkpoint(path: Path) -> CheckpointFiles:
    """The files of a checkpoint. Raises ValueError for what is none, and for several of which none is the newest."""
    if path.is_dir():
        stored = [_stored(file) for file in sorted(path.iterdir()) if file.is_file()]
        return _chosen(stored, path, _newest(path))
    shard = _SHARD.fullmatch(path.name)
    prefix = shard[1] if shard else path.name.removesuffix(_INDEX)
    if path.with_name(prefix + _INDEX).is_file():
        beside = [file for file in sorted(path.parent.iterdir()) if file.name.startswith(prefix + ".")]
        return _chosen([_stored(file) for file in beside if file.is_file()], path, prefix)
    if path.is_file():
        return _chosen(_members(path), path, None)
    raise ValueError(f"there is no checkpoint {path}; {FORMS}")


def _stored(file: Path) -> Stored:
    return Stored(str(file), file, file.stat().st_size)


def _chosen(stored: Iterable[Stored], path: Path, prefix: str | None) -> CheckpointFiles:
    files = {Path(file.name).name: file for file in stored}
    indices = [name for name in files if name.endswith(_INDEX)]
    if prefix is not None and prefix + _INDEX in indices:
        indices = [prefix + _INDEX]
    if not indices:
        raise ValueError(f"{path} holds no checkpoint of TensorFlow (no file that ends in {_INDEX}); {FORMS}")
    if len(indices) > 1:
        names = few(name.removesuffix(_INDEX) for name in sorted(indices))
        raise ValueError(f"{path} holds several checkpoints ({names}); give the prefix of one of them")
    return CheckpointFiles(files[indices[0]], files)


def _newest(folder: Path) -> str | None:
    """The prefix that a folder's own list calls the newest."""
    path = folder / _STATE
    if not path.is_file() or path.stat().st_size > _LONGEST_STATE:
        return None
    found = re.search(r'^model_checkpoint_path:\s*"([^"]*)"', path.read_text("utf-8", "replace"), re.MULTILINE)
    return Path(found[1].replace("\\", "/")).name if found else None


class _Within:
    """A file that gives no memory for bytes beyond its end, whatever sizes the headers of a .tar claim."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left."""
        return self._file.read(max(0, min(size, self._size - self._file.tell())))


def _members(path: Path) -> list[Stored]:
    """The files of a .tar. Raises ValueError for another file, and for one that is packed or cut short."""
    size, stored = path.stat().st_size, []
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise ValueError(f"{path} is packed by gzip; unpack it first (gunzip), and give the .tar")
        file.seek(0)
        try:
            with tarfile.open(fileobj=cast(BinaryIO, _Within(file, size)), mode="r:") as tar:
                for member in tar:
                    one = Stored(f"{path}/{member.name}", path, member.size, member.offset_data)
                    if one.start + one.size > size:
                        raise ValueError(f"{one.name} is cut short: it is to have {one.size:,} bytes; {AGAIN}")
                    if member.isreg() and not member.issparse():
                        stored.append(one)
                    if len(stored) > _MOST_MEMBERS:
                        raise ValueError(f"{path} holds more than {_MOST_MEMBERS:,} files; {FORMS}")
        except (tarfile.TarError, OverflowError) as error:
            raise ValueError(f"{path} is no .tar, nor a part of a checkpoint ({error}); {FORMS}") from None
    return stored
