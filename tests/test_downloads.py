"""Downloads: what a right, damaged, truncated or missing file and no network lead to, against a local server."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seqvae import downloads
from seqvae.cli.data import mnist as command
from seqvae.cli.errors import outcome_of
from seqvae.downloads import MNIST, Known, fetch

CONTENTS = {"a.gz": bytes(range(256)) * 300, "b.gz": b"labels"}
FILES = tuple(Known(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENTS.items())


class Handler(BaseHTTPRequestHandler):
    """Serves /KIND/NAME: right, damaged, truncated or missing."""

    asked: list[str] = []

    def do_GET(self) -> None:
        """Answer as the first part of the path says."""
        _, kind, name = self.path.split("/")
        self.asked.append(f"{kind}/{name}")
        if kind == "missing":
            self.send_error(404)
            return
        content = CONTENTS[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        sent = {"right": content, "damaged": b"!" + content[1:], "truncated": content[: len(content) // 2]}[kind]
        self.wfile.write(sent)

    def log_message(self, format: str, *parts: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the server, which ends with a slash."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_downloaded_with_progress_and_not_twice(server: str, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    folder = tmp_path / "new" / "corpus"
    paths = fetch(FILES, [f"{server}right/"], folder, progress=lambda *what: told.append(what))
    assert paths == [folder / "a.gz", folder / "b.gz"]
    assert held(folder) == CONTENTS
    assert told[0][0] < 76800
    assert {what[1:] for what in told} == {(76800, "a.gz"), (6, "b.gz")}
    assert (76800, 76800, "a.gz") in told
    assert Handler.asked == ["right/a.gz", "right/b.gz"]
    (folder / "b.gz").unlink()
    fetch(FILES, [f"{server}right/"], folder)
    assert Handler.asked == ["right/a.gz", "right/b.gz", "right/b.gz"]


@pytest.mark.parametrize("kind", ["damaged", "truncated", "missing"])
def test_a_mirror_that_fails_is_followed_by_the_next(kind: str, server: str, tmp_path: Path) -> None:
    fetch(FILES, [f"{server}{kind}/", f"{server}right/"], tmp_path)
    assert held(tmp_path) == CONTENTS


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("damaged", "sends a damaged or another file"),
        ("truncated", "breaks off in the middle"),
        ("missing", "answers with status 404"),
    ],
)
def test_where_no_mirror_has_the_file_each_is_told_of_and_nothing_is_left(
    kind: str, words: str, server: str, tmp_path: Path
) -> None:
    place = server.removeprefix("http://").rstrip("/")
    with pytest.raises(ValueError) as error:
        fetch(FILES, [f"{server}{kind}/", "http://127.0.0.1:9/"], tmp_path)
    assert str(error.value) == (
        f"a.gz cannot be downloaded: {place} {words} and 127.0.0.1:9 cannot be reached; try again online, or put "
        f"it into {tmp_path}"
    )
    assert held(tmp_path) == {}


def test_files_are_copied_from_a_folder_all_or_none(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "a.gz").write_bytes(CONTENTS["a.gz"])
    with pytest.raises(ValueError, match=r"there is no file .*b\.gz; give a folder that holds b\.gz and the others"):
        fetch(FILES, [], target, source)
    assert not target.exists()
    (source / "b.gz").write_bytes(b"labelz")
    with pytest.raises(ValueError, match=r"b\.gz is damaged or another file: it has 6 bytes and sha256 .*, where 6 a"):
        fetch(FILES, [], target, source)
    assert not target.exists()
    (source / "b.gz").write_bytes(CONTENTS["b.gz"])
    fetch(FILES, [], target, source)
    assert held(target) == CONTENTS


def test_another_file_of_that_name_is_never_overwritten(server: str, tmp_path: Path) -> None:
    (tmp_path / "b.gz").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"b\.gz is there and is not the file of that name that is to be fetched; mo"):
        fetch(FILES, [f"{server}right/"], tmp_path)
    assert held(tmp_path) == {"b.gz": b"mine"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_command_copies_mnist_and_tells_what_is_next(shared_data: Path, tmp_path: Path) -> None:
    result = run("--to", tmp_path / "here", "--from", shared_data / "mnist")
    assert result.exit_code == 0
    assert f"{tmp_path / 'here' / 'train-images-idx3-ubyte.gz'}: 9,912,422 bytes, as published" in result.output
    assert f"next: seqvae train images {tmp_path / 'here'} --recipe mnist-plane --out runs/plane" in result.output
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == sorted(file.name for file in MNIST)


def test_the_command_names_every_mirror_when_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "MIRRORS", ("http://127.0.0.1:9/one/", "http://127.0.0.1:7/two/"))
    result = run("--to", tmp_path / "here")
    assert isinstance(result.exception, ValueError)
    assert str(result.exception) == (
        "train-images-idx3-ubyte.gz cannot be downloaded: 127.0.0.1:9 cannot be reached and 127.0.0.1:7 cannot be "
        f"reached; try again online, or put it into {tmp_path / 'here'}"
    )


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert str(run("--from", tmp_path / "gone", "--to", tmp_path).exception) == (
        f"there is no folder {tmp_path / 'gone'}; give --from the folder of the downloaded files"
    )
    (tmp_path / "file").write_bytes(b"")
    error = run("--to", tmp_path / "file" / "deeper").exception
    assert error is not None
    assert "because a file stands where a folder belongs" in str(outcome_of(error))
