"""Folders, zips and files to windows: order, accounts, processes, and every refusal in one sentence."""

import multiprocessing
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqvae.config import from_dict
from seqvae.modalities.base import Report
from seqvae.modalities.midi.classes import ROLAND, DrumClasses
from seqvae.modalities.midi.parser import MOST_BYTES, MidiError, parse
from seqvae.modalities.midi.settings import DrumData
from seqvae.modalities.midi.sources import contents, find
from tests.modalities.midi.smf import hits, meter, midi, off, on, tempo
from tests.modalities.midi.songs import (
    BAR,
    DEFAULT,
    SONGS,
    check_accounts,
    cut,
    read,
    refusal,
    song,
    source_of,
    steps,
    write,
    zipped,
)

ROOT = Path(__file__).resolve().parents[3]
# What is read, and in which order --------------------------------------------------------------------------------


def test_a_folder_is_read_with_all_below_it_by_relative_path(tmp_path: Path) -> None:
    others = {"notes.txt": b"words", ".hidden.mid": song(2), "._b.mid": b"", "__MACOSX/b.mid": song(2)}
    clips, counts = read(write(tmp_path, SONGS | others))
    assert steps(clips) == [0, 1, 2, 3, 3]
    assert (counts["files found"], counts["files read"], counts["windows found"]) == (4, 4, 5)


def test_sources_are_read_as_given_and_a_file_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, SONGS | {"odd.name": song(2, 7)})
    assert steps(read([tmp_path / "odd.name", tmp_path / "b.mid", tmp_path / "a"])[0]) == [7, 2, 0, 1]


