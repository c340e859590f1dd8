"""The commands on melodies: MIDI files and their windows in, files out; wrong input is one sentence."""

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import Result

import seqvae as package
from seqvae.config import parse_overrides
from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.phrase import OFF, Phrase
from seqvae.modalities.midi.writing import to_midi, write_midi
from tests.cli.midi_runs import STEPS, TINY, made, options, trained, workplace
from tests.cli.test_chords import song
from tests.modalities.midi.smf import hits, midi
from tests.modalities.midi.tunes import track

SET = options()


def tune(count: int, seed: int, bpm: float = 120.0, program: int = 41) -> Phrase:
    """So many bars, with a note on the last step so that no bar is lost."""
    random = np.random.default_rng(seed)
    events = np.where(random.random(count * STEPS) < 0.4, random.integers(55, 80, count * STEPS), -2)
    events[1], events[-1] = OFF if events[0] >= 0 else -2, 60
    return Phrase(events.astype(np.int16), bpm=bpm, program=program)


def save(path: Path, *phrases: Phrase) -> Path:
    return write_midi(to_midi(phrases, MelodyNotation()), path)


@pytest.fixture(scope="module")
def melodies(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tunes/ and a run trained on them for three steps. Tests work in copies of what they change."""

    def write(path: Path, number: int) -> Path:
        return save(path, tune(3 + number, number, 100.0 + number))

    return trained(seqvae, tmp_path_factory.mktemp("melodies"), "melody", "tunes", write, SET)


@pytest.fixture
def place(melodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run and two pieces: five bars at 90 bpm, two bars at 150; and one of drums."""
    workplace(tmp_path, melodies / "run", monkeypatch)
    save(Path("five.mid"), tune(5, 11, 90.0))
    save(Path("two.mid"), tune(2, 12, 150.0, program=73))
    Path("drums.mid").write_bytes(midi(hits((bar * 1920, 36) for bar in range(4))))
    return tmp_path


def test_samples_are_midi_sound_and_picture_in_the_usual_tempo_and_program(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lines = made(seqvae("sample", "run", "-n", 2, "--temperature", 1))
    assert [line.split(":")[0] for line in lines[:2]] == [f"run/sample/00{n}.mid (.wav .png)" for n in (1, 2)]
    assert lines[2:] == ["run/sample/overview.png: all in one"]
    song = pretty_midi.PrettyMIDI("run/sample/001.mid")
    assert [(one.program, one.is_drum) for one in song.instruments] == [(41, False)]
    assert lines[0].endswith(f", {len(song.instruments[0].notes)} notes")
    with wave.open("run/sample/001.wav") as sound:
        levels = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float) / 32767
        assert sound.getnframes() / sound.getframerate() >= 8 * 60 / 104
    assert 0.05 < np.abs(levels).max() < 0.95
    assert Path("run/sample/001.png").read_bytes().startswith(b"\x89PNG")


def test_a_whole_piece_comes_back_with_its_length_tempo_and_program(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("reconstruct", "run", "five.mid", "two.mid#0", "--formats", "mid"))
    assert lines[0].startswith("run/reconstruct/001.mid: 5 bars of 4/4, 90 bpm, ")
    assert lines[1].startswith("run/reconstruct/002.mid: 2 bars of 4/4, 150 bpm, ")
    notes = [len(one.notes) for one in pretty_midi.PrettyMIDI("run/reconstruct/002.mid").instruments]
    programs = [one.program for one in pretty_midi.PrettyMIDI("run/reconstruct/002.mid").instruments]
    assert programs == [73] * bool(sum(notes))


def test_an_interpolation_variations_and_codes(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("interpolate", "run", "two.mid", "five.mid#1", "--steps", 3, "--formats", "mid"))
    assert [line.split(", ")[1] for line in lines] == ["150 bpm", "116.2 bpm", "90 bpm", "3 tempos from 150 to 90 bpm"]
    corners = ("two.mid", "five.mid#0", "five.mid#1", "five.mid#2")
    assert len(made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 2, "--formats", "png"))) == 5
    result = seqvae("similar", "run", "two.mid", "-n", 2, "--temperature", 1, "--formats", "mid")
    assert all(line.endswith(" of the steps changed") for line in made(result))
    assert seqvae("encode", "run", "five.mid", "--out", "z.npz").stderr == "3 codes of 4 units written to z.npz\n"
    assert len(made(seqvae("decode", "run", "z.npz", "--formats", "mid"))) == 3


