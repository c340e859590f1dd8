"""Pipes are read once, to their end, and never wait or read for ever."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import seqvae
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


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the system names no open files")
def test_an_empty_pipe_of_a_shell_is_refused_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    reading, writing = os.pipe()
    os.close(writing)
    source = Path(name.format(reading))
    if source.exists():
        with pytest.raises(
            ValueError, match=rf"^the pipe {source} is empty: what writes into it ended without a word; "
        ):
            copy_pipe(source, tmp_path / "copy")
    os.close(reading)


def test_a_named_pipe_that_was_opened_for_nothing_is_refused(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(pipe, os.O_WRONLY)
    monkeypatch.setattr(select, "select", lambda *_: os.close(writing))
    with pytest.raises(ValueError, match=rf"^the pipe {pipe} is empty: what writes into it ended without a word; "):
        copy_pipe(pipe, pipe.with_name("copy"))
    os.close(reading)


def test_a_pipe_that_is_named_twice_is_refused_before_it_is_read(
    pipe: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pipes, "copy_pipe", lambda *_: pytest.fail("it is read"))
    other = pipe.with_name("link")
    other.symlink_to(pipe)
    refused = "and can be read once only; name it once, or copy its data to a file$"
    with (
        pytest.raises(ValueError, match=f"^the pipe {pipe} is named twice, {refused}"),
        readable(Text(TextData()), [pipe, pipe]),
    ):
        pass
    with pytest.raises(ValueError, match=f"^the pipe {other} is named twice, also as {pipe}, {refused}"):
        seqvae.train("text", pipe, tmp_path / "run", valid=other)


def test_a_pipe_has_no_name_for_a_label(pipe: Path) -> None:
    message = rf"^{pipe} is a pipe, which has no name to label its sentences by \(data\.labels=file\); copy"
    with pytest.raises(ValueError, match=message), readable(Text(TextData(labels="file")), [pipe]):
        pass


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
    with readable(Text(TextData()), [file, pipe]) as found:
        assert isinstance(found, list)
        assert [path.read_text() for path in found] == ["of a file\n", "of a pipe\n"]
        assert found[0] == file
        assert names_of(found) == [str(file), f"pipe {pipe}"]
    assert not found[1].exists()
    assert file.exists()
    with readable(Text(TextData()), [file]) as same:
        assert same == [file]
        assert names_of(same) == [str(file)]
