"""The melody modality with chords: arrays and files and back, keys in training, what is made to which chords."""

import io
import json
import wave
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import torch
from torch import nn

from seqvae.config import from_dict
from seqvae.modalities.base import Report
from seqvae.modalities.midi.chords import CHORDS, Progression, name, parse
from seqvae.modalities.midi.melody import Melody
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.parser import parse as parse_midi
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.voice_settings import MelodyData, MelodyModel
from seqvae.modalities.midi.writing import midi_bytes
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.contract.cases import to_chords, tunes
from tests.modalities.midi.smf import midi
from tests.modalities.midi.tunes import cut, track

C, G, A, F = (parse(symbol) for symbol in ("C", "G", "Am", "F"))


def phrase(chords: str, *events: int) -> Phrase:
    """Two bars of these events, to a progression."""
    full = np.array([*events, *[HOLD] * (32 - len(events))], np.int16)
    return Phrase(full, chords=Progression.of(chords).laid(0, 32, 16))


def melody(*items: Phrase, **settings: object) -> Melody:
    made = Melody(MelodyData(**{"chords": "tracks", **settings}))  # type: ignore[arg-type]
    made.fit(lambda: items or [phrase("G F", 60), phrase("C Am", 60), phrase("C Am", 62)])
    return made


def test_a_step_is_a_label_and_the_chord_beside_it() -> None:
    made, report = melody(), Report()
    x = made.encode(phrase("C | G Am", 60, HOLD, OFF, 62), report)
    assert x is not None
    assert x[:, 0].tolist() == [41, 0, 1, 43, *[0] * 28]
    assert x[:, 1].tolist() == [C] * 16 + [G] * 8 + [A] * 8
    assert dict(+report.unshown) == {"C": 16, "G": 8, "Am": 8}
    assert made.step_type.shape == (2,)


def test_what_a_phrase_lacks_of_a_window_has_no_chord() -> None:
    made, short = melody(), phrase("C G", 60).taken(0, 20)
    x = made.encode(short, Report())
    assert x is not None
    assert x[:, 1].tolist() == [C] * 16 + [G] * 4 + [0] * 12
    assert made.decode(x, short) == short


def test_without_chords_nothing_is_read_of_them() -> None:
    plain = melody(chords="none")
    x = plain.encode(phrase("C G", 60), Report())
    assert x is not None
    assert x.shape == (32,)
    assert plain.given([None], 32) is None
    assert plain.assumed == ""
    song = parse_midi(midi(b"", track([(0, 8, 60)]), track([(0, 8, 40), (0, 8, 44)], channel=1)), "song.mid")
    assert cut(song, bars=1)[0].chords is None
    assert cut(song, bars=1, chords="tracks")[0].chords is not None


def test_fingerprints_depend_on_what_chords_are_read_from() -> None:
    """Also on those asked for, to which files without chords are read."""
    asked = [
        {"chords": "none"},
        {"chords": "tracks"},
        {"chords": "symbols"},
        {"progression": "C"},
        {"progression": "G"},
    ]
    assert len({melody(**settings).fingerprint() for settings in asked}) == 5


@pytest.mark.parametrize("chords", ["tracks", "symbols"])
def test_what_is_written_is_read_again_with_its_chords(chords: str) -> None:
    made = melody(chords=chords)
    items = to_chords(tunes())
    written = made.present(items)
    assert [one.name for one in written.instruments] == ["Melody"], "chords are words, and nothing sounds of them"
    notes = [from_midi(written), parse_midi(midi_bytes(written), "song.mid")]
    for found in (cut(one, chords=chords) for one in notes):
        assert len(found) == len(items)
        for item, again in zip(items, found, strict=True):
            assert np.array_equal(again.chords, item.chords)
            assert np.array_equal(again.events >= 0, item.events >= 0)


def test_chords_are_heard_in_sound_alone_softly_and_anew_in_each_bar() -> None:
    """C for a bar and a half, F for the other half, then A minor; nothing of no chord."""
    items = [phrase("C | C F", 72), phrase("Am N.C.").with_program(3)]
    piece = Piece(items, melody().notation)
    lead, strings = piece.heard.instruments
    assert [one.name for one in piece.midi.instruments] == ["Melody"]
    assert [(note.start, note.pitch) for note in lead.notes] == [(0.0, 72)]
    found = [(note.start, note.end, note.pitch) for note in strings.notes]
    c, f, a = (48, 52, 55), (53, 57, 60), (57, 60, 64)
    spans = [(0.0, 2.0, c), (2.0, 3.0, c), (3.0, 4.0, f), (4.0, 6.0, a)]
    assert found == [(start, end, pitch) for start, end, own in spans for pitch in own]
    assert {note.velocity for note in strings.notes} == {45}
    plain = Piece([item.with_steps(item.events) for item in items], melody(chords="none").notation)
    assert len(plain.heard.instruments) == 1


