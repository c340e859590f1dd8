"""Tiny models of MIDI for tests of the commands: their sizes, a run of three steps, and a folder to work in."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

STEPS = 16  # of a bar of 4/4
TINY = {
    "train.steps": 3,
    "train.batch_size": 8,
    "train.threads": 1,
    "model.latent": 4,
    "model.encoder_hidden": 7,
    "model.decoder_hidden": 9,
}


def options(**others: int) -> list[str]:
    """`--set KEY=VALUE` for each of TINY and of others, whose names have __ for a dot."""
    values = TINY | {name.replace("__", "."): value for name, value in others.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def made(result: Result) -> list[str]:
    """The lines of a call that did what it should."""
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def trained(
    seqvae: Callable[..., Result], folder: Path, modality: str, corpus: str, write: Callable[[Path, int], Path],
    asked: list[str],
) -> Path:  # fmt: skip
    """The folder with six files in `corpus`, which `write` makes by their number, and a run trained on them."""
    (folder / corpus).mkdir()
    for number in range(6):
        write(folder / corpus / f"{number}.mid", number)
    made(seqvae("train", modality, folder / corpus, "--out", folder / "run", *asked))
    return folder


def workplace(folder: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the current one, with a copy of the run in it; sound is of our own synthesizer."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEQVAE_SOUNDFONT", "none")
    shutil.copytree(run, folder / "run")
    return folder
