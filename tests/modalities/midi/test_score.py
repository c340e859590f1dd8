"""Whole pieces by name: windows by their numbers, names of cut pieces, what is lost, and nothing read twice."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.base import Named, Report
from seqvae.modalities.midi import reading, score
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.grid import bar_number
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.score import Song, find_song
from seqvae.modalities.midi.settings import DrumData
from tests.modalities.midi.smf import hits, meter, midi, number, on
from tests.modalities.midi.songs import BAR, counts_of, song, source_of, write, zipped

METERS = [(4, 4), (3, 4)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pieces in it whose bar b is hit on step b."""
    monkeypatch.chdir(tmp_path)
    five = midi(hits((bar * BAR + bar * 120, 36) for bar in range(5)))
    mixed = midi(meter(0, 3, 2) + hits([(bar * 1440, 36) for bar in range(3)]) + meter(1440, 4, 2) + on(0, 38))
    return write(tmp_path, {"five.mid": five, "mixed.mid": mixed, "odd.mid": midi(meter(0, 7, 3) + on(0, 36))})


def find(word: str, **settings: object) -> Named:
    return find_song(source_of(**settings), word, METERS, Report())


def steps(clip: Clip) -> list[int]:
    """The steps that are hit."""
    return np.argwhere(clip.hits)[:, 0].tolist()


@pytest.mark.parametrize(
    ("hop", "number", "expected"),
    [
        (1, 0, [0, 17]), (1, 3, [3, 20]), (1, 4, [4]),
        (2, 0, [0, 17]), (2, 1, [2, 19]), (2, 2, [4]),
        (3, 1, [3, 20]),
    ],
)  # fmt: skip
def test_a_window_starts_every_hop_bars_and_is_shorter_at_the_end(
    hop: int, number: int, expected: list[int], here: Path
) -> None:
    named = find(f"five.mid#{number}", hop=hop)
    assert (named.name, named.path) == (f"five.mid#{number}", Path("five.mid"))
    assert steps(named.item) == expected
    assert len(named.item.hits) == 16 * len(expected)


def test_windows_are_counted_on_through_changes_of_metre(here: Path) -> None:
    assert [find(f"mixed.mid#{number}").item.meter for number in range(4)] == [(3, 4), (3, 4), (3, 4), (4, 4)]
    assert find("mixed.mid#1", hop=2).item.hits.shape == (12, 9)
    assert find("mixed.mid#2", hop=2).item.meter == (4, 4)


@pytest.mark.parametrize(
    ("bars", "hop", "names"),
    [
        (2, 1, ["five.mid#0", "five.mid#2", "five.mid#4"]),
        (2, 2, ["five.mid#0", "five.mid#1", "five.mid#2"]),
        (2, 4, ["five.mid#0", "five.mid, bars 3 to 4", "five.mid#1"]),
        (4, 3, ["five.mid#0", "five.mid, bars 5 to 8"]),
    ],
)
def test_the_windows_of_a_whole_file_bear_the_names_that_find_them(
    bars: int, hop: int, names: list[str], here: Path
) -> None:
    song = find("five.mid", bars=bars, hop=hop).item
    assert song.names == names
    for name, clip in zip(names, song.items, strict=True):
        if "#" in name:
            assert find(name, bars=bars, hop=hop).item == clip


def test_names_count_on_through_changes_of_metre(here: Path) -> None:
    assert find("mixed.mid").item.names == ["mixed.mid#0", "mixed.mid#2", "mixed.mid#3"]


@pytest.mark.parametrize("hop", [1, 2, 3])
def test_what_is_named_is_what_that_name_finds(hop: int, here: Path) -> None:
    source = source_of(hop=hop)
    named = list(source.named([Path("five.mid"), Path("mixed.mid")], Report(), METERS))
    assert [each.name.partition("#")[0] for each in named].count("five.mid") == len(range(0, 4, hop))
    for each in named:
        assert find(each.name, hop=hop).item == each.item
        assert each.path == Path(each.name.partition("#")[0])
    zipped(here / "songs.zip", {"x.mid": song(3)})
    (first, *_) = source.named([Path("songs.zip")], Report(), METERS)
    assert (first.name, first.path) == ("songs.zip:x.mid#0", Path("songs.zip"))


def test_windows_that_a_model_cannot_take_are_counted_and_not_named(here: Path) -> None:
    write(here, {"bad.mid": b"words", "a/five.mid": (here / "five.mid").read_bytes()})
    report = Report()
    sources = [Path("mixed.mid"), Path("bad.mid"), Path("a")]
    named = list(source_of(unique=True).named(sources, report, [(4, 4)]))
    assert [each.name for each in named] == [f"a/five.mid#{number}" for number in range(4)]
    assert counts_of(report) == {
        "windows of metres that the model does not know, left out": 2,
        "files skipped: it is no MIDI file (no MThd header), such as bad.mid": 1,
    }
    with pytest.raises(
        ValueError, match=r"^no window of mixed\.mid is in a metre that the model knows; give other file"
    ):
        list(source_of().named([Path("mixed.mid")], Report(), [(5, 4)]))
    with pytest.raises(ValueError, match=r"^nothing of bad\.mid can be read: it is no MIDI file"):
        list(source_of().named([Path("bad.mid")], Report(), METERS))
    only = source_of(meter="3/4").named([Path("mixed.mid"), Path("five.mid")], Report(), METERS)
    assert [each.name for each in only] == ["mixed.mid#0", "mixed.mid#1"]


