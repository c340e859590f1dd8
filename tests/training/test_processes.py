"""Two processes train as one does with the same global batches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqvae.data import Batches
from seqvae.runs.run import Run
from seqvae.training.objective import objective_of
from seqvae.training.run import train
from tests.training.small import SETTINGS_OF_TWO, assert_close, records, write_corpus
from tests.training.test_objective import OBJECTIVES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have trained."""
    folder = tmp_path_factory.mktemp("two")
    write_corpus(folder / "corpus.txt", 63)
    script = Path(__file__).with_name("two_processes.py")
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    done = subprocess.run(
        [sys.executable, *launch, str(script), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = ("process 0 of 2 is done", "process 1 of 2 is done")  # the processes may write into each other's line
    assert [done.stdout.count(line) for line in lines] == [1, 1]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS_OF_TWO)
def test_two_processes_give_the_loss_of_one(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    encoded = Batches.encoded
    monkeypatch.setattr(Batches, "encoded", lambda self, indices: sizes.append(len(indices)) or encoded(self, indices))
    objective = OBJECTIVES.get(name, objective_of)
    one = train(
        "text", [folder / "corpus.txt"], tmp_path / "one", SETTINGS_OF_TWO[name], device="cpu", objective=objective
    )
    found, expected = records(folder / f"two-{name}"), records(one)
    assert len(expected) > 8
    assert_close(found, expected, 1e-5)
    if name == "plain":
        assert 1 in sizes, "no batch that leaves a process empty"
    two = Run(folder / f"two-{name}")
    assert two.steps() == one.steps()
    assert {path.name for path in two.path.rglob("*")} == {path.name for path in one.path.rglob("*")}
