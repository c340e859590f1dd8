"""One thread that computes: in order, the newest of a stream alone, and no more waiting than is taken."""

import asyncio
import threading

import pytest

pytest.importorskip("starlette", reason="the page needs pip install 'seqvae[app]'")

from seqvae.app import worker as module
from seqvae.app.worker import Busy, Superseded, Worker


def test_of_a_stream_only_the_newest_that_waits_is_computed() -> None:
    async def all_of_them() -> list[object]:
        worker, gate, computed = Worker(), threading.Event(), []

        def work(number: int) -> int:
            gate.wait(5)
            computed.append(number)
            return number

        first = asyncio.ensure_future(worker.result(lambda: work(0), "slider"))
        await asyncio.sleep(0.05)  # which is being computed
        others = [asyncio.ensure_future(worker.result(lambda n=n: work(n), "slider")) for n in (1, 2, 3)]  # type: ignore[misc]
        other_stream = asyncio.ensure_future(worker.result(lambda: work(9), "another"))
        await asyncio.sleep(0.05)
        gate.set()
        found = await asyncio.gather(first, *others, other_stream, return_exceptions=True)
        worker.close()
        return [computed, *(type(one) if isinstance(one, Exception) else one for one in found)]

    assert asyncio.run(all_of_them()) == [[0, 3, 9], 0, Superseded, Superseded, 3, 9]


def test_errors_reach_who_asked_and_the_thread_goes_on() -> None:
    async def both() -> tuple[str, int]:
        worker = Worker()
        with pytest.raises(ValueError, match="not possible") as error:
            await worker.result(lambda: int("not possible"))
        value = await worker.result(lambda: 3)
        worker.close()
        return str(error.value), value

    assert asyncio.run(both())[1] == 3


def test_more_than_wait_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)

    async def three() -> list[object]:
        worker, gate = Worker(), threading.Event()
        waiting = [asyncio.ensure_future(worker.result(lambda: gate.wait(5))) for _ in range(3)]
        await asyncio.sleep(0.05)
        gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        again = await worker.result(lambda: "again")
        worker.close()
        return [*(type(one) for one in found), again]

    assert asyncio.run(three()) == [bool, bool, Busy, "again"]


def test_streams_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STREAMS", 3)

    async def many() -> int:
        worker = Worker()
        for number in range(10):
            assert await worker.result(lambda n=number: n, f"stream {number}") == number  # type: ignore[misc]
        worker.close()
        return len(worker._newest)

    assert asyncio.run(many()) == 3
