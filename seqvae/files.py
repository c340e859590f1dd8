"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file so that it holds either its old content or the new, whatever happens; its path.

    Raises ValueError when `path` is there and is no regular file, such as a device or a folder: it would be replaced.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file; give another path")
    writing = path.with_name(f".writing-{path.name}")
    try:
        with open(writing, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, path)
    finally:
        writing.unlink(missing_ok=True)
    return path
