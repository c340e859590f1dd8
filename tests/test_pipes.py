"""Pipes are read once, to their end, and never wait or read for ever."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from seqvae import pipes
from seqvae.memory import names_of, readable
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from seqvae.pipes import copy_pipe


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def write(pipe: Path, parts: Iterable[bytes], pause: Callable[[], None] = lambda: None) -> threading.Thread:
    """A thread that opens the pipe, and writes the parts into it with a pause before each."""

    def run() -> None:
        # a reader that stops early ends the writing, and fails the test by what it read
        with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as file:
            for part in parts:
                pause()
                file.write(part)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_pipe_is_copied_to_its_end_whoever_takes_time_over_it(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "WAIT_SECONDS", 60.0)
    parts = [bytes([place]) * (1 << 16) for place in range(40)]  # more than a pipe holds
    thread = write(pipe, parts, lambda: time.sleep(0.005))
    monkeypatch.setattr(pipes, "CHUNK_BYTES", 1000)
    assert copy_pipe(pipe, pipe.with_name("copy")).read_bytes() == b"".join(parts)
    thread.join()


def test_a_pipe_that_nobody_writes_into_is_refused(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "WAIT_SECONDS", 0.1)
    with pytest.raises(ValueError, match=rf"nothing came through the pipe {pipe}, and nobody writes into it; start"):
        copy_pipe(pipe, pipe.with_name("copy"))


def test_a_pipe_without_an_end_is_refused(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "MOST_BYTES", 1000)
    write(pipe, [b"x" * 1000])
    assert copy_pipe(pipe, pipe.with_name("copy")).stat().st_size == 1000
    write(pipe, [b"x" * 1001])
    with pytest.raises(ValueError, match=rf"the pipe {pipe} gave more than 1,000 bytes, and may have no end; write"):
        copy_pipe(pipe, pipe.with_name("copy"))


def test_files_beside_pipes_stay_where_they_are_and_copies_go(pipe: Path) -> None:
    file = pipe.with_name("file.txt")
    file.write_text("of a file\n")
    write(pipe, [b"of a pipe\n"])
    with readable(Text, [file, pipe]) as found:
        assert isinstance(found, list)
        assert [path.read_text() for path in found] == ["of a file\n", "of a pipe\n"]
        assert found[0] == file
        assert names_of(found) == [str(file), f"pipe {pipe}"]
    assert not found[1].exists()
    assert file.exists()
    with readable(Text(TextData()), [file]) as same:
        assert same == [file]
        assert names_of(same) == [str(file)]
