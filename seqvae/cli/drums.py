"""What the command line does for drums: INPUT is a MIDI file or a window of one, results are files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from seqvae.cli.items import file_and_index, no_such_index, tell_counts
from seqvae.cli.named import Made, Named
from seqvae.cli.options import FORMATS, Input, Output
from seqvae.cli.places import clear, own_folder, spare
from seqvae.cli.words import counted

if TYPE_CHECKING:
    from seqvae.modalities.base import Report
    from seqvae.modalities.midi.clip import Clip
    from seqvae.modalities.midi.drums import Drums
    from seqvae.modalities.midi.grid import Segment
    from seqvae.modalities.midi.output import FileSet
    from seqvae.modalities.midi.parser import Notes
    from seqvae.modalities.midi.sources import MidiFile
    from seqvae.model import Model

MOST_NAMED = 12  # classes of which each is named
# No sequence ends by itself, so there is no end to be counted.
UNITS = {
    "tokens": "steps of all items",
    "perplexity": "per step, exp(iw_nll_nats x items / tokens)",
    "step_accuracy_teacher_forced": "share of steps, the true ones before each given",
}
MADE = re.compile(r"(\d{3,}|interpolation|palette)(-\d+)?\.(mid|wav|png)")


class DrumFace:
    """See `items.Face`."""

    wanted = "INPUT, a MIDI file or FILE#INDEX, or --file with a file or folder for all of its windows"
    unit = "drum steps"
    units = UNITS
    no_split = "the split '{split}' has no file of {files}; leave --split out"
    after_training = ("sample RUN", "interpolate RUN A.mid B.mid", "evaluate RUN DATA")

    def prepare(self, model: "Model", source: Input, output: Output) -> None:
        """Take channel, metre, splits and tempo; refuse what is for text."""
        source.refuse(("encoding",), "text", "drums")
        if source.split_csv is not None and source.split is None:
            raise click.UsageError("--split-csv tells which file is of which split; choose one with --split")
        drums = _drums(model)
        if source.drum_channel is not None:
            drums.data = replace(drums.data, drum_channel=source.drum_channel, all_channels=False)
        if source.all_channels:
            drums.data = replace(drums.data, all_channels=True)
        if source.meter is not None:
            drums.data = replace(drums.data, meter=source.meter)
        if source.split_csv is not None:
            drums.data = replace(drums.data, split_csv=source.split_csv)
        drums.bpm = output.bpm
        if output.meter is not None:
            drums.meter = replace(drums.data, meter=output.meter).meter_read
            if drums.meter not in drums.meters:
                raise ValueError(f"this model does not know {output.meter}; choose {_meters(drums)}")

    def parse(self, model: "Model", value: str, source: Input) -> list[Named]:
        """The MIDI file of that path as a whole, or its window FILE#INDEX."""
        path, number = file_and_index(value, "window")
        _check_file(path)
        return [Named(value, path if number is None else _window(_drums(model), path, number), path)]

    def of_files(self, model: "Model", files: Sequence[Path]) -> list[Named]:
        """All windows of the files, folders or zips, each an item of its own, as for training."""
        from seqvae.modalities.base import Report

        drums = _drums(model)
        report = Report()
        windows = list(_all_windows(drums, _of_split(drums, files), report))
        if not windows:
            for _ in drums.read(files, Report()):  # where there is none for training either, this tells why
                break
            raise ValueError(
                f"no window of {', '.join(map(str, files))} is in a metre that the model knows; give other files"
            )
        tell_counts(", ".join(map(str, files)), report)
        return windows

    def tell_losses(self, model: "Model", items: Sequence[Named]) -> None:
        """Hits that no class holds, and files that are damaged, on stderr."""
        from seqvae.modalities.base import Report

        for path in dict.fromkeys(item.item for item in items if isinstance(item.item, Path)):
            report = Report()
            notes = _notes(path)
            layout = _drums(model).reading.layout(notes)
            for pitch, count in layout.unmapped.items():
                report.counts[f"hits of pitch {pitch}, which no class holds"] += count
            for meter, count in layout.misfits.items():
                report.counts[f"hits in bars of {meter[0]}/{meter[1]}, which do not fit the grid, left out"] += count
            tell_counts(str(path), report)
            if notes.damage:
                click.echo(f"{path}: read up to a damage ({notes.damage})", err=True)

    def rows(self, model: "Model", items: Sequence[Named]) -> list[Named]:
        """The windows of each item in order; those of a whole file bear their FILE#INDEX."""
        rows = []
        for item in items:
            clips = model.modality.accept(item.item)
            names = list(_names(_drums(model), item)) if isinstance(item.item, Path) else [item.name]
            rows += [Named(name, clip, item.path) for name, clip in zip(names, clips, strict=True)]
        return rows

    def show(self, model: "Model", made: Made, output: Output) -> None:
        """Write the files of each piece, and tell a line for each. Raises ValueError before an input would be lost."""
        from seqvae.modalities.midi.output import file_sets
        from seqvae.view.audio import find_soundfont

        formats = output.formats or FORMATS
        folder = output.folder or own_folder(model)
        drums = _drums(model)
        sets = file_sets(made.items, made.arrangement, drums.classes, drums.data.steps_per_quarter)
        spare(made.inputs, [path for files in sets for path in files.paths(folder, formats)])
        soundfont = find_soundfont() if "wav" in formats else None
        written: set[Path] = set()
        for number, files in enumerate(sets):
            origin = f", from {made.inputs[number].name}" if made.paired and len(made.items) > 1 else ""
            paths = files.write(folder, formats, soundfont)
            written.update(paths)
            _tell(files, paths, origin, "wav" in formats)
        if output.folder is None:
            clear(folder, MADE, written, made.inputs)

    def facts(self, modality: Any, lengths: Any) -> list[tuple[str, str]]:
        """Windows, steps, classes and metres."""
        names = modality.classes.names
        listed = ", ".join(names) if len(names) <= MOST_NAMED else modality.data.classes
        kind = f"one of {counted(modality.outcomes, 'combinations')}" if modality.combined else "each hit or not"
        return [
            ("items", f"{counted(len(lengths), 'windows')} of {counted(modality.data.bars, 'bars')}"),
            ("steps", f"{lengths.sum():,}, {modality.data.steps_per_quarter} a quarter"),
            ("classes", f"{len(names)} ({listed}), a step is {kind}"),
            ("metres", _meters(modality)),
        ]

    def captions(self, model: "Model", figures: Mapping[str, Any]) -> list[str]:
        """The classes that no item of the data hits, so that they have no F1."""
        unused = [
            name.removeprefix("f1_") for name, value in figures.items() if name.startswith("f1_") and value is None
        ]
        return [f"Never hit: {', '.join(unused)}."] if unused else []


