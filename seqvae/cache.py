"""The cache of encoded corpora: where it is, which of it is ours, and how that is deleted.

SEQVAE_CACHE, or ~/.cache/seqvae    the user's: nothing is deleted there
    corpora/                        ours: made and marked by us
        .seqvae-cache               the mark
        0123...cdef/                a corpus: steps.bin, offsets.bin, labels.bin, corpus.json
        .writing-*, .damaged-*      corpora on their way in or out
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqvae.config import read_json
from seqvae.files import file_hash, own

CORPORA = "corpora"
MARK = ".seqvae-cache"
META = "corpus.json"
FILES = ("steps.bin", "offsets.bin", "labels.bin", META)
_MARK_TEXT = "seqvae made this folder for its cache; `seqvae cache clear` deletes what seqvae wrote into it.\n"
_CORPUS = re.compile(r"[0-9a-f]{32}")
_PASSING = re.compile(r"\.(writing|damaged)-[a-z0-9_]{8}")


@dataclass(frozen=True)
class Cleared:
    """What clearing the cache deleted, and what was left alone because somebody else wrote it."""

    bytes: int
    kept: list[Path]


def cache_folder() -> Path:
    """The folder that the cache lies in: SEQVAE_CACHE, else `~/.cache/seqvae`."""
    chosen = os.environ.get("SEQVAE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "seqvae"


def corpora_folder() -> Path:
    """Where the corpora of the cache are. Raises ValueError when a link stands there."""
    return own(cache_folder(), CORPORA)


def claim() -> None:
    """Make and mark the folder of corpora before something is written into it.

    One without the mark is marked when all names in it are those of older versions of seqvae. Raises ValueError for one
    that holds something else: it would be marked as ours and is not.
    """
    folder = corpora_folder()
    if own(folder, MARK).is_file():
        return
    for strange in _strangers(folder):
        raise ValueError(
            f"{strange} was not written by seqvae, whose cache has {folder} to itself; set SEQVAE_CACHE to another "
            "folder, or move it away"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(_MARK_TEXT, encoding="utf-8")


def clear_cache() -> Cleared:
    """Delete what seqvae wrote into its cache, and nothing else.

    A corpus is known by its name, those of its files, and the hashes that were written with them. A folder without the
    mark, such as older versions left, is cleared only when all in it is ours.

    Raises ValueError, before anything is deleted, for a folder that is not a cache of seqvae's.
    """
    place, folder = cache_folder(), corpora_folder()
    if not folder.is_dir():
        others = sorted(place.iterdir()) if place.is_dir() else []
        if others or place.is_file():
            raise ValueError(
                f"{others[0] if others else place} was not written by seqvae, and {place} holds no cache, so nothing "
                "was deleted; check SEQVAE_CACHE"
            )
        return Cleared(0, [])
    if not own(folder, MARK).is_file():
        for strange in (*_strangers(folder), *_changed(folder)):
            raise ValueError(
                f"{strange} is not as seqvae wrote it, and {folder} does not bear its mark ({MARK}), so nothing was "
                "deleted; check SEQVAE_CACHE, or delete by hand what is of no use"
            )
    changed = list(_changed(folder))
    kept = sorted({*_strangers(folder), *changed})
    size = sum(_delete(entry) for entry in folder.iterdir() if _is_named(entry) and entry not in changed)
    if not kept:
        (folder / MARK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something of others is in it
        folder.rmdir()
    return Cleared(size, kept)


def strangers_in(corpus: Path) -> Iterator[Path]:
    """What stands in the folder of a corpus, or in its place, and was not written by seqvae.

    Nothing where there is no such folder, as when another process moved it away meanwhile.
    """
    if corpus.is_symlink() or (corpus.exists() and not corpus.is_dir()):
        yield corpus
        return
    for path in _entries(corpus):
        if corpus.name.startswith(".damaged-") and _CORPUS.fullmatch(path.name):
            yield from strangers_in(path)
        elif path.name not in FILES or path.is_symlink() or not path.is_file():
            yield path


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, in order; nothing where there is none."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _strangers(folder: Path) -> Iterator[Path]:
    """What is not ours in the folder of corpora, which may be missing."""
    for entry in _entries(folder):
        if entry.name != MARK:
            yield from strangers_in(entry) if _is_named(entry) else (entry,)


def _is_named(entry: Path) -> bool:
    return bool(_CORPUS.fullmatch(entry.name) or _PASSING.fullmatch(entry.name))


def _changed(folder: Path) -> Iterator[Path]:
    """The corpora whose files are not those that were written: others than corpus.json names, or with other hashes."""
    for entry in sorted(folder.iterdir()):
        if not _CORPUS.fullmatch(entry.name):
            continue
        try:
            hashes = read_json(entry / META).get("sha256")
        except (ValueError, OSError):
            hashes = None
        ours = (path for path in map(entry.joinpath, FILES) if path.name != META and path.is_file())
        if hashes != {path.name: file_hash(path) for path in ours}:
            yield entry


def _delete(entry: Path) -> int:
    """Delete the files of a corpus, and its folder unless something else is in it; the bytes of what was deleted."""
    size = 0
    if entry.is_symlink() or not entry.is_dir():
        return size
    for path in list(entry.iterdir()):
        if path.is_dir() and not path.is_symlink():
            size += _delete(path) if entry.name.startswith(".damaged-") and _CORPUS.fullmatch(path.name) else 0
        elif path.name in FILES and not path.is_symlink() and path.is_file():
            size += path.stat().st_size
            path.unlink()
    with contextlib.suppress(OSError):
        entry.rmdir()
    return size
