"""Work on batches in several processes, results in order, in memory that does not grow with their number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future, ProcessPoolExecutor

Batch = TypeVar("Batch")
Result = TypeVar("Result")

AHEAD = 2  # batches for each process that are being worked on, or done and not yet taken
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # in each process

_shared: "ContextVar[dict[int, ProcessPoolExecutor] | None]" = ContextVar("_shared", default=None)  # by their number


@contextmanager
def shared_processes() -> Iterator[None]:
    """One start of processes for all work while the context is open; they end with it, errors and interrupts too.

    Inside of another one it changes nothing. Other threads start processes of their own.
    """
    if _shared.get() is not None:
        yield
        return
    pools: dict[int, ProcessPoolExecutor] = {}
    token = _shared.set(pools)
    try:
        yield
    finally:
        _shared.reset(token)
        for pool in pools.values():
            _end(pool)


def in_processes(work: Callable[[Batch], Result], batches: Iterable[Batch], processes: int | None) -> Iterator[Result]:
    """The result of each batch, in order; by default as many processes as there are processors. One is this one.

    No more than AHEAD batches for each process are drawn before their results are taken.
    """
    if processes != 1:
        import joblib

        processes = joblib.effective_n_jobs(processes or -1)  # one where processes may start none
    if processes == 1:
        yield from map(work, batches)
        return
    with _processes(processes) as pool:
        yield from results_of(pool, work, batches, AHEAD * processes)


def results_of(
    pool: "Executor", work: Callable[[Batch], Result], batches: Iterable[Batch], most: int
) -> Iterator[Result]:
    """The result of each batch, in order; at `most` so many are in work, or done and not yet taken."""
    from concurrent.futures import wait

    running: deque[Future[Result]] = deque()
    try:
        for batch in batches:
            running.append(pool.submit(work, batch))
            if len(running) >= most:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        wait(running)  # a moment; loky's thread fails, and processes stay, where cancelled or waiting work is ended


@contextmanager
def _processes(number: int) -> "Iterator[ProcessPoolExecutor]":
    """So many processes: those that are shared, or else some that end with the context."""
    from joblib.externals.loky import ProcessPoolExecutor  # starts processes from scripts without a guard

    pools = _shared.get()
    if pools is not None and number in pools:
        yield pools[number]
        return
    # without a time after which idle ones end: a next use that meets them while they do may wait for ever
    pool = ProcessPoolExecutor(number, timeout=None, env=ONE_THREAD)
    if pools is not None:
        pools[number] = pool
        yield pool
        return
    try:
        yield pool
    finally:
        _end(pool)


def _end(pool: "ProcessPoolExecutor") -> None:
    pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # it is loky's
