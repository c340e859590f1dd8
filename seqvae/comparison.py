"""Evaluated runs side by side: means and deviations over seeds, as a table in five forms."""

import csv
import io
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqvae.build import read_config
from seqvae.config import Values, counted, merge, read_json
from seqvae.runs.run import Run

EVALUATION = "evaluation.json"  # in a run folder, as `evaluate --json` writes it
# What a table shows, where any run has it; csv and json have all figures.
SHOWN = (
    "elbo_nats", "reconstruction_nats", "kl_nats", "iw_nll_nats", "perplexity", "perplexity_per_word", "bits_per_byte",
    "bits_per_dimension", "mutual_information_nats", "active_units", "step_accuracy_free_running",
    "step_accuracy_greedy", "exact_match", "bleu", "self_bleu", "forward_perplexity", "reverse_perplexity",
)  # fmt: skip
ABOUT = ("data", "split", "importance_samples", "codes", "precision", "sample_temperature", "reverse_samples")
_NO_FIGURES = {"train_seed", "seed", "step"}  # numbers that say what was evaluated


@dataclass(frozen=True)
class Evaluated:
    """An evaluation as its JSON holds it, a name for it, and the run that it is of, where that is there."""

    name: str
    values: Values
    run: Run | None

    @property
    def figures(self) -> dict[str, float]:
        """All of it that is a figure and applies."""
        numbers = {name: value for name, value in self.values.items() if type(value) in (int, float)}
        return {name: value for name, value in numbers.items() if name not in _NO_FIGURES}

    @property
    def key(self) -> str:
        """The same for runs that differ in `train.seed` alone, or in where they started from."""
        if self.run is None:
            return self.name
        settings = merge(read_config(self.run).to_dict(), {"train": {"seed": 0}})  # keys of today, whatever wrote it
        return json.dumps([settings, self.run.settings["sources"], self.run.settings["valid"]], sort_keys=True)


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seeds alone."""

    name: str
    members: Sequence[Evaluated]

    def mean(self, figure: str) -> float | None:
        """The mean over those members that have the figure; None where none has."""
        found = self._found(figure)
        return statistics.fmean(found) if found else None

    def deviation(self, figure: str) -> float | None:
        """The standard deviation over members, divided by N - 1; None for fewer than two."""
        found = self._found(figure)
        return statistics.stdev(found) if len(found) > 1 else None

    def _found(self, figure: str) -> list[float]:
        return [member.figures[figure] for member in self.members if figure in member.figures]


def read(path: Path) -> Evaluated:
    """The evaluation in a run folder, or in a JSON file that `evaluate` wrote.

    Raises ValueError where there is none.
    """
    place = path / EVALUATION if path.is_dir() else path
    if not place.is_file():
        raise ValueError(
            f"there is no {place}; write it by `seqvae evaluate {path if path.is_dir() else 'RUN'} DATA --json {place}`"
        )
    values = read_json(place)
    if not isinstance(values, dict) or "items" not in values or "run" not in values:
        raise ValueError(f"{place} is no evaluation; write it by `seqvae evaluate RUN DATA --json {place}`")
    folder = path if path.is_dir() else Path(values["run"] or "")
    run = Run(folder) if (folder / "config.json").is_file() else None
    return Evaluated(str(path), values, run)


def rows(evaluated: Sequence[Evaluated]) -> list[Row]:
    """One row for runs that differ in `train.seed` alone, in the order in which they were first met."""
    groups: dict[str, list[Evaluated]] = {}
    for one in evaluated:
        groups.setdefault(one.key, []).append(one)
    return [Row(members[0].name + _how_many(members), members) for members in groups.values()]


def _how_many(members: Sequence[Evaluated]) -> str:
    if len(members) == 1:
        return ""
    seeds = {member.values.get("train_seed") for member in members}
    return f" ({len(members)} {'seeds' if len(seeds) == len(members) else 'evaluations'})"


def differences(evaluated: Sequence[Evaluated]) -> list[str]:
    """A sentence for each thing that has to be the same for figures to be comparable, and is not."""
    found = []
    for name in ABOUT:
        having = [one for one in evaluated if name in one.values and not _is_exact(one, name)]
        met = list(dict.fromkeys(json.dumps(one.values[name]) for one in having))
        if len(met) > 1:
            found.append(f"not all have the same {name}: {', '.join(met)}")
    return found


def _is_exact(one: Evaluated, name: str) -> bool:
    """Whether a model without a code is asked for its draws of codes."""
    return name == "importance_samples" and not one.values.get("kl_per_unit_nats", True)


def columns_of(table: Sequence[Row]) -> list[str]:
    """The figures of `SHOWN` that any row has."""
    return [name for name in SHOWN if any(row.mean(name) is not None for row in table)]


def _number(value: float, deviation: float | None) -> str:
    """Four digits that count; with its deviation, where there is one, to the same place."""
    whole = value == int(value) and (deviation is None or deviation == 0)
    places = 0 if whole else max(0, 4 - len(str(int(abs(value)))))
    return f"{value:.{places}f}" + ("" if deviation is None else f" ± {deviation:.{places}f}")


def _cells(table: Sequence[Row], columns: Sequence[str]) -> list[list[str]]:
    """A line of names, and one for each row."""
    lines = [["run", *columns]]
    for row in table:
        means = [(row.mean(name), row.deviation(name)) for name in columns]
        lines.append([row.name, *("" if mean is None else _number(mean, deviation) for mean, deviation in means)])
    return lines


def as_text(table: Sequence[Row], columns: Sequence[str]) -> str:
    """A figure a line and a column a run, since there are more figures than runs."""
    turned = [list(line) for line in zip(*_cells(table, columns), strict=True)]
    widths = [max(map(len, column)) for column in zip(*turned, strict=True)]
    padded = (
        [
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in turned
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in padded)


def as_markdown(table: Sequence[Row], columns: Sequence[str]) -> str:
    """A row for each row."""
    head, *lines = _cells(table, columns)
    ruled = [head, ["---", *["---:"] * len(columns)], *lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in ruled)


def as_latex(table: Sequence[Row], columns: Sequence[str]) -> str:
    """A tabular for the package booktabs."""
    head, *lines = ([_latex(cell) for cell in line] for line in _cells(table, columns))
    body = "".join(" & ".join(line) + r" \\" + "\n" for line in lines)
    opening = f"\\begin{{tabular}}{{l{'r' * len(columns)}}}\n\\toprule\n"
    return f"{opening}{' & '.join(head)} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"


def _latex(cell: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
    return "".join(special.get(letter, letter) for letter in cell).replace("±", r"$\pm$")


def _all_figures(table: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in table for member in row.members for name in member.figures))


def as_csv(table: Sequence[Row], columns: Sequence[str]) -> str:
    """All figures and their deviations, in full."""
    names = _all_figures(table)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["run", "runs", *(name + end for name in names for end in ("", "_deviation"))])
    for row in table:
        values = (value for name in names for value in (row.mean(name), row.deviation(name)))
        writer.writerow([row.name, len(row.members), *("" if value is None else value for value in values)])
    return lines.getvalue()


def as_json(table: Sequence[Row], columns: Sequence[str]) -> str:
    """All figures and their deviations, in full, with the runs and seeds of each row."""
    content: list[dict[str, Any]] = [
        {
            "name": row.name,
            "runs": [member.values["run"] for member in row.members],
            "seeds": [member.values.get("train_seed") for member in row.members],
            **_about(row),
            "figures": {
                name: {"mean": row.mean(name), "deviation": row.deviation(name)} for name in _all_figures([row])
            },
        }
        for row in table
    ]
    return json.dumps(content, indent=1) + "\n"


def _about(row: Row) -> Values:
    """What was evaluated on what, as the first run of a row has it."""
    return {name: row.members[0].values.get(name) for name in ("modality", *ABOUT)}


FORMS: Mapping[str, Callable[[Sequence[Row], Sequence[str]], str]] = {
    "text": as_text, "markdown": as_markdown, "latex": as_latex, "csv": as_csv, "json": as_json,
}  # fmt: skip
ENDINGS = {"text": ".txt", "markdown": ".md", "latex": ".tex", "csv": ".csv", "json": ".json"}


def check_columns(names: Sequence[str], table: Sequence[Row]) -> None:
    """Raises ValueError for a figure that no run has."""
    known = _all_figures(table)
    for name in names:
        if name not in known:
            raise ValueError(f"no figure '{name}' in {counted(len(table), 'rows')}; there are {', '.join(known)}")
