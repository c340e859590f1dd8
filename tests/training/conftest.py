"""Runs of training that several files compare others with; none of them changes these."""

from pathlib import Path

import pytest

from seqvae.runs.run import Run
from seqvae.training.run import train
from tests.training.small import BRIEF, EVERYTHING, write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty sentences."""
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="session")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """EVERYTHING, never stopped and never disturbed."""
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "alone", EVERYTHING, device="cpu")


@pytest.fixture(scope="session")
def brief(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """BRIEF, never stopped and never disturbed."""
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "brief", BRIEF, device="cpu")
