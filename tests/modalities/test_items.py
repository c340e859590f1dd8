"""Items by name, and reports of what reading gave: as people read them, and as JSON keeps them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqvae.config import counted
from seqvae.modalities.items import MOST_DETAILS, OF_WHICH, Report, file_and_index, names_of, no_such_index

words = st.text("abc,: ", min_size=1, max_size=6)
entries = st.lists(
    st.tuples(words, st.integers(1, 99), st.sampled_from(["", "files", "hits"]), st.sampled_from(["", "36", "41"])),
    max_size=12,
)


@pytest.mark.parametrize(
    ("number", "what", "expected"),
    [
        (1, "items longer than 256 tokens, cut", "1 item longer than 256 tokens, cut"),
        (1200, "unknown tokens", "1,200 unknown tokens"),
        (1, "byte order marks dropped", "1 byte order mark dropped"),
        (0, "active units", "0 active units"),
    ],
)
def test_one_is_singular(number: int, what: str, expected: str) -> None:
    assert counted(number, what) == expected


def reported(entries: list[tuple[str, int, str, str]]) -> Report:
    """A report in which a count is broken down in all of its parts or in none, as readers do it."""
    report = Report(["a.txt"], 3)
    for what, number, group, detail in entries:
        report.count(f"{what}{bool(detail and group)}", number, group, detail if group else "")
    return report


@given(entries)
def test_a_report_survives_json(entries: list[tuple[str, int, str, str]]) -> None:
    report = reported(entries)
    again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again == report
    assert again.lines() == report.lines()


@given(entries, entries)
def test_two_reports_add_up(first: list[Any], second: list[Any]) -> None:
    both = reported(first)
    both.add(reported(second))
    assert both == reported(first + second)


def test_the_counts_of_an_older_report_are_shown_one_by_one() -> None:
    report = Report.from_dict({"sources": [], "items": 1, "counts": {"files read": 7, "empty lines dropped": 1}})
    assert report.lines() == ["1 empty line dropped", "7 files read"]


def test_a_count_is_found_by_its_name_and_group_and_is_0_where_nothing_was_counted() -> None:
    report = Report()
    report.count("read", 7, "files")
    report.count("read", 0)
    assert (report.of("read", "files"), report.of("read"), report.of("found", "files")) == (7, 0, 0)
    assert report.to_dict()["counts"] == {"files": {"read": 7}}


def test_parts_of_a_count_stand_behind_it_and_not_beside_it() -> None:
    report = Report()
    for what, number in (("found", 12), ("read", 11), ("of the split test", 1)):
        report.count(what, number, "files")
    for what, number in (("without 2 bars", 3), ("up to a damage", 1), ("without a chord", 2)):
        report.count(f"read{OF_WHICH}{what}", number, "files")
    assert report.lines() == [
        "files: 12 found; 11 read, of which 3 without 2 bars, 2 without a chord and 1 up to a damage; "
        "1 of the split test"
    ]
    assert Report.from_dict(report.to_dict()).lines() == report.lines()


def test_of_many_details_the_largest_are_named() -> None:
    report = Report()
    for pitch in range(40, 50):
        report.count("of pitches that no class holds", pitch, "hits", str(pitch))
    line = report.lines()[1]
    assert line.startswith("hits of pitches that no class holds: 49 (49), 48 (48), ")
    assert line.endswith(f"42 (42) and {10 - MOST_DETAILS} others")


def test_a_file_is_named_alone_or_with_the_index_of_each_of_its_items(tmp_path: Path) -> None:
    assert names_of("a.mid", 1) == ["a.mid"]
    assert names_of("a.mid", 3) == ["a.mid#0", "a.mid#1", "a.mid#2"]
    assert file_and_index("a.mid#12", "window") == (Path("a.mid"), 12)
    assert file_and_index("a.mid", "window") == (Path("a.mid"), None)
    odd = tmp_path / "a#1"
    odd.touch()
    assert file_and_index(str(odd), "window") == (odd, None), "a file may have a # in its name"
    with pytest.raises(ValueError, match=r"'a\.mid#one' names no window; write FILE#INDEX, .* such as a\.mid#0"):
        file_and_index("a.mid#one", "window")
    assert str(no_such_index(Path("a.mid"), 3, 3, "windows")) == (
        "a.mid has 3 windows, so there is no #3; give a.mid#0 to #2"
    )
