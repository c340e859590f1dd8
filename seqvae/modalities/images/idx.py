"""The IDX format of MNIST: a stack of arrays behind a short header (LeCun, Cortes and Burges 1998), plain or gzip."""

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np

GZIP = b"\x1f\x8b"
BYTES = 0x08  # the type code of unsigned bytes
TYPES = {0x09: "signed bytes", 0x0B: "short integers", 0x0C: "integers", 0x0D: "floats", 0x0E: "doubles"}
HIGHEST_RATIO = 1032  # deflate cannot do better: 258 bytes by 2 bits
MOST_UNPACKED = 1 << 31  # bytes that a compressed file may take in memory
CHUNK = 1 << 22  # bytes read at a time, so that memory follows the content and not what the header promises
NAMED = re.compile(r"idx\d|ubyte", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Whether a file starts like an IDX file, compressed or not, or bears a name of one."""
    if NAMED.search(path.name):
        return True
    try:
        with _stream(path) as stream:
            start = stream.read(4)
    except (ValueError, OSError):  # of whatever else stands in a folder
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in {BYTES, *TYPES} and 1 <= start[3] <= 4


def dimensions(path: Path) -> tuple[int, ...]:
    """The lengths of the axes, by the header. Raises ValueError when it cannot be that of so large a file."""
    with _stream(path) as stream:
        axes = _header(path, stream)
    size, promised = path.stat().st_size, _promised(axes)
    if not _is_gzip(path):
        if size != promised:
            raise _wrong_length(path, axes, size, promised)
    elif promised > HIGHEST_RATIO * size:
        raise ValueError(
            f"{path} is truncated or damaged: its header promises {_axes_words(axes)}, {promised:,} bytes, and "
            f"{size:,} compressed bytes cannot hold as many; get the file again"
        )
    elif promised > MOST_UNPACKED:
        raise ValueError(
            f"{path} holds {promised:,} bytes, too many to unpack in memory; unpack it to a file with gunzip"
        )
    return axes


def load(path: Path) -> np.ndarray:
    """The uint8 array of an IDX file; of a plain file it is a memory map.

    Raises ValueError when the file is truncated or damaged, longer than its header says, or holds no bytes.
    """
    axes = dimensions(path)
    promised = _promised(axes)
    if not _is_gzip(path):
        return np.memmap(path, np.uint8, "r", offset=promised - _count(axes), shape=axes)
    content = bytearray()
    with _stream(path) as stream:
        while chunk := stream.read(CHUNK):
            content += chunk
            if len(content) > promised:
                raise _wrong_length(path, axes, len(content), promised)
    if len(content) < promised:
        raise _wrong_length(path, axes, len(content), promised)
    return np.frombuffer(content, np.uint8, offset=promised - _count(axes)).reshape(axes)


def labels_beside(path: Path) -> Path | None:
    """The file of labels that belongs to one of images by MNIST's way to name them, where it is there."""
    if "images" not in path.name:
        return None
    name = re.sub(r"idx\d", "idx1", path.name.replace("images", "labels"))
    plain = name.removesuffix(".gz")
    return next((path.with_name(each) for each in (name, plain, f"{plain}.gz") if path.with_name(each).is_file()), None)


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == GZIP


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes]]:
    """The content, decompressed; a file that cannot be read leaves as ValueError."""
    if not path.is_file():  # a device or a pipe may go on for ever
        raise ValueError(f"{path} is no regular file; give an IDX file")
    try:
        with open(path, "rb") as file:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if _is_gzip(path) else file
    except EOFError:
        raise ValueError(f"{path} is truncated: its compressed data ends too early; get the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: it does not decompress ({error}); get the file again") from None


def _header(path: Path, stream: IO[bytes]) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(f"{path} is {'truncated' if magic else 'empty'}; get the file again")
    if magic[:2] != b"\0\0" or magic[2] not in {BYTES, *TYPES} or not magic[3]:
        raise ValueError(
            f"{path} is no IDX file: it starts with 0x{magic.hex()}, and MNIST's images with 0x00000803, its labels "
            "with 0x00000801; give another file, or get this one again"
        )
    if magic[2] != BYTES:
        raise ValueError(f"{path} holds {TYPES[magic[2]]}; give an IDX file of unsigned bytes (0x0000080N)")
    axes = stream.read(4 * magic[3])
    if len(axes) < 4 * magic[3]:
        raise ValueError(f"{path} is truncated within its header; get the file again")
    return struct.unpack(f">{magic[3]}I", axes)


def _count(axes: tuple[int, ...]) -> int:
    count = 1  # in Python's integers, which do not overflow
    for length in axes:
        count *= length
    return count


def _promised(axes: tuple[int, ...]) -> int:
    """Bytes of the whole file, by its header."""
    return 4 + 4 * len(axes) + _count(axes)


def _axes_words(axes: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in axes)


def _wrong_length(path: Path, axes: tuple[int, ...], size: int, promised: int) -> ValueError:
    if size > promised:
        return ValueError(
            f"{path} is damaged: it goes on after the {promised:,} bytes of {_axes_words(axes)} that its header "
            "promises; get the file again"
        )
    return ValueError(
        f"{path} is truncated: its header promises {_axes_words(axes)}, {promised:,} bytes, and there are {size:,}; "
        "get the file again"
    )