def test_what_a_file_loses_is_counted_once_and_that_of_a_window_is_not(here: Path) -> None:
    lossy = midi(meter(0, 3, 5) + hits([(0, 36), (60, 91), (90, 91)]) + meter(0, 4, 2) + on(0, 36) + on(1, 92))
    write(here, {"lossy.mid": lossy[:-6]})
    report = Report()
    find_song(source_of(), "lossy.mid", METERS, report)
    assert counts_of(report) == {
        "hits in bars of 3/32, which do not fit the grid, left out": 1,
        "hits of pitches that no class holds: 91": 2,
        "files read up to a damage (track 1 breaks off)": 1,
    }
    report = Report()
    find_song(source_of(), "lossy.mid#0", METERS, report)
    assert counts_of(report) == {}


@pytest.mark.parametrize(
    ("ending", "lines"),
    [
        (
            hits([(0, 36), (BAR + 7, 36)]) + number(4 * BAR - (BAR + 7)),
            ["bars: 2 without hits at the end (3 to 4), left out"],
        ),
        (
            hits([(0, 36), (BAR + 7, 36)]) + number(3 * BAR - (BAR + 7)),
            ["bars: 1 without hits at the end (3), left out"],
        ),
        (hits([(0, 36), (BAR + 7, 36)]) + number(3 * BAR - (BAR + 7) - 1), []),  # the last of them is not whole
        (hits([(0, 36), (2 * BAR - 1, 36)]) + number(2 * BAR + 1), ["bars: 1 without hits at the end (4), left out"]),
        (
            hits([(0, 36), (BAR + 7, 36)]) + meter(2 * BAR - (BAR + 7), 3, 2) + number(BAR * 3 // 4 * 2),
            ["bars: 2 without hits at the end (3 to 4), left out"],
        ),
    ],
)
def test_bars_without_hits_at_the_end_of_a_file_are_named(ending: bytes, lines: list[str], here: Path) -> None:
    """An end of track stands that many ticks after what is before it; a hit just before bar 3 is on its first step."""
    write(here, {"end.mid": midi(ending + b"\xff\x2f\0")})
    report = Report()
    song = find_song(source_of(), "end.mid", METERS, report).item
    assert report.lines() == lines
    assert sum(len(item) for item in song.items) == 16 * (3 if "(4)" in "".join(lines) else 2)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("none.mid", "there is no file none.mid; give a MIDI file, or FILE#INDEX for a window of one"),
        ("five.mid#5", "five.mid has 5 windows, so there is no #5; give five.mid#0 to #4"),
        ("five.mid#x", "'five.mid#x' names no window; write FILE#INDEX, counted from 0, such as five.mid#0"),
        ("folder", "folder is a folder; give one MIDI file of it"),
        ("songs.zip", "songs.zip is a zip; give one MIDI file of it"),
        (
            "words.txt",
            "words.txt is not read: it is no MIDI file (no MThd header); give a MIDI file, or FILE#INDEX for a window "
            "of one",
        ),
        (
            "odd.mid",
            "odd.mid is in 7/8, and this model knows 4/4, 3/4 only; give a clip in one of these, or train with that "
            "metre",
        ),
        (
            "odd.mid#0",
            "odd.mid#0 is in 7/8, and this model knows 4/4, 3/4 only; give another window, or train with that metre",
        ),
        (
            "piano.mid#0",
            "piano.mid has no hits on channel 10 in 1 file; channels with notes: 1 (2); pass "
            "data.drum_channel or data.all_channels=true",
        ),
    ],
)
def test_what_cannot_be_found_is_one_sentence(word: str, sentence: str, here: Path) -> None:
    write(here, {"words.txt": b"words", "folder/five.mid": song(2), "piano.mid": song(2, channel=0)})
    zipped(here / "songs.zip", {"a.mid": song(2)})
    with pytest.raises(ValueError) as caught:
        find(word)
    assert str(caught.value) == sentence


