"""The melody modality: labels and back, files and back, keys in training, silence, what is learned and refused."""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqvae.modalities.base import Report
from seqvae.modalities.midi.augmentation import transposed
from seqvae.modalities.midi.melody import Melody
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase, without_idle_offs
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.voice_settings import MelodyData
from seqvae.modalities.midi.writing import midi_bytes
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.modalities.midi.edge_files import outcome
from tests.modalities.midi.smf import midi
from tests.modalities.midi.songs import write
from tests.modalities.midi.tunes import cut, track

_, X = HOLD, OFF
METERS = ((4, 4), (3, 4), (6, 8), (7, 8), (5, 4))
GRIDS = (4, 8, 12, 24)


def melody(*meters: Meter, **settings: object) -> Melody:
    """A modality that has met windows of these metres."""
    made = Melody(MelodyData(**settings))  # type: ignore[arg-type]
    made.fit(lambda: [Phrase(np.array([60, _], np.int16), one, bpm=90.0, program=41) for one in meters or ((4, 4),)])
    return made


def phrase(*events: int, steps: int = 32) -> Phrase:
    return Phrase(np.array([*events, *[_] * (steps - len(events))], np.int16))


def encoded(made: Melody, item: Phrase) -> list[int]:
    x = made.encode(item, Report())
    assert x is not None
    labels: list[int] = x.tolist()
    return labels


def test_labels_are_hold_off_and_the_pitches_in_order() -> None:
    short = phrase(21, X, 60, _, 108, steps=5)
    assert encoded(melody(bars=1), short)[:5] == [2, 1, 41, 0, 89]
    assert melody().outcomes == 90
    everything = melody(lowest_pitch=0, highest_pitch=127)
    assert everything.outcomes == 130
    assert encoded(everything, phrase(0, X, 127))[:3] == [2, 1, 129]


def test_a_short_phrase_is_followed_by_silence_and_comes_back_as_short_as_it_was() -> None:
    made, short = melody(), phrase(60, _, 62, steps=16)
    x = made.encode(short, Report())
    assert x is not None
    assert x.tolist() == [41, 0, 43, *[0] * 13, 1, *[0] * 15]
    assert made.decode(x, short) == short


def test_an_off_that_ends_nothing_is_a_hold() -> None:
    made = melody()
    x = np.zeros(32, np.uint16)
    x[[0, 3, 5, 9]] = 1, 41, 1, 1
    found = made.decode(x)
    assert found.events[:10].tolist() == [_, _, _, 60, _, X, _, _, _, _]
    assert encoded(made, found)[:10] == [0, 0, 0, 41, 0, 1, 0, 0, 0, 0]


def test_what_is_made_has_the_tempo_and_program_of_the_corpus_or_of_what_it_stands_for() -> None:
    made = melody((3, 4), (4, 4), (3, 4))
    new = made.decode(np.full(24, 41, np.uint16))
    assert (new.meter, new.bpm, new.program) == ((3, 4), 90.0, 41)
    like = Phrase(np.full(32, 50, np.int16), (4, 4), 4, 77.0, 5, ((4, 99.0),))
    again = made.decode(np.full(32, 41, np.uint16), like)
    assert again == Phrase(np.full(32, 60, np.int16), (4, 4), 4, 77.0, 5, ((4, 99.0),))


def test_a_silent_window_stays_silent_and_between_it_and_another_the_nearer_one_says() -> None:
    made, silent, sounding = melody(), phrase(), phrase(60)
    x = np.full(32, 41, np.uint16)
    assert not made.decode(x, silent).onsets.any()
    heard = [bool(made.decode(x, made.between(silent, sounding, share)).onsets.any()) for share in (0, 0.4, 0.6, 1)]
    assert heard == [False, False, True, True]


def test_tempo_goes_from_one_end_to_the_other_and_the_program_is_the_nearer_one_s() -> None:
    a, b = Phrase(phrase(60).events, bpm=60.0, program=1), Phrase(phrase(62).events, bpm=240.0, program=2)
    middle = melody().between(a, b, 0.5)
    assert (middle.bpm, middle.program) == (pytest.approx(120.0), 2)


def test_phrases_that_do_not_fit_are_refused() -> None:
    made = melody()
    with pytest.raises(
        ValueError, match=r"^a phrase with pitches from 20 to 60 does not fit; give pitches from 21 to 108$"
    ):
        made.encode(phrase(60, 20), Report())
    with pytest.raises(
        ValueError, match="a clip of 33 steps at 4 a quarter does not fit; give up to 32 steps at 4 a quar"
    ):
        made.encode(phrase(60, steps=33), Report())
    report = Report()
    assert made.encode(Phrase(np.full(24, 60, np.int16), (3, 4)), report) is None
    assert report.counts == {"windows": {"in 3/4, which the model does not know, left out": 1}}
    with pytest.raises(ValueError, match=r"data.lowest_pitch=70 is above data.highest_pitch=60; give a lower one"):
        MelodyData(lowest_pitch=70, highest_pitch=60)
    with pytest.raises(ValueError, match=r"events of shape \(2,\) are no steps of one voice"):
        made.present([Phrase(np.array([60, 128], np.int16))])


