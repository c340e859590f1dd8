"""What a modality takes of a MIDI file: the protocol between the reading of files and a modality that reads them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import Field, dataclass, field
from typing import ClassVar, Protocol, Self, TypeVar

import numpy as np

from seqvae.modalities.midi.grid import Segment
from seqvae.modalities.midi.harmony import Harmony
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.windows import Ways

Item = TypeVar("Item")


@dataclass(frozen=True)
class PartWords:
    """How the notes of a part are spoken of in reports and errors."""

    notes: str  # "hits"
    channel: str  # "channel 10", "any channel"
    holder: str  # "class": notes of one on one step are one
    held: str  # "that a class holds": notes that there is a place for
    outside: str  # "of pitches that no class holds": the others
    places: str  # "channels": what `Part.where` counts by
    map: str  # "the class map": what says which pitches are held
    other_channel: str  # what to do where the notes are on other channels
    other_map: str  # what to do where no pitch is held
    wanted: str  # "files with drums"
    foreign: str = ""  # of the places that `Part.where` counts the one that never is its own: "drums"
    hidden: str = ""  # what notes are that others hide
    close: str = "flams"  # what two notes are that nearly begin at once
    window: str = ""  # what a window has to have; empty: notes
    lacking: str = ""  # what to do where files lack what `Taken.lacks` says, if that is no notes


@dataclass(frozen=True)
class Taken:
    """The notes of a file that a part takes: their places (N,) among all, in order; and those of its channels."""

    places: np.ndarray
    found: int  # notes on its channels
    unheld: Counter[int]  # pitches on them that it has no place for: notes
    voices: np.ndarray  # (M,) of all notes of the file: of those of one voice on one step a grid keeps one
    hidden: int = 0  # notes that it has a place for, but for others that sound at the time
    lacks: str = ""  # what a file has none of where nothing is found; empty: notes on its channel
    lines: np.ndarray | None = None  # (M,) of all notes of the file: the line of each, -1 of none; None of one line
    ways: Sequence[tuple[int, ...]] = ()  # the lines that are heard together, in each way
    harmony: Harmony | None = None  # what gives the chords, where they are read
    strange_texts: Counter[str] = field(default_factory=Counter)  # what stands among chord symbols and is none


class Part(Protocol[Item]):
    """The notes that a modality takes of a file, and the bars that it makes of them on a grid.

    A frozen dataclass: it goes to other processes, and its fields say all that taking depends on.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    @property
    def words(self) -> PartWords:
        """How to speak of its notes."""
        ...

    def take(self, notes: Notes) -> Taken:
        """The notes that it takes."""
        ...

    def where(self, notes: Notes) -> Counter[int] | Counter[str]:
        """The notes of a file by where they stand, to be sorted: what is named where none is found."""
        ...

    def of_piece(self, notes: Notes) -> Self:
        """What is taken of a single piece, which may be one that the modality wrote itself."""
        ...

    def ways(self, segment: Segment, taken: Taken) -> Ways[Item]:
        """The bars of a segment of taken notes, one or several times: in each way in which they are heard."""
        ...

    def digest(self, item: Item) -> bytes:
        """What two items have in common that are the same for training."""
        ...
