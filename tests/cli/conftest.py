"""A tiny corpus, one model trained on it for all tests, and the command line as a function."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seqvae.cli import main

TINY = {
    "train.threads": 1,
    "train.precision": "fp32",
    "train.batch_size": 8,
    "train.log_steps": 2,
    "train.ngram_share": 0.0,
    "model.latent": 4,
    "model.embedding": 9,
    "model.encoder_hidden": 7,
    "model.decoder_hidden": 8,
}
SENTENCES = [
    f"the {who} {does} the {what} ."
    for who, does, what in itertools.product(("cook", "dog", "girl"), ("sees", "eats"), ("pie", "seal", "song", "tree"))
]

Call = Callable[..., Result]


def invoke(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """The outcome of `seqvae ARGUMENTS...` in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, prog_name="seqvae")


@pytest.fixture(scope="session")
def seqvae() -> Call:
    """`seqvae("sample", run)` runs the command line; the outcome has exit_code, stdout and stderr."""
    return invoke


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Options of `seqvae train text` that make training a matter of a moment."""
    return [
        "--tokenizer",
        "word",
        "--epochs",
        "2",
        *itertools.chain(*(("--set", f"{key}={value}") for key, value in TINY.items())),
    ]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with sentences.txt in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sentences.txt").write_text("".join(f"{line}\n" for line in SENTENCES))
    return tmp_path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """A run folder trained for two epochs. Tests read it, or change a copy."""
    folder = tmp_path_factory.mktemp("cli")
    corpus = folder / "sentences.txt"
    corpus.write_text("".join(f"{line}\n" for line in SENTENCES))
    result = invoke("train", "text", corpus, "--out", folder / "run", *tiny)
    assert result.exit_code == 0, result.stderr
    return folder / "run"


@pytest.fixture(scope="session")
def refused() -> Callable[[Result, str], None]:
    """Assert that a call ended with code 2, nothing on stdout, and this sentence as the last line of stderr."""

    def check(result: Result, sentence: str) -> None:
        lines = result.stderr.splitlines()
        assert lines[-1] == sentence
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "Traceback" not in result.stderr

    return check


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of processes that tests start: they find the package from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