def test_figures_count_notes_of_right_pitch_on_the_right_step() -> None:
    made = melody()
    truth, guess = phrase(60, _, 62, 64), phrase(60, 62, _, 64)
    assert made.metrics([truth, truth], [guess, truth]) == {"exact_match": 0.5, "f1_notes": pytest.approx(5 / 6)}
    assert made.metrics([phrase()], [phrase()])["f1_notes"] is None
    figures = made.sample_metrics([phrase(60, _, 67), phrase(60, 59)])
    assert figures["sample_notes"] == 2.0
    assert figures["sample_interval"] == pytest.approx((7 + 1) / 2)
    assert figures.keys() == made.sample_units.keys()
    assert made.sample_metrics([])["sample_interval"] is None


def test_inspect_shows_windows_steps_outcomes_and_metres() -> None:
    assert melody((4, 4), (3, 4)).facts(np.array([32, 24])) == [
        ("items", "2 windows of 2 bars"),
        ("steps", "56, 4 a quarter"),
        ("outcomes", "90 (pitches 21 to 108, hold, off)"),
        ("metres", "4/4, 3/4"),
    ]


def test_what_was_learned_is_written_and_read_back_and_damage_is_refused(tmp_path: Path) -> None:
    made = melody((3, 4))
    (path,) = made.save(tmp_path)
    assert path.name == "melody.json"
    other = Melody(MelodyData())
    other.load(tmp_path)
    assert other.learned == {"meters": [(3, 4)], "bpm": 90.0, "program": 41}
    path.write_text('{"meters": [[4, 4]], "bpm": 90}')
    with pytest.raises(ValueError, match=r"melody\.json is damaged; restore the run from a copy"):
        Melody(MelodyData()).load(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"voice": "lowest"},
        {"lowest_pitch": 0},
        {"highest_pitch": 127},
        {"bars": 4},
        {"assume_meter": "3/4"},
        {"hop": 2},
    ],
    ids=str,
)
def test_what_items_depend_on_is_in_the_fingerprint(changed: dict[str, object]) -> None:
    assert melody(**changed).fingerprint() != melody().fingerprint()
    assert melody(transpose=7, bpm=99.0).fingerprint() == melody().fingerprint()


# Keys in training --------------------------------------------------------------------------------------------


def moved(
    rows: Sequence[Sequence[int]], most: int, lengths: Sequence[int] | None = None, step: int = 0
) -> torch.Tensor:
    x = torch.tensor(rows)
    sizes = torch.full((len(x),), x.shape[1]) if lengths is None else torch.tensor(lengths)
    batch = Batch(x, sizes, torch.arange(len(x)))
    return transposed(batch, Noise(5, batch.keys, step), most, 90, 2).x - x


def test_all_pitches_of_a_window_move_by_one_interval_and_no_other_step_moves() -> None:
    shift = moved([[0, 40, 1, 47, 0, 40]] * 500, 5)
    assert (shift[:, [0, 2, 4]] == 0).all()
    assert (shift[:, [1, 3, 5]] == shift[:, 1:2]).all()
    counts = torch.bincount(shift[:, 1] + 5, minlength=11)
    assert len(counts) == 11
    # each of eleven intervals has 1/11 of 500 rows, give or take four standard errors of 6.4
    assert (counts - 500 / 11).abs().max() < 26


def test_pitches_stay_within_the_range() -> None:
    shift = moved([[2, 30, 0], [89, 30, 0], [2, 89, 1], [0, 1, 0]] * 200, 5).unflatten(0, (200, 4))
    assert set(shift[:, 0, 0].tolist()) == {0, 1, 2, 3, 4, 5}
    assert set(shift[:, 1, 0].tolist()) == {-5, -4, -3, -2, -1, 0}
    assert not shift[:, 2:].any()


