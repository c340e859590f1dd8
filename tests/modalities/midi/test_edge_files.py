"""The strange and malformed files of MIDI as a corpus of every modality that reads MIDI."""

from pathlib import Path

import pytest

from seqvae import modalities
from seqvae.config import from_dict
from seqvae.modalities.base import Report
from seqvae.modalities.midi.modality import MidiModality

WIDE = {"lowest_pitch": 0, "highest_pitch": 127}
SETTINGS = {"melody": WIDE, "trio": {**WIDE, "bars": 2, "hop": 1}}
WINDOWS = {"drums": 527, "groove": 527, "melody": 5005, "trio": 1379}  # of 4/4


def test_every_modality_of_midi_reads_these_files() -> None:
    assert {name for name in modalities.REGISTRY if issubclass(modalities.get(name), MidiModality)} == set(WINDOWS)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_folder_of_strange_files_is_a_corpus_whose_windows_survive_as_arrays(name: str, shared_data: Path) -> None:
    kind = modalities.get(name)
    modality = kind(from_dict(kind.data_config, {"meter": "4/4", **SETTINGS.get(name, {})}, "data"))
    report = Report()
    items = list(modality.read([shared_data / "midi-edge"], report))
    skipped = sum(number for what, number in report.counts[""].items() if what.startswith("files skipped"))
    assert (report.of("read", "files"), skipped) == (122, 7)
    assert len(items) == WINDOWS[name]
    for item in items:
        x = modality.encode(item, Report())
        assert x is not None
        assert modality.decode(x, item) == item
