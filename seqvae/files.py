"""Files that are written whole or not at all, and folders of ours that nothing is followed out of."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

PIECE = 1 << 16  # bytes that are read at a time; room for more costs a small file more than its reading


def own(folder: Path, name: str) -> Path:
    """The path of `name`, such as "a/b", in a folder that seqvae writes and reads as its own.

    What stands there may come from anybody, and a link would lead reading, writing and deleting out of the folder.
    Raises ValueError where a part of the name is one; the folder itself may be a link.
    """
    path = folder
    for part in Path(name).parts:
        path /= part
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link, and seqvae follows no link out of a folder of its own; remove it, or put what it "
                "names in its place"
            )
    return path


def write_atomically(path: Path, content: bytes | Iterable[bytes] | Callable[[Path], object]) -> Path:
    """Write a file so that it holds either its old content or the new, whatever happens; its path.

    The content may come in pieces, of which one at a time is in memory, or be written by a function to the path that it
    is handed. Where `path` is a symbolic link, the file that
    it names is written. Raises ValueError as `check_regular` does, and OSError with `path` as its file.
    """
    check_regular(path)
    target = path.resolve()
    writing = target.with_name(f".writing-{target.name}")
    try:
        if callable(content):
            content(writing)
        with open(writing, "ab" if callable(content) else "wb") as file:
            for piece in () if callable(content) else [content] if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        writing.unlink(missing_ok=True)
    return path


def check_regular(path: Path) -> None:
    """Raises ValueError when `path` is there and is no regular file, such as a device or a folder."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file; give another path")


def store(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder, which is made where it is missing; its path. Whole or not at all, as above."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder")
    folder.mkdir(parents=True, exist_ok=True)
    return write_atomically(folder / name, content)


def file_hash(path: Path) -> str:
    """sha256 of a file, read in pieces; the empty string where there is none."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # hashlib.file_digest takes half as long again for small files
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
