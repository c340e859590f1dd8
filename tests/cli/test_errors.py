"""Every error as its sentence and exit code, made in one place."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from seqvae import modalities
from seqvae.__main__ import run
from seqvae.cli import main
from seqvae.cli.errors import WORDS, Failure, Stopped, memory_advice, outcome_of


def told(error: BaseException) -> tuple[int, str]:
    """Exit code and sentence of an error."""
    outcome = outcome_of(error)
    assert isinstance(outcome, Failure)
    return outcome.exit_code, outcome.message


def of_system(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("one\nline"), "one line"),
        (
            of_system(errno.ENOSPC, "run/x"),
            "no space left on the disk for run/x; free some, or set SEQVAE_CACHE (the cache of encoded data) or --out "
            "to another disk",
        ),
        (
            of_system(errno.EROFS, "run"),
            "run may not be read or written (read-only file system); change its permissions, or give another",
        ),
        (
            of_system(errno.EACCES, "run/config.json"),
            "run/config.json may not be read or written (permission denied); change its permissions, or give another",
        ),
        (of_system(errno.EISDIR, "run"), "run is a folder; give a file"),
        (
            of_system(errno.ENOTDIR, "a.txt/run"),
            "a.txt/run cannot be made, because a file stands where a folder belongs; give another path",
        ),
        (of_system(errno.ENOENT, "a.txt"), "there is no file or folder a.txt; check the path"),
        (of_system(errno.EIO, "a.txt"), "a.txt: Input/output error; mend that, or give another path"),
        (MemoryError(), memory_advice()),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), memory_advice()),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"), memory_advice()),
        (
            UnicodeEncodeError("latin-1", "a\u2581", 1, 2, "no"),
            "latin-1 output cannot hold the character '\\u2581'; set PYTHONIOENCODING=utf-8",
        ),
        (click.FileError("a.txt", "gone"), "Could not open file 'a.txt': gone"),
    ],
)
def test_what_the_user_can_mend_ends_with_2(error: BaseException, sentence: str) -> None:
    assert told(error) == (2, sentence)


def test_running_out_of_memory_names_what_helps() -> None:
    with click.Context(main) as ctx:
        ctx.meta[WORDS] = modalities.get("text").words
        for remedy in ("train.batch_size", "data.max_length", "--precision bf16"):
            assert remedy in memory_advice()


def test_a_stop_ends_with_130() -> None:
    assert told(KeyboardInterrupt()) == (130, "stopped")
    assert told(KeyboardInterrupt("stopped after step 3; a checkpoint is saved")) == (
        130,
        "stopped after step 3; a checkpoint is saved",
    )


def test_a_defect_ends_with_1_and_asks_for_a_report() -> None:
    assert told(KeyError("x")) == (
        1,
        "seqvae has a defect (KeyError: 'x'); please report it with the command, its files and what --traceback shows",
    )
    assert told(RuntimeError("shapes\n differ"))[0] == 1
    assert "RuntimeError: shapes differ" in told(RuntimeError("shapes\n differ"))[1]


@pytest.mark.parametrize(
    "arguments", [["--traceback", "sample", "nowhere"], ["sample", "nowhere", "--traceback"]], ids=["first", "last"]
)
def test_traceback_shows_where_an_error_came_from_besides_its_sentence(
    arguments: list[str], seqvae: Callable[..., Result], here: Path
) -> None:
    result = seqvae(*arguments)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "nowhere is not a run folder (not there); give the --out folder of a training"


def test_a_sentence_that_looks_like_the_flag_can_follow_two_dashes(seqvae: Callable[..., Result], run: Path) -> None:
    result = seqvae("reconstruct", run, "--", "--traceback", "a dog")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_a_failure_inside_a_command_leaves_through_the_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "cache")

    monkeypatch.setattr("seqvae.cache.cache_folder", fail)
    result = CliRunner().invoke(main, ["cache", "path"])
    assert result.exit_code == 2
    assert result.stderr == (
        "cache may not be read or written (permission denied); change its permissions, or give another\n"
    )


def test_a_stop_that_another_error_wraps_is_a_stop() -> None:
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = KeyboardInterrupt()
    assert isinstance(outcome_of(error), Stopped)


def test_a_stop_before_any_command_began_has_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqvae.cli.main", stopped)
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "stopped\n"
