"""Folders, zips and files to the MIDI files in them, in an order that depends on their names alone."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from seqvae.files import PIECE
from seqvae.modalities.folders import is_hidden, names_below, near_name
from seqvae.modalities.midi.parser import MOST_BYTES, MidiError

SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that decompress in bounded memory


@dataclass(frozen=True)
class MidiFile:
    """A file, or a member of a zip."""

    path: Path
    member: str = ""
    source: Path | None = None  # the folder that it was found in

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """What lists of files call it: the way to it from its folder or zip on, so that copies of these are alike."""
        if self.member:
            return f"{self.path.name}:{self.member}"
        return os.path.relpath(self.path, self.source.parent) if self.source else self.path.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The names on the way from the root of the file system to the file."""
        above = Path(os.path.abspath(self.path)).parts
        return above[:-1] + tuple(self.member.split("/")) if self.member else above


def find(sources: Sequence[Path]) -> list[MidiFile]:
    """The MIDI files of the sources in their order, those of a folder or zip sorted by their relative paths.

    Folders are searched with all that is below them, for names that end as SUFFIXES say; hidden files and folders are
    passed over. Raises ValueError for a source that does not exist, cannot be read or holds no MIDI file.
    """
    if not sources:
        raise ValueError("no files to read; give folders, zips or files of MIDI")
    return [file for source in sources for file in _find_in(Path(source))]


def _find_in(source: Path) -> list[MidiFile]:
    if not source.exists():
        raise ValueError(
            f"there is no file or folder {source}; give a folder, a zip or a file of MIDI.{near_name(source)}"
        )
    if source.is_dir():
        names = sorted(names_below(source))
        files = [MidiFile(source / name, source=source) for name in names if _is_midi(name)]
    elif not source.is_file():
        raise ValueError(f"{source} is no regular file; give a folder, a zip or a file of MIDI")
    elif source.suffix.lower() == ".zip":
        names = sorted(_names_in_zip(source))
        files = [MidiFile(source, name) for name in names if _is_midi(name)]
    else:
        return [MidiFile(source)]
    if not files:
        kinds = ", ".join(SUFFIXES)
        others = f"{len(names)} other files, such as {names[0]}" if names else "no file at all"
        raise ValueError(f"{source} holds no MIDI file ({kinds}), but {others}; give a folder, a zip or files of MIDI")
    return files


def _is_midi(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _names_in_zip(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise ValueError(f"{path} is no zip that can be read ({error}); unpack it and give the folder") from None
    return [name for name in names if not any(map(is_hidden, name.split("/")))]


def contents(files: Iterable[MidiFile]) -> Iterator[tuple[MidiFile, bytes | MidiError]]:
    """Each file with its bytes, or the error that stands in their way; never more than one byte too many."""
    for (path, zipped), group in groupby(files, key=lambda file: (file.path, bool(file.member))):
        if zipped:
            yield from _zip_contents(path, group)
        else:
            yield from ((file, _content(file)) for file in group)


def _content(file: MidiFile) -> bytes | MidiError:
    try:
        if not file.path.is_file():  # a device or a pipe may go on for ever
            return MidiError(file.path, "it is no regular file" if file.path.exists() else "it is gone")
        with open(file.path, "rb") as stream:
            start = stream.read(PIECE)
            return start if len(start) < PIECE else start + stream.read(MOST_BYTES + 1 - PIECE)
    except OSError as error:
        return MidiError(file.path, f"it cannot be opened ({error.strerror})")


def _zip_contents(path: Path, files: Iterable[MidiFile]) -> Iterator[tuple[MidiFile, bytes | MidiError]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        yield from ((file, MidiError(str(file), "its zip cannot be opened")) for file in files)
        return
    with archive:
        for file in files:
            yield file, _member(archive, file)


def _member(archive: zipfile.ZipFile, file: MidiFile) -> bytes | MidiError:
    try:
        member = archive.getinfo(file.member)
        if member.flag_bits & 1:
            return MidiError(str(file), "it is encrypted in its zip")
        if member.compress_type not in COMPRESSIONS:
            return MidiError(str(file), "it is neither stored nor deflated in its zip")
        with archive.open(member) as stream:
            return stream.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, NotImplementedError, ValueError):
        return MidiError(str(file), "it is damaged in its zip")
