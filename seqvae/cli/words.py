"""Numbers as people read them."""

import re
from collections.abc import Mapping
from typing import Any

GATHERED = ("files", "windows", "hits")  # counts of these are told in one line each
UNMAPPED = re.compile(r"hits of pitch (\d+), which no class holds")
MOST_PITCHES = 8  # that are named


def counted(number: int, what: str) -> str:
    """`1 item`, `2,000 items`: a number with what is counted, whose first plural in s becomes singular for one."""
    noun = re.sub(r"s\b", "", what, count=1) if number == 1 else what
    return f"{number:,} {noun}"


def report_lines(counts: Mapping[str, int]) -> list[str]:
    """What reading gave, in few lines: what is counted of files, windows and hits stands together, largest first.

    >>> report_lines({"files read": 7, "files found": 9, "files skipped: empty": 2, "empty lines dropped": 1})
    ['files: 9 found; 7 read', '1 empty line dropped', '2 files skipped: empty']
    """
    gathered: dict[str, list[tuple[int, str]]] = {noun: [] for noun in GATHERED}
    pitches, others = [], []
    for what, count in sorted(counts.items()):
        noun, _, rest = what.partition(" ")
        if pitch := UNMAPPED.fullmatch(what):
            pitches.append((count, pitch[1]))
        elif noun in gathered and ":" not in rest:
            gathered[noun].append((count, rest))
        else:
            others.append(counted(count, what))
    if pitches:
        gathered["hits"].append((sum(count for count, _ in pitches), "of pitches that no class holds"))
        largest = sorted(pitches, key=lambda row: -row[0])
        more = f" and {len(pitches) - MOST_PITCHES} others" if len(pitches) > MOST_PITCHES else ""
        named = ", ".join(f"{pitch} ({count:,})" for count, pitch in largest[:MOST_PITCHES])
        others.append(f"pitches that no class holds (hits): {named}{more}")
    lines = [
        f"{noun}: " + "; ".join(f"{count:,} {rest}" for count, rest in sorted(rows, key=lambda row: -row[0]))
        for noun, rows in gathered.items()
        if rows
    ]
    return lines + others


def data_lines(report: Mapping[str, Any]) -> list[str]:
    """What the data.json of a run tells: for each part its size, then what reading gave.

    >>> data_lines({"train": {"items": 1, "steps": 9, "sources": ["a.txt"], "counts": {"empty lines dropped": 2}}})
    ['train: 1 item, 9 steps from a.txt', '  2 empty lines dropped']
    """
    lines = []
    for part, found in report.items():
        size = counted(found["items"], "items")
        if found["steps"] > found["items"]:  # an image is a single step
            size += f", {counted(found['steps'], 'steps')}"
        lines.append(f"{part}: {size} from {', '.join(found['sources'])}")
        lines += [f"  {line}" for line in report_lines(found["counts"])]
        if "held_out" in found:
            lines.append(f"  {found['held_out']:,} of them held out for validation")
        if "repeated" in found:
            share = found["repeated"] / max(1, found["items"])
            lines.append(f"  {found['repeated']:,} of them ({share:.1%}) stand in train, too")
    return lines
