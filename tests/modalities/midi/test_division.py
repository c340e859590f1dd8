"""What is held out: files with windows, of metres that are trained on, or parts of files where these are too few."""

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.base import Report
from seqvae.modalities.midi import survey
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.division import Span, divide
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.settings import DrumData
from seqvae.modalities.midi.sources import find
from seqvae.modalities.midi.splits import ranked
from seqvae.modalities.midi.survey import Survey
from tests.modalities.midi.smf import hits, meter, midi
from tests.modalities.midi.songs import BAR, read, refusal, song, source_of, steps, write

SEEDS = range(8)
SONGS = {f"{number}.mid": song(3, number) for number in range(16)}
EMPTY = {f"short{number}.mid": song(1, number) for number in range(8)} | {
    "piano.mid": song(4, channel=0),
    "damaged.mid": b"MThd and then nothing",
    "triplets.mid": midi(meter(0, 3, 5) + hits([(0, 36), (BAR, 36)])),  # bars of 3/32 do not fit the grid
}


def songs_of(folder: Path, split: str, seed: int) -> set[int]:
    """Which of SONGS are of a split."""
    return set(steps(read(folder, source_of(split=split, split_seed=seed))[0]))  # type: ignore[arg-type]


def test_files_without_windows_are_never_held_out_and_move_no_other_file(tmp_path: Path) -> None:
    plain, mixed = write(tmp_path / "plain", SONGS), write(tmp_path / "mixed", SONGS | EMPTY)
    for seed in SEEDS:
        parts = {split: songs_of(mixed, split, seed) for split in ("train", "valid", "test")}
        assert [len(songs) for songs in parts.values()] == [14, 1, 1], seed
        assert parts == {split: songs_of(plain, split, seed) for split in parts}
    division = divide(find([mixed]), Survey(source_of().data, source_of().part))
    assert division.words == "of 27 files 1 for validation and 1 for testing are held out whole"


def test_a_split_is_known_as_before_where_it_is_as_before(tmp_path: Path) -> None:
    """Runs are resumed and corpora found in the cache by the fingerprint."""
    names, part = sorted(SONGS | EMPTY), source_of().part
    files = find([write(tmp_path / "mixed", SONGS | EMPTY)])
    single = write(tmp_path / "single", {"a.mid": song(9)})
    as_before = set()
    for seed in range(30):
        modality = Drums(DrumData(split_seed=seed))
        found = Survey(modality.data, part).windows(files)
        before = ranked([digest for digest, _ in found], 0.05, 0.05)
        now = divide(files, Survey(modality.data, part)).parts
        held_out = {name for name, (digest, _) in zip(names, found, strict=True) if before[digest] != "train"}
        moved = any(before[digest] != split for (digest, windows), split in zip(found, now, strict=True) if windows)
        assert moved == bool(held_out & set(EMPTY)), seed
        valid, alone = modality.of_split("valid", [tmp_path / "mixed"]), modality.of_split("valid", [single])
        assert valid is not None
        assert alone is not None
        modality.split = "valid"
        assert (valid.fingerprint() == modality.fingerprint()) == (not moved)
        assert alone.fingerprint() not in {valid.fingerprint(), modality.fingerprint()}
        as_before.add(not moved)
    assert as_before == {True, False}


def in_meter(number: int, numerator: int = 5, power: int = 3) -> bytes:
    """A file of some bars of 5/8, or of another metre."""
    bar = BAR * numerator >> power
    return midi(meter(0, numerator, power) + hits((place * bar + number * 120, 36) for place in range(4)))


def meters(folder: Path, split: str, seed: int) -> set[Meter]:
    return {clip.meter for clip in read(folder, source_of(split=split, split_seed=seed))[0]}  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [1, 2, 3])
