"""`seqvae app`: it answers until it is stopped, at a free port, and says what it needs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

pytest.importorskip("uvicorn", reason="the page needs pip install 'seqvae[app]'")

from seqvae.api import train
from seqvae.app.serving import is_own
from seqvae.cli import app as command
from tests.cli.conftest import invoke
from tests.training.small import values, write_corpus

ROOT = Path(__file__).resolve().parents[2]


def _heeds_ctrl_c() -> None:
    """Tests that run in the background ignore it, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(*arguments: str) -> tuple[subprocess.Popen[str], list[str]]:
    """The running command, and what it said up to its address."""
    words = [sys.executable, "-m", "seqvae", "app", "--no-browser", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    running = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_heeds_ctrl_c,  # noqa: PLW1509  no other thread runs here
    )
    said: list[str] = []
    assert running.stdout is not None
    while not said or "http://" not in said[-1]:
        line = running.stdout.readline()
        assert line, running.communicate()
        said.append(line.strip())
    return running, said


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_at_a_free_port_until_it_is_stopped(stop: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running, said = started("digits", "--port", str(port))
        try:
            assert said[0].startswith(f"port {port} is in use; this is port ")
            address = re.search(r"http://127\.0\.0\.1:\d+/", said[1])
            assert address is not None
            with urllib.request.urlopen(f"{address[0]}api/models") as answer:
                assert [model["name"] for model in json.load(answer)["models"]] == ["digits"]
        finally:
            running.send_signal(stop)
            out, err = running.communicate(timeout=20)
    assert running.returncode == 130, (out, err)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "nope is not a run folder"),
        (["digits", "--host", "no.such.host.invalid"], "is no address"),
        (["digits", "--port", "70000"], "70000"),
    ],
)
def test_what_is_not_possible_is_said(arguments: list[str], words: str, tmp_path: Path) -> None:
    result: Result = invoke("app", "--no-browser", *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output


def test_a_model_without_a_code_is_refused(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "corpus.txt", 20)
    run = train("text", source, tmp_path / "judge", values(model={"latent": 0}), device="cpu").path
    result = invoke("app", "--no-browser", run)
    assert (result.exit_code, "has no code that could be moved" in result.output) == (2, True)


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without: Callable[[str], object] = lambda name: None if name == "uvicorn" else object()  # noqa: E731
    monkeypatch.setattr(command, "find_spec", without)
    result = invoke("app")
    assert (result.exit_code, "pip install 'seqvae[app]'" in result.output) == (2, True)


def test_addresses_of_this_computer_are_known() -> None:
    assert all(map(is_own, ("127.0.0.1", "127.1.2.3", "::1", "LOCALHOST")))
    assert not any(map(is_own, ("0.0.0.0", "192.168.1.2", "::", "example.com")))
