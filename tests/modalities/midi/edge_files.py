"""The strange and malformed files of MIDI, and what becomes of each."""

from collections.abc import Callable
from pathlib import Path

from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import MidiError, parse


def outcome(folder: Path, survive: Callable[[Notes], int]) -> tuple[int, int]:
    """How many windows of all files `survive` found to come back, and how many files were refused in one sentence."""
    files = sorted(path for path in folder.rglob("*.*") if path.suffix != ".json")
    assert len(files) == 129
    windows, refused = 0, list[str]()
    for path in files:
        try:
            windows += survive(parse(path.read_bytes(), path))
        except MidiError:
            continue
        except ValueError as error:
            refused.append(str(error))
    assert not [sentence for sentence in refused if "\n" in sentence or "the file" not in sentence]
    return windows, len(refused)
