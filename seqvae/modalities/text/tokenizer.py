"""What a tokenizer is: text to token ids and back, in files that name their kind.

One layout for all: id 0 ends a sequence, all other ids stand for text. There is no start and no padding id.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seqvae.files import write_atomically

END = 0
FORMAT = 1
DESCRIPTION_FILE = "tokenizer.json"


@runtime_checkable
class Tokenizer(Protocol):
    """Text to token ids and back. `END` is not written by `encode` and must not be passed to `decode`."""

    kind: str

    @property
    def unknown(self) -> int | None:
        """The id of everything outside the vocabulary; None where nothing is outside."""
        ...

    @property
    def size(self) -> int:
        """The number of ids V, the end of sequence included."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        ...

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of many texts, one after another, and (N,) how many each has."""
        ...

    def hidden(self, text: str, most: int) -> list[str]:
        """What the unknown id stands for among the first `most` tokens of a text; not the corpus's own word for it."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        ...

    def decode_lines(self, steps: Sequence[int]) -> str:
        """What `decode` gives of many texts, of which each closes with END, and a line end after each."""
        ...

    def canonical(self, text: str) -> str:
        """What decoding the ids of a text gives when nothing in it is unknown."""
        ...

    def files(self) -> dict[str, bytes]:
        """Name and content of the files that hold the tokenizer."""
        ...


def bytes_of(text: str) -> int:
    """Its size in UTF-8; half of a surrogate pair is one byte."""
    return len(text.encode("utf-8", errors="replace"))


def description(kind: str, content: dict[str, Any]) -> bytes:
    """The bytes of a tokenizer's description file."""
    text = json.dumps({"format": FORMAT, "kind": kind, **content}, ensure_ascii=False)
    return text.encode("utf-8", errors="surrogatepass")


def fingerprint(tokenizer: Tokenizer) -> str:
    """sha256 over the tokenizer's whole content, in hex."""
    digest = hashlib.sha256()
    for name, content in sorted(tokenizer.files().items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def save(tokenizer: Tokenizer, folder: Path) -> list[Path]:
    """Write a tokenizer's files into a folder; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_atomically(folder / name, content) for name, content in sorted(tokenizer.files().items())]


def damaged(path: Path) -> ValueError:
    """The error for a tokenizer file that does not hold what was written."""
    return ValueError(f"{path} is damaged; restore the file from a copy, or train again")


def read_file(path: Path) -> bytes:
    """The content of a tokenizer file. Raises ValueError when it is missing or cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; give the folder of a trained model, or restore the file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); restore the file from a copy") from None


def read_description(kind: str, folder: Path) -> dict[str, Any]:
    """What `description` wrote. Raises ValueError when it is missing, damaged, newer or of another kind."""
    path = folder / DESCRIPTION_FILE
    written = read_file(path)
    try:
        content = json.loads(written.decode())
    except (ValueError, RecursionError):
        raise damaged(path) from None
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        raise damaged(path)
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} has format {content.get('format')}, this seqvae reads format {FORMAT}; update seqvae")
    if content["kind"] != kind:
        raise ValueError(
            f"{path} holds a tokenizer of kind '{content['kind']}', not '{kind}'; "
            f"set data.tokenizer={content['kind']}, or give another folder"
        )
    return content
