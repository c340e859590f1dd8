"""Files of pieces: their names, what they hold, and that nothing is made before it is asked for."""

import io
import wave
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pretty_midi
import pytest

from seqvae.modalities.base import Arrangement, Written
from seqvae.modalities.midi.classes import GENERAL_MIDI, ROLAND, DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.drums import DrumData, Drums
from seqvae.modalities.midi.output import LONGEST_SOUND_SECONDS, files_of_pieces
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.pictures import together
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.settings import FORMATS
from tests.modalities.midi.songs import cut, source_of
from tests.modalities.midi.test_piece import clip


def written(
    pieces: Sequence[Sequence[Clip]],
    arrangement: Arrangement = "set",
    formats: Sequence[str] = FORMATS,
    classes: DrumClasses = GENERAL_MIDI,
) -> list[Written]:
    return files_of_pieces([Piece(clips, DrumNotation(classes)) for clips in pieces], arrangement, formats)


def names(results: Sequence[Written]) -> list[str]:
    return [file.name for result in results for file in result.files]


def test_an_interpolation_is_written_step_by_step_and_as_a_whole() -> None:
    steps = [clip(2, bpm=100.0, share=share) for share in (0.1, 0.2, 0.3)]
    results = written([[step] for step in steps], "path")
    assert [[file.name for file in result.files] for result in results] == [
        [f"{name}.{kind}" for kind in ("mid", "wav", "png")] for name in ("001", "002", "003", "interpolation")
    ]
    hits = [int(step.hits.sum()) for step in steps]
    assert [result.note for result in results] == [
        *(f"2 bars of 4/4, 100 bpm, {count} hits" for count in hits),
        f"6 bars of 4/4, 100 bpm, {sum(hits)} hits",
    ]
    midi, sound, picture = (file.content() for file in results[-1].files)
    whole = cut(parse(midi, "interpolation.mid"), source_of(bars=6))
    assert np.array_equal(whole[0].hits, np.concatenate([step.hits for step in steps]))
    with wave.open(io.BytesIO(sound)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert 3 * 2 * 4 * 0.6 <= seconds < 3 * 2 * 4 * 0.6 + 3  # the last cymbal may ring on
    assert picture.startswith(b"\x89PNG")


def test_a_set_of_several_has_a_picture_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    long, waltz = clip(6), clip(2, (3, 4))
    results = written([[long, clip(1, (3, 4))], [waltz], [clip(1)]], formats=["mid", "png"])
    assert [file.name for file in results[-1].files] == ["overview.png"]
    assert results[-1].note == "all in one"
    assert results[-1].files[0].content().startswith(b"\x89PNG")
    shown = {}
    monkeypatch.setattr("seqvae.view.grids.overview_figure", lambda panels, rows, title: shown.update({title: panels}))
    pieces = [Piece(clips, DrumNotation(GENERAL_MIDI)) for clips in ([long], [waltz], [clip(1)])]
    together(pieces, "set", "overview")
    ((title, panels),) = shown.items()
    assert title == "overview: 3 clips, bars 1 to 4 at most"
    assert [panel.label for panel in panels] == ["001", "002", "003"]
    assert [(panel.steps_per_beat, panel.steps_per_bar) for panel in panels] == [(4, 16), (4, 12), (4, 16)]
    together(pieces, "set", "named", ["a.mid#0", "a.mid#3", "b.mid"])
    assert [panel.label for panel in shown["named: 3 clips, bars 1 to 4 at most"]] == ["a.mid#0", "a.mid#3", "b.mid"]
    expected = (long.hits[:64], waltz.hits, clip(1).hits)
    assert all(np.array_equal(panel.drawn, hits) for panel, hits in zip(panels, expected, strict=True))
    shown.clear()
    together(pieces[2:] * 101, "set")
    ((title, panels),) = shown.items()
    assert (title, len(panels)) == ("100 of 101 clips", 100)
    assert written([[clip(1)]] * 101, formats=["png"])[-1].note == "the first 100 in one"


def test_a_sheet_of_windows_calls_them_so_as_what_is_said_beside_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr("seqvae.view.grids.overview_figure", lambda panels, rows, title: titles.append(title))
    drums = Drums(DrumData())
    drums.picture([[clip(1)], [clip(2)]], names=["a.mid#0", "a.mid#1"])
    drums.picture([[clip(1)], [clip(2)]])
    assert titles == [f"2 {drums.words.items}", "2 clips"] == ["2 windows", "2 clips"]


def test_the_title_of_a_walk_has_the_tempos_of_all_its_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr("seqvae.view.grids.strip_figure", lambda *given: titles.append(given[-1]))
    together([Piece([clip(2, bpm=bpm)], DrumNotation(GENERAL_MIDI)) for bpm in (120.0, 100.0, 80.0)], "path", "walk")
    assert titles == ["walk: 3 clips, 4/4, 3 tempos from 120 to 80 bpm"]


@pytest.mark.parametrize(("count", "formats"), [(1, ["png"]), (2, ["mid"])])
def test_one_piece_alone_and_files_without_pictures_have_no_picture_of_all(count: int, formats: list[str]) -> None:
    assert len(written([[clip(1)]] * count, formats=formats)) == count


def test_a_loop_lasts_for_exactly_its_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_SOUNDFONT", "none")
    made = replace(clip(2, bpm=122.0), changes=((4, 111.0),))
    made.hits[-1, 7] = True  # a crash that rings on
    frames = {}
    for loop in (False, True):
        drums = Drums(DrumData(formats="wav")).using({"loop": loop})
        (result,) = drums.write([[made]])
        with wave.open(io.BytesIO(result.files[0].content())) as file:
            assert file.getnchannels() == 2
            frames[loop] = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2).astype(int)
    assert len(frames[True]) == round(44_100 * (4 * 60 / 122 + 4 * 60 / 111))
    assert len(frames[False]) > len(frames[True]) + 44_100
    tail = np.abs(frames[False][len(frames[True]) :]).max()
    assert np.abs(frames[True][: 44_100 // 100] - frames[False][: 44_100 // 100]).max() > tail / 4


def test_of_reconstructions_the_words_say_what_became_of_their_tempos() -> None:
    changing = replace(clip(2), changes=((4, 90.0), (6, 100.0)))
    notes = {}
    for bpm in (None, 96.0):
        results = Drums(DrumData(formats="mid", bpm=bpm)).write([[changing], [clip(2)]], "set", [[changing], [clip(2)]])
        notes[bpm] = [result.note.partition(" hits")[2] for result in results]
    assert notes == {None: [", tempos kept", ""], 96.0: [", in place of 3 tempos", ""]}
    (made,) = Drums(DrumData(formats="wav")).write([[changing]])
    with wave.open(io.BytesIO(made.files[0].content())) as file:
        assert file.getnframes() / file.getframerate() >= changing.seconds == 2 + 2 * 60 / 90 + 2 * 60 / 100


def test_a_palette_is_written_row_by_row() -> None:
    cells = [clip(1, share=0.05 * number) for number in range(1, 5)]
    results = written([[cell] for cell in cells], "grid", ["png"])
    assert names(results) == ["001.png", "002.png", "003.png", "004.png", "palette.png"]
    assert results[-1].files[0].content().startswith(b"\x89PNG")
    assert results[-1].note == f"4 bars of 4/4, 120 bpm, {sum(int(cell.hits.sum()) for cell in cells)} hits"


def test_files_are_in_the_order_of_the_formats_and_there_are_none_of_nothing() -> None:
    assert names(written([[clip(1)]], formats=["png", "mid"])) == ["001.png", "001.mid"]
    assert written([], "path") == []


def test_nothing_is_made_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqvae.view.audio.render", lambda *_, **__: pytest.fail("a sound was made"))
    monkeypatch.setattr("seqvae.view.sheet.png", lambda *_: pytest.fail("a picture was drawn"))
    results = written([[clip(1)]] * 3, "path")
    assert len(names(results)) == 12
    assert results[0].files[0].content().startswith(b"MThd")


def test_a_piece_that_midi_cannot_hold_is_refused_before_any_file_is_made() -> None:
    with pytest.raises(ValueError, match="3 quarters a minute is no tempo that MIDI can hold; give 4 to 1000"):
        written([[clip(1)], [clip(1, bpm=3.0)]])
    with pytest.raises(ValueError, match="write several files"):
        written([[Clip(np.zeros((16 * 5209, 9), dtype=bool))]])
    with pytest.raises(ValueError, match=r"\(16, 9\) are not steps of 63 drum classes"):
        Drums(DrumData(classes="pitch")).write([[clip(1)]])


def test_a_change_of_metre_gives_a_picture_for_each_stretch() -> None:
    (result,) = written([[clip(2), clip(1, (3, 4)), clip(1)]], formats=["png"])
    assert names([result]) == ["001.png", "001-2.png", "001-3.png"]
    contents = [file.content() for file in result.files]
    assert len(set(contents)) == 3
    assert all(content.startswith(b"\x89PNG") for content in contents)


def test_a_sound_that_would_take_too_much_memory_is_left_out() -> None:
    bars = int(LONGEST_SOUND_SECONDS // 60) + 1
    (result,) = written([[clip(bars, bpm=4.0, share=0.01)]], formats=["mid", "wav"])
    assert names([result]) == ["001.mid"]
    assert result.note.endswith(" hits, no WAV, which would last 21 minutes, more than 20")
    (result,) = written([[clip(bars - 1, bpm=4.0)]], formats=["wav"])
    assert names([result]) == ["001.wav"]


def test_the_class_map_of_the_model_is_written() -> None:
    (result,) = written([[clip(1)]], classes=ROLAND, formats=["mid"])
    midi = pretty_midi.PrettyMIDI(io.BytesIO(result.files[0].content()))
    found = {note.pitch for note in midi.instruments[0].notes}
    assert found <= {pitches[0] for pitches in ROLAND.pitches}
    assert len(found) > 4


def test_the_modality_writes_what_it_makes_whatever_channel_it_reads() -> None:
    (result,) = Drums(DrumData(drum_channel=3, formats="MID, png")).write([[clip(2)]])
    assert names([result]) == ["001.mid", "001.png"]
    read = parse(result.files[0].content(), "001.mid")
    assert set(read.channel.tolist()) == {9}
    assert len(read) == clip(2).hits.sum()


def test_a_tempo_that_is_set_is_that_of_all_that_is_written() -> None:
    drums = Drums(DrumData()).using({"bpm": 75.0})
    (result,) = drums.write([[clip(2), clip(1, bpm=90.0)]])
    assert result.note.startswith("3 bars of 4/4, 75 bpm, ")
    read = parse(result.files[0].content(), "001.mid")
    assert read.tempos == [(0, 75.0)]
    assert drums.present([clip(2)]).get_tempo_changes()[1].tolist() == [75.0]
