"""Files that were written as they are read: a manifest of a folder holds the sha256 of each."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save_file
from torch import Tensor

from seqvae.config import read_json
from seqvae.files import file_hash, own, write_atomically

Tensors = Mapping[str, Tensor]
MANIFEST = "manifest.json"


def json_bytes(value: Any) -> bytes:
    """A JSON file of plain values, UTF-8."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def sha256(content: bytes) -> str:
    """Its sha256 in hex, as manifests hold it."""
    return hashlib.sha256(content).hexdigest()


def write_with_manifest(folder: Path, files: Mapping[str, bytes | Tensors]) -> None:
    """Write files into a folder, tensors as safetensors, and last its manifest."""
    manifest = {name: write_hashed(folder, name, content) for name, content in files.items()}
    write_atomically(own(folder, MANIFEST), json_bytes(manifest))


def write_hashed(folder: Path, name: str, content: bytes | Tensors) -> str:
    """Write a file into a folder; its sha256. Tensors go to the disk as they are, without a copy in memory."""
    path = own(folder, name)
    if isinstance(content, bytes):
        write_atomically(path, content)
        return sha256(content)
    return file_hash(write_atomically(path, lambda writing: _write_tensors(content, writing)))


def _write_tensors(tensors: Tensors, path: Path) -> None:
    """Raises OSError where the system cannot write, as for other files."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def read_manifest(folder: Path) -> dict[str, str]:
    """sha256 of each file of a folder. Raises ValueError when the manifest is missing or damaged."""
    path = own(folder, MANIFEST)
    if not path.is_file():
        raise ValueError(f"{path} is missing; restore the folder from a copy")
    return read_json(path)


def read_verified(folder: Path, name: str) -> bytes:
    """The content of a file that has the sha256 of the folder's manifest. Raises ValueError otherwise."""
    path, expected = own(folder, name), read_manifest(folder).get(name)
    if expected is None or not path.is_file():
        raise ValueError(f"{path} is missing or not in its manifest; restore the folder from a copy")
    content = path.read_bytes()
    if sha256(content) != expected:
        raise ValueError(f"{path} is damaged (its sha256 is not the manifest's); restore it from a copy")
    return content


def demand(path: Path, values: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]]) -> None:
    """Raises ValueError for the first key that is not there or of another type."""
    for name, kind in kinds.items():
        if name not in values or not isinstance(values[name], kind):
            found = f"{name}={values[name]!r:.40}" if name in values else f"no {name}"
            raise ValueError(f"{path} was not written by seqvae (it has {found}); restore the folder from a copy")


def read_json_verified(folder: Path, name: str) -> dict[str, Any]:
    """The values of a JSON file, verified. Raises ValueError when it is missing or damaged."""
    read_verified(folder, name)
    return read_json(folder / name)


def read_tensors_verified(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, verified. Raises ValueError when it is missing or damaged."""
    content = read_verified(folder, name)
    try:
        return tensors_from_bytes(content)
    except SafetensorError as error:
        raise ValueError(f"{folder / name} is not a safetensors file ({error}); restore it from a copy") from None


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power failure, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
