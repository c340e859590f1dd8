"""Files of pieces: the bars that were made, the time that they take, the beats as musicians count them."""

import io
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from seqvae.modalities.base import Arrangement
from seqvae.modalities.midi.classes import GENERAL_MIDI, ROLAND
from seqvae.modalities.midi.clip import Clip, Meter, steps_per_bar
from seqvae.modalities.midi.drums import DrumData, Drums
from seqvae.modalities.midi.output import (
    LONGEST_SOUND_SECONDS,
    FileSet,
    Piece,
    file_sets,
    piece_of,
    steps_per_beat,
    write_items,
)
from seqvae.modalities.midi.writing import to_midi


def piece(given: Clip | pretty_midi.PrettyMIDI, grid: int = 4) -> Piece:
    return piece_of(given, GENERAL_MIDI, grid)


def sets_of(given: Sequence[Clip | pretty_midi.PrettyMIDI], arrangement: Arrangement = "set") -> list[FileSet]:
    return file_sets(given, arrangement, GENERAL_MIDI, 4)


def clip(bars: int, meter: Meter = (4, 4), grid: int = 4, bpm: float = 120.0, share: float = 0.2) -> Clip:
    hits = np.random.default_rng(bars).random((bars * steps_per_bar(meter, grid), 9)) < share
    return Clip(hits, meter, grid, bpm)


@pytest.mark.parametrize("grid", [4, 12, 24])
@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (6, 8), (7, 8), (5, 4)], ids=str)
@pytest.mark.parametrize("share", [0.2, 0.004])
def test_the_bars_of_a_piece_are_those_of_its_clip_silent_ones_too(share: float, meter: Meter, grid: int) -> None:
    made = clip(5, meter, grid, 97.0, share)
    made.hits[-steps_per_bar(meter, grid) :] = False
    whole = piece(made, grid)
    assert len(whole.bars) == 5
    (stretch,) = whole.stretches
    assert np.array_equal(stretch.hits, made.hits)
    assert stretch.meter == meter
    assert whole.hits == made.hits.sum()
    assert whole.seconds == pytest.approx(made.seconds, rel=1e-5)


@pytest.mark.parametrize("step", [0, 15, 16, 31])
def test_a_single_hit_keeps_its_place(step: int) -> None:
    hits = np.zeros((32, 9), bool)
    hits[step, 3] = True
    assert np.array_equal(piece(Clip(hits)).stretches[0].hits, hits)


def test_silence_has_its_bars() -> None:
    assert str(piece(Clip(np.zeros((48, 9), bool), (3, 4)))) == "4 bars of 3/4, 120 bpm, 0 hits"


def test_a_piece_tells_its_metres_tempos_and_hits_in_words() -> None:
    hits = np.zeros((16, 9), bool)
    hits[3, 1] = True
    one = Clip(hits, bpm=90.0)
    assert str(piece(one)) == "1 bar of 4/4, 90 bpm, 1 hit"
    several = to_midi([one, Clip(hits[:12], (3, 4), 4, 120.5), one], GENERAL_MIDI)
    song = piece(several)
    assert str(song) == "2 bars of 4/4 and 1 bar of 3/4, 90 to 120.5 bpm, 3 hits"
    assert [stretch.meter for stretch in song.stretches] == [(4, 4), (3, 4), (4, 4)]


def test_objects_made_by_hand_end_with_the_bar_of_their_last_note() -> None:
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    midi.instruments.append(pretty_midi.Instrument(0, is_drum=True))
    midi.instruments[0].notes.append(pretty_midi.Note(90, 36, 0.0, 0.1))
    midi.instruments[0].notes.append(pretty_midi.Note(90, 36, 2.0, 2.1))
    assert str(piece(midi)) == "2 bars of 4/4, 120 bpm, 2 hits"
    midi.instruments[0].notes[1] = pretty_midi.Note(90, 38, 1.9, 2.01)  # held a little into the next bar
    assert str(piece(midi)) == "1 bar of 4/4, 120 bpm, 2 hits"


