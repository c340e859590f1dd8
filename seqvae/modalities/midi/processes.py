"""Work on batches in several processes, results in order."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")

IDLE_SECONDS = 3600  # after which processes without work end; they are ended below as soon as all is done


def in_processes(work: Callable[[Batch], Result], batches: Sequence[Batch], processes: int | None) -> Iterator[Result]:
    """The result of each batch, in order; by default as many processes as there are processors. One is this one."""
    if processes == 1:
        yield from map(work, batches)
        return
    import joblib
    from joblib.externals.loky import get_reusable_executor

    parallel = joblib.Parallel(
        n_jobs=processes or joblib.cpu_count(),
        return_as="generator",
        batch_size=1,
        max_nbytes=None,
        idle_worker_timeout=IDLE_SECONDS,
    )
    results = parallel(joblib.delayed(work)(batch) for batch in batches)
    try:
        for result in results:  # noqa: UP028  "yield from" would close `results` outside of the block below
            yield result
    finally:
        with warnings.catch_warnings():  # whoever stops early knows that work is left
            warnings.simplefilter("ignore")
            results.close()
        # not left to time out: a next use that meets them while they do may wait for ever
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