def test_a_file_whose_name_holds_a_hash_is_a_file(here: Path) -> None:
    write(here, {"take#2.mid": song(3, 5)})
    assert find("take#2.mid").item.names == ["take#2.mid#0", "take#2.mid#2"]
    assert steps(find("take#2.mid#1").item) == [5, 21]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often files are parsed and laid out."""
    count: Counter[str] = Counter()

    def counted(module: object, name: str) -> None:
        function: Callable[..., object] = getattr(module, name)

        def counting(*arguments: object) -> object:
            count[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counting)

    counted(reading, "parse")
    counted(score, "layout")
    return count


def test_two_files_are_parsed_and_laid_out_once_each_on_their_way_to_windows_and_back(
    calls: Counter[str], here: Path
) -> None:
    drums = Drums(DrumData(meter="4/4"))
    write(here, {"two.mid": song(2)})
    found = [named for word in ("five.mid", "two.mid") for named in drums.find(word, Report())]
    windows = [drums.accept(named.item) for named in found]
    names = [drums.window_names(named, len(clips)) for named, clips in zip(found, windows, strict=True)]
    assert names == [["five.mid#0", "five.mid#2", "five.mid#4"], ["two.mid#0"]]
    results = drums.write([windows[0], windows[1], windows[0]], "path")
    assert results[0].files[0].content().startswith(b"MThd")
    drums.picture(windows, "path")
    drums.present(windows[0])
    assert calls == {"parse": 2, "layout": 2}


def test_a_song_and_a_list_are_taken_as_they_are(here: Path) -> None:
    drums = Drums(DrumData(meter="4/4"))
    clips = drums.accept(Path("five.mid"))
    assert drums.accept(Song(clips, ["a", "b", "c"])) == drums.accept(clips) == clips
    assert drums.window_names(Named("x.mid#3", clips[0]), 1) == ["x.mid#3"]


def test_only_bars_of_the_metre_that_is_set_are_read_and_the_others_are_told(here: Path) -> None:
    report = Report()
    four = find_song(source_of(meter="4/4"), "mixed.mid", METERS, report)
    assert (four.item.names, [clip.meter for clip in four.item.items]) == (["mixed.mid#3"], [(4, 4)])
    assert counts_of(report) == {"bars of 3/4, left out: 1 to 3": 3}
    report = Report()
    three = find_song(source_of(meter="3/4"), "mixed.mid", [(3, 4)], report)
    assert three.item.names == ["mixed.mid#0", "mixed.mid#2"]
    assert counts_of(report) == {"bars of 4/4, left out: 4": 1}
    assert find("mixed.mid#3", meter="4/4").item == four.item.items[0]
    modality = Drums(DrumData(meter="4/4"))
    modality.fit(lambda: four.item.items)
    assert modality.accept("mixed.mid") == list(four.item.items)


def test_hits_that_the_grid_loses_are_counted_in_the_bars_that_are_read(here: Path) -> None:
    """In bars of 3/4 a flam, and a kick that is there twice; a flam in the bar of 4/4; apart, two classes at once."""
    waltz = [(0, 36), (0, 36), (0, 38), (480, 38), (510, 38), (1440, 36)]
    write(here, {"lossy.mid": midi(meter(0, 3, 2), hits(waltz), meter(2880, 4, 2), hits([(2880, 38), (2890, 38)]))})
    flams, twice = "flams closer than 1/12 of a quarter", "at once with their own pitch"
    for only, lost in (("", {flams: 2, twice: 1}), ("3/4", {flams: 1, twice: 1}), ("4/4", {flams: 1})):
        report = Report()
        find_song(source_of(meter=only), "lossy.mid", METERS, report)
        assert report.details["hits", "lost to the grid"] == lost


@pytest.mark.parametrize(
    ("word", "only", "sentence"),
    [
        (
            "mixed.mid", "5/4",
            "mixed.mid has no bar of 5/4, the metre that is read; it has 3 bars of 3/4, 1 bar of 4/4; give another "
            "file, or pass data.meter=4/4",
        ),
        (
            "mixed.mid#0", "4/4",
            "mixed.mid#0 is in 3/4, and only bars of 4/4 are read; give another window, or train with that metre",
        ),
        (
            "mixed.mid", "",
            "mixed.mid is in 3/4, and this model knows 4/4 only; give a clip in one of these, or pass data.meter=4/4 "
            "to read those bars alone, or train with that metre",
        ),
    ],
)  # fmt: skip
def test_a_file_without_the_metre_that_is_set_is_refused(word: str, only: str, sentence: str, here: Path) -> None:
    with pytest.raises(ValueError) as caught:
        find_song(source_of(meter=only), word, [(4, 4)], Report())
    assert str(caught.value) == sentence


def test_bars_are_numbered_through_changes_of_metre_that_cut_them_short() -> None:
    changes = [(0, 4, 4), (3 * BAR, 3, 4), (3 * BAR + 1440 + 480, 3, 32), (4 * BAR + 1440 + 480, 4, 4)]
    notes = parse(midi(b"".join(_changes(changes)), hits([(0, 36), (6 * BAR, 36)])), "piece")
    assert notes.meters[0][1:] == (4, 4)
    ticks = (0, BAR, 3 * BAR, 3 * BAR + 1440, 3 * BAR + 1920, 4 * BAR + 1920)
    assert [bar_number(notes, tick) for tick in ticks] == [1, 2, 4, 5, 6, 17]


def _changes(changes: list[tuple[int, int, int]]) -> list[bytes]:
    at, made = 0, []
    for tick, numerator, denominator in changes:
        made.append(meter(tick - at, numerator, denominator.bit_length() - 1))
        at = tick
    return made
