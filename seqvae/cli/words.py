"""What the data.json of a run says, as people read it."""

from seqvae.config import Values, counted
from seqvae.modalities.items import Report


def data_lines(report: Values) -> list[str]:
    """What the data.json of a run says: for each part its size, then what reading gave.

    >>> data_lines({"train": {"items": 1, "steps": 9, "sources": ["a.txt"], "counts": {"empty lines dropped": 2}}})
    ['train: 1 item, 9 steps from a.txt', '  2 empty lines dropped']
    """
    lines = []
    for part, found in report.items():
        size = counted(found["items"], "items")
        if found["steps"] > found["items"]:  # an image is a single step
            size += f", {counted(found['steps'], 'steps')}"
        lines.append(f"{part}: {size} from {', '.join(found['sources'])}")
        lines += [f"  {line}" for line in Report.from_dict(found).lines()]
        if "held_out" in found:
            lines.append(f"  {found['held_out']:,} of them held out for validation")
        if "repeated" in found:
            share = found["repeated"] / max(1, found["items"])
            lines.append(f"  {found['repeated']:,} of them ({share:.1%}) stand in train, too")
    return lines
