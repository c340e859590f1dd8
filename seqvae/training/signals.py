"""Ctrl-C and SIGTERM as a wish that the loop sees between two steps."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None  # as `signal.signal` returns them


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """A list that a first SIGINT or SIGTERM is put into; a second one acts at once."""
    seen: list[int] = []
    previous: dict[int, Handler] = {}

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        for other, handler in previous.items():
            signal.signal(other, handler)

    with contextlib.suppress(ValueError):  # not in the main thread: no signals arrive there
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            previous[number] = signal.signal(number, note)
    try:
        yield seen
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
