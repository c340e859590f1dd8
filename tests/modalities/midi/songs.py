"""Folders and zips of small MIDI files, and reading them: what the tests of files and splits share."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.base import Report, Split
from seqvae.modalities.midi.classes import GENERAL_MIDI, DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import score_of
from seqvae.modalities.midi.settings import DrumData
from seqvae.modalities.midi.windows import pieces
from tests.modalities.midi.smf import hits, midi

BAR = 1920


def source_of(classes: DrumClasses = GENERAL_MIDI, split: Split = "all", **settings: object) -> MidiSource[Clip]:
    """The source of drums of these classes, and of a split, with these settings."""
    data = DrumData(**settings)  # type: ignore[arg-type]
    return MidiSource(data, DrumPart(classes, None if data.all_channels else data.drum_channel), split)


DEFAULT = source_of()


def counts_of(report: Report) -> dict[str, int]:
    """What was counted, as `GROUP WHAT: DETAIL`."""
    counts = {}
    for group, members in report.counts.items():
        for what, number in members.items():
            for detail, part in report.details.get((group, what), {"": number}).items():
                counts[f"{group} {what}{': ' * bool(detail)}{detail}".strip()] = part
    return counts


def read(
    path: Path | Sequence[Path], source: MidiSource[Clip] = DEFAULT, processes: int | None = None
) -> tuple[list[Clip], dict[str, int]]:
    """The clips of a path, and what was counted."""
    report = Report()
    clips = list(source.read([path] if isinstance(path, Path) else path, report, processes))
    return clips, counts_of(report)


def cut(notes: Notes, source: MidiSource[Clip] = DEFAULT, name: str = "the file") -> list[Clip]:
    """A whole piece in windows, one after another."""
    return pieces(score_of(source, notes, name).stretches, source.data.bars)


def refusal(path: Path | Sequence[Path], source: MidiSource[Clip] = DEFAULT) -> str:
    """The sentence with which reading a path is refused."""
    with pytest.raises(ValueError) as caught:
        read(path, source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def song(bars: int, step: int = 0, pitch: int = 36, channel: int = 9, start: bytes = b"") -> bytes:
    """A file of so many bars of 4/4, with one hit in each."""
    return midi(start + hits(((bar * BAR + step * 120, pitch) for bar in range(bars)), channel))


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """The folder, with these files in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def steps(clips: Sequence[Clip]) -> list[int]:
    """The step of the first hit of each clip: which song it is of."""
    return [int(np.argwhere(clip.hits)[0, 0]) for clip in clips]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """The path, with a zip of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


SONGS = {"b.mid": song(2, 2), "a/z.MID": song(2, 1), "a/b/x.midi": song(2, 0), "c.kar": song(3, 3)}


def check_accounts(counts: dict[str, int], windows: int) -> None:
    """Every file and every hit is in one of the counts."""

    def total(start: str) -> int:
        return sum(count for name, count in counts.items() if name.startswith(start))

    others = total("files of the split") + counts.get("files that the table of splits does not name", 0)
    assert counts["files found"] == counts["files read"] + total("files skipped: ") + others
    assert counts["hits found"] == (
        counts["hits on the grid"]
        + total("hits lost to the grid: ")
        + counts.get("hits outside of windows", 0)
        + total("hits of pitches that no class holds: ")
    )
    assert windows == counts["windows found"] - counts.get("repeated windows dropped", 0)
