"""Which soundfont is found, and what FluidSynth is asked for; a FluidSynth that fails."""

import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pretty_midi
import pytest

from seqvae.view import soundfonts
from seqvae.view.soundfonts import find_soundfont, play


def midi_of(hits: list[tuple[float, int, int]]) -> pretty_midi.PrettyMIDI:
    """An object with these hits: second, pitch, velocity."""
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0, is_drum=True))
    for second, pitch, velocity in hits:
        midi.instruments[0].notes.append(pretty_midi.Note(velocity, pitch, second, second + 0.05))
    return midi


@pytest.fixture
def no_soundfonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without pyfluidsynth, without the program, and with no soundfont in the usual folders."""
    monkeypatch.delenv(soundfonts.SOUNDFONT_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(soundfonts, "SOUNDFONT_FOLDERS", (str(tmp_path / "fonts"),))


def fake_fluidsynth(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A program of that name on the PATH; it keeps its arguments and its MIDI input beside it."""
    folder.mkdir(exist_ok=True)
    program = folder / "fluidsynth"
    program.write_text(
        f"#!{sys.executable}\nimport shutil, sys, wave\narguments = sys.argv[1:]\n"
        f"open({str(folder / 'arguments')!r}, 'w').write('\\n'.join(arguments))\n"
        f"shutil.copy(arguments[-1], {str(folder / 'input.mid')!r})\n{body}"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder) + os.pathsep + os.environ["PATH"])


WRITE_STEREO = """
with wave.open(arguments[arguments.index("-F") + 1], "wb") as file:
    file.setnchannels(2)
    file.setsampwidth(2)
    file.setframerate(int(arguments[arguments.index("-r") + 1]))
    file.writeframes((1000).to_bytes(2, "little") + (3000).to_bytes(2, "little") + bytes(4) * 99)
"""


@pytest.mark.usefixtures("no_soundfonts")
def test_without_fluidsynth_there_is_no_soundfont_to_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert find_soundfont() is None
    (tmp_path / "mine.sf2").touch()
    monkeypatch.setenv(soundfonts.SOUNDFONT_VARIABLE, str(tmp_path / "mine.sf2"))
    assert find_soundfont() is None


@pytest.mark.usefixtures("no_soundfonts")
def test_a_soundfont_is_named_or_found_in_the_usual_folders_or_pretty_midis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    fake_fluidsynth(tmp_path / "bin", monkeypatch, "")
    own = find_soundfont()
    assert own is None or own.parent == Path(pretty_midi.__file__).parent
    (tmp_path / "fonts").mkdir()
    for name in ("b.sf2", "a.sf3", "readme.txt"):
        (tmp_path / "fonts" / name).touch()
    assert find_soundfont() == tmp_path / "fonts" / "a.sf3"
    (tmp_path / "mine.sf2").touch()
    monkeypatch.setenv(soundfonts.SOUNDFONT_VARIABLE, str(tmp_path / "mine.sf2"))
    assert find_soundfont() == tmp_path / "mine.sf2"
    monkeypatch.setenv(soundfonts.SOUNDFONT_VARIABLE, "none")
    assert find_soundfont() is None
    monkeypatch.setenv(soundfonts.SOUNDFONT_VARIABLE, str(tmp_path / "lost.sf2"))
    with pytest.raises(ValueError, match=r"SEQVAE_SOUNDFONT=.*lost.sf2 is no file; name a soundfont, or none"):
        find_soundfont()


@pytest.mark.usefixtures("no_soundfonts")
def test_the_fluidsynth_program_is_given_the_midi_and_its_channels_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    fake_fluidsynth(tmp_path / "bin", monkeypatch, WRITE_STEREO)
    midi = midi_of([(0.0, 36, 100), (0.5, 38, 90)])
    samples = play(midi, tmp_path / "my font.sf2", 22_050, seconds=0.01)
    assert samples.dtype == np.float32
    assert len(samples) == round(0.01 * 22_050)  # filled up with silence
    assert samples[0].tolist() == pytest.approx([0.3, 0.9])  # the loudest sample there is
    assert not samples[1:].any()
    arguments = (tmp_path / "bin" / "arguments").read_text().splitlines()
    assert str(tmp_path / "my font.sf2") == arguments[-2]
    assert arguments[arguments.index("-r") + 1] == "22050"
    assert {"-n", "-i"} <= set(arguments)
    heard = pretty_midi.PrettyMIDI(str(tmp_path / "bin" / "input.mid"))
    assert [note.pitch for note in heard.instruments[0].notes] == [36, 38]
    assert len(play(midi_of([]), tmp_path / "f.sf2")) == 0  # without asking


@pytest.mark.usefixtures("no_soundfonts")
@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(3)",
        WRITE_STEREO + "sys.exit(1)",
        WRITE_STEREO.replace("setsampwidth(2)", "setsampwidth(3)").replace("bytes(4) * 99", "bytes(8)"),
        "open(arguments[arguments.index('-F') + 1], 'w').write('raw')",
    ],
    ids=["nothing", "a failure", "24 bits", "no WAV"],
)
def test_a_fluidsynth_that_fails_is_told_in_one_sentence(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    fake_fluidsynth(tmp_path / "bin", monkeypatch, body)
    with pytest.raises(ValueError, match=r"fluidsynth made no WAV file with .*font.sf2 .*SEQVAE_SOUNDFONT, or none"):
        play(midi_of([(0.0, 36, 100)]), tmp_path / "font.sf2")


@pytest.mark.usefixtures("no_soundfonts")
def test_pyfluidsynth_is_taken_before_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "fluidsynth", ModuleType("fluidsynth"))
    calls = []

    def played(self: pretty_midi.PrettyMIDI, fs: int, synthesizer: str) -> np.ndarray:
        calls.append((fs, synthesizer))
        return np.array([0.0, 1.0, -0.5])

    monkeypatch.setattr(pretty_midi.PrettyMIDI, "fluidsynth", played)
    samples = play(midi_of([(0.0, 36, 100)]), tmp_path / "font.sf2", 8000)
    assert calls == [(8000, str(tmp_path / "font.sf2"))]
    np.testing.assert_allclose(samples, [[0.0, 0.0], [0.9, 0.9], [-0.45, -0.45]], atol=1e-7)
    # A loop of two samples: the third sounds at its start.
    loop = play(midi_of([(0.0, 36, 100)]), tmp_path / "font.sf2", 8000, seconds=2 / 8000, loop=True)
    np.testing.assert_allclose(loop, [[-0.45, -0.45], [0.9, 0.9]], atol=1e-7)
    longer = play(midi_of([(0.0, 36, 100)]), tmp_path / "font.sf2", 8000, seconds=4 / 8000, loop=True)
    np.testing.assert_allclose(longer[:, 0], [0.0, 0.9, -0.45, 0.0], atol=1e-7)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "a.sf2").touch()
    assert find_soundfont() == tmp_path / "fonts" / "a.sf2"
