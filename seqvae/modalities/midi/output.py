"""What comes out of the drum model, as files: MIDI, sound and a picture of each piece, and of several as a whole."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement
from seqvae.modalities.midi.clip import Clip, Meter, steps_per_bar
from seqvae.modalities.midi.grid import DEFAULT_METER, DRUM_CHANNEL, layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pretty_midi import PrettyMIDI

    from seqvae.modalities.midi.classes import DrumClasses
    from seqvae.modalities.midi.parser import Notes

FORMATS = ("mid", "wav", "png")
LONGEST_SOUND_SECONDS = 1200.0  # a WAV of more is left out: it would take gigabytes of memory
STRIP_BARS, PALETTE_BARS = 8, 4  # that are drawn of each piece; more could not be read
WHOLE = {"path": "interpolation", "grid": "palette"}


@dataclass(frozen=True)
class Piece:
    """Drums of any length: as MIDI, and as one clip for each bar."""

    midi: "PrettyMIDI"
    bars: Sequence[Clip]

    @cached_property
    def stretches(self) -> list[Clip]:
        """The bars of one metre that follow each other as one clip, in order; its tempo is that of its first bar."""
        groups = (list(group) for _, group in itertools.groupby(self.bars, key=lambda bar: bar.meter))
        return [replace(group[0], hits=np.concatenate([bar.hits for bar in group])) for group in groups]

    @property
    def hits(self) -> int:
        """How many cells of the grid are hit."""
        return sum(int(bar.hits.sum()) for bar in self.bars)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return sum(bar.seconds for bar in self.bars)

    @property
    def tempo(self) -> str:
        """The tempo in words: `113 bpm`, or from the slowest to the fastest."""
        slowest, fastest = (round(most(bar.bpm for bar in self.bars), 1) for most in (min, max))
        return f"{slowest:g} bpm" if slowest == fastest else f"{slowest:g} to {fastest:g} bpm"

    def __str__(self) -> str:
        bars = Counter[Meter]()
        for bar in self.bars:
            bars[bar.meter] += 1
        words = [f"{count} {'bar' if count == 1 else 'bars'} of {_named(meter)}" for meter, count in bars.items()]
        return f"{' and '.join(words)}, {self.tempo}, {self.hits:,} {'hit' if self.hits == 1 else 'hits'}"


@dataclass(frozen=True)
class FileSet:
    """The files of one name: a piece, or all `parts` of an interpolation or palette one after another."""

    name: str
    piece: Piece
    classes: "DrumClasses"
    parts: Sequence[Piece] = ()

    def paths(self, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
        """The files that `write` makes."""
        made = [kind for kind in formats if kind != "wav" or self.piece.seconds <= LONGEST_SOUND_SECONDS]
        pictures = 1 if self.parts else len(self.piece.stretches)
        names = {"png": [f"{self.name}.png", *(f"{self.name}-{number}.png" for number in range(2, pictures + 1))]}
        return [folder / name for kind in made for name in names.get(kind, [f"{self.name}.{kind}"])]

    def write(self, folder: Path, formats: Sequence[str] = FORMATS, soundfont: Path | None = None) -> list[Path]:
        """Write the files, each whole or not at all; their paths.

        There is no WAV of more than twenty minutes. A piece whose metre changes has one picture for each stretch.
        """
        from seqvae.modalities.midi.writing import write_midi
        from seqvae.view import audio
        from seqvae.view.sheet import png

        folder.mkdir(parents=True, exist_ok=True)
        paths = self.paths(folder, formats)
        figures = iter(self._figures() if "png" in formats else ())
        for path in paths:
            if path.suffix == ".mid":
                write_midi(self.piece.midi, path)
            elif path.suffix == ".wav":
                samples = audio.render(self.piece.midi, soundfont=soundfont, seconds=self.piece.seconds)
                write_atomically(path, audio.wav(samples))
            else:
                write_atomically(path, png(next(figures)))
        return paths

    def _figures(self) -> "list[Figure]":
        from seqvae.view import drum_grids

        names = self.classes.names
        if not self.parts:
            return [
                drum_grids.grid_figure(
                    clip.hits, names, *_lines(clip), f"{self.name}: {_named(clip.meter)}, {self.piece.tempo}"
                )
                for clip in self.piece.stretches
            ]
        firsts = [part.stretches[0] for part in self.parts]
        is_palette = self.name == WHOLE["grid"]
        bar, total = steps_per_bar(firsts[0].meter, firsts[0].steps_per_quarter), len(self.parts[0].bars)
        shown = min(total, PALETTE_BARS if is_palette else STRIP_BARS)
        title = f"{self.name}: {len(firsts)} clips, {_named(firsts[0].meter)}, {self.parts[0].tempo}"
        title += f" (bars 1 to {shown} of {total})" if shown < total else ""
        hits = [clip.hits[: shown * bar] for clip in firsts]
        if not is_palette:
            return [drum_grids.strip_figure(hits, names, *_lines(firsts[0]), title)]
        size = math.isqrt(len(hits))
        rows = [hits[row * size : (row + 1) * size] for row in range(size)]
        return [drum_grids.palette_figure(rows, names, *_lines(firsts[0]), title)]


def write_items(
    given: "Sequence[PrettyMIDI | Clip]",
    folder: Path,
    arrangement: Arrangement,
    classes: "DrumClasses",
    steps_per_quarter: int,
) -> list[Path]:
    """Write each item as 001.mid, 001.wav, 001.png and so on; the paths of all files.

    A `path` also becomes interpolation.mid and the like, a `grid` palette.mid: all items one after another, bar lines
    kept, and a picture of all. Class map and grid are those of the pictures.
    """
    from seqvae.view.audio import find_soundfont

    sets = file_sets(given, arrangement, classes, steps_per_quarter)
    soundfont = find_soundfont()
    return [path for files in sets for path in files.write(folder, soundfont=soundfont)]


def file_sets(
    given: "Sequence[PrettyMIDI | Clip]", arrangement: Arrangement, classes: "DrumClasses", steps_per_quarter: int
) -> list[FileSet]:
    """The files that `write_items` writes, by their names, in order; nothing is written yet."""
    from seqvae.modalities.midi.writing import to_midi

    pieces = [piece_of(one, classes, steps_per_quarter) for one in given]
    sets = [FileSet(f"{number:03}", piece, classes) for number, piece in enumerate(pieces, start=1)]
    if arrangement == "set" or not pieces:
        return sets
    bars = [bar for piece in pieces for bar in piece.bars]
    whole = Piece(to_midi(bars, classes), bars)
    return [*sets, FileSet(WHOLE[arrangement], whole, classes, pieces)]


def piece_of(given: "PrettyMIDI | Clip", classes: "DrumClasses", steps_per_quarter: int) -> Piece:
    """The bars of a PrettyMIDI object or clip on a grid, silent ones at its end included."""
    from seqvae.modalities.midi.writing import from_midi, to_midi

    midi = to_midi([given], classes) if isinstance(given, Clip) else given
    notes = from_midi(midi)
    # A hit after the last bar: the grid, which ends with the last hit, then runs on to it. Its bar is taken off again.
    end = int(midi.time_to_tick(midi.get_end_time()))
    longer = _with_hit_after(notes, end, classes.pitches[0][0], steps_per_quarter)
    segments = layout(longer, classes, steps_per_quarter).segments
    bars = [clip for segment in segments for clip in segment.windows(1, 1)]
    return Piece(midi, bars[:-1] or bars[:1])


def steps_per_beat(meter: Meter, steps_per_quarter: int) -> int:
    """The steps of one beat as musicians count: of 6/8, 9/8 and 12/8 a dotted quarter, else the metre's unit.

    Where that is no whole number of steps, the whole bar.

    >>> steps_per_beat((4, 4), 4), steps_per_beat((6, 8), 4), steps_per_beat((7, 8), 4), steps_per_beat((3, 8), 12)
    (4, 6, 2, 6)
    """
    beats, unit = meter
    units = 3 if unit >= 8 and beats % 3 == 0 and beats > 3 else 1
    steps, rest = divmod(4 * units * steps_per_quarter, unit)
    return steps_per_bar(meter, steps_per_quarter) if rest else steps


def _with_hit_after(notes: "Notes", end: int, pitch: int, steps_per_quarter: int) -> "Notes":
    """The notes, and one more of this pitch in the bar after that in which the music ends."""
    (_, beats, unit) = max((meter for meter in notes.meters if meter[0] <= end), default=(0, *DEFAULT_METER))
    bar = 4 * notes.ticks_per_quarter * beats // unit
    # Less than half a step of the next bar is no bar more: it is the end of a note that was held a little too long.
    tick = end + bar - math.ceil(notes.ticks_per_quarter / steps_per_quarter)
    last = notes.tick[notes.channel == DRUM_CHANNEL]
    tick = max(tick, int(last[-1]) + bar if len(last) else 0)
    return replace(
        notes,
        tick=np.append(notes.tick, tick),
        pitch=np.append(notes.pitch, pitch),
        velocity=np.append(notes.velocity, 1),
        channel=np.append(notes.channel, DRUM_CHANNEL),
    )


def _lines(clip: Clip) -> tuple[int, int]:
    """Steps a beat and steps a bar."""
    return steps_per_beat(clip.meter, clip.steps_per_quarter), steps_per_bar(clip.meter, clip.steps_per_quarter)


def _named(meter: Meter) -> str:
    return f"{meter[0]}/{meter[1]}"
