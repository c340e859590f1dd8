"""Which files are for training, validation and testing: by a table, or by the order of hashes of their contents."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqvae.config import few, nearest
from seqvae.modalities.midi.sources import SUFFIXES, MidiFile

SPLITS = ("all", "train", "valid", "test")
MEANING = {"train": "train", "training": "train", "test": "test", "eval": "test", "evaluation": "test"} | dict.fromkeys(
    ("valid", "validation", "val", "dev", "development"), "valid"
)
DELIMITERS = ",;\t"


def ranked(digests: Iterable[bytes], valid_share: float, test_share: float) -> dict[bytes, str]:
    """The split of each digest, by their order.

    The first are for validation, at least one where there are two and `valid_share` is not 0, the next for testing,
    and the others, at least one, for training.
    """
    order = sorted(set(digests))
    spare = max(0, len(order) - 1)  # at least one is for training
    valid = min(spare, max(round(valid_share * len(order)), int(valid_share > 0)))
    test = min(spare - valid, round(test_share * len(order)))
    return (
        dict.fromkeys(order, "train")
        | dict.fromkeys(order[:valid], "valid")
        | dict.fromkeys(order[valid : valid + test], "test")
    )


def by_table(files: Sequence[MidiFile], table: Path, column: str) -> list[str | None]:
    """The split of each file by a column of a CSV file; None for a file that it does not name.

    The files are named in the column whose values most of them end with, as paths do. Raises ValueError when the table
    cannot be read, has no such column, names none of the files or holds no known split.
    """
    header, rows = _rows(table)
    if column not in header:
        raise ValueError(
            f"{table} has no column '{column}'; pass data.split_column with the one that holds train, valid and "
            f"test, of {', '.join(header)}.{nearest(column, header)}"
            if header
            else f"{table} is empty; give a CSV file with a line for each MIDI file"
        )
    endings = [_endings(file) for file in files]
    best: list[str | None] = []
    for name in _name_columns(rows, header):
        splits = {_normal(row[name]): row[column] for row in rows if row[name]}
        found = [next((splits[ending] for ending in each if ending in splits), None) for each in endings]
        if len(files) - found.count(None) > len(best) - best.count(None):
            best = found
    if not best:
        raise ValueError(
            f"{table} names none of the files, such as {files[0]}, in any of its columns {few(header)}; give their own "
            "table, or none ('') to hold out files by their contents"
        )
    parts = [value if value is None else MEANING.get(value.strip().lower(), f"'{value}'") for value in best]
    if not set(parts) & set(SPLITS):
        raise ValueError(
            f"the column '{column}' of {table} holds {few(sorted({part for part in parts if part}))}; it must hold "
            "train, valid and test"
        )
    return parts


def _rows(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The names of the columns, and the lines by them."""
    if not table.is_file():
        raise ValueError(f"there is no file {table}; give a CSV file with a line for each MIDI file")
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            reader = csv.DictReader(file, delimiter=delimiter, restval="")
            rows = list(reader)
            return list(reader.fieldnames or []), rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} cannot be read as CSV ({error}); give a CSV file in UTF-8") from None


def _name_columns(rows: Sequence[dict[str, str]], header: Sequence[str]) -> list[str]:
    """The columns that name a MIDI file in the first line, or else all of them."""
    return [name for name in header if rows and rows[0][name].lower().endswith(SUFFIXES)] or list(header)


def _normal(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def _endings(file: MidiFile) -> list[str]:
    """The path of a file without its first folder, without its first two, ..., the longest first."""
    parts = file.parts
    return [parts[0] + "/".join(parts[1:])] + ["/".join(parts[start:]) for start in range(1, len(parts))]
