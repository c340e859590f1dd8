"""What can be measured of an item: a number, or whether it has something. Attribute vectors are fitted to these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from seqvae.config import few, nearest
from seqvae.modalities.items import Item, Words


@dataclass(frozen=True)
class Measure:
    """Something that is measured of an item: a number, or None of an item that has none, such as the swing of silence.

    `about` says what in words, with its unit. Of one that `is_yes_or_no` the numbers are 1 and 0.
    """

    about: str
    of: Callable[[Item], float | None]
    is_yes_or_no: bool = False


@dataclass(frozen=True)
class Family:
    """Measures of one kind that take a value: `word=WORD`. `made` raises ValueError for a value that is not possible.

    `takes` is what the value is called, and `example` is one.
    """

    about: str
    takes: str
    example: str
    made: Callable[[str], Measure]


Measures: TypeAlias = Mapping[str, Measure | Family]


class Measuring:
    """The part of a modality (`Modality`) that says what can be measured of its items; here nothing but labels."""

    name: ClassVar[str]
    words: ClassVar[Words]

    @property
    def measures(self) -> Measures:
        """What can be measured of an item, by name."""
        return {}

    def measure(self, name: str) -> Measure:
        """The measure of a name, such as `density`, or `word=WORD` of a family.

        Raises ValueError for an unknown one, with the nearest, and for a value that a family does not take.
        """
        family, mark, value = name.partition("=")
        found = self.measures.get(family)
        if isinstance(found, Measure) and not mark:
            return found
        if isinstance(found, Family):
            if not value:
                raise ValueError(
                    f"'{name}' lacks its value; give {family}={found.takes}, such as {family}={found.example}"
                )
            return found.made(value)
        known = listed_measures(self.measures)
        if isinstance(found, Measure):
            raise ValueError(f"'{name}' has a value, and {family} takes none; give {family}")
        if not known:
            raise ValueError(f"nothing is measured of {self.words.items} of {self.name}; give labels or two sets")
        close = nearest(family, self.measures)
        raise ValueError(
            f"nothing called '{name}' is measured of {self.words.items} of {self.name}; there are {few(known)}.{close}"
        )


def listed_measures(measures: Measures) -> list[str]:
    """The names as a user writes them: `density`, `word=WORD`."""
    return [f"{name}={one.takes}" if isinstance(one, Family) else name for name, one in measures.items()]
