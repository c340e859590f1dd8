"""What went wrong, as one sentence and an exit code.

2: the user can mend it; 130: stopped by Ctrl-C or SIGTERM; 1: a defect of ours.
"""

import errno
import os
import sys
import traceback
from typing import IO, Any

import click

from seqvae.cli.spoken import sentence_as_typed, spoken

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


WORDS = "seqvae.words"  # where a context keeps those of its modality


class Failure(click.ClickException):
    """A sentence for stderr and the exit code that goes with it: by default that of a defect of ours."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence to stderr."""
        click.echo(self.message, file=file, err=True)


class Mendable(Failure):
    """A failure that the user can mend."""

    exit_code = 2


class Stopped(Failure):
    """Stopped by Ctrl-C or SIGTERM."""

    exit_code = 130


def outcome_of(error: BaseException) -> BaseException:
    """The exception that ends the program as it should: a Failure, or click's own for help and plain exits."""
    if isinstance(error, click.exceptions.Exit | click.exceptions.NoArgsIsHelpError | Failure):
        return error
    if isinstance(error, BrokenPipeError):  # `seqvae sample RUN | head` has all that it wanted
        _silence_stdout()
        return click.exceptions.Exit(0)
    if isinstance(error, click.UsageError):
        message = error.format_message().rstrip()
        end = "" if message.endswith((".", "?")) else "."
        page = f" See '{error.ctx.command_path} --help'." if error.ctx else ""
        return Mendable(f"{message}{end}{_dash_advice(error)}{page}")
    if isinstance(error, click.ClickException):
        return Mendable(error.format_message())
    if isinstance(error, KeyboardInterrupt | click.Abort) or isinstance(error.__cause__, KeyboardInterrupt):
        return Stopped(str(error) or "stopped")
    sentence = _mendable(error)
    if sentence is not None:
        return Mendable(sentence_as_typed(sentence))
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return Failure(
        f"seqvae has a defect ({what}); please report it with the command, its files and what --traceback shows"
    )


def _dash_advice(error: click.UsageError) -> str:
    """What to do where an item that starts with a dash was taken for an option; empty where it is not that."""
    if not isinstance(error, click.NoSuchOption) or error.possibilities or error.ctx is None:
        return ""
    items = [name for name in ("inputs", "a") if name in (parameter.name for parameter in error.ctx.command.params)]
    return " Put -- before an item that starts with a dash." if items else ""


def show_traceback(error: BaseException, file: IO[str]) -> None:
    """Write where the error came from."""
    traceback.print_exception(error, file=file)


def _mendable(error: BaseException) -> str | None:
    """The sentence for an error that the user can mend; None for a defect."""
    if _is_memory(error):
        return memory_advice()
    if isinstance(error, UnicodeEncodeError):
        shown = ascii(error.object[error.start : error.end])
        return f"{error.encoding} output cannot hold the character {shown}; set PYTHONIOENCODING=utf-8"
    if isinstance(error, ValueError):
        return " ".join(str(error).splitlines())
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def memory_advice() -> str:
    """What to do where memory runs out; smaller items are those of the modality that the running command trains."""
    ctx = click.get_current_context(silent=True)
    words = ctx.meta.get(WORDS) if ctx else None
    smaller = f", smaller items ({spoken(words.smaller)})" if words and words.smaller else ""
    return (
        "out of memory; close other programs, give fewer items at a time, or train with smaller batches "
        f"(--set train.batch_size=16), smaller layers{smaller} or --precision bf16"
    )


def _of_system(error: OSError) -> str:
    """The sentence for what the operating system refused."""
    place = "" if error.filename is None else str(error.filename).partition(f"{os.sep}.writing-")[0]
    if error.errno in NO_SPACE:
        where = f" for {place}" if place else ""
        return (
            f"no space left on the disk{where}; free some, or set SEQVAE_CACHE (the cache of encoded data) or --out "
            "to another disk"
        )
    if error.errno in NOT_ALLOWED:
        reason = (error.strerror or "not allowed").lower()
        return f"{place or 'a file'} may not be read or written ({reason}); change its permissions, or give another"
    if error.errno == errno.EISDIR:
        return f"{place} is a folder; give a file"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{place} cannot be made, because a file stands where a folder belongs; give another path"
    if error.errno == errno.ENOENT:
        return f"there is no file or folder {place}; check the path"
    return f"{place + ': ' if place else ''}{error.strerror or error}; mend that, or give another path"


def _is_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the CPU or a GPU; torch raises a RuntimeError for it."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(phrase in words for phrase in MEMORY_WORDS)
    )


def _silence_stdout() -> None:
    """Send the rest of stdout nowhere, so that the flush at exit does not fail a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
