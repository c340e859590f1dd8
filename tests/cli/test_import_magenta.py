"""`seqvae import-magenta`, and the run that it writes, by every command."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.ensemble import Ensemble, joined
from seqvae.modalities.midi.ensemble_notation import EnsembleNotation
from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.phrase import HOLD, Phrase
from seqvae.modalities.midi.writing import to_midi, write_midi
from tests.cli.test_groove import performance, save
from tests.magenta import models, writer
from tests.magenta.models import FAMILIES, FIXTURE

Call = Callable[..., Result]


def song(path: Path, seed: int) -> Path:
    """A MIDI file of four bars."""
    hits = np.random.default_rng(seed).random((64, 9)) < 0.2
    hits[-1, 0] = True
    return write_midi(to_midi([Clip(hits, (4, 4), 4, 100.0 + seed)], DrumNotation(GENERAL_MIDI)), path)


def tune(path: Path, seed: int) -> Path:
    """A MIDI file of four bars of one voice."""
    random = np.random.default_rng(seed)
    events = np.where(random.random(64) < 0.4, random.integers(60, 80, 64), HOLD).astype(np.int16)
    events[0] = 60
    return write_midi(to_midi([Phrase(events, (4, 4), 4, 100.0 + seed)], MelodyNotation()), path)


def band(path: Path, seed: int) -> Path:
    """A MIDI file of four bars of melody, bass and drums."""
    random = np.random.default_rng(seed)
    voices = np.where(random.random((2, 64)) < 0.4, random.integers(40, 80, (2, 64)), HOLD)
    voices[:, [0, -1]] = 60
    item = Ensemble(joined(voices[0], voices[1], random.integers(0, 512, 64)), (4, 4), 4, 100.0 + seed)
    return write_midi(to_midi([item], EnsembleNotation(GENERAL_MIDI)), path)


def groove(path: Path, seed: int) -> Path:
    """A MIDI file of four bars of drums with velocities and times."""
    return save(path, performance(4, seed))


WRITTEN = {"cat-mel_3layer_enc2": tune, "hierdec-trio": band, "groovae": groove}  # others: song
ASKED = {"hierdec-trio": ("--bars", 2, "--segment-steps", 8), "groovae": ("--task", "humanize")}


@pytest.mark.parametrize("family", [*FAMILIES, "hierdec-trio", "groovae"])
def test_an_imported_model_does_what_models_do(family: str, seqvae: Call, tmp_path: Path) -> None:
    write, sizes = WRITTEN.get(family, song), ASKED.get(family, ())
    run, a, b = tmp_path / "run", write(tmp_path / "a.mid", 0), write(tmp_path / "b.mid", 1)
    made = seqvae("import-magenta", FIXTURE / family, "--out", run, *sizes)
    assert made.exit_code == 0, made.output
    steps, what = {
        "cat-drums_small": ("1", "drums, 2 bars of classes gm, in combinations"),
        "nade-drums_reduced": ("0", "drums, 2 bars of classes gm, by NADE"),
        "cat-mel_3layer_enc2": ("0", "melody, 2 bars of pitches 21 to 108"),
        "hierdec-trio": ("0", "trio, 2 bars of pitches 21 to 108, classes gm"),
        "groovae": ("0", "groove, 2 bars of classes gm, task humanize"),
    }[family]
    assert f"{what}; 8 latent units" in made.stdout
    assert f"step {steps}\n" in made.stdout
    assert f"next: seqvae sample {run}" in made.stdout
    silent = ["--formats", "mid"]
    for command in (
        ("info", run),
        ("sample", run, "-n", 2, *silent),
        ("reconstruct", run, a, *silent),
        ("interpolate", run, a, b, "--steps", 3, *silent),
        ("encode", run, a, "--out", tmp_path / "codes.npz"),
        ("decode", run, tmp_path / "codes.npz", *silent),
        ("evaluate", run, a, b, "--importance-samples", 2),
    ):
        outcome = seqvae(*command)
        assert outcome.exit_code == 0, outcome.output
    assert f"imported from {FIXTURE / family}\n" in seqvae("info", run).stdout
    for name, files in (("sample", 2), ("reconstruct", 1), ("decode", 1)):
        assert len(list((run / name).rglob("*.mid"))) >= files
    resumed = seqvae("train", what.split(",")[0], "--resume", "--out", run)
    assert resumed.exit_code == 2
    assert f"start a new run from it with --from {run}" in resumed.stderr


@pytest.mark.parametrize(("family", "modality"), [("nade-drums_reduced", "drums"), ("groovae", "groove")])
def test_an_imported_model_is_fine_tuned(family: str, modality: str, seqvae: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for number in range(4):
        (tmp_path / "songs").mkdir(exist_ok=True)
        WRITTEN.get(family, song)(tmp_path / "songs" / f"{number}.mid", number)
    assert seqvae("import-magenta", FIXTURE / family, "--out", run, *ASKED.get(family, ())).exit_code == 0
    values = {"train.steps": 2, "train.batch_size": 4, "train.threads": 1}
    settings = itertools.chain(*(("--set", f"{key}={value}") for key, value in values.items()))
    outcome = seqvae("train", modality, tmp_path / "songs", "--from", run, "--out", tmp_path / "tuned", *settings)
    assert outcome.exit_code == 0, outcome.output
    assert f"from {run}, step 0: takes" in outcome.output


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.ckpt-7.index").unlink(), "holds no checkpoint of TensorFlow"),
        (lambda folder: writer.write(folder, models.variables(36, 36, 27)), "is a groove model that reads the hits of"),
        (
            lambda folder: writer.write(folder, models.variables(27, 27, 27)),
            "name its task, such as --task humanize (one of reconstruct, humanize, tap, infill)",
        ),
    ],
    ids=["no index", "another family", "no task"],
)
def test_what_cannot_be_imported_is_one_sentence(
    damage: Callable[[Path], object], words: str, seqvae: Call, tmp_path: Path
) -> None:
    writer.write(tmp_path / "files", models.nade())
    damage(tmp_path / "files")
    outcome = seqvae("import-magenta", tmp_path / "files", "--out", tmp_path / "deep" / "run")
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            ("--task", "infill", "--added", "hihat"),
            "--added hihat is no class of --classes gm; choose kick, snare, closed hat, open hat, low tom, mid tom, "
            "high tom, crash, ride. Did you mean 'closed hat' or 'open hat'?",
        ),
        (
            ("--task", "infill"),
            "--task infill adds a class of drums, and nothing says which one; name it, such as --added 'closed hat'.",
        ),
        (
            ("--task", "tap", "--added", "snare", "--classes", "roland"),
            "--added snare is of --task infill, and this is --task tap; leave it out, or choose that task.",
        ),
    ],
)
def test_errors_speak_of_the_options_that_were_typed(
    asked: tuple[str, ...], sentence: str, seqvae: Call, refused: Callable[..., None], tmp_path: Path
) -> None:
    outcome = seqvae("import-magenta", FIXTURE / "groovae", "--out", tmp_path / "run", *asked)
    refused(outcome, f"{sentence} See 'seqvae import-magenta --help'.")


def test_a_run_that_stands_there_is_replaced_only_when_asked(seqvae: Call, tmp_path: Path) -> None:
    run, first = tmp_path / "run", FIXTURE / "nade-drums_reduced"
    assert seqvae("import-magenta", first, "--out", run).exit_code == 0
    again = seqvae("import-magenta", FIXTURE / "cat-drums_small", "--out", run)
    assert again.exit_code == 2
    assert "already holds a run; give --out another folder, or replace it with --overwrite" in again.stderr
    assert "nade" in (run / "config.json").read_text()
    over = seqvae("import-magenta", FIXTURE / "cat-drums_small", "--out", run, "--overwrite", "--bars", 1)
    assert over.exit_code == 0
    assert "1 bar of classes gm, in combinations" in over.stdout


def test_a_disk_that_is_full_leaves_nothing_behind(
    seqvae: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr("seqvae.runs.run.Run.save", full)
    outcome = seqvae("import-magenta", FIXTURE / "nade-drums_reduced", "--out", tmp_path / "deep" / "run")
    assert outcome.exit_code == 2
    assert "no space left on the disk" in outcome.stderr
    assert list(tmp_path.iterdir()) == []
