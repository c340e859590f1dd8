"""Where results may be written, checked before any work goes into them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from seqvae.model import Model


def check_file_place(path: Path) -> None:
    """Raises ValueError when a file cannot be written at `path`."""
    from seqvae.files import check_regular

    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a file")
    check_regular(path)
    if not path.resolve().parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} to write {path.name} into; make it, or give another path")


def check_folder_place(path: Path | None) -> None:
    """Raises ValueError when a file stands where the folder `path` is to be, or where a folder above it is to be."""
    if path is None:
        return
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists():
            raise ValueError(f"{place} is a file; give --out a folder")


def own_folder(model: "Model") -> Path:
    """The folder of the run for the results of the command that runs. Raises ValueError when a link stands there."""
    from seqvae.files import own

    run = model.run.path if model.run else Path()
    return own(run, str(click.get_current_context().info_name))


def check_own(folder: Path, names: Iterable[str]) -> None:
    """Raises ValueError where a link stands in the place of a file of these names, in a folder of the run."""
    from seqvae.files import own

    for name in names:
        own(folder, name)


def spare_files(read: Iterable[Path], written: Iterable[Path], remedy: str) -> None:
    """Raises ValueError when a file is to be written that is read. `remedy` is what to give instead."""
    targets = {path.resolve(): path for path in written}
    for path in read:
        if path.resolve() in targets:
            raise ValueError(f"{targets[path.resolve()]} is an input and would be overwritten; give {remedy}")