def _drums(model: "Model") -> "Drums":
    return cast("Drums", model.modality)


def _meters(drums: "Drums") -> str:
    return ", ".join(f"{beats}/{unit}" for beats, unit in drums.meters)


def _check_file(path: Path) -> None:
    """Raises ValueError for what cannot be one MIDI file."""
    if str(path) == "-":
        raise ValueError("- stands for sentences of the standard input, and this is a drums model; give a MIDI file")
    if path.is_dir() or path.suffix.lower() == ".zip":
        kind = "folder" if path.is_dir() else "zip"
        raise ValueError(f"{path} is a {kind}; give one MIDI file of it, or --file {path} for all of its windows")
    if not path.exists():
        raise ValueError(f"there is no file {path}; give a MIDI file, or FILE#INDEX for a window of one")


def _notes(path: Path) -> "Notes":
    """The notes of a file. Raises ValueError when it is no MIDI file."""
    from seqvae.modalities.midi.parser import MidiError, parse
    from seqvae.modalities.midi.sources import MidiFile, contents

    ((_, content),) = contents([MidiFile(path)])
    try:
        if isinstance(content, MidiError):
            raise content
        return parse(content, path)
    except MidiError as error:
        raise ValueError(f"{error}; give a MIDI file, or FILE#INDEX for a window of one") from None


