"""Class maps: which pitches of a drum channel count as one drum class, and which of them is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seqvae.config import few, nearest

PITCH_COUNT = 128
# What drummers and other programs call a class, in the words of class names, and words that say nothing of it.
OTHER_NAMES = {
    "hi hat": "hat", "hihat": "hat", "hats": "hat", "hihats": "hat", "hh": "hat", "ch": "closed hat",
    "chh": "closed hat", "oh": "open hat", "ohh": "open hat", "bass": "kick", "bassdrum": "kick", "bd": "kick",
    "kd": "kick", "sd": "snare", "toms": "tom", "floor": "low", "lt": "low tom", "mt": "mid tom", "ht": "high tom",
    "middle": "mid", "hi": "high", "cy": "crash", "rd": "ride", "drum": "", "cymbal": "",
}  # fmt: skip
MOST_SUGGESTED = 6
MOST_COMBINED = 9  # classes whose 2^C combinations are outcomes of one step; more are taken one by one


@dataclass(frozen=True)
class DrumClasses:
    """Drum classes by name, and the pitches of each; the first pitch of a class is the one that is written.

    Raises ValueError for a map without classes, a class without a name or pitches, a name or pitch that stands twice
    and a pitch that is no whole number from 0 to 127.
    """

    names: tuple[str, ...]
    pitches: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.pitches):
            raise ValueError("a class map names at least one class, with the pitches of each")
        owner: dict[int, str] = {}
        for name, pitches in zip(self.names, self.pitches, strict=True):
            if not name.strip():
                raise ValueError(f"the class of the pitches {list(pitches)} has no name; give it one")
            if self.names.count(name) > 1:
                raise ValueError(f"the class '{name}' stands twice; give each class a name of its own")
            if not pitches:
                raise ValueError(f"the class '{name}' has no pitch; give it at least one, or leave it out")
            for pitch in pitches:
                if type(pitch) is not int or not 0 <= pitch < PITCH_COUNT:
                    raise ValueError(f"the class '{name}' holds {pitch!r}; a pitch is a whole number from 0 to 127")
                if pitch in owner:
                    raise ValueError(f"pitch {pitch} stands in '{owner[pitch]}' and in '{name}'; leave it in one class")
                owner[pitch] = name

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def table(self) -> np.ndarray:
        """(128,) int16: the class of each pitch, or -1."""
        table = np.full(PITCH_COUNT, -1, dtype=np.int16)
        for index, pitches in enumerate(self.pitches):
            table[list(pitches)] = index
        return table

    def suggested(self, name: str) -> str:
        """The sentence that names the classes that are meant by a name which none has, after a space; or nothing.

        They share the most words with it, hi-hat and bass drum counting as hat and kick; else one is spelt like it.

        >>> GENERAL_MIDI.suggested("hihat"), GENERAL_MIDI.suggested("ried"), GENERAL_MIDI.suggested("lute")
        (" Did you mean 'closed hat' or 'open hat'?", " Did you mean 'ride'?", '')
        """
        asked = _words_of(name)
        shared = {known: len(asked & _words_of(known)) for known in self.names}
        most = max(shared.values())
        meant = [f"'{known}'" for known, count in shared.items() if count == most > 0]
        if not meant or len(meant) > MOST_SUGGESTED:
            return nearest(name, self.names)
        return f" Did you mean {' or '.join(meant)}?"

    def to_json(self) -> str:
        """An object that lists the pitches of each class, in order."""
        classes = zip(self.names, map(list, self.pitches), strict=True)
        return "{\n" + ",\n".join(f"  {json.dumps(name)}: {pitches}" for name, pitches in classes) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, source: Path | str) -> "DrumClasses":
        """The map that `to_json` wrote; `source` stands for it in errors. Raises ValueError for anything else."""
        form = 'give an object such as {"kick": [36, 35], "snare": [38, 40]}'
        try:
            classes = json.loads(text, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{source} is no JSON ({error}); {form}") from None
        if not isinstance(classes, _Pairs):
            raise ValueError(f"{source} holds no object at its top; {form}")
        for name, pitches in classes:
            if not isinstance(pitches, list) or isinstance(pitches, _Pairs):
                raise ValueError(f"{source}: the class '{name}' is no list of pitches; {form}")
        try:
            return cls(tuple(name for name, _ in classes), tuple(tuple(pitches) for _, pitches in classes))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from None

    @classmethod
    def of_run(cls, learned: Mapping[str, Any], path: Path) -> "DrumClasses":
        """The map that stands in what a run has learned. Raises ValueError where it is missing or damaged."""
        if "classes" not in learned:
            raise ValueError(f"{path} is damaged; restore the run from a copy")
        return cls.from_json(json.dumps(learned["classes"]), path)


def _words_of(name: str) -> set[str]:
    """The words of a name, as class names say them: those of "Hi-Hat (open)" are hat and open."""
    words = f" {' '.join(re.findall('[a-z0-9]+', name.lower()))} "
    for other, ours in OTHER_NAMES.items():
        words = words.replace(f" {other} ", f" {ours} ")
    return set(words.split())


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as the list of its members, so that a name that stands twice is seen."""