def test_a_piece_in_which_no_chord_is_heard_is_not_written_again_for_its_sound() -> None:
    notation = melody().notation
    for items in ([phrase("N.C.", 72)], [phrase("C", 72).with_steps(phrase("C", 72).events)]):
        piece = Piece(items, notation)
        assert piece.heard is piece.midi
    late = Piece([phrase("N.C.", 72), phrase("N.C. | N.C. C", 72)], notation)
    assert [len(one.notes) for one in late.heard.instruments] == [2, 3]


def test_a_wav_has_the_notes_of_the_chord_below_the_melody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_SOUNDFONT", "none")
    (written,) = melody(formats="wav", loop=True).write([[phrase("A", *[HOLD] * 4, 84)]])
    with wave.open(io.BytesIO(written.files[0].content())) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)[:, 0].astype(float)
        rate = sound.getframerate()
    assert len(samples) == 4 * rate, "two bars at 120"
    first = samples[: rate // 2]  # before the melody begins
    strength = np.abs(np.fft.rfft(first * np.hanning(len(first))))
    near = {pitch: strength[round(440 * 2 ** ((pitch - 69) / 12) * len(first) / rate)] for pitch in range(48, 66)}
    assert set(sorted(near, key=near.get)[-3:]) == {57, 61, 64}


def test_symbols_stand_above_the_notes_of_a_picture() -> None:
    made = melody()
    assert made.notation.drawn(phrase("C | G Am", 60)).words == [(0, "C"), (16, "G"), (24, "Am")]
    assert not melody(chords="none").notation.drawn(phrase("C", 60).with_steps(np.full(32, 60, np.int16))).words
    (first,) = made.picture([[phrase("E | A B", 60)]]).axes
    assert {"E", "A", "B"} <= {text.get_text() for text in first.texts}


def test_symbols_stand_as_texts_where_chords_change_also_from_one_window_to_the_next() -> None:
    written = midi_bytes(melody().present([phrase("C | C G", 60), phrase("G N.C.", 60)]))
    (texts, _) = mido.MidiFile(file=io.BytesIO(written)).tracks
    at, found = 0, []
    for message in texts:
        at += message.time
        if message.type == "text":
            found.append((at / 480, message.text))
    assert found == [(0, "C"), (6, "G"), (12, "N.C.")]
    assert [one.text for one in pretty_midi.PrettyMIDI(io.BytesIO(written)).text_events] == ["C", "G", "N.C."]


def test_chords_are_transposed_with_the_melody_and_by_as_much() -> None:
    made, rows = melody(transpose=4), 300
    x = made.encode(phrase("C | Am N.C.", 60, 64, OFF), Report())
    batch = Batch(torch.from_numpy(x.astype(np.int64)).repeat(rows, 1, 1), torch.full((rows,), 32), torch.arange(rows))
    moved = made.augment(batch, lambda: batch, Noise(1, batch.keys)).x
    shift = moved[:, 0, 0] - batch.x[:, 0, 0]
    assert set(shift.tolist()) == set(range(-4, 5))
    for row, semitones in zip(moved.tolist(), shift.tolist(), strict=True):
        assert [label for label, _ in row[:4]] == [41 + semitones, 45 + semitones, 1, 0]
        assert row[0][1] == row[15][1] == 1 + semitones % 12
        assert row[16][1] == 13 + (9 + semitones) % 12
        assert {chord for _, chord in row[24:]} == {0}


def test_what_is_made_of_codes_alone_is_to_the_chords_most_met_in_training_unless_others_are_asked_for() -> None:
    made = melody()
    (steps,) = made.given([None], 32)
    assert steps[:, 1].tolist() == [C] * 16 + [A] * 16
    assert made.assumed == "chords: C Am, those most met in training; ask for others with data.progression='C G'"
    asked = made.using({"progression": "F | G C"})
    (steps,) = asked.given([None], 32)
    assert steps[:, 1].tolist() == [F] * 16 + [G] * 8 + [C] * 8
    assert asked.assumed == ""
    longer = made.using({"progression": "C G Am F"})
    assert longer.assumed == "chords: C G, the first 2 of 4 bars, since a window has 2"
    assert melody(phrase("N.C.", 60)).assumed.startswith("chords: N.C., ")


def test_windows_of_a_piece_keep_their_chords_or_follow_those_asked_for_bar_after_bar() -> None:
    made, piece = melody(), [phrase("C G", 60), phrase("Am F", 62), phrase("G", 60).taken(0, 16)]
    own = made.given(piece, 32)
    assert [sorted({name(chord) for chord in x[:, 1]}) for x in own] == [["C", "G"], ["Am", "F"], ["G", "N.C."]]
    asked = made.using({"progression": "F G Am"}).given(piece, 32)
    bars = [name(int(x[place, 1])) for x in asked for place in (0, 16)]
    assert bars == ["F", "G", "Am", "F", "G", "N.C."]
    assert {x.shape for x in asked} == {(32, 2)}


@pytest.mark.parametrize(("window", "bars"), [("#0", "C G"), ("#1", "G Am"), ("#2", "Am C"), ("#4", "G N.C.")])
def test_a_window_of_a_file_is_made_to_the_chords_that_it_is_read_to(window: str, bars: str, tmp_path: Path) -> None:
    """The progression begins with the file."""
    path = tmp_path / "alone.mid"
    path.write_bytes(midi(b"", track([(n, n + 1, 60) for n in range(4 * 17)], "Lead")))
    asked = melody(progression="C G Am")
    (found,) = asked.find(f"{path}{window}", Report())
    read = asked.whole_window(found.item, Report())
    (given,) = asked.given([found.item], 32)
    assert [name(chord) for chord in read.chords[::16]] == bars.split()
    assert given[:, 1].tolist() == read.chords.tolist()


def test_windows_that_are_repeated_go_on_in_the_chords_that_are_asked_for() -> None:
    last = replace(phrase("N.C.", 60), bars_before=3)
    given = melody().using({"progression": "C G Am F"}).given([last, last], 32)
    assert [name(int(x[place, 1])) for x in given for place in (0, 16)] == ["F", "C", "G", "Am"]
    assert last.taken(16, 32).bars_before == 4


def test_bars_repeat_where_the_melody_does_whatever_its_chords() -> None:
    figures = melody().sample_metrics([phrase("C G", *[60, HOLD] * 8, *[60, HOLD] * 8)])
    assert figures["sample_bar_repetition"] == 1.0


def test_notes_are_of_the_chord_on_which_they_begin() -> None:
    """C on C, its octave, E and B on C, which is of the G after it; G and C on G; F# on no chord; C held into Fm."""
    one = phrase("C | G N.C.", 60, 72, HOLD, 64, 71, *[HOLD] * 11, 67, 60, *[HOLD] * 6, 66)
    other = phrase("C Fm", *[HOLD] * 15, 60, HOLD, 68, 69)
    figures = melody().sample_metrics([one, other, phrase("C")])
    assert figures["sample_chord_tones"] == pytest.approx((3 + 1 + 1 + 1) / (4 + 2 + 1 + 2))
    assert figures.keys() == melody().sample_units.keys()
    assert melody().sample_metrics([phrase("N.C.", 60)])["sample_chord_tones"] is None
    plain = melody(chords="none")
    assert "sample_chord_tones" not in plain.sample_units
    assert plain.sample_metrics([one.with_steps(one.events)]).keys() == plain.sample_units.keys()


def test_a_silent_window_stays_silent_to_other_chords() -> None:
    made, silent = melody(), phrase("C G")
    x = np.stack([np.full(32, 50), np.full(32, F)], 1)
    found = made.decode(x, silent)
    assert np.array_equal(found.events, silent.events)
    assert set(found.chords.tolist()) == {F}


def test_chords_that_were_learned_are_saved_and_damage_is_said(tmp_path: Path) -> None:
    made = melody()
    (path,) = made.save(tmp_path)
    loaded = Melody(made.data)
    loaded.load(tmp_path)
    assert loaded.progression == made.progression == Progression.of("C Am")
    for damaged in ({"progression": "H"}, {"progression": 3}, {}):
        learned = {key: value for key, value in made.learned.items() if key != "progression"} | damaged
        path.write_text(json.dumps(learned))
        with pytest.raises(ValueError, match=r"melody\.json is damaged; restore the run from a copy"):
            loaded.load(tmp_path)


def test_an_encoder_reads_chords_and_a_decoder_gives_other_melodies_for_others() -> None:
    made = melody()
    torch.manual_seed(0)
    encoder, decoder = made.nets(
        from_dict(MelodyModel, {"latent": 3, "encoder_hidden": 8, "decoder_hidden": 8}, "model")
    )
    for parameter in decoder.parameters():
        nn.init.normal_(parameter)
    x = [made.encode(phrase(chords, 60, 64, 67), Report()).astype(np.int64) for chords in ("C G", "F Am")]
    one, other = (Batch(torch.from_numpy(each)[None], torch.tensor([32]), torch.tensor([0])) for each in x)
    assert not torch.isclose(encoder(one), encoder(other)).all()
    z = torch.zeros(1, 3)
    scores = [decoder.step_log_prob(z, batch) for batch in (one, other)]
    assert not torch.isclose(*scores).any(), "the first step too reads the chord that it stands on"
    assert decoder.likelihood.given == CHORDS


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"progression": "C G"}, r"^data\.progression=C G is for a model that reads chords, and this one has data\.ch"),
        ({"chords": "tracks", "progression": "C X"}, r"^data\.progression=C X is not possible, since 'X' is no chord"),
    ],
)
def test_chords_that_cannot_be_are_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MelodyData(**settings)  # type: ignore[arg-type]
