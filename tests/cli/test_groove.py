"""The commands on grooves: velocity and time of MIDI go in, and come out in files; figures have their units."""

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import Result

import seqvae as package
from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.performance_notation import PerformanceNotation
from seqvae.modalities.midi.writing import to_midi, write_midi
from tests.cli.midi_runs import STEPS, made, options, trained, workplace
from tests.modalities.midi.smf import midi
from tests.modalities.midi.tunes import track

SET = options()


def performance(count: int, seed: int, bpm: float = 120.0, kit: int = 8) -> Performance:
    """So many bars, with a hit on the last step so that no bar is lost."""
    random = np.random.default_rng(seed)
    hit = random.random((count * STEPS, 9, 1)) < 0.2
    numbers = np.stack([random.integers(low, high, hit.shape[:2]) for low, high in ((1, 128), (-40, 41))], 2)
    steps = np.where(hit, numbers, 0).astype(np.int8)
    steps[0, :, 1], steps[-1, 0] = 0, (64, 5)
    return Performance(steps, bpm=bpm, kit=kit)


def save(path: Path, *performances: Performance) -> Path:
    return write_midi(to_midi(performances, PerformanceNotation(GENERAL_MIDI)), path)


@pytest.fixture(scope="module")
def grooves(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with played/ and a run trained on it for three steps. Tests work in copies of what they change."""

    def write(path: Path, number: int) -> Path:
        return save(path, performance(3 + number, number, 100.0 + number))

    return trained(seqvae, tmp_path_factory.mktemp("grooves"), "groove", "played", write, SET)


@pytest.fixture
def place(grooves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run and two pieces: five bars at 90 bpm, two bars at 150; and one without drums."""
    workplace(tmp_path, grooves / "run", monkeypatch)
    save(Path("five.mid"), performance(5, 11, 90.0))
    save(Path("two.mid"), performance(2, 12, 150.0, kit=25))
    Path("tune.mid").write_bytes(midi(track([(0, 4, 60), (40, 44, 64)], "Lead")))
    return tmp_path


def test_samples_carry_velocity_and_time_in_midi_sound_and_picture(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("sample", "run", "-n", 2, "--temperature", 1))
    assert [line.split(":")[0] for line in lines[:2]] == [f"run/sample/00{n}.mid (.wav .png)" for n in (1, 2)]
    song = pretty_midi.PrettyMIDI("run/sample/001.mid")
    assert [(one.program, one.is_drum) for one in song.instruments] == [(8, True)]
    notes = song.instruments[0].notes
    assert lines[0].endswith(f", {len(notes)} hits")
    assert len({note.velocity for note in notes}) > 10
    ticks = np.array([song.time_to_tick(note.start) for note in notes])
    assert len(np.unique(ticks % 120)) > 10, "hits stand between the steps"
    with wave.open("run/sample/001.wav") as sound:
        levels = np.abs(np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)).reshape(-1, 2).max(1)
        rate = sound.getframerate()
    first = min(note.start for note in notes)
    assert not levels[: int(first * rate)].any(), "the first hit is heard when it is played"
    assert levels[int(first * rate) : int((first + 0.03) * rate)].any()
    assert Path("run/sample/001.png").read_bytes().startswith(b"\x89PNG")


def test_a_whole_piece_comes_back_with_its_length_tempo_and_kit(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("reconstruct", "run", "five.mid", "two.mid#0", "--formats", "mid"))
    assert lines[0].startswith("run/reconstruct/001.mid: 5 bars of 4/4, 90 bpm, ")
    assert lines[1].startswith("run/reconstruct/002.mid: 2 bars of 4/4, 150 bpm, ")
    programs = [one.program for one in pretty_midi.PrettyMIDI("run/reconstruct/002.mid").instruments]
    assert set(programs) <= {25}


def test_an_interpolation_variations_and_codes(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("interpolate", "run", "two.mid", "five.mid#1", "--steps", 3, "--formats", "mid"))
    assert [line.split(", ")[1] for line in lines] == ["150 bpm", "116.2 bpm", "90 bpm", "3 tempos from 150 to 90 bpm"]
    corners = ("two.mid", "five.mid#0", "five.mid#1", "five.mid#2")
    assert len(made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 2, "--formats", "png"))) == 5
    result = seqvae("similar", "run", "two.mid", "-n", 2, "--temperature", 1, "--formats", "mid")
    assert all(line.endswith(" of the hits changed") for line in made(result))
    assert seqvae("encode", "run", "five.mid", "--out", "z.npz").stderr == "3 codes of 4 units written to z.npz\n"
    assert len(made(seqvae("decode", "run", "z.npz", "--formats", "mid"))) == 3


def test_figures_are_those_of_hits_velocities_and_times(
    seqvae: Callable[..., Result], grooves: Path, place: Path
) -> None:
    result = seqvae("evaluate", "run", grooves / "played", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(Path("figures.json").read_text())
    assert figures["items"] == sum(range(2, 8))
    assert 0 <= figures["f1_hits"] <= 1
    assert "sample_velocity_spread" in result.stdout
    assert "ms at 104 bpm, the" in result.stdout
    if figures["f1_hits"]:
        assert figures["timing_error_neighbours_ms"] is not None
        assert figures["timing_kl_quantised_nats"] > 0
        step_ms = 60_000 / 104 / 4
        assert figures["timing_error_ms"] == pytest.approx(step_ms * figures["timing_error_16ths"])


def test_inspect_says_what_a_step_is(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("inspect", "groove", "five.mid"))
    (classes,) = (line for line in lines if line.startswith("classes: 9 (kick"))
    assert classes.endswith("ride), a step is each hit or not, with velocity and one of 121 places")


def test_what_has_no_drums_is_refused_in_one_sentence(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    refused(
        seqvae("reconstruct", "run", "tune.mid"),
        "tune.mid has no hits on channel 10 in 1 file; channels with notes: 1 (2); pass --drum-channel or "
        "--all-channels",
    )
    refused(
        seqvae("sample", "run", "--top-k", "3"),
        "top_k=3, top_p=1.0 is not possible with hits that have velocity and time, whose joint outcomes are not "
        "listed; leave both out, or lower the temperature",
    )


def test_objects_go_in_and_come_out(place: Path) -> None:
    model = package.load("run")
    song = pretty_midi.PrettyMIDI("five.mid")
    (again,) = model.reconstruct([song])
    assert isinstance(again, pretty_midi.PrettyMIDI)
    assert model.encode([song, "two.mid"]).mean.shape == (4, 4)
    read = model.windows(song).items
    assert sorted(note.velocity for note in song.instruments[0].notes) == sorted(
        velocity for item in read for velocity in item.velocities[item.hits].tolist()
    )
