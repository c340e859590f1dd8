"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file so that it holds either its old content or the new, whatever happens; its path.

    Where `path` is a symbolic link, the file that it names is written. Raises ValueError as `check_regular` does.
    """
    check_regular(path)
    target = path.resolve()
    writing = target.with_name(f".writing-{target.name}")
    try:
        with open(writing, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, target)
    finally:
        writing.unlink(missing_ok=True)
    return path


def check_regular(path: Path) -> None:
    """Raises ValueError when `path` is there and is no regular file, such as a device or a folder."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file; give another path")


def store(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder, which is made where it is missing; its path. Whole or not at all, as above."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_atomically(folder / name, content)
