"""What is learned from a corpus: its metres, and the tempo and program to write new items with."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import Meter


def typical_of(items: Iterable[Excerpt], program: str) -> dict[str, Any]:
    """The metres, the most frequent first, the median tempo and the most frequent program, under this name; or {}."""
    meters: Counter[Meter] = Counter()
    programs: Counter[int | tuple[int, ...]] = Counter()
    tempos: list[float] = []
    for item in items:
        meters[item.meter] += 1
        programs[item.program] += 1
        tempos.append(item.bpm)
    if not tempos:
        return {}
    return {
        "meters": [meter for meter, _ in meters.most_common()],
        "bpm": float(round(median(tempos))),
        program: programs.most_common(1)[0][0],
    }


def typical_in(read: Mapping[str, Any], program: str, path: Path) -> dict[str, Any]:
    """What `typical_of` gave, from the JSON of a run. Raises ValueError where it is damaged."""
    try:
        return {
            "meters": [(int(beats), int(unit)) for beats, unit in read["meters"]],
            "bpm": float(read["bpm"]),
            program: tuple(map(int, own)) if isinstance(own := read[program], list | tuple) else int(own),
        }
    except (KeyError, TypeError):
        raise ValueError(f"{path} is damaged; restore the run from a copy") from None
