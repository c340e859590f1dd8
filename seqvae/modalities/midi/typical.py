"""What drums learn from a corpus: its metres, and the tempo and kit to write new clips with."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from seqvae.modalities.midi.classes import DrumClasses
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.meters import Meter


def typical_of(clips: Iterable[Clip], classes: DrumClasses) -> dict[str, Any]:
    """The classes, the metres, the most frequent first, the median tempo and the most frequent kit; of no clip, {}."""
    meters: Counter[Meter] = Counter()
    kits: Counter[int] = Counter()
    tempos: list[float] = []
    for clip in clips:
        meters[clip.meter] += 1
        kits[clip.kit] += 1
        tempos.append(clip.bpm)
    if not tempos:
        return {}
    return {
        "classes": json.loads(classes.to_json()),
        "meters": [meter for meter, _ in meters.most_common()],
        "bpm": float(round(median(tempos))),
        "kit": kits.most_common(1)[0][0],
    }


def typical_in(read: Mapping[str, Any], path: Path) -> tuple[DrumClasses, dict[str, Any]]:
    """The class map, and what `typical_of` gave, from the JSON of a run. Raises ValueError where it is damaged."""
    try:
        classes = DrumClasses.from_json(json.dumps(read["classes"]), path)
        return classes, {
            "classes": read["classes"],
            "meters": [(int(beats), int(unit)) for beats, unit in read["meters"]],
            "bpm": float(read["bpm"]),
            "kit": int(read["kit"]),
        }
    except (KeyError, TypeError):
        raise ValueError(f"{path} is damaged; restore the run from a copy") from None