def test_padding_bounds_no_window_and_does_not_move() -> None:
    rows = [[40, 0, 2, 89]] * 200
    shift = moved(rows, 3, lengths=[2] * 200)
    assert set(shift[:, 0].tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    assert not shift[:, 2:].any()


def test_a_row_moves_by_its_own_noise_alone_and_anew_at_every_step() -> None:
    rows = [[40, 0, 45]] * 20
    shift = moved(rows, 5)[:, 0]
    assert torch.equal(moved(rows[:7], 5)[:, 0], shift[:7])
    assert not torch.equal(moved(rows, 5, step=1)[:, 0], shift)


def test_windows_are_transposed_where_that_is_asked_for() -> None:
    x = torch.tensor([[41, 0, 43]] * 50)
    batch = Batch(x, torch.full((50,), 3), torch.arange(50))
    noise = Noise(0, batch.keys)
    assert melody().augment(batch, lambda: batch, noise) is batch
    changed = melody(transpose=2).augment(batch, lambda: batch, noise).x
    assert set((changed[:, 0] - 41).tolist()) == {-2, -1, 0, 1, 2}
    assert not changed[:, 1].any()


# Files and back ----------------------------------------------------------------------------------------------


def content(item: object) -> bytes:
    buffer = io.BytesIO()
    item.write(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


@st.composite
def songs(draw: st.DrawFn) -> tuple[list[Phrase], dict[str, object]]:
    """One to four windows of one grid, any metres and tempos, the last one with a note in its last bar."""
    grid, bars = draw(st.sampled_from(GRIDS)), draw(st.integers(1, 2))
    made = []
    for _number in range(draw(st.integers(1, 4))):
        meter = draw(st.sampled_from(METERS))
        steps = bars * steps_per_bar(meter, grid)
        events = np.full(steps, HOLD, np.int16)
        for place, event in draw(st.lists(st.tuples(st.integers(0, steps - 1), st.integers(-1, 127)), max_size=20)):
            events[place] = event
        tempo = 60e6 / draw(st.integers(60_000, 16_000_000))
        made.append(Phrase(without_idle_offs(events), meter, grid, tempo, 73))
    last = made[-1].events
    last[-1] = 64
    return made, {"steps_per_quarter": grid, "bars": bars, "lowest_pitch": 0, "highest_pitch": 127}


@given(songs())
@settings(max_examples=100, deadline=None)
def test_any_phrases_survive_a_file_and_an_object(case: tuple[list[Phrase], dict[str, object]]) -> None:
    phrases, settings = case
    made = Melody(MelodyData(**settings)).present(phrases)  # type: ignore[arg-type]
    for notes in (from_midi(made), parse(content(made), "song.mid")):
        found = cut(notes, **settings)
        assert [one.events.tolist() for one in found] == [one.events.tolist() for one in phrases]
        assert [(one.meter, one.tempos) for one in found] == [(one.meter, one.tempos) for one in phrases]
        assert {one.program for one in found if one.onsets.any()} == {73}


def survive(notes: Notes, **settings: object) -> int:
    """Check that arrays of a piece, written as MIDI, are read back as they were; how many there are."""
    made = Melody(MelodyData(**settings))  # type: ignore[arg-type]
    phrases = cut(notes, **settings)
    file = made.present(phrases)
    again = MelodyData(**settings | {"voice": "highest"})  # type: ignore[arg-type]
    for back in (from_midi(file), parse(midi_bytes(file), "again.mid")):
        read = cut(back, **settings | {"voice": "highest"})
        kept = [(one.meter, Melody(again).encode(one, Report()).tolist()) for one in read]  # type: ignore[union-attr]
        whole = [(one.meter, made.encode(one, Report()).tolist()) for one in phrases]  # type: ignore[union-attr]
        assert kept == whole[: len(kept)]
        assert not any(one.onsets.any() for one in phrases[len(kept) :]), "a file has no bars behind its last note"
    return len(phrases)


@pytest.mark.parametrize("chords", ["none", "tracks"])
def test_strange_and_malformed_files_are_read_and_come_back_or_are_refused_in_one_sentence(
    shared_data: Path, chords: str
) -> None:
    survived = outcome(shared_data / "midi-edge", partial(survive, lowest_pitch=0, highest_pitch=127, chords=chords))
    assert survived == (4731, 30), "the others have drums alone, or no notes"


def test_melodies_of_songs_come_back_on_every_grid(shared_data: Path) -> None:
    files = sorted((shared_data / "pop909").glob("*.mid"))[::200]
    if not files:
        pytest.skip("no POP909: there are no files in pop909")
    for path in files:
        notes = parse(path.read_bytes(), path)
        for grid, voice, chords in ((4, "MELODY", "tracks"), (12, "highest", "none"), (24, "lowest", "tracks")):
            assert survive(notes, steps_per_quarter=grid, voice=voice, chords=chords) > 20


def test_a_note_that_is_held_over_a_border_is_heard_to_the_border_only() -> None:
    """Where windows follow each other as one piece, each begins with silence or with a pitch of its own."""
    made = melody(bars=1)
    held, silent, next_ = phrase(60, steps=16), phrase(steps=16), phrase(_, _, 62, steps=16)
    piece = Piece([held, silent, next_], made.notation)
    assert [note.tolist() for note in piece.stretches[0].notes] == [[0, 16, 60], [34, 48, 62]]  # type: ignore[attr-defined]
    (track_,) = piece.midi.instruments
    assert [(round(note.start, 3), round(note.end, 3)) for note in track_.notes] == [(0.0, 2.0), (4.25, 5.999)]
    assert str(piece) == "3 bars of 4/4, 120 bpm, 2 notes"
    assert (track_.program, track_.is_drum, track_.name) == (0, False, "Melody")


def test_what_a_run_has_written_is_read_whatever_its_voice_is(tmp_path: Path) -> None:
    made = melody(voice="Lead", bars=1)
    write(tmp_path, {"own.mid": content(made.present([phrase(60, steps=16)]))})
    assert made.accept(tmp_path / "own.mid")[0].events[0] == 60
    write(tmp_path, {"other.mid": midi(track([(0, 1, 60)], "Flute"))})
    with pytest.raises(
        ValueError, match=r"other.mid has no notes on a track called Lead in 1 file; tracks with notes: 1 F"
    ):
        made.accept(tmp_path / "other.mid")
