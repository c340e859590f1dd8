"""How items of one kind become notes of an instrument, sound and pictures: what writing asks a modality."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from pretty_midi import Instrument, PrettyMIDI

    from seqvae.view.grids import Rows

Item = TypeVar("Item", contravariant=True)
# of a note: where it begins and ends, in steps from the start of its item, on the grid or between; pitch; velocity
Sounding = tuple[float, float, int, int]
Track = tuple["Instrument", Callable[[Item], Iterable[Sounding]]]
VELOCITY = 100  # of notes that know none


class Notation(Protocol[Item]):
    """What a piece asks for its items. A value: it knows how to write any of them, and holds none."""

    @property
    def notes(self) -> str:
        """What notes are called: "hits"."""
        ...

    def check(self, item: Item) -> None:
        """Raises ValueError for an item that cannot be written."""
        ...

    def tracks(self, first: Item) -> "Sequence[Track[Item]]":
        """The tracks without notes of items of which this is the first, each with what gives its notes of an item.

        A note that begins before its item does so where there is a time before.
        """
        ...

    def heard(self, items: Sequence[Item]) -> "Notation[Item]":
        """The same with what is heard of items in sound alone, such as chords; an equal one where that is nothing."""
        ...

    def sound(self, midi: "PrettyMIDI", seconds: float, loop: bool) -> np.ndarray:
        """Samples (N, 2), float32, of a written piece by a synthesizer of our own; see `seqvae.view.audio`."""
        ...

    def drawn(self, item: Item) -> Any:
        """What `rows` draws of an item; it has a length in steps."""
        ...

    def rows(self, drawn: Sequence[Any]) -> "Rows":
        """The rows of a picture that holds all of these."""
        ...
