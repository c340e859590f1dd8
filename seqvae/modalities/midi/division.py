"""What is held out for validation and testing: files that have windows, or some windows of too few files."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from seqvae.config import counted
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.sources import MidiFile
from seqvae.modalities.midi.splits import by_table, ranked
from seqvae.modalities.midi.survey import Survey, Windows

Item = TypeVar("Item")


@dataclass(frozen=True)
class Span:
    """The windows of one stretch of a file, from `first` to before `last`, that are held out for validation."""

    stretch: int
    first: int
    last: int

    def firsts(self, stretch: int, starts: Sequence[int], bars: int, split: str) -> Sequence[int]:
        """The first bars of a stretch's windows of a split; no window for training overlaps a held-out one."""
        held = starts[self.first : self.last] if stretch == self.stretch else ()
        if split == "valid":
            return held
        return [first for first in starts if not held or first + bars <= held[0] or first >= held[-1] + bars]


@dataclass(frozen=True)
class Division:
    """The split of each file in order, and in `words` how that was found.

    `spans`: the windows that are held out of files for training, by the places of these files. `identity` is empty
    where the contents alone decide, as a hash of them ranks them.
    """

    parts: Sequence[str | None]
    words: str
    spans: Mapping[int, Span] = field(default_factory=dict)
    identity: str = ""

    @property
    def splits(self) -> list[str | None]:
        """The splits that have something."""
        return [*self.parts, *(["valid"] if self.spans else [])]

    def places(self, split: str) -> list[int]:
        """The places of the files that have something of a split."""
        return [
            place
            for place, part in enumerate(self.parts)
            if part == split or (split == "valid" and place in self.spans)
        ]


def divide(files: Sequence[MidiFile], survey: Survey[Item]) -> Division:
    """The files as the settings divide them: by a table, or else by what they hold.

    Without a table copies fall together, and names and order play no part. Only files with windows are held out, in
    metres that are left for training. Where that leaves none for validation, neighbouring windows of each file are
    held out instead. Raises ValueError for a table that splits nothing.
    """
    data = survey.data
    if data.split_csv:
        table = Path(data.split_csv)
        parts = by_table(files, table, data.split_column)
        return Division(parts, f"files are split as {table.name} says{_without_validation(parts)}")
    found = survey.windows(files)
    windows = {digest: each for digest, each in found if _meters(each)}
    split_of = _split_of(windows, data)
    parts = [split_of.get(digest, "train") for digest, _ in found]
    if "valid" in parts or not data.valid_share or not windows:
        drawn = ranked(dict(found), data.valid_share, data.test_share)
        moved = sorted(split_of.items()) if any(drawn[digest] != part for digest, part in split_of.items()) else []
        return Division(parts, _words_of_files(parts), identity=_digest(moved))
    spans = {digest: _span(digest, each, data) for digest, each in windows.items()}
    held = {place: span for place, (digest, _) in enumerate(found) if (span := spans.get(digest))}
    return Division(parts, _words_of_windows(held, windows), held, _digest(sorted(spans.items())) if held else "")


def _split_of(windows: Mapping[bytes, Windows], data: MidiData) -> dict[bytes, str]:
    """The split of each content that has windows: what is held out has a metre that is trained on."""
    able = set(windows)
    while True:
        split_of = dict.fromkeys(windows, "train") | ranked(able, data.valid_share, data.test_share)
        trained = {meter for digest, each in windows.items() if split_of[digest] == "train" for meter in _meters(each)}
        strange = {digest for digest, each in windows.items() if not trained & _meters(each)}
        if not strange:
            return split_of
        able -= strange


def _meters(windows: Windows) -> set[Meter]:
    """The metres of the windows of a file."""
    return {meter for meter, count in windows if count}


def _span(digest: bytes, windows: Windows, data: MidiData) -> Span | None:
    """Some neighbouring windows, chosen by the digest, of the stretch that has most; None where all would overlap."""
    random = int.from_bytes(digest, "little")
    stretch = max(range(len(windows)), key=lambda number: windows[number][1])
    count, gap = windows[stretch][1], -(-data.bars // data.hop) - 1  # windows on each side that overlap the span
    if count < gap + 2:  # none of the stretch would be left: a whole one, of a metre that others have
        meters = Counter(meter for meter, number in windows if number)
        whole = [place for place, (meter, number) in enumerate(windows) if number and meters[meter] > 1]
        return Span(stretch := whole[random % len(whole)], 0, windows[stretch][1]) if whole else None
    share = round(data.valid_share * sum(number for _, number in windows))
    size = max(1, min(share, (count - gap) // 2))
    least = max(1, count - size - 2 * gap)  # that are left for training
    firsts = [
        first for first in range(count - size + 1) if max(0, first - gap) + max(0, count - first - size - gap) >= least
    ]
    first = firsts[random % len(firsts)]
    return Span(stretch, first, first + size)


def _digest(content: Sequence[object]) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest() if content else ""


def _words_of_files(parts: Sequence[str | None]) -> str:
    valid, test = (f"{parts.count(part):,}" for part in ("valid", "test"))
    words = f"of {counted(len(parts), 'files')} {valid} for validation and {test} for testing are held out whole"
    return words + _without_validation(parts)


def _without_validation(parts: Sequence[str | None]) -> str:
    return "" if "valid" in parts else "; validation is on windows that may overlap those that are trained on"


def _words_of_windows(held: Mapping[int, Span], windows: Mapping[bytes, Windows]) -> str:
    """What to know of a validation on windows of the files that are trained on."""
    where = "the same song" if len(windows) == 1 else "the same songs"
    if held:
        return (
            f"too few files have windows to hold one out: validation is on other parts of {where}, whose figures are "
            "better than those of other music would be"
        )
    return f"{where} is too short to hold a part out: validation is on windows that are trained on or overlap those"
