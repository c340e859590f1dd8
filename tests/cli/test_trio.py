"""The commands on trios: three tracks of MIDI go in and come out; wrong input is one sentence."""

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
from seqvae.modalities.midi.ensemble import Ensemble, joined
from seqvae.modalities.midi.ensemble_notation import EnsembleNotation
from seqvae.modalities.midi.writing import to_midi, write_midi
from tests.cli.midi_runs import STEPS, made, options, trained, workplace
from tests.modalities.midi.smf import hits, midi
from tests.modalities.midi.tunes import track

SET = options(data__bars=2, data__hop=1, model__embedding=5, model__conductor_hidden=6)


def ensemble(count: int, seed: int, bpm: float = 120.0, programs: tuple[int, ...] = (24, 34, 8)) -> Ensemble:
    """So many bars, with notes of all parts on the first and last step so that no bar is lost."""
    random = np.random.default_rng(seed)
    steps = count * STEPS
    voices = np.where(random.random((2, steps)) < 0.3, random.integers(40, 80, (2, steps)), -2)
    voices[:, 0], voices[:, -1] = (72, 40), (74, 42)
    drums = np.where(random.random(steps) < 0.4, random.integers(1, 512, steps), 0)
    drums[[0, -1]] = 1
    return Ensemble(joined(voices[0], voices[1], drums), bpm=bpm, programs=programs)


def save(path: Path, *items: Ensemble) -> Path:
    return write_midi(to_midi(items, EnsembleNotation(GENERAL_MIDI)), path)


@pytest.fixture(scope="module")
def trios(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bands/ and a run trained on them for three steps. Tests work in copies of what they change."""

    def write(path: Path, number: int) -> Path:
        return save(path, ensemble(3 + number, number, 100.0 + number))

    return trained(seqvae, tmp_path_factory.mktemp("trios"), "trio", "bands", write, SET)


@pytest.fixture
def place(trios: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run and two pieces: five bars at 90 bpm, two bars at 150; and one of drums."""
    workplace(tmp_path, trios / "run", monkeypatch)
    save(Path("five.mid"), ensemble(5, 11, 90.0))
    save(Path("two.mid"), ensemble(2, 12, 150.0, (73, 58, 25)))
    Path("drums.mid").write_bytes(midi(hits((bar * 1920, 36) for bar in range(4))))
    return tmp_path


def test_a_trio_is_trained_under_a_conductor_with_a_decoder_for_each_part(trios: Path) -> None:
    model = package.load(trios / "run")
    core = model.vae.decoder.recurrence.core
    assert [lstm.lstm.hidden_size for lstm in core.lstms] == [9, 9, 9]
    assert (model.vae.decoder.recurrence.segment, core.latent) == (16, 6)
    assert model.config.data.meter == "4/4"


def test_samples_are_three_tracks_with_sound_and_a_picture(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("sample", "run", "-n", 2, "--temperature", 1))
    assert [line.split(":")[0] for line in lines[:2]] == [f"run/sample/00{n}.mid (.wav .png)" for n in (1, 2)]
    song = pretty_midi.PrettyMIDI("run/sample/001.mid")
    programs = {one.name: (one.program, one.is_drum) for one in song.instruments}
    assert programs.items() <= {"Melody": (24, False), "Bass": (34, False), "Drums": (8, True)}.items()
    assert lines[0].endswith(f", {sum(len(one.notes) for one in song.instruments)} notes")
    with wave.open("run/sample/001.wav") as sound:
        frames = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    assert np.abs(frames).max() > 3000
    assert Path("run/sample/001.png").read_bytes().startswith(b"\x89PNG")
    assert Path("run/sample/overview.png").exists()


def test_a_whole_piece_comes_back_with_its_length_tempo_and_programs(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lines = made(seqvae("reconstruct", "run", "five.mid", "two.mid#0", "--formats", "mid"))
    assert lines[0].startswith("run/reconstruct/001.mid: 5 bars of 4/4, 90 bpm, ")
    assert lines[1].startswith("run/reconstruct/002.mid: 2 bars of 4/4, 150 bpm, ")
    named = {one.name: one.program for one in pretty_midi.PrettyMIDI("run/reconstruct/002.mid").instruments}
    assert named.items() <= {"Melody": 73, "Bass": 58, "Drums": 25}.items()


def test_an_interpolation_variations_and_codes(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("interpolate", "run", "two.mid", "five.mid#1", "--steps", 3, "--formats", "mid"))
    assert [line.split(", ")[1] for line in lines] == ["150 bpm", "116.2 bpm", "90 bpm", "3 tempos from 150 to 90 bpm"]
    whole = made(seqvae("interpolate", "run", "five.mid", "two.mid", "--steps", 2, "--formats", "mid"))
    assert [line.split(": ")[1].split(",")[0] for line in whole[:2]] == ["6 bars of 4/4"] * 2
    corners = ("two.mid", "five.mid#0", "five.mid#1", "five.mid#2")
    assert len(made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 2, "--formats", "png"))) == 5
    result = seqvae("similar", "run", "two.mid", "-n", 2, "--temperature", 1, "--formats", "mid")
    assert all(line.endswith(" of the steps changed") for line in made(result))
    assert seqvae("encode", "run", "five.mid", "--out", "z.npz").stderr == "3 codes of 4 units written to z.npz\n"
    assert len(made(seqvae("decode", "run", "z.npz", "--formats", "mid"))) == 3


