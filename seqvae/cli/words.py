"""What the data.json of a run says, as people read it."""

from seqvae.config import Values, counted
from seqvae.modalities.items import Report


def held_out_line(held_out: int, items: int) -> str:
    """How many items of those for training are held out for validation, one by one.

    >>> held_out_line(10, 200), held_out_line(1, 1)
    ('10 of them held out for validation', 'the only one is validated on, too')
    """
    return "the only one is validated on, too" if items == 1 else f"{held_out:,} of them held out for validation"


def data_lines(report: Values) -> list[str]:
    """What the data.json of a run says: for each part its size, then what reading gave.

    >>> data_lines({"train": {"items": 1, "steps": 9, "sources": ["a.txt"], "counts": {"empty lines dropped": 2}}})
    ['train: 1 item, 9 steps from a.txt', '  2 empty lines dropped']
    >>> data_lines({"train": {"items": 2, "steps": 2, "sources": [], "counts": {}}})  # a model that comes along
    ['train: 2 items']
    """
    lines = []
    for part, found in report.items():
        size = counted(found["items"], "items")
        if found["steps"] > found["items"]:  # an image is a single step
            size += f", {counted(found['steps'], 'steps')}"
        lines.append(f"{part}: {size}{' from ' * bool(found['sources'])}{', '.join(found['sources'])}")
        lines += [f"  {line}" for line in Report.from_dict(found).lines()]
        if "splits" in found:
            lines.append(f"  {found['splits']}")
        if "held_out" in found:
            lines.append(f"  {held_out_line(found['held_out'], found['items'])}")
        if "repeated" in found:
            share = found["repeated"] / max(1, found["items"])
            lines.append(f"  {found['repeated']:,} of them ({share:.1%}) stand in train, too")
    return lines