def _of(classes: Mapping[str, tuple[int, ...]]) -> DrumClasses:
    return DrumClasses(tuple(classes), tuple(classes.values()))


# The maps of MusicVAE's drum models and of GrooVAE's (Roberts et al. 2018, Gillick et al. 2019).
GENERAL_MIDI = _of(
    {
        "kick": (36, 35),
        "snare": (38, 27, 28, 31, 32, 33, 34, 37, 39, 40, 56, 65, 66, 75, 85),
        "closed hat": (42, 44, 54, 68, 69, 70, 71, 73, 78, 80, 22),
        "open hat": (46, 67, 72, 74, 79, 81, 26),
        "low tom": (45, 29, 41, 43, 61, 64, 84),
        "mid tom": (48, 47, 60, 63, 77, 86, 87),
        "high tom": (50, 30, 62, 76, 83),
        "crash": (49, 52, 55, 57, 58),
        "ride": (51, 53, 59, 82),
    }
)
ROLAND = _of(
    {
        "kick": (36,),
        "snare": (38, 37, 40),
        "closed hat": (42, 22, 44),
        "open hat": (46, 26),
        "low tom": (43, 58),
        "mid tom": (47, 45),
        "high tom": (50, 48),
        "crash": (49, 52, 55, 57),
        "ride": (51, 53, 59),
    }
)
# The names of General MIDI level 2, and of the rims of Roland's hats (22, 26).
# fmt: off
PITCHES = _of({
    "closed hat edge": (22,), "open hat edge": (26,), "high q": (27,), "slap": (28,), "scratch push": (29,),
    "scratch pull": (30,), "sticks": (31,), "square click": (32,), "metronome click": (33,), "metronome bell": (34,),
    "acoustic bass drum": (35,), "bass drum": (36,), "side stick": (37,), "acoustic snare": (38,),
    "hand clap": (39,), "electric snare": (40,), "low floor tom": (41,), "closed hi-hat": (42,),
    "high floor tom": (43,), "pedal hi-hat": (44,), "low tom": (45,), "open hi-hat": (46,), "low-mid tom": (47,),
    "high-mid tom": (48,), "crash cymbal 1": (49,), "high tom": (50,), "ride cymbal 1": (51,),
    "chinese cymbal": (52,), "ride bell": (53,), "tambourine": (54,), "splash cymbal": (55,), "cowbell": (56,),
    "crash cymbal 2": (57,), "vibraslap": (58,), "ride cymbal 2": (59,), "high bongo": (60,), "low bongo": (61,),
    "mute high conga": (62,), "open high conga": (63,), "low conga": (64,), "high timbale": (65,),
    "low timbale": (66,), "high agogo": (67,), "low agogo": (68,), "cabasa": (69,), "maracas": (70,),
    "short whistle": (71,), "long whistle": (72,), "short guiro": (73,), "long guiro": (74,), "claves": (75,),
    "high wood block": (76,), "low wood block": (77,), "mute cuica": (78,), "open cuica": (79,),
    "mute triangle": (80,), "open triangle": (81,), "shaker": (82,), "jingle bell": (83,), "bell tree": (84,),
    "castanets": (85,), "mute surdo": (86,), "open surdo": (87,),
})
# fmt: on
_NAMES = {pitch: name for name, (pitch,) in zip(PITCHES.names, PITCHES.pitches, strict=True)}
# MusicVAE's full map: a class for each pitch, in the order of the reduced one, which lacked Roland's rims then.
MUSICVAE = _of({_NAMES[p]: (p,) for pitches in GENERAL_MIDI.pitches for p in pitches if p not in (22, 26)})
MAPS = {"gm": GENERAL_MIDI, "roland": ROLAND, "pitch": PITCHES, "musicvae": MUSICVAE}


def find(name_or_path: str | Path) -> DrumClasses:
    """The map of a name in MAPS, or of a JSON file. Raises ValueError when there is none or it is no class map."""
    name = str(name_or_path)
    if name in MAPS:
        return MAPS[name]
    path = Path(name_or_path)
    if not path.is_file():
        raise ValueError(
            f"no class map '{name}'; there are {few(MAPS)}, and JSON files that list the pitches of each class."
            f"{nearest(name, MAPS)}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); give a JSON file of pitches") from None
    return DrumClasses.from_json(text, path)
