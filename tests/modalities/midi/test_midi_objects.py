"""PrettyMIDI objects as notes: what a file of them would hold, objects made by hand, and notes that are none."""

import io
import math

import numpy as np
import pretty_midi
import pytest

from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.writing import to_midi
from tests.modalities.midi.songs import cut, source_of
from tests.modalities.midi.test_writing import METERS, content, random_clip


def test_an_object_and_its_file_give_the_same_notes():
    clips = [random_clip(seed, GENERAL_MIDI, 12, meter=meter, bpm=81.7) for seed, meter in enumerate(METERS)]
    midi = to_midi(clips, DrumNotation(GENERAL_MIDI))
    file = content(midi)
    for notes in (from_midi(midi), from_midi(pretty_midi.PrettyMIDI(io.BytesIO(file)))):
        same_notes(notes, parse(file, "clip.mid"))


def same_notes(notes: Notes, expected: Notes) -> None:
    """Assert that two readings agree in everything but damage."""
    for name in ("tick", "pitch", "velocity", "channel", "end", "program"):
        np.testing.assert_array_equal(getattr(notes, name), getattr(expected, name))
        assert getattr(notes, name).dtype == getattr(expected, name).dtype
    for name in ("ticks_per_quarter", "meters", "tempos", "programs"):
        assert getattr(notes, name) == getattr(expected, name)


def test_objects_made_by_hand_are_read_without_metre_or_tempo():
    midi = pretty_midi.PrettyMIDI()
    drums = pretty_midi.Instrument(program=16, is_drum=True)
    piano = pretty_midi.Instrument(program=3)
    drums.notes = [
        pretty_midi.Note(90, 38, 0.5, 0.6),
        pretty_midi.Note(80, 36, 0.0, 0.0),
        pretty_midi.Note(0, 36, 1, 2),
    ]
    piano.notes = [pretty_midi.Note(70, 60, 0.25, 0.3)]
    midi.instruments = [piano, pretty_midi.Instrument(5), drums]
    notes = from_midi(midi)
    assert notes.ticks_per_quarter == 220
    columns = (notes.tick, notes.pitch, notes.velocity, notes.channel, notes.end, notes.program)
    assert list(zip(*map(np.ndarray.tolist, columns), strict=True)) == [
        (0, 36, 80, 9, 0, 16),
        (110, 60, 70, 0, 132, 3),
        (220, 38, 90, 9, 264, 16),
    ]
    assert (notes.meters, notes.tempos, notes.programs) == ([], [(0, 120.0)], {0: 3, 9: 16})
    clips = cut(notes, source_of(bars=1))
    assert len(clips) == 1
    assert [tuple(cell) for cell in np.argwhere(clips[0].hits)] == [(0, 0), (4, 1)]
    assert (clips[0].kit, clips[0].bpm, clips[0].meter) == (16, 120.0, (4, 4))


def test_an_object_without_notes_is_read_as_none():
    notes = from_midi(pretty_midi.PrettyMIDI())
    assert len(notes) == 0
    assert notes.programs == {}


def test_the_channels_of_an_object_are_those_of_its_file():
    midi = pretty_midi.PrettyMIDI()
    for index in range(17):
        midi.instruments.append(pretty_midi.Instrument(program=index, is_drum=index == 4))
        midi.instruments[-1].notes.append(pretty_midi.Note(100, 40 + index, 0.1 * index, 0.1 * index + 0.05))
    notes = from_midi(midi)
    np.testing.assert_array_equal(notes.channel, parse(content(midi), "song.mid").channel)
    assert notes.program.tolist() == list(range(17)), "two instruments may share a channel"


@pytest.mark.parametrize("end", [0.5, math.nan, math.inf])
def test_a_note_whose_end_means_nothing_has_no_length(end: float):
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.instruments[0].notes.append(pretty_midi.Note(100, 36, 0.5, end))
    assert from_midi(midi).end.tolist() == [220]


@pytest.mark.parametrize(
    "note",
    [
        pretty_midi.Note(100, 128, 0.0, 1.0),
        pretty_midi.Note(128, 36, 0.0, 1.0),
        pretty_midi.Note(100, -1, 0.0, 1.0),
        pretty_midi.Note(100, 36, math.nan, 1.0),
        pretty_midi.Note(100, 36, math.inf, math.inf),
    ],
    ids=str,
)
def test_a_note_that_is_none_is_refused(note: pretty_midi.Note):
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0, is_drum=True))
    midi.instruments[0].notes.append(note)
    with pytest.raises(ValueError, match=f"pitch={note.pitch}, velocity={note.velocity}.* is no MIDI note"):
        from_midi(midi)