def test_figures_are_those_of_each_part_as_well(seqvae: Callable[..., Result], trios: Path, place: Path) -> None:
    result = seqvae("evaluate", "run", trios / "bands", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(Path("figures.json").read_text())
    assert figures["items"] == sum(range(2, 8))
    for kind in ("teacher_forced", "free_running", "drawn", "greedy"):
        whole = figures[f"step_accuracy_{kind}"]
        parts = [figures[f"step_accuracy_{kind}_{part}"] for part in ("melody", "bass", "drums")]
        assert max(0.0, sum(parts) - 2) <= whole <= min(parts)
    assert 0 <= figures["f1_drums"] <= 1
    assert "bass alone, greedy" in " ".join(result.stdout.replace("│", " ").split())
    first = "".join(line.split("│")[1].strip() for line in result.stdout.splitlines() if line.startswith("│"))
    assert "step_accuracy_teacher_forced_melody" in first, "a name is never cut, however narrow the screen"


def test_inspect_says_what_a_step_is_and_what_becomes_of_files(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("inspect", "trio", "five.mid", "drums.mid", "--bars", "2")
    lines = made(result)
    (outcomes,) = (line for line in lines if line.startswith("outcomes: "))
    assert outcomes.endswith("90 of melody and of bass (pitches 21 to 108, hold, off), 512 combinations of drums")
    assert any("without melody or bass" in line for line in [*lines, *result.stderr.splitlines()])


def test_what_lacks_a_part_is_refused_in_one_sentence(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    advice = "pass one of these as --melody or --bass ('track N' or NAME), or give other files"
    refused(
        seqvae("reconstruct", "run", "drums.mid"),
        f"drums.mid has no melody or bass in 1 file; tracks with notes: drums (4); {advice}",
    )
    tune = midi(track([(0, 40, 60)], "Flute", 0, 73), track([(0, 40, 40)], "Low", 1, 33), hits([(0, 36), (3840, 36)]))
    Path("flute.mid").write_bytes(tune)
    refused(
        seqvae("reconstruct", "run", "flute.mid"),
        "flute.mid has no melody in 1 file; tracks with notes: 1 Flute: neither melody nor bass, program 73 (1), "
        f"2 Low: bass, program 33 (1), drums (2); {advice}",
    )
    assert len(made(seqvae("reconstruct", "run", "flute.mid", "--melody", "Flute", "--formats", "mid"))) == 1


def test_a_track_that_is_both_is_answered_by_the_options_that_were_written(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    refused(
        seqvae("inspect", "trio", "five.mid", "--melody", "Low", "--bass", "low"),
        "--melody 'Low' is --bass 'low' as well; give one of them another track. See 'seqvae inspect trio --help'.",
    )


def test_a_model_of_drums_is_no_model_of_trios(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    sizes = ("--set", "train.steps=1", "--set", "model.latent=2", "--set", "model.decoder_hidden=4")
    done = seqvae("train", "drums", "five.mid", "--out", "kit", *sizes, "--set", "model.encoder_hidden=4")
    assert done.exit_code == 0, done.stderr
    result = seqvae("train", "trio", "five.mid", "--out", "other", "--from", "kit")
    refused(result, "kit is a model of drums, not trio; train it with that modality")
    assert not Path("other").exists()
    result = seqvae("sample", "kit", "--melody", "Lead")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_objects_go_in_and_come_out(place: Path) -> None:
    model = package.load("run")
    song = pretty_midi.PrettyMIDI("five.mid")
    (again,) = model.reconstruct([song])
    assert isinstance(again, pretty_midi.PrettyMIDI)
    assert model.encode([song, "two.mid"]).mean.shape == (4, 4)
    items = model.windows(song).items
    assert sum(int(item.onsets.sum()) for item in items) == sum(len(one.notes) for one in song.instruments)