def test_a_zip_reads_as_its_folder_does(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", SONGS)
    archive = zipped(tmp_path / "songs.ZIP", dict(reversed(SONGS.items())) | {"__MACOSX/b.mid": b"", "read.me": b""})
    assert read(archive) == read(folder)


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    write(tmp_path, SONGS)
    (tmp_path / "a" / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "linked.mid").symlink_to(tmp_path / "b.mid")
    assert steps(read(tmp_path)[0]) == [0, 1, 2, 3, 3, 2]


def test_windows_are_cut_by_bars_and_hop_without_a_cap(tmp_path: Path) -> None:
    write(tmp_path, {"long.mid": song(40, 5)})
    clips, counts = read(tmp_path, source_of(bars=4, hop=3))
    assert len(clips) == counts["windows found"] == 13
    assert all(clip.hits.shape == (64, 9) and clip.hits.sum() == 4 for clip in clips)


def test_only_the_metre_asked_for_is_read_and_all_without_one(tmp_path: Path) -> None:
    waltz = midi(meter(0, 3, 2) + hits([(0, 36), (2 * 1440, 36)]))
    write(tmp_path, {"a.mid": waltz, "b.mid": song(3)})
    assert [clip.meter for clip in read(tmp_path)[0]] == [(3, 4), (3, 4), (4, 4), (4, 4)]
    clips, counts = read(tmp_path, source_of(meter="3/4"))
    assert [clip.hits.shape for clip in clips] == [(24, 9), (24, 9)]
    assert (counts["files read, of which without bars of 3/4"], counts["hits outside of windows"]) == (1, 3)


def test_a_file_of_two_metres_gives_the_windows_of_the_one_asked_for(tmp_path: Path) -> None:
    changes = midi(meter(0, 3, 2) + on(0, 36) + meter(2 * 1440, 4, 2) + on(0, 38) + on(BAR, 38))
    write(tmp_path, {"a.mid": changes})
    clips, counts = read(tmp_path, source_of(meter="4/4"))
    assert [clip.hits[:, 1].sum() for clip in clips] == [2]
    assert (counts["hits on the grid"], counts["hits outside of windows"]) == (2, 1)


def test_channels_are_counted_from_one(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": midi(hits([(0, 36), (BAR, 36)]), hits([(240, 38), (BAR, 38)], channel=0))})
    assert read(tmp_path)[0][0].hits.sum() == 2
    assert read(tmp_path, source_of(drum_channel=1))[0][0].hits[:, 1].sum() == 2
    assert read(tmp_path, source_of(all_channels=True))[0][0].hits.sum() == 4


def test_repeated_windows_are_dropped_on_request(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": song(4), "b.mid": song(3), "c.mid": song(2, 1), "d.mid": song(2, start=tempo(0, 9**6))})
    clips, counts = read(tmp_path, source_of(unique=True))
    assert steps(clips) == [0, 1]
    assert (counts["windows found"], counts["repeated windows dropped"]) == (7, 5)
    assert len(read(tmp_path)[0]) == 7


def test_windows_of_equal_hits_in_two_metres_are_no_repeats(tmp_path: Path) -> None:
    write(
        tmp_path, {f"{n}.mid": midi(meter(0, n, power) + hits([(0, 36), (1440, 36)])) for n, power in ((3, 2), (6, 3))}
    )
    assert [clip.meter for clip in read(tmp_path, source_of(unique=True))[0]] == [(3, 4), (6, 8)]


# Accounts --------------------------------------------------------------------------------------------------------


def test_every_file_and_every_hit_is_accounted_for(tmp_path: Path) -> None:
    crowded = [(0, 36), (7, 35), (9, 36), (240, 38), (BAR, 91), (BAR + 5, 92), (BAR + 9, 91), (BAR + 99, 42)]
    cut = song(3)[:-8]
    files = {"crowded.mid": midi(hits(crowded)), "short.mid": song(1), "cut.mid": cut, "piano.mid": song(2, channel=0)}
    files |= {"empty.mid": b"", "none.mid": b"", "text.mid": b"words", "odd.mid": song(2, pitch=99)}
    files |= {"waltz.mid": midi(meter(0, 3, 2) + hits([(0, 36), (1440, 36)]))}
    write(tmp_path, files)
    clips, counts = read(tmp_path, source_of(meter="4/4"))
    assert counts == {
        "files found": 9,
        "files read": 6,
        "files read, of which up to a damage": 1,
        f"files skipped: it is empty, such as {tmp_path / 'empty.mid'}": 2,
        f"files skipped: it is no MIDI file (no MThd header), such as {tmp_path / 'text.mid'}": 1,
        "files read, of which without 2 bars": 1,
        "files read, of which without bars of 4/4": 1,
        "files read, of which without hits on channel 10": 1,
        "files read, of which without hits that a class holds": 1,
        "windows found": 2,
        "hits found": 8 + 1 + 2 + 2 + 2,
        "hits on the grid": 3 + 2,
        "hits lost to the grid: flams closer than 1/12 of a quarter": 2,
        "hits outside of windows": 1 + 2,
        "hits of pitches that no class holds: 91": 2,
        "hits of pitches that no class holds: 92": 1,
        "hits of pitches that no class holds: 99": 2,
    }
    check_accounts(counts, len(clips))


def test_members_of_a_zip_that_cannot_be_read_are_skipped_with_their_reasons(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.mid": song(2), "b.mid": song(2, 1) * 9, "c.mid": b"\0" * (MOST_BYTES + 1)})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("d.mid", song(2))
        archive.writestr("e.mid", song(2), zipfile.ZIP_STORED)
    data = path.read_bytes()
    start = data.index(b"b.mid") + 5
    flags = data.rindex(b"PK\1\2") + 8  # of the last member, in the list of members
    path.write_bytes(data[:start] + bytes(9) + data[start + 9 : flags] + b"\1" + data[flags + 1 :])
    clips, counts = read(path)
    assert len(clips) == 1
    assert {name: count for name, count in counts.items() if "skipped" in name} == {
        f"files skipped: it is damaged in its zip, such as {path}:b.mid": 1,
        f"files skipped: it is larger than 2 MB, such as {path}:c.mid": 1,
        f"files skipped: it is neither stored nor deflated in its zip, such as {path}:d.mid": 1,
        f"files skipped: it is encrypted in its zip, such as {path}:e.mid": 1,
    }


def test_devices_and_files_that_vanish_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": song(2)})
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "zero.mid").symlink_to("/dev/zero")
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nothing")
    reasons = [str(content) for _, content in contents(find([tmp_path])) if isinstance(content, MidiError)]
    assert reasons == [
        f"{tmp_path / 'gone.mid'} is not read: it is gone",
        f"{tmp_path / 'pipe.mid'} is not read: it is no regular file",
        f"{tmp_path / 'zero.mid'} is not read: it is no regular file",
    ]


# Processes -------------------------------------------------------------------------------------------------------


def test_several_processes_give_the_same_windows_and_report(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    files = {f"{number:03d}.mid": song(int(random.integers(1, 5)), number % 16) for number in range(200)}
    write(tmp_path, files | {"100.mid": b"", "150.mid": b"words", "160.mid": song(2, pitch=99)})
    alone = read(tmp_path, source_of(unique=True), processes=1)
    assert read(tmp_path, source_of(unique=True), processes=3) == alone
    assert alone[1]["files found"] == 200


def test_a_script_needs_no_guard_for_its_processes(tmp_path: Path) -> None:
    folder = write(tmp_path / "songs", {f"{number}.mid": song(2, number % 16) for number in range(130)})
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom seqvae.modalities.base import Report\n"
        "from seqvae.modalities.midi.drums import DrumData, Drums\nprint('started')\n"
        "print(len(list(Drums(DrumData()).source.read([Path(sys.argv[1])], Report(), processes=2))))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(script), str(folder)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("started\n130\n", "")


def test_reading_may_stop_before_its_end(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.mid": song(2, number % 16) for number in range(300)})
    for processes in (1, 2):
        clips = DEFAULT.read([tmp_path], Report(), processes)
        assert next(clips).hits.any()
        clips.close()  # type: ignore[attr-defined]


def test_reading_leaves_no_process_behind_and_can_start_again(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.mid": song(2, number % 16) for number in range(130)})
    counts = [len(list(DEFAULT.read([tmp_path], Report(), 2))) for _ in range(3)]
    assert counts == [130] * 3
    names = [child.name for child in multiprocessing.active_children()]
    assert not [name for name in names if "Loky" in name]


# One sentence when nothing comes out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "settings", "sentence"),
    [
        ({"a.mid": b"", "b.mid": b"", "c.mid": b"x"}, {}, "nothing of FOLDER can be read: it is empty (2, such as "),
        (
            {"a.mid": midi(hits([(0, 60), (9, 62)], 0), hits([(5, 40)], 15)), "b.mid": song(1, channel=0)},
            {},
            "FOLDER has no hits on channel 10 in 2 files; channels with notes: 1 (3), 16 (1); pass "
            "data.drum_channel or data.all_channels=true",
        ),
        (
            {"a.mid": midi(b"")},
            {},
            "FOLDER has no hits on channel 10 in 1 file; it has no notes; give files with drums",
        ),
        (
            {"a.mid": midi(b"")},
            {"all_channels": True},
            "FOLDER has no hits on any channel in 1 file; it has no notes; give files with drums",
        ),
        (
            {"a.mid": song(1), "b.mid": song(3)},
            {"bars": 4},
            "no window of 4 bars fits into FOLDER: the longest stretch of one metre has 3 bars of 4/4; pass "
            "data.bars=3, or give longer files",
        ),
        (
            {"a.mid": song(2, pitch=91)},
            {"classes": DrumClasses(("kick",), ((36,),))},
            "the class map holds no pitch of FOLDER: it has 91 (2); pass data.classes with another map",
        ),
        (
            {"a.mid": song(2), "b.mid": midi(meter(0, 6, 3) + hits([(0, 36)])), "c.mid": song(3)},
            {"meter": "3/4"},
            "no bars of 3/4 in FOLDER; it has 4/4 (2 files), 6/8 (1 file); pass another data.meter",
        ),
        (
            {"a.mid": midi(meter(0, 7, 5) + hits([(0, 36)]))},
            {},
            "bars of 7/32 in FOLDER are no whole number of steps at 4 steps a quarter; pass a finer grid as "
            "data.steps_per_quarter",
        ),
        (
            {"a.mid": midi(on(0, 36) + meter(480, 3, 2))},
            {},
            "no bar of FOLDER is whole: its metre changes before one ends; give other files",
        ),
        ({"a.mid": song(2)}, {"split": "test"}, "the split 'test' has none of the 1 files; train has 1"),
        ({}, {}, "FOLDER holds no MIDI file (.mid, .midi, .kar, .rmi, .smf), but no file at all; give a folder, a zip"),
        (
            {"b.wav": b"", "a.wav": b""},
            {},
            "FOLDER holds no MIDI file (.mid, .midi, .kar, .rmi, .smf), but 2 other files, such as a.wav; give ",
        ),
    ],
)
def test_when_nothing_comes_out_one_sentence_says_why(
    files: dict[str, bytes], settings: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, files)
    message = refusal(folder, source_of(**settings))  # type: ignore[arg-type]
    assert message.startswith(sentence.replace("FOLDER", str(folder)))


def test_sources_that_are_not_there_or_no_zip_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"songs.mid": song(2), "bad.zip": b"PK\3\4 no zip at all"})
    near = tmp_path / "song.mid"
    with pytest.raises(ValueError) as caught:
        DEFAULT.read([near], Report())
    assert str(caught.value) == (
        f"there is no file or folder {near}; give a folder, a zip or a file of MIDI. Did you mean 'songs.mid'?"
    )
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'bad.zip'} is no zip that can be read (File is not")):
        DEFAULT.read([tmp_path / "songs.mid", tmp_path / "bad.zip"], Report())
    with pytest.raises(ValueError, match="no files to read; give folders, zips or files of MIDI"):
        DEFAULT.read([], Report())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no regular file; give a folder, a zip or a file of MIDI"):
        DEFAULT.read([tmp_path / "pipe"], Report())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps_per_quarter": 5}, "data.steps_per_quarter=5 is not possible; choose 4, 8, 12, 24"),
        ({"bars": 0}, "data.bars=0 is not possible; give 1 or more"),
        ({"hop": -1}, "data.hop=-1 is not possible; give 1 or more"),
        ({"drum_channel": 0}, "data.drum_channel=0 is not possible; give 1 to 16"),
        ({"drum_channel": 17}, "data.drum_channel=17 is not possible; give 1 to 16"),
        ({"bpm": 3.9}, "data.bpm=3.9 is not possible; give 4 to 1000"),
        ({"formats": "mid, mp3"}, "data.formats=mid, mp3 is not possible; choose among mid, wav, png, with commas "),
        ({"meter": "4/5"}, "data.meter=4/5 is not possible; write beats/unit, such as 4/4 or 6/8"),
        ({"valid_share": 0.6, "test_share": 0.4}, "shares of 0.6 for validation and 0.4 for testing; neither may be "),
        ({"meter": "7/32"}, "a bar of 7/32 has 7/2 steps at 4 steps a quarter; choose a finer grid, or leave that "),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_dict(DrumData, settings, "data")
    assert str(caught.value).startswith(sentence)


# One file for reconstruction --------------------------------------------------------------------------------------


def test_the_windows_of_one_file_put_together_are_the_whole_piece() -> None:
    notes = parse(song(5, 3), "a.mid")
    clips = cut(notes, source_of(bars=2))
    assert [clip.hits.shape for clip in clips] == [(32, 9), (32, 9), (16, 9)]
    whole = np.concatenate([clip.hits for clip in clips])
    assert np.argwhere(whole).tolist() == [[16 * bar + 3, 0] for bar in range(5)]


def test_windows_of_one_file_start_anew_with_its_metres() -> None:
    notes = parse(midi(meter(0, 3, 2) + on(0, 36) + off(0, 36) + meter(1440, 4, 2) + on(0, 38)), "a.mid")
    assert [(clip.meter, clip.hits.shape) for clip in cut(notes)] == [((3, 4), (12, 9)), ((4, 4), (16, 9))]
    assert [clip.meter for clip in cut(notes, source_of(meter="4/4"))] == [(3, 4), (4, 4)], "a piece is taken whole"
    assert len(cut(notes, source_of(drum_channel=3))) == 2, "what a model wrote itself is on channel 10"
    piano = parse(song(2, channel=0), "a.mid")
    with pytest.raises(ValueError, match=r"a\.mid has no hits on channel 3 in 1 file; channels with notes: 1 \(2\);"):
        cut(piano, source_of(drum_channel=3), "a.mid")


# The Groove MIDI Dataset ------------------------------------------------------------------------------------------


def test_no_hit_of_the_groove_dataset_is_missing(shared_data: Path) -> None:
    """446,312 note-ons; 7 of 100 share the cell of another of their class on a grid of 16ths."""
    clips, counts = read(shared_data / "gmd", source_of(bars=1, classes=ROLAND))
    check_accounts(counts, len(clips))
    assert counts["hits found"] == 446312
    assert counts.get("hits outside of windows", 0) == 0
    assert 0.06 < 1 - counts["hits on the grid"] / counts["hits found"] < 0.08
    assert sum(int(clip.hits.sum()) for clip in clips) == counts["hits on the grid"]
