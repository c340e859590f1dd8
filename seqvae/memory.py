"""Data in memory or from pipes, where no file is named: laid into files for as long as a modality reads them."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np

from seqvae.modalities.base import Modality
from seqvae.modalities.folders import exists, near_name
from seqvae.modalities.items import Items
from seqvae.pipes import check_named_once, copy_pipe

NAME = "memory"  # what errors and reports call the place of data that are in no file
PIPE = "pipe "  # before the name of a pipe, in reports

Data: TypeAlias = Any  # what a user trains on: names of files (one or several), an array, objects, `Items`


def known(data: Data) -> Items | list[Path]:
    """The files that data name, or else the items that they are.

    A str or a Path always names a file or folder, alone or in a list. What is in `Items`, arrays and other objects are
    the data themselves; a pair of arrays are images and their labels.

    Raises ValueError for a str that names nothing, so that no mistyped name is trained on.
    """
    if isinstance(data, Items):
        return data
    if isinstance(data, str | Path):
        data = [data]
    elif isinstance(data, Iterable) and not hasattr(data, "keys") and not hasattr(data, "__array__"):
        data = data if isinstance(data, Sequence) else list(data)
    elif isinstance(data, np.ndarray) and data.dtype.kind == "U":
        data = data.tolist()
    if not isinstance(data, Sequence) or not all(isinstance(one, str | Path) for one in data):
        return Items(*data) if _are_labelled(data) else Items(data)
    for word in data:
        if isinstance(word, str) and not exists(word):
            raise ValueError(
                f"there is no file or folder {word!r:.80}; a str names one, and data that are in memory are given as "
                f"seqvae.Items([...]).{near_name(Path(word))}"
            )
    return [Path(word) for word in data]


def _are_labelled(data: Data) -> bool:
    """Whether data are a pair of images and as many labels."""
    if not isinstance(data, tuple) or len(data) != 2 or not all(hasattr(part, "__len__") for part in data):
        return False
    labels = np.asarray(data[1], None if hasattr(data[1], "dtype") else object)
    plain = all(isinstance(label, int | str | np.integer) for label in labels.ravel().tolist())
    return labels.ndim == 1 and plain


class Copies(list[Path]):
    """Files of which some are copies of what came through pipes; `names` are what the user called them."""

    def __init__(self, files: Iterable[Path], names: Sequence[str]) -> None:
        super().__init__(files)
        self.names = names


def pipes_of(*sources: Items | Sequence[Path]) -> list[Path]:
    """The pipes among data. Raises ValueError for one that is named twice."""
    pipes = [path for data in sources if not isinstance(data, Items) for path in data if path.is_fifo()]
    check_named_once(pipes)
    return pipes


@overload
def readable(modality: Modality, data: Sequence[Path]) -> AbstractContextManager[Sequence[Path]]:
    """Of files alone, files."""


@overload
def readable(modality: Modality, data: Items | Sequence[Path]) -> AbstractContextManager[Items | Sequence[Path]]:
    """Of what may be in memory, what may be in memory."""


@contextmanager
def readable(modality: Modality, data: Items | Sequence[Path]) -> Iterator[Any]:
    """The data, with files in the place of pipes while the context is open: pipes are read here, once.

    Errors call the files by the names of the pipes. Raises ValueError as `copy_pipe`, for a pipe that is named twice,
    and where the modality, with its settings, reads files alone.
    """
    pipes = pipes_of(data)
    if isinstance(data, Items) or not pipes:
        yield data
        return
    modality.check_pipe(pipes[0])
    with tempfile.TemporaryDirectory(prefix="seqvae-") as root:
        copies = {path: copy_pipe(path, Path(root, f"pipe-{place}")) for place, path in enumerate(pipes)}
        names = [f"{PIPE}{path}" if path in copies else str(path) for path in data]
        try:
            yield Copies((copies.get(path, path) for path in data), names)
        except ValueError as error:
            words = str(error)
            for path, copy in copies.items():
                words = words.replace(str(copy), str(path))
            raise ValueError(words) from None


@contextmanager
def files_of(modality: Modality, data: Items | Sequence[Path]) -> Iterator[Sequence[Path]]:
    """The files that hold the data: their own, or those that are made of data in memory while the context is open.

    Errors call these memory/NAME. Raises ValueError for items that the modality does not know.
    """
    if not isinstance(data, Items):
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="seqvae-") as root:
        folder = Path(root, NAME)
        folder.mkdir()
        try:
            files = modality.as_files(data)
            for file in files:
                (folder / file.name).write_bytes(file.content())
            yield [folder / files[0].name] if len(files) == 1 else [folder]
        except ValueError as error:
            raise ValueError(str(error).replace(f"{root}{os.sep}", "")) from None


def names_of(data: Items | Sequence[Path]) -> list[str]:
    """How reports call the sources of data."""
    if isinstance(data, Copies):
        return list(data.names)
    return ["data in memory"] if isinstance(data, Items) else [str(path) for path in data]


def are_passing(data: Items | Sequence[Path]) -> bool:
    """Whether nobody can read the data again: they are in memory, or some came through a pipe."""
    return isinstance(data, Items | Copies)
