"""What can be read once only, copied into files, which are read several times."""

import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

WAIT_SECONDS = 10.0  # for somebody who writes into a pipe
MOST_BYTES = 1 << 30  # of a pipe: what never ends must not fill the disk
CHUNK_BYTES = 1 << 20


def copy_pipe(source: Path, target: Path) -> Path:
    """Write all that comes through a pipe into the file `target`; its path.

    A program that has the pipe open is waited for, however long it takes over its data. Raises ValueError where nobody
    has it open, where it gives nothing, or more than MOST_BYTES, and where it cannot be read.
    """
    try:
        pipe = os.open(source, os.O_RDONLY | os.O_NONBLOCK)  # or opening would wait for ever for somebody who writes
    except OSError as error:
        raise ValueError(f"{source} cannot be read ({error.strerror}); copy its data to a file") from None
    try:
        with open(target, "wb") as file:
            _copy(pipe, source, file.write)
    finally:
        os.close(pipe)
    return target


def _has_a_name(pipe: Path) -> bool:
    """Whether a program may still open a pipe; one of a shell, as /dev/stdin is, has been open since before us."""
    return pipe.parts[:2] != (os.sep, "dev") and pipe.exists() and Path(os.path.realpath(pipe)).exists()


def check_named_once(pipes: Sequence[Path]) -> None:
    """Raises ValueError for a pipe that is named twice, by whatever names: it would be empty the second time."""
    for place, pipe in enumerate(pipes):
        for other in pipes[:place]:
            if pipe.samefile(other):
                also = "" if pipe == other else f", also as {other}"
                raise ValueError(
                    f"the pipe {pipe} is named twice{also}, and can be read once only; name it once, or copy its data "
                    "to a file"
                )


def _copy(pipe: int, source: Path, write: Callable[[bytes], int]) -> None:
    copied, has_begun, until = 0, not _has_a_name(source), time.monotonic() + WAIT_SECONDS
    while True:
        try:
            chunk = os.read(pipe, CHUNK_BYTES)
        except BlockingIOError:  # somebody has it open for writing, and says nothing yet
            has_begun = True
            select.select([pipe], [], [])
            continue
        if not chunk and has_begun:
            if not copied:
                raise ValueError(
                    f"the pipe {source} is empty: what writes into it ended without a word; see what it says by itself"
                )
            return
        if chunk:
            has_begun = True
            copied += write(chunk)
        elif time.monotonic() > until:
            raise ValueError(
                f"nothing came through the pipe {source}, and nobody writes into it; start what writes, or give a file"
            )
        else:
            time.sleep(0.02)
        if copied > MOST_BYTES:
            raise ValueError(
                f"the pipe {source} gave more than {MOST_BYTES:,} bytes, and may have no end; write as much as you "
                "mean to a file, and give that"
            )
