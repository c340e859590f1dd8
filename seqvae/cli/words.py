"""Numbers as people read them."""

import re
from collections.abc import Mapping

GATHERED = ("files", "windows", "hits")  # counts of these are told in one line each


def counted(number: int, what: str) -> str:
    """`1 item`, `2,000 items`: a number with what is counted, whose first plural in s becomes singular for one."""
    noun = re.sub(r"s\b", "", what, count=1) if number == 1 else what
    return f"{number:,} {noun}"


def report_lines(counts: Mapping[str, int]) -> list[str]:
    """What reading gave, in few lines: what is counted of files, windows and hits stands together, largest first.

    >>> report_lines({"files read": 7, "files found": 9, "empty lines dropped": 1})
    ['files: 9 found; 7 read', '1 empty line dropped']
    """
    gathered: dict[str, list[tuple[int, str]]] = {noun: [] for noun in GATHERED}
    others = []
    for what, count in sorted(counts.items()):
        noun, _, rest = what.partition(" ")
        if noun in gathered:
            gathered[noun].append((count, rest))
        else:
            others.append(counted(count, what))
    lines = [
        f"{noun}: " + "; ".join(f"{count:,} {rest}" for count, rest in sorted(rows, key=lambda row: -row[0]))
        for noun, rows in gathered.items()
        if rows
    ]
    return lines + others
