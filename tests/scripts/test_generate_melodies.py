"""The demo melodies: what is promised of each style, chords that can be heard, the files, and the judge of keys."""

import csv
import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import CliRunner, Result

from seqvae.modalities.midi.chorded_part import ChordedPart
from seqvae.modalities.midi.chords import name, parse
from seqvae.modalities.midi.grid import layout
from seqvae.modalities.midi.parser import parse as parse_midi
from seqvae.modalities.midi.voices import VoicePart
from tests.scripts.loaded import refused, script

script("generate_sentences")
script("composing")
styles = script("melody_styles")
melodies = script("generate_melodies")

STYLES, MODES = styles.STYLES, styles.MODES
STEP = melodies.STEP
ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
THIRDS = {"": 4, "7": 4, "maj7": 4, "m": 3, "m7": 3}


def run(*arguments: object) -> Result:
    """The outcome of one call of the script."""
    return CliRunner().invoke(melodies.main, [str(argument) for argument in arguments])


def pieces(style: str, count: int = 12) -> list:
    return [melodies.compose(style, random.Random(f"test/{style}/{number}")) for number in range(count)]


def bars(piece: object) -> list[list[tuple[int, int, int]]]:
    """Of each bar its notes: first step, steps, pitch."""
    found: list[list[tuple[int, int, int]]] = [[] for _ in range(piece.bars)]
    for note in piece.melody:
        bar, step = divmod(note.tick // STEP, 16)
        found[bar].append((step, round((note.end - note.tick) / STEP), note.pitch))
    return found


def test_pages_are_bars_of_16_steps_in_known_signs_and_songs_of_8_to_16_bars() -> None:
    assert len(STYLES) == 8
    assert len({style.mode for style in STYLES.values()}) == len(MODES) == 6
    for style in STYLES.values():
        assert {len(bar) for bar in (*style.rhythms, *style.ends, style.accompaniment)} == {16}
        assert all(
            set(bar) <= set("x-.") and bar[0] != "-" and ".-" not in bar for bar in (*style.rhythms, *style.ends)
        )
        assert set(style.accompaniment) <= set("BAC123-.")
        assert all(phrase[0] in "AB" and phrase.count("|") == 3 for song in style.songs for phrase in song)
        assert {4 * len(song) for song in style.songs} <= {8, 12, 16}


@pytest.mark.parametrize("style", STYLES)
def test_a_melody_stays_in_its_scale_its_range_and_above_its_chords_and_sounds_one_note_at_a_time(style: str) -> None:
    for piece in pieces(style):
        scale = {(piece.tonic + note) % 12 for note in MODES[STYLES[style].mode]}
        assert {note.pitch % 12 for note in piece.melody} <= scale
        assert all(60 <= note.pitch <= 84 and 1 <= note.velocity <= 127 for note in piece.melody)
        assert all(36 <= note.pitch < 60 for note in piece.accompaniment)
        assert all(one.end <= other.tick for one, other in itertools.pairwise(piece.melody))
        assert all(abs(one.pitch - other.pitch) <= 12 for one, other in itertools.pairwise(piece.melody))
        assert STYLES[style].bpm[0] <= piece.bpm <= STYLES[style].bpm[1]
        assert max(note.end for note in piece.accompaniment) <= piece.bars * 16 * STEP


@pytest.mark.parametrize("style", STYLES)
def test_phrases_of_a_letter_are_the_same_over_the_same_chords_and_have_one_rhythm_over_others(style: str) -> None:
    page, repeated = STYLES[style], 0
    for piece in pieces(style, 20):
        found = bars(piece)
        shifted = [
            "|".join(
                " ".join(dict.fromkeys(_in_c(chord, piece.tonic) for chord in bar)) for bar in piece.chords[at : at + 4]
            )
            for at in range(0, piece.bars, 4)
        ]
        song = next(song for song in page.songs if [phrase[2:] for phrase in song] == shifted)
        for at, phrase in enumerate(song):
            first = next(place for place, other in enumerate(song) if other[0] == phrase[0])
            rhythms = [[note[:2] for note in bar] for bar in found]
            assert rhythms[4 * at : 4 * at + 4] == rhythms[4 * first : 4 * first + 4]
            assert rhythms[4 * at] == rhythms[4 * at + 2]
            last = at == len(song) - 1  # which ends on the tonic
            for other in range(at):
                if song[other] == phrase:
                    assert found[4 * at : 4 * at + 4 - last] == found[4 * other : 4 * other + 4 - last]
                    repeated += 1
    assert repeated or all(len(set(song)) == len(song) for song in page.songs)


def _in_c(chord: tuple[int, str], tonic: int) -> str:
    return ROOTS[(chord[0] - tonic) % 12] + chord[1]


@pytest.mark.parametrize("style", STYLES)
def test_long_notes_and_those_on_one_and_three_are_notes_of_the_chord_and_the_last_is_the_tonic(style: str) -> None:
    for piece in pieces(style):
        for number, bar in enumerate(bars(piece)):
            for step, steps, pitch in bar:
                root, quality = piece.chords[number][step // 8]
                chord = {(root + tone) % 12 for tone in melodies.QUALITIES[quality]}
                if number % 4 != 3 and (step % 8 == 0 or steps >= 4):
                    assert pitch % 12 in chord
        assert piece.melody[-1].pitch % 12 == piece.tonic


def test_a_blues_has_twelve_bars_and_a_lullaby_fewer_notes_than_a_reel() -> None:
    assert {piece.bars for piece in pieces("blues")} == {12}
    notes = {style: np.mean([len(piece.melody) / piece.bars for piece in pieces(style)]) for style in STYLES}
    assert min(notes, key=notes.get) == "lullaby"
    assert max(notes, key=notes.get) == "reel"
    assert 2 < notes["lullaby"] < 3
    assert 6.5 < notes["reel"] < 8


def test_melodies_go_by_steps_more_than_by_leaps_and_seldom_stand_still() -> None:
    every = [piece for style in STYLES if style not in ("lullaby", "march") for piece in pieces(style)]
    moves = np.concatenate([np.abs(np.diff([note.pitch for note in piece.melody])) for piece in every])
    assert np.mean(moves <= 2) > 0.55
    assert np.mean(moves == 0) < 0.15


@pytest.mark.parametrize("style", STYLES)
def test_the_chords_that_are_heard_beside_the_melody_are_those_that_were_composed(style: str, tmp_path: Path) -> None:
    piece = melodies.compose(style, random.Random("chords"))
    path = tmp_path / "piece.mid"
    melodies.to_midi(piece).write(str(path))
    notes = parse_midi(path.read_bytes(), path)
    part = ChordedPart(VoicePart("Melody", 21, 108), "tracks")
    taken = part.take(notes)
    (segment,) = layout(notes, taken.places).segments
    (stretch,) = part.ways(segment, taken)
    heard = [name(chord) for chord in stretch.whole.chords.tolist()]
    composed = [
        name(parse(ROOTS[root] + ("m" if THIRDS[quality] == 3 else "")))
        for bar in piece.chords
        for root, quality in bar
    ]
    assert heard == [symbol for symbol in composed for _ in range(8)][: len(heard)]
    assert len(heard) >= 16 * (piece.bars - 1)
    assert int((stretch.whole.events >= 0).sum()) == len(piece.melody)


def test_a_piece_depends_on_its_seed_alone_and_pieces_are_in_four_keys() -> None:
    assert melodies.compose("folk", random.Random("a")) == melodies.compose("folk", random.Random("a"))
    assert melodies.compose("folk", random.Random("a")) != melodies.compose("folk", random.Random("b"))
    assert {piece.tonic for piece in pieces("pop", 40)} == {0, 2, 5, 7}


def test_plain_clips_are_two_bars_in_c_that_end_there_over_the_chord_of_the_tonic() -> None:
    for style, page in STYLES.items():
        clip = melodies.plain(style)
        assert clip == melodies.plain(style)
        assert (clip.bars, clip.tonic) == (2, 0)
        assert {root for bar in clip.chords for root, _ in bar} == {0} or style == "bossa"
        assert clip.melody[-1].pitch % 12 == 0
        assert [(note.tick // STEP, "x") for note in clip.melody if note.tick < 16 * STEP] == [
            (step, sign) for step, sign in enumerate(page.rhythms[0]) if sign == "x"
        ]


def test_files_stand_in_folders_of_their_style_with_a_table_of_keys_and_splits(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert run("generate", "--out", tmp_path / folder, "--files", 26, "--seed", 3).exit_code == 0
    with open(tmp_path / "one" / "melodies" / "info.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["midi_filename", "style", "key", "bpm", "time_signature", "split"]
    assert Counter(row["style"] for row in rows) == {style: 4 if i < 2 else 3 for i, style in enumerate(STYLES)}
    assert Counter(row["split"] for row in rows) == {"train": 10, "valid": 8, "test": 8}
    assert all(row["key"] == melodies.compose(row["style"], _rng(row)).key for row in rows)
    files = sorted(path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*"))
    listed = [f"melodies/{row['midi_filename']}" for row in rows] + [f"clips/{style}.mid" for style in STYLES]
    assert files == sorted([*listed, "melodies/info.csv"])
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def _rng(row: dict[str, str]) -> random.Random:
    number = int(row["midi_filename"][-7:-4])
    return random.Random(f"3/{row['style']}/{number}")


def test_a_file_has_the_composed_notes_on_a_track_of_melody_and_one_of_chords(tmp_path: Path) -> None:
    run("generate", "--out", tmp_path, "--files", 8, "--seed", 5)
    piece = melodies.compose("bossa", random.Random("5/bossa/1"))
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "melodies" / "bossa" / "bossa-001.mid"))
    assert [track.name for track in midi.instruments] == ["Melody", "Chords"]
    assert tuple(track.program for track in midi.instruments) == piece.programs
    for track, notes in zip(midi.instruments, (piece.melody, piece.accompaniment), strict=True):
        written = sorted(
            (midi.time_to_tick(n.start), midi.time_to_tick(n.end), n.pitch, n.velocity) for n in track.notes
        )
        assert written == sorted((note.tick, note.end, note.pitch, note.velocity) for note in notes)
    assert midi.get_tempo_changes()[1][0] == pytest.approx(piece.bpm, abs=0.001)
    assert [(one.numerator, one.denominator) for one in midi.time_signature_changes] == [(4, 4)]


def test_the_key_is_the_one_that_most_notes_fit_in() -> None:
    assert melodies.key_of([60, 62, 64, 65, 67, 69, 71]) == ("C major", 7)
    assert melodies.key_of([63, 65, 67, 68, 70, 72, 74, 64]) == ("Eb major", 7)
    assert melodies.key_of([62, 63, 66, 67, 69, 70, 72]) == ("D freygish", 7)
    chromatic = [60 + note for note in range(12)]
    assert melodies.key_of(chromatic)[1] == 7


def test_check_prints_the_key_of_each_file_and_fails_where_too_few_notes_fit(tmp_path: Path) -> None:
    run("generate", "--out", tmp_path, "--files", 8)
    good = run("check", tmp_path / "clips" / "march.mid", "--at-least", 1)
    assert good.exit_code == 0
    first, last = good.stdout.splitlines()
    notes = len(melodies.plain("march").melody)
    assert first.startswith(f"{tmp_path / 'clips' / 'march.mid'}: {notes} notes from ")
    assert first.endswith(f", {notes} of them in C major")
    assert last == f"100.0% of {notes} notes stand in the key of their file"
    named = run("check", tmp_path / "clips" / "march.mid", "--key", "C freygish", "--at-least", 0.9)
    fitting = sum(note.pitch % 12 in MODES["freygish"] for note in melodies.plain("march").melody)
    assert fitting < 0.9 * notes
    assert named.exit_code == 1
    assert named.stdout.splitlines()[0].endswith(f", {fitting} of them in C freygish")
    assert named.stdout.splitlines()[1].endswith(f" of {notes} notes stand in C freygish")
    clash = pretty_midi.PrettyMIDI()
    clash.instruments.append(pretty_midi.Instrument(0, name="Anything"))
    clash.instruments[0].notes += [pretty_midi.Note(80, 60 + note, note, note + 1) for note in range(12)]
    clash.write(str(tmp_path / "clash.mid"))
    bad = run("check", tmp_path / "clash.mid", "--at-least", 0.6)
    assert bad.exit_code == 1
    assert "12 notes from C4 to B4, 7 of them in C major" in bad.stdout
    assert run("check", tmp_path / "clash.mid", "--at-least", 0.58).exit_code == 0


def test_bad_input_is_refused_in_one_sentence(tmp_path: Path) -> None:
    refused(run("generate", "--out", tmp_path, "--files", 3), "--files", "8")
    (tmp_path / "noise.mid").write_bytes(b"MThd no")
    refused(run("check", tmp_path / "noise.mid", "--key", "H major"), "'H major' is not one of")
    refused(run("check", tmp_path / "noise.mid"), "noise.mid", "is not read as MIDI")
    drums = pretty_midi.PrettyMIDI()
    drums.instruments.append(pretty_midi.Instrument(0, is_drum=True))
    drums.instruments[0].notes.append(pretty_midi.Note(100, 36, 0.0, 1.0))
    drums.write(str(tmp_path / "drums.mid"))
    refused(run("check", tmp_path / "drums.mid"), "drums.mid", "no notes")
    (tmp_path / "empty").mkdir()
    refused(run("check", tmp_path / "empty"), "there is no .mid file", "empty")
    run("generate", "--out", tmp_path, "--files", 16)
    refused(run("generate", "--out", tmp_path, "--files", 8), "blues-002.mid is left from another run")
