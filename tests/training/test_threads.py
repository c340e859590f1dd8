"""The number of threads that training takes: timed by a clock of the test's, and without a trace in the run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqvae.runs.run import Run
from seqvae.training import threads
from seqvae.training.threads import fastest
from tests.training.small import values, write_corpus
from tests.training.test_loop import records, train

COSTS = {
    "more are faster": ({1: 4.0, 2: 2.0, 4: 1.0, 8: 0.5}, 8, [8, 4]),
    "hardly anything": ({1: 1.05, 2: 1.0, 4: 1.02, 8: 1.09}, 8, [8, 4, 2, 1]),
    "fewer are faster": ({1: 1.0, 2: 1.2, 4: 2.0, 8: 9.0}, 1, [8, 4, 2, 1]),
    "in between": ({1: 3.0, 2: 1.0, 4: 1.05, 8: 2.0}, 4, [8, 4, 2, 1]),
}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    usual = torch.get_num_threads()
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize("case", COSTS)
def test_the_most_threads_that_are_about_as_fast_as_any_are_taken(case: str) -> None:
    costs, best, tried = COSTS[case]
    now, met = 0.0, []

    def step() -> None:
        nonlocal now
        met.append(torch.get_num_threads())
        first = met.count(met[-1]) == 1
        now += costs[met[-1]] * (5 if first else 1)  # the first step with a number of threads is slow

    assert fastest(step, 8, lambda: now) == best
    assert list(dict.fromkeys(met)) == tried


def test_timing_changes_nothing_but_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalised means have running statistics, which a timed step moves as any other."""
    corpus, taken = write_corpus(tmp_path / "corpus.txt"), []
    model = {"batch_norm_scale": 0.5}

    def one(step: Callable[[], object], most: int) -> int:
        step()
        taken.append(most)
        return 1

    monkeypatch.setattr(threads, "fastest", one)
    torch.set_num_threads(2)
    chosen, given = (
        train("text", [corpus], tmp_path / str(number), values(model, epochs=1, threads=number), device="cpu")
        for number in (0, 1)
    )
    assert taken == [2]
    assert torch.get_num_threads() == 2
    assert timeless(chosen) == timeless(given)
    assert [run.load(run.steps()[-1]).state["threads"] for run in (chosen, given)] == [1, 1]


def timeless(run: Run) -> list[dict[str, Any]]:
    """The lines of a log without how long they took."""
    return [{key: line[key] for key in line if key not in ("seconds", "tokens_per_second")} for line in records(run)]


def test_one_thread_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "fastest", None)
    torch.set_num_threads(1)
    train("text", [write_corpus(tmp_path / "corpus.txt")], tmp_path / "run", values(steps=1, threads=0), device="cpu")
