"""The file of an index: what is written comes back, by safetensors too; what is broken or cut off is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from seqvae.files import write_atomically
from seqvae.index_file import FACTS, IndexFile, IndexWriter, Rows

SAID = {"modality": "text", "weights": "abc", "step": 7, "folder": "/there", "sources": ["a.txt"]}
NAMES = ["the cat", "", "Ünïcode ♪", "x" * 300, "lone \udc80"]


def rows(first: int, last: int) -> Rows:
    codes = np.arange(15, dtype=np.float32).reshape(5, 3)[first:last]
    return Rows(codes, -np.arange(5.0)[first:last], np.arange(1, 6)[first:last], NAMES[first:last],
                ["b", None, "a", "b", None][first:last])  # fmt: skip


def written(path: Path) -> Path:
    with IndexWriter(path.parent, 3) as writer:
        writer.add(rows(0, 2))
        writer.add(rows(2, 5))
        writer.write(path, SAID)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "index.safetensors")


def test_what_is_written_comes_back(path: Path) -> None:
    found = IndexFile(path)
    assert len(found) == 5
    assert found.codes.tolist() == np.arange(15).reshape(5, 3).tolist()
    assert (found.elbo_nats.tolist(), found.steps.tolist()) == ([0, -1, -2, -3, -4], [1, 2, 3, 4, 5])
    assert [found.name(place) for place in range(5)] == NAMES
    assert [found.label(place) for place in range(5)] == ["b", None, "a", "b", None]
    assert {name: found.facts[name] for name in SAID} == SAID
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_a_safetensors_file_that_anybody_can_read(path: Path) -> None:
    arrays = load_file(path)
    assert arrays["codes"].shape == (5, 3)
    assert arrays["codes"].tolist() == IndexFile(path).codes.tolist()
    assert arrays["name_ends"].tolist()[:3] == [0, 7, 7]


def test_a_file_that_is_cut_off_changed_or_something_else_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    sentence = "is no index, or a damaged one; make it anew with `seqvae index`"
    flipped = bytearray(whole)
    flipped[-400] ^= 1
    size = 8 + int.from_bytes(whole[:8], "little")
    for content in (b"", whole[:5], whole[:size], whole[:-1], whole + b"x", bytes(flipped), b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=sentence):
            IndexFile(path)
    save_file({"codes": np.zeros((2, 3), np.float32)}, path)
    with pytest.raises(ValueError, match=sentence):
        IndexFile(path)
    path.unlink()
    with pytest.raises(ValueError, match="there is no index"):
        IndexFile(path)
    path.mkdir()
    with pytest.raises(ValueError, match="is not a regular file"):
        IndexFile(path)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [([], "has format None, not 1"), ({"format": 2}, "has format 2, not 1"), ({"format": 1}, "it has no modality"),
     ({"format": 1, **SAID, "label_names": [], "sha256": {}}, "a damaged one")],
)  # fmt: skip
def test_another_format_and_strange_facts_are_refused(tmp_path: Path, facts: object, sentence: str) -> None:
    path = tmp_path / "strange.safetensors"
    save_file({"codes": np.zeros((2, 3), np.float32)}, path, {FACTS: json.dumps(facts)})
    with pytest.raises(ValueError, match=sentence):
        IndexFile(path)


def test_a_write_that_is_cut_off_leaves_what_was_there(path: Path) -> None:
    before = path.read_bytes()

    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, pieces())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
