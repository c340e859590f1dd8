"""Splits of files by their contents or by a table, and the windows that two splits share."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.splits import ranked
from tests.modalities.midi.songs import SONGS, check_accounts, read, refusal, song, source_of, steps, write, zipped


def split(folder: Path, part: str, **settings: object) -> set[int]:
    return set(steps(read(folder, source_of(split=part, **settings))[0]))  # type: ignore[arg-type]


def test_files_are_split_by_their_contents_so_that_copies_fall_together(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {f"{number}.mid": song(2, number) for number in range(16)})
    two = write(tmp_path / "two", {f"{c}/{number + 1}.mid": song(2, number) for number in range(16) for c in "ab"})
    parts = {part: split(one, part, valid_share=0.25, test_share=0.125) for part in ("train", "valid", "test")}
    assert [len(parts[part]) for part in parts] == [10, 4, 2]
    assert set.union(*parts.values()) == set(range(16))
    assert {part: split(two, part, valid_share=0.25, test_share=0.125) for part in parts} == parts
    assert split(one, "valid", valid_share=0.25, test_share=0.125, split_seed=1) != parts["valid"]
    clips, counts = read(two, source_of(split="test", valid_share=0.25, test_share=0.125))
    assert (counts["files of the split train"], counts["files of the split valid"], len(clips)) == (20, 8, 4)


@pytest.mark.parametrize(
    ("files", "valid_share", "test_share", "sizes"),
    [
        (0, 0.1, 0.1, (0, 0, 0)),
        (1, 0.1, 0.1, (1, 0, 0)),
        (2, 0.1, 0.1, (1, 1, 0)),
        (2, 0.0, 0.1, (2, 0, 0)),
        (3, 0.5, 0.4, (1, 2, 0)),
        (20, 0.05, 0.05, (18, 1, 1)),
    ],
)
def test_something_is_left_for_training_and_something_for_validation(
    files: int, valid_share: float, test_share: float, sizes: tuple[int, ...]
) -> None:
    parts = Counter(ranked([bytes([number]) for number in range(files)] * 2, valid_share, test_share).values())
    assert (parts["train"], parts["valid"], parts["test"]) == sizes


TABLE = "id,split,where\n1,train,./a/z.MID\n2,validation,a\\b\\x.midi\n3,Test,b.mid\n"


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.replace(",", "\t"),
        TABLE.replace(",", ";"),
        "\ufeff" + TABLE,
        TABLE.replace("./", "up/there/songs/"),
    ],
    ids=["comma", "tab", "semicolon", "byte order mark", "longer paths"],
)
def test_files_are_split_by_a_column_of_a_table(table: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "up" / "there" / "songs", SONGS)
    (tmp_path / "info.csv").write_text(table, encoding="utf-8")
    parts = {part: split(folder, part, split_csv=str(tmp_path / "info.csv")) for part in ("train", "valid", "test")}
    assert parts == {"train": {1}, "valid": {0}, "test": {2}}
    counts = read(folder, source_of(split="test", split_csv=str(tmp_path / "info.csv")))[1]
    assert counts["files that the table of splits does not name"] == 1
    check_accounts(counts, 1)


def test_a_table_splits_a_zip_and_parts_of_a_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "songs", SONGS)
    (tmp_path / "info.csv").write_text(TABLE)
    assert split(folder / "a", "valid", split_csv=str(tmp_path / "info.csv")) == {0}
    archive = zipped(tmp_path / "songs.zip", {f"songs/{name}": content for name, content in SONGS.items()})
    assert split(archive, "train", split_csv=str(tmp_path / "info.csv")) == {1}


def test_a_split_of_a_table_without_a_window_speaks_for_itself_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "songs", {"a.mid": song(4), "b.mid": song(4, 1), "short.mid": song(1, 2)})
    (tmp_path / "info.csv").write_text("file,split\na.mid,train\nb.mid,test\nshort.mid,valid\n")
    source = source_of(split="valid", split_csv=str(tmp_path / "info.csv"))
    assert refusal(folder, source) == (
        f"no window of 2 bars fits into the split 'valid' of {folder}: the longest stretch of one metre has 1 bar of "
        "4/4; pass data.bars=1, or give longer files"
    )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (None, "there is no file TABLE; give a CSV file with a line for each MIDI file"),
        ("", "TABLE is empty; give a CSV file with a line for each MIDI file"),
        (
            "spilt,file,a,b,c,d,e\ntrain,b.mid\n",
            "TABLE has no column 'split'; pass data.split_column with the one that holds train, valid and test, of "
            "spilt, file, a, b, c, d, e. Did you mean 'spilt'?",
        ),
        ("split,file\ntrain,q.mid\n", "TABLE names none of the files, such as SONGS/a/b/x.midi, in any of its "),
        ("split,file\n", "TABLE names none of the files, such as SONGS/a/b/x.midi, in any of its columns split, file"),
        ("split,file\nA,b.mid\nB,c.kar\n", "the column 'split' of TABLE holds 'A', 'B'; it must hold train, "),
        ("split,file\nvalid,b.mid\n", "the split 'train' has none of the 4 files; valid has 1"),
        (b"split,file\n\xff,b.mid\n", "TABLE cannot be read as CSV ("),
    ],
)
def test_a_table_that_splits_nothing_is_refused(table: str | bytes | None, sentence: str, tmp_path: Path) -> None:
    folder, path = write(tmp_path / "songs", SONGS), tmp_path / "info.csv"
    if table is not None:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    expected = sentence.replace("TABLE", str(path)).replace("SONGS", str(folder))
    assert refusal(folder, source_of(split="train", split_csv=str(path))).startswith(expected)


def test_windows_are_alike_by_hits_and_metre_alone() -> None:
    hits = np.zeros((32, 3), dtype=bool)
    hits[4, 1] = True
    clip = Clip(hits)
    assert clip.digest == Clip(hits.copy(), bpm=90.0, kit=3).digest
    others = (Clip(~hits), Clip(hits, meter=(3, 4)), Clip(hits, steps_per_quarter=8), Clip(hits.reshape(96, 1)))
    assert clip.digest not in {other.digest for other in others}


def test_the_official_split_of_the_groove_dataset_gives_the_windows_of_the_reference(shared_data: Path) -> None:
    folder = shared_data / "gmd"
    source = source_of(meter="4/4", split_csv=str(folder / "info.csv"))
    parts = {}
    for part, files, windows in (("train", 897, 16537), ("valid", 124, 2055), ("test", 129, 2084)):
        clips, counts = read(folder, replace(source, split=part))
        assert (counts["files found"], counts["files read"], len(clips)) == (1150, files, windows)
        check_accounts(counts, windows)
        parts[part] = clips
    known = {clip.digest for clip in parts["train"]}
    assert [sum(clip.digest in known for clip in parts[part]) for part in ("valid", "test")] == [32, 39]
    assert all(clip.hits.shape == (32, 9) for clips in parts.values() for clip in clips)
