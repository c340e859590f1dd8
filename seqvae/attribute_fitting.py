"""Attribute vectors fitted to the codes of data: by what is measured of items, by labels, or by two sets of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from seqvae import attributes, generate
from seqvae.adding import Reader, flips, judge_of
from seqvae.attributes import Along, Attribute, Direction, keep_attributes
from seqvae.codes import Codes, Windows, all_windows
from seqvae.config import counted, few, nearest
from seqvae.corpus import Corpus
from seqvae.fitting import corpora_for
from seqvae.local_direction import LocalDirection, Neighbours
from seqvae.memory import Data
from seqvae.modalities.items import Report
from seqvae.modalities.measuring import Measure
from seqvae.model import Model, load
from seqvae.priors import Watch, no_watch
from seqvae.runs.place import held

MOST_ITEMS = 2**13  # whose codes are looked at, at equal distances
MOST_TRIED = 200  # held-out items whose flips are counted
LABEL = "label="
ROWS = 1024  # encoded at once


@dataclass(frozen=True)
class _Examples:
    """Items as the model reads them, one window each, and the value (N,) of each: 1 and 0, or numbers; NaN for none."""

    groups: Sequence[Windows]
    values: np.ndarray
    is_number: bool
    source: str
    measure: Measure | None = None


def fit_attribute(
    run: Path | str | Model,
    name: str,
    sources: Data = (),
    of: str | Sequence[Any] | None = None,
    *,
    against: Data = (),
    along: Along | Neighbours = "means",
    seed: int = 0,
    watch: Watch = no_watch,
) -> Attribute:
    """Fit the direction of codes along which something of the items changes, and keep it in the run by its name.

    `of` says what: a measure of the modality, such as `density` or `word=not`, or `label=3`, `label=8/3` (8 against 3
    alone); without it the name does. `sources` are then the run's training data, or others. With `against` those in
    `sources` have it, and those in `against` have not. Where `of` is a list it has a label or a number for each item
    of `sources`, which are items as `Model.encode` takes them, or codes (N, Z); of labels the one that is the name is
    set against all others. `along`: see `seqvae.attributes.fit`; `neighbours`, or `Neighbours(keep=["past"])`, is of
    classes and depends on the code: see `seqvae.local_direction`. `run` may be a model, whose checkpoint and device
    are used.

    >>> seqvae.fit_attribute("runs/mine", "density")  # doctest: +SKIP
    >>> model = seqvae.load("runs/mine")  # doctest: +SKIP
    >>> seqvae.add_attributes(model, "song.mid", {"density": 1.5})  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown measure or label, for what is the same of all items, where
    scikit-learn is not installed, where there are no data, and while another process trains or fits there.
    """
    attributes.check_installed()
    if not isinstance(along, Neighbours):
        if along not in get_args(Along):
            raise ValueError(f"along={along} is not possible; give {', '.join(get_args(Along))}, or Neighbours(...)")
        along = Neighbours() if along == "neighbours" else along
    if not name.strip():
        raise ValueError("an attribute needs a name; give one, such as density")
    model = run if isinstance(run, Model) else load(run)
    if model.run is None:
        raise ValueError("this model has no run folder to keep an attribute in; save it, then load it")
    model.run.check_own()
    if not model.vae.latent:
        raise ValueError(
            f"{model.run.path} is a language model (model.latent=0): it has no code to add an attribute to"
        )
    kept = _kept(model, name, along)
    with held(model.run.path):
        examples = _examples(model, name, sources, of, against)
        found = _fitted(model, name, examples, along, kept, seed, watch)
        keep_attributes(model.run, {**_others(model, name), name: found})
    return found


def remove_attribute(run: Path | str | Model, name: str) -> None:
    """Take an attribute out of a run. Raises ValueError where there is none of that name."""
    model = run if isinstance(run, Model) else load(run)
    if model.run is None:
        raise ValueError("this model has no run folder that keeps attributes; load one")
    model.run.check_own()
    with held(model.run.path):
        attributes.named(model.attributes, name)
        keep_attributes(model.run, _others(model, name))


def _others(model: Model, name: str) -> dict[str, Attribute]:
    return {known: one for known, one in model.attributes.items() if known != name}


def _kept(model: Model, name: str, along: Along | Neighbours) -> list[Attribute]:
    """The attributes of the run that stay as they are. Raises ValueError for one that is not there, and for itself."""
    names = along.keep if isinstance(along, Neighbours) else ()
    if name in names:
        raise ValueError(f"{name} changes, so it cannot be kept; keep others")
    return [attributes.named(model.attributes, one) for one in dict.fromkeys(names)]


def _fitted(
    model: Model, name: str, examples: _Examples, along: Along | Neighbours, kept: Sequence[Attribute], seed: int,
    watch: Watch,
) -> Attribute:  # fmt: skip
    """The direction of the examples that have a value, and the strength that flips it."""
    if isinstance(along, Neighbours) and examples.is_number:
        raise ValueError(
            f"{name} ({examples.source}) is a number, and neighbours are of two classes: what has it, and what has "
            "not; give another attribute, or along=means"
        )
    way: Along = "neighbours" if isinstance(along, Neighbours) else along
    rows = np.flatnonzero(~np.isnan(examples.values))
    groups, values = [examples.groups[row] for row in rows.tolist()], examples.values[rows]
    codes = _codes(model, groups, watch)
    try:
        found = attributes.fit(codes.mean, values, examples.is_number, way, seed)
    except ValueError as error:
        raise ValueError(f"{name} ({examples.source}): {error}") from None
    sides = values > (found.threshold if examples.is_number else 0)
    tried = _some_of_both(found.held_out_rows, sides)
    near = along if isinstance(along, Neighbours) else Neighbours()
    local = _local(codes, sides, found, near.count, kept)
    judge = judge_of(model, examples.measure or _reader(codes, sides, found, local), found.threshold)
    vector = torch.from_numpy(found.vector)
    best = flips(judge, [groups[row] for row in tried], local.at if near is along else vector, watch)
    return Attribute(
        name=name, source=examples.source, measure=examples.source if examples.measure else "",
        is_number=examples.is_number, along=way, items=len(values), held_out=found.held_out,
        deviation=found.deviation, bias=found.bias, threshold=found.threshold, strength=best.strength,
        flipped=best.share, vector=vector, normal=torch.from_numpy(found.normal),
        kept=tuple(one.name for one in kept), local=local if near is along else None,
        having=None if examples.is_number else int(sides.sum()),
    )  # fmt: skip


def _local(codes: Codes, has: np.ndarray, found: Direction, count: int, kept: Sequence[Attribute]) -> LocalDirection:
    """Between the nearest of all examples but those that are held out."""
    rows = np.setdiff1d(np.arange(len(has)), found.held_out_rows)
    normals = (
        torch.stack([one.normal for one in kept]) if kept else codes.mean.new_zeros(0, codes.mean.shape[1]).double()
    )
    offsets = torch.tensor([one.bias - one.threshold for one in kept], dtype=torch.float64)
    return LocalDirection(codes.mean[rows].float(), torch.from_numpy(has[rows]), normals, offsets, count)


def _reader(codes: Codes, sides: np.ndarray, found: Direction, local: LocalDirection) -> Reader:
    """What reads an attribute off codes: its linear score, or a vote of nearest examples that errs half as often."""
    normal = torch.from_numpy(found.normal)

    def score(z: Tensor) -> Tensor:
        return z.double() @ normal + found.bias - found.threshold

    held = found.held_out_rows
    linear, vote = (
        1 - attributes.balanced(sides[held], (reader(codes.mean[held]) > 0).numpy()) for reader in (score, local.has_at)
    )
    return local.has_at if 2 * vote <= linear and linear else score


def _some_of_both(rows: np.ndarray, sides: np.ndarray) -> list[int]:
    """The first of these rows of each side, as many of both as there may be."""
    each = MOST_TRIED // 2
    return [int(row) for side in (True, False) for row in rows[sides[rows] == side][:each]]


def _codes(model: Model, groups: Sequence[Windows], watch: Watch) -> Codes:
    """The codes of all windows, some at once."""
    means, scales = [], []
    for first in range(0, len(groups), ROWS):
        watch(first, len(groups), "codes")
        q = model.encode(groups[first : first + ROWS])
        means.append(q.mean.cpu())
        scales.append(q.log_scale.cpu())
    spans = tuple(slice(row, row + 1) for row in range(len(groups)))
    names = tuple(group.names[0] for group in groups)
    return Codes(torch.cat(means or [torch.zeros(0, model.vae.latent)]), torch.cat(scales or means), names, spans)


# What decides --------------------------------------------------------------------------------------------------


def _examples(model: Model, name: str, sources: Data, of: str | Sequence[Any] | None, against: Data) -> _Examples:
    if of is not None and not isinstance(of, str):
        return _of_values(model, name, sources, list(of))
    if not _is_none(against):
        if _is_none(sources) or of is not None:
            raise ValueError("against goes with the sources of the items that have it, and without of; give both sets")
        return _of_sets(model, sources, against)
    what = of or name
    if what.startswith(LABEL):
        return _of_label(model, _corpora(model, sources), what.removeprefix(LABEL))
    measure = model.modality.measure(what)
    groups = [group for corpus in _corpora(model, sources) for group in _windows(model, corpus)]
    values = [measure.of(group.items[0]) for group in groups]
    numbers = np.array([np.nan if value is None else value for value in values], float)
    return _Examples(groups, numbers, not measure.is_yes_or_no, what, measure)


def _corpora(model: Model, sources: Data) -> Sequence[Corpus]:
    assert model.run is not None
    return corpora_for(model.run, model.modality, sources)


def _is_none(data: Data) -> bool:
    return isinstance(data, Sequence) and not isinstance(data, str) and not len(data)


def _windows(model: Model, corpus: Corpus, rows: np.ndarray | None = None) -> list[Windows]:
    """The items of a corpus, or of some rows of it, of many at equal distances."""
    rows = np.arange(len(corpus)) if rows is None else rows
    if len(rows) > MOST_ITEMS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ITEMS).astype(int)]
    return [Windows([model.modality.decode(corpus[row])], [corpus[row]], Report(), [""]) for row in rows.tolist()]


def _of_sets(model: Model, sources: Data, against: Data) -> _Examples:
    sets = [
        [group for corpus in _corpora(model, data) for group in _windows(model, corpus)] for data in (sources, against)
    ]
    values = np.repeat([1.0, 0.0], [len(one) for one in sets])
    return _Examples([*sets[0], *sets[1]], values, False, "two sets")


def _of_label(model: Model, corpora: Sequence[Corpus], asked: str) -> _Examples:
    """The items of a label against all others, or against those of another one alone."""
    known = sorted({label for corpus in corpora for label in corpus.label_names})
    if not known:
        items = model.modality.words.items
        raise ValueError(f"no label is known of these {items}; give data that have labels, a measure, or two sets")
    label, _, other = (asked, "", "") if asked in known else asked.partition("/")
    for one in filter(None, (label, other)):
        if one not in known:
            raise ValueError(f"no item has the label '{one}'; there are {few(known)}.{nearest(one, known)}")
    groups, values = [], []
    for corpus in corpora:
        assert corpus.labels is not None or not corpus.label_names
        names = np.array([*corpus.label_names, ""])[corpus.labels] if corpus.labels is not None else np.array([])
        rows = np.flatnonzero(np.isin(names, (label, other)) if other else names != "")
        if len(rows) > MOST_ITEMS:
            rows = rows[np.linspace(0, len(rows) - 1, MOST_ITEMS).astype(int)]
        groups += _windows(model, corpus, rows)
        values += (names[rows] == label).tolist()
    return _Examples(groups, np.array(values, float), False, f"label {label}{f' against {other}' * bool(other)}")


def _of_values(model: Model, name: str, sources: Data, of: list[Any]) -> _Examples:
    """A label or a number for each item, or each code."""
    given = Codes(*_as_codes(sources)) if _is_table(sources) else sources
    items = list(given) if isinstance(given, Codes) else model.modality.several(given)
    if len(items) != len(of):
        raise ValueError(
            f"there are {counted(len(of), 'values')} for {counted(len(items), 'items')}; give one for each"
        )
    if any(isinstance(value, str) for value in of):
        if name not in of:
            known = sorted({str(value) for value in of})
            raise ValueError(
                f"no item has the label '{name}', which is the name; there are {few(known)}.{nearest(name, known)}"
            )
        values, is_number = np.array([value == name for value in of], float), False
    else:
        values = np.array([np.nan if value is None else value for value in of], float)
        if np.isinf(values).any():
            raise ValueError("a value is infinite; give finite numbers, or None for an item without one")
        is_number = not set(np.unique(values[~np.isnan(values)]).tolist()) <= {0.0, 1.0}
    groups = all_windows(model.modality, items, model.vae.latent)
    alone, repeats = [], [len(group) for group in groups]
    for group in groups:
        alone += [group] if len(group) == 1 else _each(group)
    return _Examples(alone, np.repeat(values, repeats), is_number, "values given")


def _each(group: Windows) -> list[Windows]:
    """Each window of an item alone."""
    item = group.of_item
    return [
        replace(item, items=[one], arrays=[x], names=[name])
        for one, x, name in zip(item.items, item.arrays, item.names, strict=True)
    ]


def _is_table(data: Data) -> bool:
    return not isinstance(data, Codes) and getattr(data, "ndim", 0) == 2


def _as_codes(table: Any) -> tuple[Any, ...]:
    mean = generate.codes_of(table).double()
    rows = tuple(slice(row, row + 1) for row in range(len(mean)))
    return mean, torch.full_like(mean, -torch.inf), ("",) * len(mean), rows