@pytest.mark.parametrize(
    ("meter", "grid", "steps"),
    [
        ((4, 4), 4, 4), ((3, 4), 12, 12), ((2, 2), 4, 8), ((6, 8), 4, 6), ((9, 8), 12, 18), ((12, 8), 24, 36),
        ((3, 8), 4, 2), ((7, 8), 4, 2), ((5, 8), 8, 4), ((6, 16), 8, 6), ((6, 4), 4, 4), ((8, 32), 4, 4),
    ],
)  # fmt: skip
def test_beats_are_counted_as_musicians_do(meter: Meter, grid: int, steps: int) -> None:
    assert steps_per_beat(meter, grid) == steps


def test_an_interpolation_is_written_step_by_step_and_as_a_whole(tmp_path: Path) -> None:
    steps = [clip(2, bpm=100.0, share=share) for share in (0.1, 0.2, 0.3)]
    paths = write_items(steps, tmp_path / "new" / "folder", "path", GENERAL_MIDI, 4)
    names = [f"{name}.{kind}" for name in ("001", "002", "003", "interpolation") for kind in ("mid", "wav", "png")]
    assert [path.name for path in paths] == names
    assert all(path.stat().st_size > 200 for path in paths)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(names)
    whole = piece(pretty_midi.PrettyMIDI(str(paths[-3])))
    assert np.array_equal(whole.stretches[0].hits, np.concatenate([step.hits for step in steps]))
    with wave.open(io.BytesIO(paths[-2].read_bytes())) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert 3 * 2 * 4 * 0.6 <= seconds < 3 * 2 * 4 * 0.6 + 3  # the last cymbal may ring on


def test_a_palette_is_written_row_by_row(tmp_path: Path) -> None:
    cells = [clip(1, share=0.05 * number) for number in range(1, 5)]
    sets = sets_of(cells, "grid")
    assert [files.name for files in sets] == ["001", "002", "003", "004", "palette"]
    (path,) = sets[-1].write(tmp_path, ["png"])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert sets[-1].piece.hits == sum(int(cell.hits.sum()) for cell in cells)


def test_a_change_of_metre_gives_a_picture_for_each_stretch(tmp_path: Path) -> None:
    (files,) = sets_of([to_midi([clip(2), clip(1, (3, 4)), clip(1)], GENERAL_MIDI)])
    assert [path.name for path in files.write(tmp_path, ["png"])] == ["001.png", "001-2.png", "001-3.png"]
    assert files.paths(tmp_path, ["png"]) == [tmp_path / name for name in ("001.png", "001-2.png", "001-3.png")]


def test_a_sound_that_would_take_too_much_memory_is_left_out(tmp_path: Path) -> None:
    bars = int(LONGEST_SOUND_SECONDS // 60) + 1
    (files,) = sets_of([clip(bars, bpm=4.0, share=0.01)])
    assert [path.name for path in files.write(tmp_path, ["mid", "wav"])] == ["001.mid"]


def test_a_failure_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    (files,) = sets_of([clip(1)])
    with pytest.raises(OSError, match="No space"):
        files.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_class_map_of_the_model_is_written() -> None:
    (files,) = file_sets([clip(1)], "set", ROLAND, 4)
    assert {note.pitch for note in files.piece.midi.instruments[0].notes} <= {pitches[0] for pitches in ROLAND.pitches}


def test_the_modality_writes_what_it_makes_whatever_channel_it_reads(tmp_path: Path) -> None:
    paths = Drums(DrumData(drum_channel=3)).write([clip(2)], tmp_path)
    assert [path.name for path in paths] == ["001.mid", "001.wav", "001.png"]
    assert piece(pretty_midi.PrettyMIDI(str(paths[0]))).hits == clip(2).hits.sum()
