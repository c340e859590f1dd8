"""Text files to lines, one at a time, and back; every fault is named by file, line and column."""

import codecs
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from encodings.aliases import aliases
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from seqvae.config import counted, kind_of, nearest
from seqvae.modalities.base import Report
from seqvae.modalities.folders import names_below, near_name

CHUNK_BYTES = 1 << 16
SUFFIXES = (".txt", ".text", ".txt.gz")  # of the files that are read of a folder; a file itself may have any name
GZIP = b"\x1f\x8b"
MOST_UNPACKED = 100  # times its size that a gzip may unpack to: of text it is some three to ten, of zeros a thousand
ALWAYS_UNPACKED = 1 << 26  # bytes that any gzip may unpack to
SIZE_BYTES = 4  # in which a gzip says at its end how much it unpacks to, modulo 4 GiB
PACKED = {
    b"PK\x03\x04": "a zip (or an office document)",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ\0": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"%PDF-": "a PDF",
}
BYTE_ORDER_MARK = "\ufeff"
COMMON_ENCODINGS = ("utf-8", "latin-1", "cp1252", "utf-16")


def examples(source: Path, encoding: str, blank_line_separated: bool, report: Report) -> Iterator[str]:
    r"""The examples of a text file in order: its lines, or its paragraphs with their lines joined by "\n".

    Only the line end (\n or \r\n) is taken off; the characters of a line stay as they are. Lines of nothing but white
    space are no examples: they are counted and dropped, or end a paragraph. The file is never in memory as a whole.

    Raises ValueError when the file is missing, empty, binary or not in this encoding.
    """
    check_encoding(encoding)
    _check_file(source)
    return _paragraphs(source, encoding, report) if blank_line_separated else _lines(source, encoding, report)


def _lines(source: Path, encoding: str, report: Report) -> Iterator[str]:
    found = dropped = 0
    with _open(source) as file:
        for line in decoded_lines(file, str(source), encoding, report):
            if line.strip():
                found += 1
                yield line
            else:
                dropped += 1
                report.count("empty lines dropped")
    _check_found(source, found, dropped)


def _paragraphs(source: Path, encoding: str, report: Report) -> Iterator[str]:
    found = blank = 0
    paragraph: list[str] = []
    with _open(source) as file:
        for line in decoded_lines(file, str(source), encoding, report):
            if line.strip():
                paragraph.append(line)
                continue
            blank += 1
            if paragraph:
                found += 1
                yield "\n".join(paragraph)
                paragraph = []
    if paragraph:
        found += 1
        yield "\n".join(paragraph)
    _check_found(source, found, blank)


def of_stream(file: BinaryIO, name: str, encoding: str, report: Report) -> Iterator[str]:
    """The lines of an open file that are not blank; others are counted. Raises ValueError as `decoded_lines`."""
    for line in decoded_lines(file, name, encoding, report):
        if line.strip():
            yield line
        else:
            report.count("empty lines dropped")


def decoded_lines(file: BinaryIO, name: str, encoding: str, report: Report) -> Iterator[str]:
    """The lines of a file without their ends; what follows the last line end is a line unless it is empty.

    `name` stands for the file in errors. Raises ValueError when it is binary or not in this encoding.
    """
    check_encoding(encoding)
    line, pending = 1, [""]  # `pending` holds the parts of the line that is not complete yet, from the left
    for text in _decoded_chunks(file, name, encoding):
        if line == 1 and pending == [""] and text.startswith(BYTE_ORDER_MARK):
            text = text[1:]
            report.count("byte order marks dropped")
        *complete, rest = text.split("\n")
        if complete:
            complete[0] = "".join(pending) + complete[0]
            pending = []
            line += len(complete)
            yield from (whole.removesuffix("\r") for whole in complete)
        pending.append(rest)
    last = "".join(pending)
    if last:
        yield last.removesuffix("\r")


