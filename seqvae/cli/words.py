"""Numbers as people read them."""

import re


def counted(number: int, what: str) -> str:
    """`1 item`, `2,000 items`: a number with what is counted, whose first plural in s becomes singular for one."""
    noun = re.sub(r"s\b", "", what, count=1) if number == 1 else what
    return f"{number:,} {noun}"
