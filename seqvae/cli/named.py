"""Items under the names that a user knows them by, and what a command made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqvae.modalities.base import Arrangement


@dataclass(frozen=True)
class Named:
    """An item, the name under which a user finds it again, and the file that it comes from, where there is one."""

    name: str
    item: Any
    path: Path | None = None


@dataclass(frozen=True)
class Made:
    """What a command made, and the inputs that it used. `paired`: each item is made of the input in its place."""

    items: Sequence[Any]
    arrangement: "Arrangement" = "set"
    inputs: Sequence[Named] = ()
    paired: bool = False