def _decoded_chunks(file: BinaryIO, source: str, encoding: str) -> Iterator[str]:
    """The text of a file in pieces. The place of a fault is counted in the text before it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = column = 1  # the place of the next character
    while True:
        chunk = file.read(CHUNK_BYTES)
        held = decoder.getstate()[0]  # bytes of a character whose other bytes are still to come
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raw = held + chunk
            if b"\0" in raw and _is_narrow(encoding):
                before = raw[: raw.index(0)].decode(encoding, errors="replace")
                _refuse_binary(file, source, *_place(line, column, before))
            before = decoder.decode(chunk[: error.start - len(held)]) if error.start > len(held) else ""
            _refuse_bytes(source, encoding, error, _place(line, column, before))
        except UnicodeError:  # utf-16 and utf-32 name no place when the byte order mark is missing
            raise ValueError(
                f"{source} is not {encoding}: it has no byte order mark; re-encode it, or pass "
                f"data.encoding={encoding}-le."
            ) from None
        if "\0" in text:
            _refuse_binary(file, source, *_place(line, column, text[: text.index("\0")]))
        line, column = _place(line, column, text)
        if text:
            yield text
        if not chunk:
            return


def _place(line: int, column: int, text: str) -> tuple[int, int]:
    """Line and column, counted from 1 in characters, after `text` that starts at a line and column."""
    newlines = text.count("\n")
    if newlines:
        return line + newlines, len(text) - text.rindex("\n")
    return line, column + len(text.removeprefix(BYTE_ORDER_MARK) if (line, column) == (1, 1) else text)


def _is_narrow(encoding: str) -> bool:
    """True where no character but NUL itself holds a zero byte."""
    return "\n".encode(encoding) == b"\n"


def _refuse_binary(file: BinaryIO, source: str, line: int, column: int) -> NoReturn:
    if isinstance(file, _Bounded):
        file.check_size()
    raise ValueError(
        f"{source} looks like a binary file (NUL byte at line {line}, column {column}); give a plain text file, "
        "or pass data.encoding=utf-16 if that is what it is."
    )


def _refuse_bytes(source: str, encoding: str, error: UnicodeDecodeError, place: tuple[int, int]) -> NoReturn:
    byte = error.object[error.start]
    label = "UTF-8" if codecs.lookup(encoding).name.startswith("utf-8") else encoding
    marked = place == (1, 1) and error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    raise ValueError(
        f"{source} line {place[0]} is not {label} (byte 0x{byte:02x} at column {place[1]}); re-encode it, "
        f"or pass data.encoding={'utf-16' if marked else 'latin-1'}."
    ) from None


def check_encoding(encoding: str) -> None:
    """Raises ValueError for an encoding that Python does not know, with the nearest known one."""
    try:
        "".encode(encoding)
    except LookupError:
        known = sorted({*COMMON_ENCODINGS, *(name.replace("_", "-") for name in aliases.values())})
        raise ValueError(
            f"no text encoding '{encoding}'; there are {', '.join(COMMON_ENCODINGS)} and the others of Python's codecs."
            + nearest(encoding.lower(), known)
        ) from None


def _check_file(source: Path) -> None:
    if not source.exists():
        raise ValueError(f"there is no file {source}; give the path of a text file.{near_name(source)}")
    if source.is_char_device() or source.is_block_device():  # it may go on for ever
        raise ValueError(f"{source} is a device; give the path of a text file.")


@contextmanager
def _open(source: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked where it is gzip. Raises ValueError for one that is packed in another way."""
    try:
        with open(source, "rb") as file:
            start = file.peek(max(map(len, PACKED)))
            if not start.startswith(GZIP):
                _refuse_packed(source, start)
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, _Bounded(unpacked, source))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ValueError(f"{source} is truncated or damaged: it does not unpack; get the file again.") from None
    except OSError as error:
        raise ValueError(f"{source} cannot be read ({error.strerror}); mend that, or give another file.") from None


class _Bounded:
    """The unpacked content of a gzip, which ends in ValueError where a small file unpacks to far too much."""

    def __init__(self, unpacked: gzip.GzipFile, source: Path) -> None:
        self._unpacked, self._source = unpacked, source
        self._size = source.stat().st_size
        self._most = self._left = max(ALWAYS_UNPACKED, MOST_UNPACKED * self._size)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        content = self._unpacked.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(
                f"{self._source} has {self._size:,} bytes and unpacks to more than {MOST_UNPACKED} times as many, as "
                "no text does; if it is one, unpack it (gunzip), and give the file that comes of it."
            )
        return content

    def check_size(self) -> None:
        """Raises ValueError where all of it is far too much; what a gzip says of its size in the end is checked."""
        with open(self._source, "rb") as file:
            file.seek(-min(SIZE_BYTES, self._size), os.SEEK_END)
            says = int.from_bytes(file.read(), "little")  # of one that breaks off it may be anything
        while says > self._most and self.read(CHUNK_BYTES):
            pass


def _refuse_packed(source: Path, start: bytes) -> None:
    kind = next((kind for mark, kind in PACKED.items() if start.startswith(mark)), None)
    if kind is not None:
        raise ValueError(f"{source} is {kind}, not text; give the text of it as a plain file.")


def files_below(folder: Path) -> list[Path]:
    """The text files below a folder, sorted by their relative paths: those whose names end as SUFFIXES say.

    Raises ValueError where there is none.
    """
    names = sorted(names_below(folder))
    found = [folder / name for name in names if name.lower().endswith(SUFFIXES)]
    if not found:
        held = f"{counted(len(names), 'other files')}, such as {names[0]}" if names else "no file at all"
        kinds = ", ".join(SUFFIXES)
        raise ValueError(f"{folder} holds no text file ({kinds}), but {held}; give text files, or a folder of them.")
    return found


def _check_found(source: Path, found: int, blank: int) -> None:
    if not found:
        state = f"holds no text in its {blank} line{'s' if blank > 1 else ''}" if blank else "is empty"
        raise ValueError(f"{source} {state}; give a text file with at least one example.")


def joined(items: Iterable[str], blank_line_separated: bool) -> str:
    """Examples as the text of a file that `examples` reads back: line ends inside a line become spaces."""
    if blank_line_separated:
        return "\n".join("\n".join(line for line in item.split("\n") if line.strip()) + "\n" for item in items)
    return "".join(item.replace("\n", " ") + "\n" for item in items)


def of_items(items: Iterable[object], encoding: str, blank_line_separated: bool) -> bytes:
    """Examples in memory as the file that `examples` reads back; a line end that closes one is taken off.

    Raises ValueError for what is no str, is empty of examples, holds line ends or characters that are not possible.
    """
    check_encoding(encoding)
    whole: list[str] = []
    for place, item in enumerate(items):
        if not isinstance(item, str):
            raise ValueError(f"item {place}: {kind_of(item)} is no text; give a str")
        text = item.replace("\r\n", "\n").rstrip("\n")
        if "\n" in text and not blank_line_separated:
            raise ValueError(
                f"item {place} ({text!r:.40}) has several lines; split it, or set data.blank_line_separated=true for "
                "examples of several lines"
            )
        whole.append(text)
    if not any(map(str.strip, whole)):
        raise ValueError(f"there is no text among {len(whole):,} items; give at least one sentence")
    try:
        return joined(whole, blank_line_separated).encode(encoding)
    except UnicodeEncodeError as error:
        shown = ascii(error.object[error.start : error.end])
        raise ValueError(
            f"{encoding} cannot hold the character {shown}; set another data.encoding, or drop it"
        ) from None
