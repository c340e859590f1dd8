"""Recipes: TOML files of configuration values, in the package or the user's own; a run's config.json is one, too."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from seqvae.config import Values, merge, nearest, read_json, read_toml
from seqvae.settings import OF_OLDER_RUNS, SECTIONS, STAGES, idle_lengths

EXPECTED = "expected"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What `seqvae evaluate RUN ARGUMENTS --json FILE` gives for a run of a recipe.

    `figures` are the value of each figure, in its own unit, and how far from it another seed or machine may end.
    """

    arguments: str
    figures: Mapping[str, tuple[float, float]]

    def least(self, figure: str) -> float:
        """The lowest value of a figure that is still what was expected."""
        value, tolerance = self.figures[figure]
        return value - tolerance

    def most(self, figure: str) -> float:
        """The highest value of a figure that is still what was expected."""
        value, tolerance = self.figures[figure]
        return value + tolerance


def known_recipes() -> dict[str, Path]:
    """The recipes of the package by name."""
    folder = Path(str(resources.files("seqvae") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe: one of the package by its name, or a path.

    Raises ValueError for an unknown name, with the nearest known one.
    """
    known, name = known_recipes(), str(name)
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_dir():
        raise ValueError(f"recipe {name} is a folder; give a TOML file, or one of {', '.join(known)}")
    if path.is_file():
        return path
    if path.exists():  # a device or a pipe may go on for ever
        raise ValueError(f"recipe {name} is not a regular file; give a TOML file, or one of {', '.join(known)}")
    raise ValueError(
        f"no recipe '{name}'; there are {', '.join(known)}, or the path of a TOML file.{_suggested(name, known)}"
    )


def _suggested(name: str, known: Mapping[str, Path]) -> str:
    """The sentence that names the recipes that a word may mean, the quickest first, after a space.

    They are those with the word in their name, else the nearest one.
    """
    found = {
        recipe: training_minutes(path.read_text(encoding="utf-8"))
        for recipe, path in known.items()
        if name.lower() in recipe
    }
    if not found:
        return nearest(name, known)
    ordered = sorted(found.items(), key=lambda one: math.inf if one[1] is None else one[1])
    shown = (
        f"'{recipe}'" + ("" if minutes is None else f" ({round(minutes, 1):g} min)") for recipe, minutes in ordered
    )
    return f" Did you mean {' or '.join(shown)}?"


def training_minutes(content: str) -> float | None:
    """The minutes of training that the head of a recipe states in its line `time`; None where it has none."""
    stated = re.search(r"^# time: +([\d.]+) (second|minute|hour)s?\b", content, re.MULTILINE)
    return float(stated[1]) * {"second": 1 / 60, "minute": 1.0, "hour": 60.0}[stated[2]] if stated else None


def read_recipe(name: str | Path, modality: str) -> Values:
    """The nested configuration values of a recipe for a modality.

    Raises ValueError when it is unknown, neither TOML nor JSON, or for another modality.
    """
    path = find_recipe(name)
    values = _read(path)
    values.pop(EXPECTED, None)
    meant = values.pop("modality", None)
    if meant is None:
        raise ValueError(f'recipe {name} does not name its modality; write modality = "{modality}" at its top')
    if meant != modality:
        raise ValueError(f"recipe {name} is for {meant}, not {modality}; use seqvae train {meant}, or another recipe")
    return values


def expected_figures(name: str) -> Expected | None:
    """The figures that a recipe's table `expected` states; None where it has none.

    Raises ValueError when the recipe is unknown, or its table is not made of figures with value and tolerance.
    """
    table = _read(find_recipe(name)).get(EXPECTED)
    if table is None:
        return None
    try:
        arguments = str(table.pop("evaluate"))
        figures = {figure: (float(known["value"]), float(known["tolerance"])) for figure, known in table.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f'the table expected of recipe {name} is not possible; write evaluate = "ARGUMENTS", and for each figure '
            "NAME = { value = 1.0, tolerance = 0.1 }"
        ) from None
    return Expected(arguments=arguments, figures=figures)


def _read(path: Path) -> dict[str, Any]:
    """The values of a recipe; of a run's config.json those that make up its configuration and change something."""
    if path.suffix.lower() != ".json":
        return read_toml(path)
    found = read_json(path)
    values = {name: value for name, value in found.items() if name in ("modality", *SECTIONS, STAGES)}
    if "format" in found:  # what its version of seqvae did where it had no key for it yet
        values = merge(OF_OLDER_RUNS, values)
    for name in idle_lengths(values):
        del values["train"][name]
    return values
