"""What a run wrote into its folder is deleted by name; files of somebody else stay, those inside its folders too."""

import contextlib
import re
import shutil
from pathlib import Path

from seqvae.runs.verified import MANIFEST, read_manifest

WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"
# What is fitted to the codes that these weights give, each a .json and a .safetensors beside them.
KINDS = PRIOR, ATTRIBUTES, CRITICS = "prior", "attributes", "critics"
BESIDE = tuple(f"{kind}.{ending}" for kind in KINDS for ending in ("json", "safetensors"))
OF_CHECKPOINT = (WEIGHTS, OPTIMIZER, STATE, *BESIDE, MANIFEST)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is a checkpoint, damaged or whole: one that holds nothing but foreign files is none."""
    return is_of_step(folder) and any((folder / name).exists() for name in OF_CHECKPOINT)


def is_of_step(folder: Path) -> bool:
    """Whether a folder has the name of a checkpoint."""
    return re.fullmatch(r"step-\d{8,}", folder.name) is not None


def remove_own(run: Path, name: str) -> None:
    """Delete what a run wrote of one of its parts, a file or a folder; a folder with foreign files stays with them.

    The manifest says which files of `modality` are the run's, so it is to be removed after that. It can be cut off
    anywhere and done again.
    """
    path = run / name
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif name == "modality":
        _remove_files(path, {file.removeprefix("modality/") for file in _listed(run)})
    elif name == "tensorboard":
        _remove_files(path, {file.name for file in path.glob("events.out.tfevents.*")})
    else:
        remove_leftovers(path)
        for folder in filter(is_of_step, list(path.iterdir())):
            remove_checkpoint(folder)
        _remove_files(path, set())


def remove_checkpoint(folder: Path) -> None:
    """Delete a checkpoint, and its folder where that holds nothing else; a link alone, not what it names."""
    if folder.is_symlink():
        folder.unlink()
    else:
        _remove_files(folder, {*_listed(folder), *OF_CHECKPOINT})


def remove_leftovers(checkpoints: Path) -> None:
    """Delete checkpoints that were being written or replaced when a process was cut off."""
    for leftover in checkpoints.glob(".writing-step-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in checkpoints.glob(".replaced-step-*"):
        remove_checkpoint(leftover)
        if leftover.exists():
            move_into(leftover, leftover.with_name(leftover.name.removeprefix(".replaced-")))


def move_into(source: Path, target: Path) -> None:
    """Move a file or folder to a place, into the folder that stands there; nothing in its way is overwritten."""
    if not target.exists() and not target.is_symlink():
        source.rename(target)
    elif source.is_dir() and target.is_dir() and not source.is_symlink() and not target.is_symlink():
        for entry in list(source.iterdir()):
            move_into(entry, target / entry.name)
        source.rmdir()
    else:
        source.rename(free(target))


def free(path: Path) -> Path:
    """The path, or the first of NAME-2, NAME-3, ... where something stands there; a file keeps its ending."""
    number, found, ending = 1, path, path.suffix if path.is_file() else ""
    while found.exists() or found.is_symlink():
        number += 1
        found = path.with_name(f"{path.name.removesuffix(ending)}-{number}{ending}")
    return found


def _listed(folder: Path) -> set[str]:
    """The names in the manifest of a folder; none where it is missing or damaged."""
    with contextlib.suppress(ValueError, OSError):
        return {name for name in read_manifest(folder) if ".." not in Path(name).parts}
    return set()


def _remove_files(folder: Path, names: set[str]) -> None:
    """Delete files by their names right in a folder, the manifest last, and the folder when it is empty."""
    for name in sorted(names, key=lambda name: name == MANIFEST):
        for file in (folder / f".writing-{name}", folder / name):
            if file.parent == folder and (file.is_symlink() or file.is_file()):
                file.unlink()
    with contextlib.suppress(OSError):  # foreign files are in it
        folder.rmdir()
