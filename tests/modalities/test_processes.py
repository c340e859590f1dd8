"""Work in several processes: the order of results, how far it runs ahead, and which processes are started and ended."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqvae.modalities.processes import in_processes, results_of, shared_processes

starts_processes = pytest.mark.skipif(
    multiprocessing.parent_process() is not None,
    reason="a process that another one started cannot start processes of its own",
)


def square(number: int) -> int:
    return number * number


def process_of(_: int) -> int:
    return os.getpid()


def refuse(number: int) -> int:
    raise ValueError(f"nothing is made of {number}")


def runs(process: int) -> bool:
    """Whether there is still a process of that id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def processes_of() -> set[int]:
    return set(in_processes(process_of, range(8), 2))


@starts_processes
def test_results_come_in_order_whatever_the_number_of_processes() -> None:
    for processes in (1, 2, 3):
        assert list(in_processes(square, range(50), processes)) == [number * number for number in range(50)]
    assert list(in_processes(square, [], 2)) == []


def test_work_runs_ahead_of_who_takes_it_by_few_batches() -> None:
    drawn = []

    def batches() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = results_of(pool, square, batches(), 5)
        for number in range(3):
            assert next(results) == number * number
        assert len(drawn) == 5 + 2
        results.close()  # type: ignore[attr-defined]


@starts_processes
def test_processes_end_with_the_work_or_with_what_shares_them() -> None:
    assert not any(map(runs, processes_of()))
    with shared_processes():
        first = processes_of()
        with shared_processes():
            second = processes_of()
        third = processes_of()
        assert len(first | second | third) <= 2, "they are started once"
        assert all(map(runs, first))
    assert not any(map(runs, first | second | third))
    assert not processes_of() & first, "nothing is shared any longer"


@starts_processes
def test_an_error_comes_through_and_leaves_no_process_behind() -> None:
    seen = list[int]()

    def work() -> None:
        with shared_processes():
            seen.extend(processes_of())
            list(in_processes(refuse, range(20), 2))

    with pytest.raises(ValueError, match="nothing is made of 0"):
        work()
    assert seen
    assert not any(map(runs, seen))


@starts_processes
def test_shared_processes_go_on_after_work_that_was_left() -> None:
    with shared_processes():
        results = in_processes(square, range(1000), 2)
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        assert list(in_processes(square, range(9), 2)) == [number * number for number in range(9)]