def _numbered(segments: "Sequence[Segment]", hop: int) -> "Iterator[tuple[int, Segment]]":
    """Each stretch of one metre with the number of its first window; a window starts every `hop` bars."""
    first = 0
    for segment in segments:
        yield first, segment
        first += -(-segment.bars // hop)


def _window(drums: "Drums", path: Path, number: int) -> "Clip":
    """A window of a file; the last ones of a stretch may be shorter. Raises ValueError when there is no such window."""
    from seqvae.modalities.midi.clip import Clip

    segments = drums.reading.layout(_notes(path)).segments
    if not segments:
        drums.accept(path)  # raises, and tells why
    hop, bars, count = drums.data.hop, drums.data.bars, 0
    for first, segment in _numbered(segments, hop):
        steps, start = len(segment.hits) // segment.bars, (number - first) * hop
        count = first + -(-segment.bars // hop)
        if number < count:
            if segment.meter not in drums.meters:
                beats, unit = segment.meter
                raise ValueError(
                    f"{path}#{number} is in {beats}/{unit}, and this model knows {_meters(drums)} only; give another "
                    "window, or train with that metre"
                )
            hits = segment.hits[start * steps : (start + bars) * steps]
            return Clip(hits, segment.meter, segment.steps_per_quarter, float(segment.bpm[start]), segment.kit)
    raise no_such_index(path, number, count, "windows")


def _names(drums: "Drums", item: Named) -> Iterator[str]:
    """FILE#INDEX of each window of a whole file, or its bars where no window is counted from there."""
    hop, bars = drums.data.hop, drums.data.bars
    for first, segment in _numbered(drums.reading.layout(_notes(item.item)).segments, hop):
        for start in range(0, segment.bars, bars):
            number = first + Fraction(start, hop)
            exact = number.denominator == 1
            yield f"{item.name}#{number}" if exact else f"{item.name}, bars {start + 1} to {start + bars}"


def _of_split(drums: "Drums", sources: Sequence[Path]) -> "list[MidiFile]":
    """The files of the split that the model is to read."""
    from seqvae.modalities.midi import splits
    from seqvae.modalities.midi.sources import find

    files, data = find(sources), drums.data
    if drums.split == "all":
        return files
    if data.split_csv:
        parts: Sequence[str | None] = splits.by_table(files, Path(data.split_csv), data.split_column)
    else:
        parts = splits.by_content(files, data.valid_share, data.test_share, data.split_seed)
    return [file for file, part in zip(files, parts, strict=True) if part == drums.split]


def _all_windows(drums: "Drums", files: "Sequence[MidiFile]", report: "Report") -> Iterator[Named]:
    """The windows for training of all files, by FILE#INDEX."""
    from seqvae.modalities.midi.parser import MidiError, parse
    from seqvae.modalities.midi.sources import contents

    bars, hop, reading = drums.data.bars, drums.data.hop, drums.reading
    for file, content in contents(files):
        try:
            if isinstance(content, MidiError):
                raise content
            segments = reading.layout(parse(content, str(file))).segments
        except MidiError as error:
            report.counts[f"files skipped: {error.reason}"] += 1
            continue
        for first, segment in _numbered(segments, hop):
            windows = segment.windows(bars, hop)
            if reading.meter not in (None, segment.meter):
                continue
            for number, clip in enumerate(windows, start=first):
                if clip.meter in drums.meters:
                    yield Named(f"{file}#{number}", clip, file.path)
                else:
                    report.counts["windows of metres that the model does not know, left out"] += 1


def _tell(files: "FileSet", paths: Sequence[Path], origin: str, sound: bool) -> None:
    if not paths:
        return
    others = " ".join(path.name.removeprefix(files.name) for path in paths[1:])
    click.echo(f"{paths[0]}{f' ({others})' if others else ''}: {files.piece}{origin}")
    if sound and not any(path.suffix == ".wav" for path in paths):
        from seqvae.modalities.midi.output import LONGEST_SOUND_SECONDS

        minutes, most = files.piece.seconds / 60, LONGEST_SOUND_SECONDS / 60
        click.echo(f"{files.name}.wav is left out: it would last {minutes:.0f} minutes, more than {most:.0f}", err=True)


FACE = DrumFace()
