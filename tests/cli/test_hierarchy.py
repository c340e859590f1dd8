"""The commands on a melody model of several bars under a conductor; bars of several lengths are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from seqvae.modalities.midi.melody_notation import MelodyNotation
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.phrase import Phrase
from seqvae.modalities.midi.writing import to_midi, write_midi

SIZES = {
    "train.steps": 2,
    "train.batch_size": 4,
    "model.latent": 4,
    "model.encoder_hidden": 5,
    "model.decoder_hidden": 7,
}
SET = [word for key, value in SIZES.items() for word in ("--set", f"{key}={value}")]
CONDUCTOR = ["--set", "model.conductor_hidden=6"]


def save(path: Path, bars: int, seed: int, meter: Meter = (4, 4)) -> Path:
    """A tune with a note on its last step, so that no bar is lost."""
    random, steps = np.random.default_rng(seed), bars * steps_per_bar(meter, 4)
    events = np.where(random.random(steps) < 0.4, random.integers(55, 80, steps), -2)
    events[-1] = 60
    return write_midi(to_midi([Phrase(events.astype(np.int16), meter)], MelodyNotation()), path)


@pytest.fixture
def tunes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with tunes/, of six files of four to six bars."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunes").mkdir()
    for number in range(6):
        save(tmp_path / "tunes" / f"{number}.mid", 4 + number % 3, number)
    return tmp_path / "tunes"


def test_windows_of_three_bars_are_trained_on_sampled_reconstructed_and_interpolated(
    seqvae: Callable[..., Result], tunes: Path
) -> None:
    result = seqvae("train", "melody", "tunes", "--out", "run", "--bars", 3, *CONDUCTOR, *SET)
    assert result.exit_code == 0, result.stderr
    for name, shape in (("conductor", "3 x 6"), ("core.lstm", "3 x 16 x 7")):
        layers = [line for line in seqvae("info", "run").stdout.splitlines() if f"decoder.recurrence.{name} " in line]
        assert len(layers) == 1
        assert f" {shape} " in layers[0]
    mid = ("--formats", "mid")
    calls = [
        seqvae("sample", "run", "-n", 1, "--temperature", 1, *mid),
        seqvae("reconstruct", "run", "tunes/2.mid", *mid),
        seqvae("interpolate", "run", "tunes/0.mid#0", "tunes/2.mid#1", "--steps", 2, *mid),
    ]
    lines = [line.split(": ")[1].split(" of ")[0] for call in calls for line in call.stdout.splitlines()]
    assert lines == ["3 bars", "6 bars", "3 bars", "3 bars", "6 bars"]
    assert seqvae("reconstruct", "run", "tunes/0.mid", "--beam", 3, "--formats", "mid").exit_code == 0


def test_a_conductor_over_bars_of_several_lengths_is_refused_and_nothing_is_written(
    seqvae: Callable[..., Result], tunes: Path, refused: Callable[[Result, str], None]
) -> None:
    for number in range(6, 9):
        save(tunes / f"{number}.mid", 4, number, (3, 4))
    result = seqvae("train", "melody", "tunes", "--out", "run", *CONDUCTOR, *SET)
    what = "model.conductor_hidden=6 works bar by bar, and the bars that were read have 12 or 16 steps"
    refused(result, f"{what}; read one metre, such as --meter 4/4, or set model.segment_steps")
    assert not Path("run").exists()
    own = ("--set", "model.segment_steps=5", "--set", "model.position=3")
    result = seqvae("train", "melody", "tunes", "--out", "run", *CONDUCTOR, *own, *SET)
    assert result.exit_code == 0, result.stderr
    assert seqvae("sample", "run", "-n", 1, "--meter", "3/4", "--formats", "mid").stdout.startswith(
        "run/sample/001.mid: 2 bars of 3/4"
    )


def test_an_encoder_that_is_taken_keeps_its_segments(
    seqvae: Callable[..., Result], tunes: Path, refused: Callable[[Result, str], None]
) -> None:
    encoder = ("--set", "model.segment_encoder_hidden=6", "--set", "model.segment_steps=8")
    result = seqvae("train", "melody", "tunes", "--out", "run", *encoder, *SET)
    assert result.exit_code == 0, result.stderr
    taken = ("train", "melody", "tunes", "--from", "run", "--take", "encoder,posterior", "--out", "new", *SET)
    what = (
        "--from keeps the encoder, posterior and encoding of run, but model.segment_steps would change from 8 to 4; "
        "leave model.segment_steps out, or train without --from"
    )
    refused(seqvae(*taken, "--set", "model.segment_steps=4"), what)
    assert not Path("new").exists()
    result = seqvae(*taken, *CONDUCTOR)
    assert result.exit_code == 0, result.stderr


def test_a_conductor_over_text_asks_how_long_a_segment_is(
    seqvae: Callable[..., Result], here: Path, refused: Callable[[Result, str], None]
) -> None:
    result = seqvae("train", "text", "sentences.txt", "--out", "run", *CONDUCTOR)
    what = "model.conductor_hidden=6 works by segments, and text has no bars"
    refused(result, f"{what}; set model.segment_steps, the tokens of a segment, such as 8")
    assert not Path("run").exists()
