"""Small trained models that come with the package: run folders, each with a card that says what it is.

Where a run is read and no run stands there, the name of one of these stands for it.
"""

import shutil
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from seqvae.config import nearest

CARD = "CARD.md"


def known_models() -> dict[str, Path]:
    """The folders of the models of the package by name."""
    folder = Path(str(resources.files("seqvae") / "models"))
    return {card.parent.name: card.parent for card in sorted(folder.glob(f"*/{CARD}"))}


def folder_of(name: str) -> Path:
    """The folder of a model of the package. Raises ValueError for an unknown name, with the nearest known one."""
    known = known_models()
    if name not in known:
        raise ValueError(f"no model '{name}' comes with seqvae; there are {_listed(known)}.{nearest(name, known)}")
    return known[name]


def card_of(name: str) -> str:
    """What the card of a model says: its data and their licence, its figures, and how it is trained again.

    Raises ValueError for an unknown name.
    """
    return (folder_of(name) / CARD).read_text(encoding="utf-8")


def title_of(name: str) -> str:
    """What a model is, in a line: the first one of its card."""
    return card_of(name).partition("\n")[0].partition(":")[2].strip()


def copy_model(name: str, out: Path | str) -> None:
    """Put a copy of a model of the package into a folder, as a run of one's own, to which priors can be fitted.

    Raises ValueError for an unknown name, and for a folder that is not empty.
    """
    source, out = folder_of(name), Path(out)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise ValueError(f"{out} is {'a file' if out.is_file() else 'not empty'}; give `out` a new or empty folder")
    shutil.copytree(source, out, dirs_exist_ok=True)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