def test_figures_are_those_of_notes(seqvae: Callable[..., Result], melodies: Path, place: Path) -> None:
    result = seqvae("evaluate", "run", melodies / "tunes", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(Path("figures.json").read_text())
    assert figures["items"] == sum(range(2, 8))
    assert 0 <= figures["f1_notes"] <= 1
    assert figures["tokens"] == figures["items"] * 32
    assert "sample_interval" in result.stdout


def test_inspect_says_what_the_voice_is_made_of(seqvae: Callable[..., Result], place: Path) -> None:
    chords = midi(track([(0, 4, 60), (0, 4, 55), (8, 12, 62), (40, 44, 64)], "Lead"), track([(0, 8, 40)], channel=1))
    Path("chords.mid").write_bytes(chords)
    lines = made(seqvae("inspect", "melody", "chords.mid", "--voice", "lead"))
    assert "outcomes: 90 (pitches 21 to 108, hold, off)" in lines
    assert "notes: 4 found; 3 on the grid; 1 hidden by a higher one" in lines


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("reconstruct", "run", "drums.mid"),
            "drums.mid has no notes on any track but drums in 1 file; tracks with notes: drums (4); give files with a "
            "melody",
        ),
        (
            ("train", "melody", "two.mid", "--voice", "Flute", "--out", "new"),
            "two.mid has no notes on a track called Flute in 1 file; tracks with notes: 1 Melody (NOTES); pass one of "
            "these as --voice 'track N' or --voice NAME. See 'seqvae train melody --help'.",
        ),
        (
            ("inspect", "melody", "two.mid", "--voice", "track 0"),
            "--voice 'track 0' is not possible; give highest, lowest, 'track N' with N from 1, or the name of a track. "
            "See 'seqvae inspect melody --help'.",
        ),
        (
            ("inspect", "drums", "two.mid"),
            "two.mid has no hits on channel 10 in 1 file; channels with notes: 1 (NOTES); pass --drum-channel or "
            "--all-channels",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None], words: tuple[str, ...], sentence: str
) -> None:
    notes = int(tune(2, 12).onsets.sum())
    refused(seqvae(*words), sentence.replace("NOTES", str(notes)))
    assert not Path("new").exists()


def test_a_run_reads_another_voice_where_that_is_asked_for(seqvae: Callable[..., Result], place: Path) -> None:
    two = midi(track([(0, 4, 60), (16, 20, 62)], "Lead"), track([(0, 32, 40)], "Bass", channel=1, program=33))
    Path("both.mid").write_bytes(two)
    made(seqvae("reconstruct", "run", "both.mid", "--voice", "Bass", "--formats", "mid", "--out", "bass"))
    made(seqvae("reconstruct", "run", "both.mid", "--formats", "mid", "--out", "all"))
    model = package.load("run")
    bass, lead = model.using({"voice": "Bass"}).windows("both.mid"), model.windows("both.mid")
    assert bass.items[0].program == 33
    assert bass.items[0].notes[:, 2].tolist() == [40]
    assert lead.items[0].notes[:, 2].tolist() == [60, 62]


def test_objects_go_in_and_come_out(place: Path) -> None:
    model = package.load("run")
    song = pretty_midi.PrettyMIDI("five.mid")
    (again,) = model.reconstruct([song])
    assert isinstance(again, pretty_midi.PrettyMIDI)
    assert again.get_tempo_changes()[1] == pytest.approx([90.0], abs=1e-3)
    assert model.encode([song, "two.mid"]).mean.shape == (4, 4)
    assert len(model.interpolate(song, model.sample(1)[0], steps=3)) == 3


def test_pieces_in_memory_that_have_no_chord_are_named_by_their_numbers(place: Path) -> None:
    song(Path("alone.mid"), 2, accompanied=False)
    song(Path("chorded.mid"), 5)
    pieces = [pretty_midi.PrettyMIDI(path) for path in ("chorded.mid", "alone.mid")]
    values = {**TINY, "data.chords": "tracks", "data.valid_share": 0, "data.test_share": 0}
    asked = parse_overrides(f"{key}={value}" for key, value in values.items())
    run = package.train("melody", pieces, "new", asked, device="cpu")
    report = json.loads((run.path / "data.json").read_text())
    assert "1 file read without a chord: memory/00001.mid" in report["train"]["remarks"]
