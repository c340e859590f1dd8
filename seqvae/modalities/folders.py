"""The files below a folder, and what a wrong path may have been meant for."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

NEAR = 0.75  # likeness of file names, 0 to 1, from which one may be meant for the other


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is left out: hidden ones, and those that macOS adds to zips."""
    return name.startswith((".", "__MACOSX"))


def names_below(folder: Path) -> Iterator[str]:
    """Relative paths of the files below a folder, by way of links too, but through each folder once.

    Hidden files and folders are left out. Raises ValueError where a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read ({error.strerror}); mend that, or give another folder")

    seen = set()
    for where, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        identity = os.stat(where)
        if (identity.st_dev, identity.st_ino) in seen:
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        above = Path(where).relative_to(folder).as_posix()
        before = "" if above == "." else f"{above}/"
        yield from (f"{before}{name}" for name in names if not is_hidden(name))


def files_below(folder: Path) -> list[Path]:
    """The files below a folder, sorted by their relative paths. Raises ValueError where a folder cannot be read."""
    return [folder / name for name in sorted(names_below(folder))]


def exists(word: str) -> bool:
    """Whether there is a file or folder of that name."""
    try:
        return bool(word) and Path(word).exists()
    except (OSError, ValueError):  # a sentence may be longer than a name of a file, or hold what no name can
        return False


def near_name(path: Path) -> str:
    """` Did you mean 'NAME'?` where something beside a missing path has a name like its own; else empty."""
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=NEAR)
    return f" Did you mean '{near[0]}'?" if near else ""
