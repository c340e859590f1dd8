"""An item with the name that a user knows it by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Named:
    """An item, the name under which a user finds it again, and the file that it comes from, where there is one."""

    name: str
    item: Any
    path: Path | None = None