def test_what_is_held_out_has_a_metre_that_is_trained_on(odd: int, tmp_path: Path) -> None:
    folder = write(tmp_path, {**SONGS, **{f"odd{number}.mid": in_meter(number) for number in range(odd)}})
    held_out = set()
    for seed in range(60):
        trained = meters(folder, "train", seed)
        assert trained == {(4, 4), (5, 8)}
        held_out |= meters(folder, "valid", seed)
    assert held_out == ({(4, 4)} if odd == 1 else {(4, 4), (5, 8)})


def test_files_in_different_metres_are_held_out_in_parts(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.mid": song(9), "b.mid": in_meter(1)})
    clips = {split: read(folder, source_of(split=split))[0] for split in ("train", "valid")}  # type: ignore[arg-type]
    assert {split: {clip.meter for clip in each} for split, each in clips.items()} == {
        "train": {(4, 4), (5, 8)}, "valid": {(4, 4), (5, 8)},
    }  # fmt: skip


def marked(count: int) -> bytes:
    """A file whose bars can be told apart: bar b is hit on step b % 16 by class b // 16."""
    pitches = (36, 38, 42, 46, 41)
    return midi(hits((bar * BAR + bar % 16 * 120, pitches[bar // 16]) for bar in range(count)))


def bars_of(clips: Sequence[Clip]) -> list[set[int]]:
    """The bars of each clip."""
    order = [0, 1, 2, 3, 4]  # kick, snare, closed hat, open hat, low tom
    return [{order.index(place) * 16 + step % 16 for step, place in np.argwhere(clip.hits).tolist()} for clip in clips]


@pytest.mark.parametrize("bars", [1, 2, 4])
@pytest.mark.parametrize("hop", [1, 2, 3])
@pytest.mark.parametrize("count", [11, 40, 70])
def test_no_window_of_a_single_song_that_is_trained_on_overlaps_a_held_out_one(
    count: int, hop: int, bars: int, tmp_path: Path
) -> None:
    folder = write(tmp_path, {"song.mid": marked(count), "copy.mid": marked(count), "short.mid": song(1, 9, channel=0)})
    places = set()
    for seed in SEEDS:
        clips = {
            split: read(folder, source_of(split=split, split_seed=seed, bars=bars, hop=hop))[0]  # type: ignore[arg-type]
            for split in ("train", "valid")
        }
        assert all(clips.values())
        train, valid = (set[int]().union(*bars_of(clips[split])) for split in ("train", "valid"))
        assert not train & valid, seed
        assert max(valid) - min(valid) < len(valid) + hop, "they are neighbours"
        windows = 2 * len(range(0, count - bars + 1, hop))  # of the song and its copy
        assert len(clips["valid"]) == 2 * max(1, round(0.05 * windows / 2))
        lost = 2 * 2 * (-(-bars // hop) - 1)  # at both ends of what is held out, in both
        assert windows - len(clips["valid"]) - lost <= len(clips["train"]) <= windows - len(clips["valid"])
        places.add(min(valid))
    assert len(places) > 1, "the seed chooses"


def test_windows_left_out_are_counted(tmp_path: Path) -> None:
    write(tmp_path, {"song.mid": marked(40)})
    counts = {split: read(tmp_path, source_of(split=split))[1] for split in ("train", "valid")}  # type: ignore[arg-type]
    left_out = [each["windows of other parts of their files, left out"] for each in counts.values()]
    assert ([each["windows found"] for each in counts.values()], left_out) == ([39, 39], [4, 37])


@pytest.mark.parametrize(("bars", "parts"), [(3, None), (4, (1, 1))])
def test_a_song_that_is_too_short_to_hold_a_part_out_is_trained_on_whole(
    bars: int, parts: tuple[int, int] | None, tmp_path: Path
) -> None:
    write(tmp_path, {"song.mid": song(bars)})
    modality = Drums(DrumData())
    division = divide(find([tmp_path]), Survey(modality.data, source_of().part))
    valid = modality.of_split("valid", [tmp_path])
    if parts is None:
        assert valid is None
        assert division.words == (
            "the same song is too short to hold a part out: validation is on windows that are trained on or overlap "
            "those"
        )
        return
    assert valid is not None
    assert division.words.startswith("too few files have windows to hold one out: validation is on other parts of the ")
    train = modality.of_split("train", [tmp_path])
    assert train is not None
    assert tuple(len(list(part.read([tmp_path], Report()))) for part in (train, valid)) == parts


def test_of_stretches_of_a_window_each_a_whole_one_is_held_out(tmp_path: Path) -> None:
    data, changes = DrumData(), meter(0, 4, 2)
    for numerator in (3, 4, 3, 4):
        changes += meter(2 * BAR * (7 - numerator) // 4, numerator, 2)
    write(tmp_path, {"song.mid": midi(changes, hits((quarter * 480, 36) for quarter in range(36)))})
    files = find([tmp_path])
    for seed in SEEDS:
        chosen = Survey(DrumData(split_seed=seed), source_of().part)
        ((_, windows),) = chosen.windows(files)
        assert windows == (((4, 4), 1), ((3, 4), 1), ((4, 4), 1), ((3, 4), 1), ((4, 4), 1))
        (span,) = divide(files, chosen).spans.values()
        assert (span.first, span.last) == (0, 1)
    assert data.bars == 2


def test_windows_before_and_behind_a_span_are_for_training() -> None:
    span = Span(stretch=1, first=4, last=6)
    assert list(span.firsts(1, range(12), 3, "valid")) == [4, 5]
    assert list(span.firsts(1, range(12), 3, "train")) == [0, 1, 8, 9, 10, 11]
    assert list(span.firsts(0, range(3), 3, "valid")) == []
    assert list(span.firsts(0, range(3), 3, "train")) == [0, 1, 2]


def test_a_folder_without_a_window_is_refused_as_a_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "songs", {"a.mid": song(1), "b.mid": song(1, 1)})
    assert refusal(folder, source_of(split="train")).startswith(f"no window of 2 bars fits into {folder}: the longest ")


def test_what_a_model_is_used_with_moves_no_file_to_another_split(tmp_path: Path) -> None:
    """Else a file that was trained on would be tested on."""
    write(tmp_path, SONGS | {f"piano{number}.mid": song(4, number, channel=0) for number in range(8)})
    for seed in SEEDS:
        trained = Drums(DrumData(split_seed=seed))
        files = []
        for modality in (trained, trained.using({"drum_channel": 1}), trained.using({"meter": "3/4"})):
            files.append(modality.source.division(find([tmp_path])).parts)
        assert files[0] == files[1] == files[2]


def test_each_content_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SONGS)
    modality = Drums(DrumData())
    assert modality.of_split("valid", [tmp_path]) is not None
    monkeypatch.delattr(survey, "parse")
    part = modality.of_split("test", [tmp_path])
    assert part is not None
    assert part.of_split("train", [tmp_path]) is not None


def test_the_splits_of_one_look_are_those_of_a_look_each(tmp_path: Path) -> None:
    folders = [write(tmp_path / "many", SONGS), write(tmp_path / "one", {"0.mid": song(40)})]
    for folder, names in zip(folders, (["train", "valid", "test"], ["train", "valid"]), strict=True):
        modality = Drums(DrumData())
        parts = modality.of_splits([folder])
        assert list(parts) == names
        for name, part in parts.items():
            alone = modality.of_split(name, [folder])
            assert alone is not None
            assert (part.split, part.fingerprint()) == (name, alone.fingerprint())
        whole = parts["train"].of_split("all", [folder])
        assert whole is not None
        assert whole.fingerprint() == modality.fingerprint()


def test_many_files_are_looked_at_by_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if multiprocessing.parent_process() is not None:
        pytest.skip("a process that another one started cannot start processes of its own")
    write(tmp_path, SONGS | EMPTY)
    files, source = find([tmp_path]), source_of()
    alone = Survey(source.data, source.part).windows(files)
    monkeypatch.setattr(survey, "FILES_FOR_PROCESSES", 1)
    monkeypatch.setattr(survey, "BATCH_FILES", 7)
    assert Survey(source.data, source.part).windows(files) == alone
