"""The cache of encoded corpora: what is encoded once comes back whole, with its labels, or is encoded anew."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqvae.cache import MARK, claim, corpora_folder
from seqvae.corpus import Corpus, content_hash, prepare, repeated
from seqvae.modalities import encoding
from seqvae.modalities.base import Modality, Report
from tests.digits import Digits


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "digits.txt"
    path.write_text("312\n4\n\n55555\n12\n")
    return path


def cached() -> list[str]:
    """The names of the corpora in the cache, and of whatever else than its mark lies beside them."""
    return sorted(path.name for path in corpora_folder().iterdir() if path.name != MARK)


def test_the_stand_in_is_a_modality() -> None:
    assert isinstance(Digits(), Modality)


def test_items_come_back_in_order_with_what_was_dropped(source: Path) -> None:
    corpus = prepare(Digits(longest=4), [source, source])
    assert [x.tolist() for x in (corpus[i] for i in range(len(corpus)))] == [[3, 1, 2, 0], [4, 0], [0], [1, 2, 0]] * 2
    assert (corpus.items, corpus.steps) == (8, 20)
    assert corpus.report.to_dict() == {"sources": [str(source)] * 2, "items": 8, "counts": {"too long": 2}}
    assert corpus.lengths(np.array([3, 0])).tolist() == [3, 4]
    assert corpus[0].dtype == np.int16


def test_items_that_stand_in_another_corpus_are_counted_step_for_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BUFFER_ITEMS", 3)  # so that several pieces are looked through
    contents = {"train": "12\n21\n\n123\n312\n999\n", "valid": "12\n12\n213\n\n31\n99\n123\n"}
    for name, lines in contents.items():
        (tmp_path / name).write_text(lines)
    train, valid = (prepare(Digits(), [tmp_path / name]) for name in contents)
    assert repeated(valid, train) == 4  # 12 twice, the empty one, 123
    assert repeated(train, valid) == 3
    assert repeated(train, train) == 6


def test_the_bytes_are_those_of_what_was_encoded_and_counted_only_when_asked(source: Path) -> None:
    modality = Digits(longest=4)
    corpus = prepare(modality, [source])
    assert modality.decoded == 0
    assert corpus.bytes == 4 + 2 + 1 + 3
    assert modality.decoded == 4
    assert (corpus.bytes, modality.decoded) == (10, 4)
    modality.size_bytes = lambda item: None  # type: ignore[method-assign]
    assert prepare(modality, [source]).bytes is None


def test_the_cache_is_keyed_by_content_and_encoding(source: Path, tmp_path: Path) -> None:
    modality = Digits()
    first = prepare(modality, [source])
    assert modality.encoded == 5
    copy = tmp_path / "elsewhere.txt"
    copy.write_bytes(source.read_bytes())
    second = prepare(modality, [copy])
    assert modality.encoded == 5, "the same content is not encoded again"
    assert second.folder == first.folder
    assert second.report.sources == [str(copy)]
    assert prepare(Digits("other encoding"), [source]).folder != first.folder
    copy.write_text("312\n")
    assert prepare(modality, [copy]).folder != first.folder
    assert len(cached()) == 3


def test_a_folder_is_keyed_by_the_names_and_contents_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("1")
    a, b = folder / "deep" / "a", folder / "deep" / "b"
    before = content_hash(folder, [a])
    assert content_hash(folder, [a]) == before
    a.rename(b)
    renamed = content_hash(folder, [b])
    b.write_text("2")
    assert len({before, renamed, content_hash(folder, [b])}) == 3
    with pytest.raises(ValueError, match=r"there is no file or folder .*missing"):
        content_hash(tmp_path / "missing", [])


@pytest.mark.parametrize("name", ["steps.bin", "offsets.bin", "corpus.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_cache_entry_is_encoded_anew(name: str, damage: str, source: Path) -> None:
    modality = Digits()
    file = prepare(modality, [source]).folder / name
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content if damage == "flipped" and name != "corpus.json" else content[:-3])
    with pytest.raises(ValueError, match=r"cache clear|not valid JSON"):
        Corpus(file.parent, modality)
    corpus = prepare(modality, [source])
    assert modality.encoded == 10
    assert corpus[3].tolist() == [5, 5, 5, 5, 5, 0]
    assert cached() == [corpus.folder.name]


def test_a_full_disk_while_encoding_leaves_nothing_behind(source: Path) -> None:
    resource = pytest.importorskip("resource")  # not on Windows
    claim()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))  # bytes of a file
    try:
        with pytest.raises(OSError, match="File too large"):
            prepare(Digits(), [source])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cached() == []


def test_a_process_that_is_faster_wins_and_its_folder_is_used(source: Path) -> None:
    class Overtaken(Digits):
        def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
            prepare(Digits(), sources)  # the other process, from start to end
            return super().read(sources, report)

    corpus = prepare(Overtaken(), [source])
    assert corpus[0].tolist() == [3, 1, 2, 0]
    assert len(cached()) == 1


def test_a_corpus_of_which_nothing_is_left_says_why(source: Path) -> None:
    with pytest.raises(ValueError, match=r"no items are left in .*digits\.txt \(5 too long\); give other files"):
        prepare(Digits(longest=-1), [source])


@pytest.mark.parametrize("buffer", [1, 7, 2**20])
def test_buffering_changes_nothing(buffer: int, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BUFFER_VALUES", buffer)
    corpus = prepare(Digits(), [source])
    assert [corpus[i].tolist() for i in range(5)] == [[3, 1, 2, 0], [4, 0], [0], [5, 5, 5, 5, 5, 0], [1, 2, 0]]


def test_an_entry_of_the_cache_names_the_hashes_of_its_files(source: Path) -> None:
    folder = prepare(Digits(), [source]).folder
    meta = json.loads((folder / "corpus.json").read_text())
    assert sorted(meta["sha256"]) == ["offsets.bin", "steps.bin"]
    assert meta["dtype"] == "<i2"


def labels_of(corpus: Corpus) -> list[str | None]:
    assert corpus.labels is not None
    assert corpus.labels.dtype == np.int64
    return [corpus.label_names[place] if place >= 0 else None for place in corpus.labels]


@pytest.mark.parametrize("items_held", [1, 2, 3, 2**15])
def test_labels_are_kept_by_their_sorted_names_whatever_is_buffered(
    items_held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BUFFER_ITEMS", items_held)
    path = tmp_path / "digits.txt"
    path.write_text("71\n2\n01\n79999\n10\n25\n0\n")  # in the order in which they are met the names are not sorted
    corpus = prepare(Digits(labelled=True, longest=4), [path])
    assert corpus.label_names == ["first 1", "first 2", "first 7"]
    assert labels_of(corpus) == ["first 7", "first 2", None, "first 1", "first 2", None], "what is left out has none"
    assert corpus.labels.tolist() == [2, 1, -1, 0, 1, -1]  # type: ignore[union-attr]
    again = prepare(Digits(labelled=True, longest=4), [path])
    assert again.folder == corpus.folder
    assert labels_of(again) == labels_of(corpus)


def test_where_no_item_has_a_label_there_are_none_and_no_file_of_them(tmp_path: Path) -> None:
    path = tmp_path / "digits.txt"
    path.write_text("01\n02\n")
    for modality in (Digits("labelled", labelled=True), Digits()):
        corpus = prepare(modality, [path])
        assert (corpus.labels, corpus.label_names) == (None, [])
        assert sorted(file.name for file in corpus.folder.iterdir()) == ["corpus.json", "offsets.bin", "steps.bin"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_labels_are_encoded_anew(damage: str, source: Path) -> None:
    modality = Digits(labelled=True)
    file = prepare(modality, [source]).folder / "labels.bin"
    content = bytearray(file.read_bytes())
    assert len(content) == 4 * 5
    content[-1] ^= 1
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flipped" else content[:-4])
    with pytest.raises(ValueError, match=r"labels\.bin does not hold what was encoded; run `seqvae cache clear`"):
        Corpus(file.parent, modality)
    assert labels_of(prepare(modality, [source])) == ["first 3", "first 4", "first ", "first 5", "first 1"]
    assert modality.encoded == 10


def test_an_entry_that_an_older_version_wrote_is_encoded_anew(source: Path) -> None:
    modality = Digits(labelled=True)
    folder = prepare(modality, [source]).folder
    meta = json.loads((folder / "corpus.json").read_text())
    del meta["labels"], meta["equal_steps"]
    (folder / "corpus.json").write_text(json.dumps(meta))
    assert len(labels_of(prepare(modality, [source]))) == 5
    assert modality.encoded == 10


@pytest.mark.parametrize(
    ("lines", "longest", "expected"),
    [("12\n34\n56\n", 99, 3), ("12\n345\n56\n", 99, None), ("345\n12\n56\n", 2, 3), ("1\n12\n", 99, None)],
)
@pytest.mark.parametrize("items_held", [1, 2**15])
def test_a_corpus_tells_how_many_steps_all_of_its_items_have(
    items_held: int, lines: str, longest: int, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BUFFER_ITEMS", items_held)
    path = tmp_path / "digits.txt"
    path.write_text(lines)
    corpus = prepare(Digits(longest=longest), [path])
    assert corpus.equal_steps == expected
    assert corpus.values == corpus.steps


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_items_of_equal_length_are_taken_at_once_as_they_are_one_by_one(dtype: Any, tmp_path: Path) -> None:
    path = tmp_path / "digits.txt"
    path.write_text("".join(f"{number:04}\n" for number in range(1000, 1060)))
    corpus = prepare(Digits(dtype=dtype), [path])
    indices = np.array([59, 0, 7, 7, 31])
    taken = corpus.take(indices)
    assert taken.shape == (5, 5)
    assert taken.dtype == dtype
    assert np.array_equal(taken, np.stack([corpus[int(index)] for index in indices]))
    assert taken[0].tolist() == [1, 0, 5, 9, 0]
    taken[:] = 9
    assert corpus[59].tolist() == [1, 0, 5, 9, 0], "the file is left alone"
