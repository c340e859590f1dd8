"""What of its steps a model does not make: it is kept of what a reconstruction is made from, or given from outside."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from seqvae.modalities.items import Item, Words


class Keeping:
    """The part of a modality (`Modality`) that says what its models keep; here they make all of a step themselves."""

    name: ClassVar[str]
    words: ClassVar[Words]

    @property
    def holds(self) -> bool:
        """Whether a model says parts of steps alone, such as how hits are played: figures are of reconstructions that
        keep the others of what they are made from.
        """
        return False

    @property
    def keeps(self) -> bool:
        """Whether a reconstruction keeps a part of each step that it is made from, unless it is asked for one anew."""
        return self.holds

    def kept(self, x: np.ndarray) -> np.ndarray:
        """The steps of x by which a reconstruction keeps a part of them (`nets.likelihoods.Holding`)."""
        return x

    def given(self, likes: Sequence[Item], steps: int) -> Sequence[np.ndarray] | None:
        """So many steps for each window, of which what is decoded keeps a part that no code holds, such as chords.

        `likes` are the windows of one piece, in order, that are decoded like; None for one that is made from a code
        alone. None where everything is made from codes.
        """
        return None

    @property
    def assumed(self) -> str:
        """What is given to items made from codes alone, where that is not what was asked for; empty where it is."""
        return ""

    def check_feel(self) -> None:
        """Raises ValueError where an item has nothing that could be played as another item is, whose code is taken."""
        raise ValueError(f"{self.words.items} of {self.name} have no feel to take from others; leave the feel out")
