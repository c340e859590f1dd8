"""Where results may be written, checked before any work goes into them."""

from pathlib import Path


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
