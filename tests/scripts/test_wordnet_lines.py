"""Lines of WordNet: what is kept of one, and that no line is in two parts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.scripts.loaded import script

lines = script("wordnet_lines")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a small room (in a house) for guests", "a small room for guests"),
        ("not natural; lacking spontaneity", "not natural"),
        ("a house ( old ) , by the sea", "a house, by the sea"),
        ("born in 1694", None),
        ("an (unclosed bracket", None),
        ("fog", None),
        (" ".join(["word"] * 14), " ".join(["word"] * 14)),
        (" ".join(["word"] * 15), None),
    ],
)
def test_what_is_kept_of_a_line(line: str, expected: str | None) -> None:
    assert lines.cleaned(line) == expected


def test_lines_with_a_rare_word_are_left_out() -> None:
    assert lines.frequent([["a cat", "a a dog"], ["a cat, a dog", "a bird"]], 2) == [["a cat", "a a dog"], []]
    assert lines.frequent([["a cat", "the cat"], ["the cat, a bird", "a, bird"]], 2) == [
        ["a cat", "the cat"], ["the cat, a bird", "a, bird"]
    ]  # fmt: skip


def test_parts_share_no_line() -> None:
    numbered = [f"line {'i' * place}" for place in range(1, 201)]
    found = lines.parts([numbered, [*numbered[50:], "line twice", "line twice"]], rare=1)
    assert {name: len(part) for name, part in found.items()} == {"train": 190, "valid": 5, "test": 6}
    assert len(set().union(*found.values())) == 201


def test_script_writes_three_files(tmp_path: Path) -> None:
    for name in lines.FILES:
        kind = name.removesuffix(".txt")
        words = [f"{a} {b} of {kind}" for a in ("one", "another", "some") for b in ("line", "part", "piece")]
        words *= 2  # the second time they are left out
        (tmp_path / name).write_text("".join(f"{line}; and more\n" for line in words), encoding="utf-8")
    done = CliRunner().invoke(lines.main, [str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    training = (tmp_path / "out/train.txt").read_text(encoding="utf-8").splitlines()
    assert training[:2] == ["one part of examples", "one piece of examples"]
    assert len(training) == 16
    assert not (tmp_path / "out/valid.txt").read_text(encoding="utf-8").strip()


def test_missing_files_are_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(lines.main, [str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "has no examples.txt and no glosses.txt" in done.stderr
