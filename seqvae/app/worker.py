"""The one thread that computes, and what becomes of requests that newer ones took the place of."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

MOST_WAITING = 256  # requests; more are turned away
MOST_STREAMS = 1024  # of which the newest request is remembered


class Superseded(Exception):
    """A newer request of the same stream came before this one was begun."""


class Busy(Exception):
    """More requests wait than are taken."""


class Worker:
    """Computes one request after another, in a thread of its own, so that the page is answered meanwhile.

    Requests of one `stream`, such as those of a slider that is dragged, take each other's place: of those that wait
    only the newest is computed.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "seqvae-app")
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._waiting = 0
        self._count = 0

    async def result(self, work: Callable[[], Result], stream: str = "") -> Result:
        """What the work gives. Raises Superseded where a newer request took its place, and Busy where too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._count += 1
        number = self._count
        if stream:
            self._newest[stream] = number
            self._newest.move_to_end(stream)
            if len(self._newest) > MOST_STREAMS:
                self._newest.popitem(last=False)

        def unless_superseded() -> Result:
            if stream and self._newest.get(stream, number) != number:
                raise Superseded
            return work()

        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, unless_superseded)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the thread as soon as what it computes is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)
