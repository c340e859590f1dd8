"""The place of a run: held by one process at a time, and what stood there before until a new run can take over."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from seqvae.files import own
from seqvae.models import known_models
from seqvae.runs.foreign import is_checkpoint, move_into, remove_own
from seqvae.runs.verified import MANIFEST, read_manifest, sync_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
WRITING_RUN = ".writing-run"  # its presence without config.json means a run whose creation was cut off
LOCK, REPLACED = ".training", ".replaced-run"
_OF_RUN = (LOCK, REPLACED, WRITING_RUN)
# config.json last: a folder with one is whole; the manifest first: it names what is the run's of "modality"
OF_CREATION = (MANIFEST, "modality", "data.json", "config.json")
OF_TRAINING = ("metrics.jsonl", "checkpoints", "tensorboard")


def settle(path: Path) -> None:
    """End a replacement: the old run goes when the new one has a checkpoint, and comes back when it has none.

    For the process that holds the folder. It can be cut off anywhere and done again, because config.json is the first
    file that leaves the top and the last that comes back. Raises ValueError where a link stands in the place of what
    is moved.
    """
    replaced = _checked(path) / REPLACED
    if (replaced / "config.json").exists() and not _took_over(path):
        for name in (*reversed(OF_CREATION), *OF_TRAINING):
            if (replaced / name).exists():
                remove_own(path, name)
        for name in (*OF_TRAINING, *OF_CREATION):
            if (replaced / name).exists():
                if (path / name).exists():  # foreign files, which go with the folder that comes back
                    move_into(path / name, replaced / name)
                (replaced / name).rename(path / name)
        sync_folder(path)
    drop_replaced(path)
    if (path / "config.json").exists():
        shutil.rmtree(path / WRITING_RUN, ignore_errors=True)


def drop_replaced(path: Path) -> None:
    """Delete the run that was set aside. Foreign files in its folders go back to where they stood."""
    replaced = own(path, REPLACED)
    with contextlib.suppress(OSError):  # what cannot be deleted now is tried again by the next process
        for name in (*reversed(OF_CREATION), *OF_TRAINING):
            remove_own(replaced, name)
        if replaced.exists():
            move_into(replaced, path)


def home(path: Path) -> Path:
    """Where the run of a folder is for somebody who reads it and changes nothing.

    That is the old run as long as the one that replaces it has no checkpoint, whether it is still training or was cut
    off; and the model of the package that has this name where no run stands there, though its results may. Raises
    ValueError where a link stands in the place of a run.
    """
    shipped = known_models().get(str(path))
    if shipped and not path.is_file() and not any((path / name).exists() for name in (*_OF_RUN, *OF_CREATION)):
        return shipped
    replaced = own(path, REPLACED)
    is_whole = (replaced / "config.json").exists() and (replaced / "checkpoints").exists()
    return replaced if is_whole and not _took_over(path) else path


def _took_over(path: Path) -> bool:
    """Whether the run at the top of a folder has a checkpoint."""
    return (path / "config.json").exists() and any(map(is_checkpoint, own(path, "checkpoints").glob("step-*")))


def _checked(path: Path) -> Path:
    """The folder of a run. Raises ValueError where a link stands in the place of one of its files or folders."""
    for name in (*_OF_RUN, *OF_CREATION, *OF_TRAINING):
        own(path, name)
    return path


def _lock(handle: int) -> bool:
    """Lock a file until it is closed or the process ends; False where another process has locked it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # some network file systems know no locks: there nobody is kept out
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made and, when nothing was put into it, removed again.

    The system ends the hold of a process that dies. A replacement that was cut off is settled at both ends.
    Raises ValueError when another process holds the folder, or a link leads out of it, and OSError when nothing can be
    written to it.
    """
    if path.is_file():
        raise ValueError(f"{path} is a file; give `out` a folder")
    made, handle = [folder for folder in (path, *path.parents) if not folder.exists()], None
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (handle := _open_locked(_checked(path) / LOCK)) is None:
            raise ValueError(
                f"another process is training in {path} or fits its prior; wait for it, or take another folder"
            )
        try:
            settle(path)
            yield
        finally:
            settle(path)
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):  # Windows removes no open file; an unlocked one does no harm
                (path / LOCK).unlink()
            os.close(handle)
        with contextlib.suppress(OSError):  # they are in use now
            for folder in made:
                folder.rmdir()


def _open_locked(file: Path) -> int | None:
    """The handle of a file that is locked now; None where another process has it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    # a file that its holder removed in between locks nothing
    if _lock(handle) and file.exists() and os.path.samestat(os.fstat(handle), file.stat()):
        return handle
    os.close(handle)
    return None


def check_free(path: Path, overwrite: bool, trains: bool = True) -> None:
    """Raises ValueError when a new run may not be written to `path`; nothing that is not a run is ever replaced.

    `trains`: whether the new run is one of a training, so that one who names an old run may mean to resume it.
    """
    if not path.exists() or all(entry.name == LOCK for entry in path.iterdir()):
        return
    if not (path / "config.json").exists():
        if (path / WRITING_RUN).is_dir():
            return
        raise ValueError(f"{path} holds files that are not a run; give `out` a new or empty folder")
    manifest: Mapping[str, str] = {}
    with contextlib.suppress(ValueError):
        manifest = read_manifest(path)
    if not {"config.json", "data.json"} <= manifest.keys():
        raise ValueError(f"{path} holds a config.json that is not a run's; give `out` a new or empty folder")
    if not overwrite:
        other = "continue it with `seqvae.resume`" if trains else "give `out` another folder"
        raise ValueError(f"{path} already holds a run; {other}, or replace it with `overwrite=True`")
