"""MIDI as sound by FluidSynth and a soundfont, where both are there."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqvae.view.audio import RATE, folded

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

SOUNDFONT_VARIABLE = "SEQVAE_SOUNDFONT"
SOUNDFONT_FOLDERS = (
    "~/.local/share/soundfonts", "~/Library/Audio/Sounds/Banks", "/usr/share/sounds/sf2", "/usr/share/sounds/sf3",
    "/usr/share/soundfonts", "/usr/local/share/soundfonts", "/opt/homebrew/share/soundfonts",
)  # fmt: skip
LONGEST_FLUIDSYNTH_SECONDS = 600


def play(midi: "PrettyMIDI", soundfont: Path, rate: int = RATE, seconds: float = 0.0, loop: bool = False) -> np.ndarray:
    """Samples (N, 2) in [-0.9, 0.9], float32, that FluidSynth makes of a PrettyMIDI object, at least for `seconds`.

    With `loop` for exactly `seconds`: what sounds on behind the end is added from the beginning on. As loud as goes
    without clipping. Raises ValueError when FluidSynth fails.
    """
    samples, length = _fluidsynth(midi, rate, soundfont), round(seconds * rate)
    samples = folded(samples, length if loop else max(length, len(samples)))
    loudest = np.abs(samples).max(initial=0.0)
    return (samples * (0.9 / loudest if loudest else 1.0)).astype(np.float32)


def find_soundfont() -> Path | None:
    """The soundfont to give to `play`; None where FluidSynth (program or pyfluidsynth) or soundfont is missing.

    $SEQVAE_SOUNDFONT names one, or is `none` for the synthesizer; else the usual folders are searched, and last the
    small one that comes with pretty_midi is taken. Raises ValueError when $SEQVAE_SOUNDFONT names no file.
    """
    named = os.environ.get(SOUNDFONT_VARIABLE, "")
    if named.lower() == "none":
        return None
    if named and not Path(named).expanduser().is_file():
        raise ValueError(f"{SOUNDFONT_VARIABLE}={named} is no file; name a soundfont, or none for the synthesizer")
    if not (_has_pyfluidsynth() or shutil.which("fluidsynth")):
        return None
    if named:
        return Path(named).expanduser()
    folders = [Path(folder).expanduser() for folder in SOUNDFONT_FOLDERS]
    package = importlib.util.find_spec("pretty_midi")
    folders += [Path(place) for place in (package.submodule_search_locations or ())] if package else []
    fonts = (font for folder in folders if folder.is_dir() for font in sorted(folder.glob("*.sf[23]")))
    return next(fonts, None)


def _has_pyfluidsynth() -> bool:
    """Whether pyfluidsynth is installed and finds its library."""
    try:
        importlib.import_module("fluidsynth")
    except ImportError:
        return False
    return True


def _fluidsynth(midi: "PrettyMIDI", rate: int, soundfont: Path) -> np.ndarray:
    """What FluidSynth makes of a PrettyMIDI object, (N, 2); pyfluidsynth plays the same on both sides."""
    if not any(instrument.notes for instrument in midi.instruments):
        return np.zeros((0, 2))
    if _has_pyfluidsynth():
        return np.repeat(np.asarray(midi.fluidsynth(fs=rate, synthesizer=str(soundfont)))[:, None], 2, axis=1)
    return _fluidsynth_program(midi, rate, soundfont)


def _fluidsynth_program(midi: "PrettyMIDI", rate: int, soundfont: Path) -> np.ndarray:
    """The same by the program `fluidsynth`. Raises ValueError when it writes no such file."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "clip.mid"), Path(folder, "clip.wav")
        midi.write(str(source))
        # -n and -i: no MIDI input, no shell; the file type follows from the name.
        command = ["fluidsynth", "-n", "-i", "-q", "-F", str(target), "-r", str(rate), str(soundfont), str(source)]
        try:
            run = subprocess.run(command, capture_output=True, check=False, timeout=LONGEST_FLUIDSYNTH_SECONDS)
            with wave.open(str(target), "rb") as file:
                found = file.getsampwidth(), file.getframerate()
                channels, frames = file.getnchannels(), file.readframes(file.getnframes())
            if run.returncode or found != (2, rate):
                raise wave.Error(f"exit code {run.returncode}, {8 * found[0]} bits, {found[1]} Hz")
        except (OSError, EOFError, wave.Error, subprocess.SubprocessError) as error:
            raise ValueError(
                f"fluidsynth made no WAV file with {soundfont} ({error}); name another soundfont in "
                f"{SOUNDFONT_VARIABLE}, or none for the synthesizer"
            ) from None
    samples = np.frombuffer(frames, dtype="<i2").reshape(-1, channels) / 32768
    return samples if channels == 2 else np.repeat(samples.mean(1, keepdims=True), 2, axis=1)
