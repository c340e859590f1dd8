"""An index of a corpus: its codes, kept where they are found again; neighbours, outliers and clusters among them."""

import importlib
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from seqvae.codes import Codes
from seqvae.config import counted
from seqvae.generate import whole
from seqvae.index_file import IndexFile
from seqvae.indexing import Watch, place_of, weights_hash, write_index
from seqvae.memory import Data, known
from seqvae.modalities.items import Item, Items, Report
from seqvae.modalities.measuring import Measure, listed_measures
from seqvae.model import Model, load
from seqvae.neighbours import Metric, isolation, nearest
from seqvae.priors import EXTRA
from seqvae.projections import Projection
from seqvae.runs.run import BEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FITTED = 2**16  # codes that clusters are fitted to
SHOWN_OF_CLUSTER, LOOKED_AT = 3, 64  # items at the middle of a cluster, and those among which they are found
MOST_SHOWN = 10_000  # points of a picture

Colour = Literal["label", "cluster", "elbo", "length"]  # of a map; or what is measured of items, by its name
Outlying = Literal["elbo", "distance"]


@dataclass(frozen=True)
class Found:
    """An item of an index: its place and name there, its label, and what it was found by.

    `value` is a distance, or nats a step where it is an outlier by its lower bound; `of` is the item that it is near.
    """

    place: int
    name: str
    label: str | None
    value: float
    of: str = ""


@dataclass(frozen=True)
class Cluster:
    """Codes that lie together: the places of its items, those nearest to its middle, and the shares of their labels."""

    places: np.ndarray
    share: float
    central: Sequence[Found]
    labels: dict[str, float]


class Index:
    """The codes of a corpus, one a window, with names, labels and lower bounds. `seqvae.index` makes and opens it.

    >>> index = seqvae.index("runs/mine", "my_midi_folder")  # doctest: +SKIP
    >>> index = seqvae.index("runs/mine")  # doctest: +SKIP
    >>> [(found.name, found.value) for found in index.near("a.mid#3", n=2)]  # doctest: +SKIP
    [('my_midi_folder/b.mid#7', 0.81), ('my_midi_folder/c.mid#0', 1.02)]
    """

    def __init__(self, model: Model, file: IndexFile) -> None:
        """Raises ValueError where the index is of another model, or of other weights of it."""
        if file.facts["weights"] != weights_hash(model.vae) or file.codes.shape[1] != model.vae.latent:
            raise ValueError(
                f"{file.path} is of other weights than this model's (of {file.facts['modality']}, step "
                f"{file.facts['step']:,}); make it anew with `seqvae index`, or take the checkpoint of that step"
            )
        self.model = model
        self.file = file

    def __repr__(self) -> str:
        return f"<Index {self.file.path}: {counted(len(self), self.model.modality.words.items)}>"

    def __len__(self) -> int:
        return len(self.file)

    @property
    def codes(self) -> np.ndarray:
        """(N, Z) the posterior means."""
        return self.file.codes

    @property
    def nats_per_step(self) -> np.ndarray:
        """(N,) -ELBO of each item in nats per step; of a plain autoencoder the reconstruction alone."""
        return -self.file.elbo_nats.astype(np.float64) / self.file.steps

    def near(self, items: Item | Codes | np.ndarray | Tensor, n: int = 10, metric: Metric = "euclid") -> list[Found]:
        """The `n` items whose posterior means lie nearest to that of an item, nearest first.

        `items`: what `Model.encode` takes, or codes; of several windows or items there are `n` for each, and `of` says
        whose they are. Distances are those of the means as they are: a unit that says nothing has the same mean for
        all items and adds nothing, where units scaled alike would let it count as much as any other. `cosine`: 1 - cos
        of the angle as seen from the mean of the corpus.

        Raises ValueError for more than there are, and for codes of another size or that are not finite.
        """
        names, queries = self._queries(items)
        places, distances = nearest(self.codes, queries, self._count(n), metric)
        rows = zip(names, places.tolist(), distances.tolist(), strict=True)
        return [replace(self._found(*one), of=name) for name, *both in rows for one in zip(*both, strict=True)]

    def outliers(self, n: int = 10, by: Outlying = "elbo", seed: int = 0, watch: Watch | None = None) -> list[Found]:
        """The `n` items that are least like the others, the strangest first.

        `elbo`: that the model finds least probable, by nats per step. `distance`: whose code is farthest from its fifth
        nearest other one; of more than 16,384 codes from its fifth nearest of so many, which the seed draws.

        Raises ValueError for more than there are, and another way.
        """
        if by not in get_args(Outlying):
            raise ValueError(f"no outliers by {by!r}; there are {', '.join(get_args(Outlying))}")
        n = self._count(n)
        if by == "elbo":
            values = self.nats_per_step
        else:
            values = isolation(
                self.codes, seed=seed, watch=watch and (lambda done, all_: watch(done, all_, "distances"))
            )
        return [self._found(int(place), float(values[place])) for place in np.argsort(-values, kind="stable")[:n]]

    def clusters(self, k: int = 8, seed: int = 0) -> list[Cluster]:
        """`k` clusters of the codes by k-means, the largest first, each with the items nearest to its middle.

        Of more than 65,536 codes the middles are those of so many, which the seed draws.

        Raises ValueError where scikit-learn is not installed, and for more clusters than there are different codes.
        """
        k = whole("k", k)
        sklearn = _needed("sklearn.cluster", "clusters are found with scikit-learn")
        if not 1 <= k <= len(self):
            raise ValueError(
                f"k={k} is not possible: {self.file.path} has {len(self):,} codes; give 1 to {len(self):,}"
            )
        drawn = np.sort(np.random.default_rng(seed).permutation(len(self))[:MOST_FITTED])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fewer different codes, which is said below
            fitted = sklearn.KMeans(k, n_init=4, random_state=seed).fit(self.codes[drawn].astype(np.float64))
        parts = [fitted.predict(self.codes[first : first + MOST_FITTED].astype(np.float64))
                 for first in range(0, len(self), MOST_FITTED)]  # fmt: skip
        groups = [np.flatnonzero(np.concatenate(parts) == number) for number in range(k)]
        if not all(map(len, groups)):
            raise ValueError(
                f"k={k} is more than there are different codes; give at most {sum(map(bool, map(len, groups)))}"
            )
        found = [self._cluster(rows, middle) for rows, middle in zip(groups, fitted.cluster_centers_, strict=True)]
        return sorted(found, key=lambda cluster: -len(cluster.places))

    def picture(
        self, colour: Colour | str | None = None, projection: Projection = "pca", clusters: int = 8, seed: int = 0
    ) -> "Figure":
        """The codes as points of a plane, at most 10,000 that the seed draws; see `pictures.plane`.

        `colour`: by label (where there are labels, without being asked), by cluster, by -ELBO in nats per step, by
        length in steps, or by what is measured of items (`modality.measures`), such as density, word=not or slant; for
        that they are read again from where they were.

        Raises ValueError for a colour that all would share, for items that are gone, and as `clusters` and
        `pictures.plane`.
        """
        from seqvae.pictures import plane_of
        from seqvae.sheets import counted_codes

        drawn = np.sort(np.random.default_rng(seed).permutation(len(self))[:MOST_SHOWN])
        known, steps = self.file.facts["label_names"], self.model.modality.words.steps
        colour = colour or ("label" if known else "elbo")
        self._check_colour(colour)
        labels, names, shade = None, list[str](), None
        if colour == "label":
            names = sorted(known)  # as in the plane of the same labels, and not in the order in which they were met
            places = np.array([*map(names.index, known), -1])  # the last one is for none
            labels = places[self.file.labels[drawn]]
        elif colour == "cluster":
            labels = np.empty(len(self), np.int64)
            for number, cluster in enumerate(self.clusters(clusters, seed)):
                labels[cluster.places] = number
            labels, names = labels[drawn], [f"cluster {number + 1}" for number in range(clusters)]
        elif colour == "elbo":
            shade = (self.nats_per_step[drawn], "-ELBO, nats per step")
        elif colour == "length":
            shade = (self.file.steps[drawn].astype(np.float64), f"length in {steps}")
        else:
            measure = self.model.modality.measure(colour)
            values = self._measured(drawn, measure)
            if measure.is_yes_or_no:
                labels, names = np.where(np.isnan(values), -1, values).astype(np.int64), [f"not {colour}", colour]
            else:
                shade = (values, f"{colour}: {measure.about}")
        codes = torch.from_numpy(self.codes[drawn]).double()
        count = counted_codes(self.model, codes, 0)
        count += f", drawn from {len(self):,}" if len(drawn) < len(self) else ""
        return plane_of(self.model, codes, count, labels, names, projection=projection, shade=shade, seed=seed)

    def _check_colour(self, colour: str) -> None:
        """Raises ValueError for a colour that is not known, or that all items would share."""
        if colour not in get_args(Colour) and colour.partition("=")[0] not in self.model.modality.measures:
            known = dict.fromkeys([*get_args(Colour), *listed_measures(self.model.modality.measures)])
            raise ValueError(f"no colour {colour!r}; there are {', '.join(known)}")
        if colour == "label" and not self.file.facts["label_names"]:
            raise ValueError(
                f"{self.file.path} has no labels; take another colour, or index it again by labels of names"
            )
        if colour == "length" and len(np.unique(self.file.steps)) == 1:
            length = f"{self.file.steps[0]:,} {self.model.modality.words.steps}"
            raise ValueError(f"all items of {self.file.path} have {length}; take another colour")

    def _measured(self, places: np.ndarray, measure: Measure) -> np.ndarray:
        """A number of each of the items at these places, NaN where it has none; the sources are read once more.

        Raises ValueError where none of them has a number, and for what is gone.
        """
        modality, folder = self.model.modality, self.file.facts["folder"]
        names = [self.file.name(place) for place in places.tolist()]
        wanted, found = set(names), dict[str, float | None]()
        for source in self.file.facts["sources"]:
            base = "" if Path(source).exists() else folder  # names are as they were typed, maybe in another folder
            if not Path(base, source).exists():
                continue
            for named in modality.named([Path(base, source)], Report()):
                name = named.name.removeprefix(f"{base}{os.sep}") if base else named.name
                if name in wanted and name not in found:
                    found[name] = measure.of(named.item)
        for name in wanted.difference(found):
            (item,) = self._read(name)
            found[name] = measure.of(item)
        values = np.array([math.nan if found[name] is None else found[name] for name in names], np.float64)
        if np.isnan(values).all():
            raise ValueError(f"{measure.about}: no item of {self.file.path} has it; take another colour")
        return values

    def items(self, found: Sequence[Found]) -> list[list[Item]]:
        """The windows of items that were found, read again from where they were. Raises ValueError for what is gone."""
        return [self._read(one.name) for one in found]

    def _read(self, name: str) -> list[Item]:
        modality, folder = self.model.modality, self.file.facts["folder"]
        try:
            return modality.accept(name)
        except (ValueError, OSError) as error:
            try:  # names are as they were typed, maybe in another folder
                return modality.accept(os.path.join(folder, name))
            except (ValueError, OSError):
                raise ValueError(f"{error}; the index was made in {folder}") from None

    def _queries(self, items: Item | Codes | np.ndarray | Tensor) -> tuple[Sequence[str], np.ndarray]:
        """The names and codes (Q, Z) of what neighbours are asked of."""
        units = self.model.vae.latent
        if isinstance(items, Tensor):
            items = items.numpy(force=True)
        if (
            isinstance(items, np.ndarray)
            and items.dtype.kind == "f"
            and items.ndim in (1, 2)
            and items.shape[-1] == units
        ):
            queries = np.atleast_2d(items).astype(np.float64)
            names: Sequence[str] = [""] * len(queries)
        else:
            codes = items if isinstance(items, Codes) else self.model.encode(self.model.modality.several(items))
            names, queries = codes.names, codes.mean.numpy(force=True).astype(np.float64)
        if queries.shape[1] != units or not np.isfinite(queries).all():
            raise ValueError(f"codes of shape {queries.shape} do not fit; give finite numbers, (N, {units})")
        return names, queries

    def _count(self, n: int) -> int:
        """A number of items. Raises ValueError for one that is not possible."""
        n = whole("n", n)
        if not 1 <= n <= len(self):
            size = counted(len(self), self.model.modality.words.items)
            raise ValueError(f"n={n} is not possible: {self.file.path} has {size}; give 1 to {len(self):,}")
        return n

    def _found(self, place: int, value: float) -> Found:
        return Found(place, self.file.name(place), self.file.label(place), value)

    def _cluster(self, rows: np.ndarray, middle: np.ndarray) -> Cluster:
        places, distances = nearest(self.codes[rows], middle[None], min(LOOKED_AT, len(rows)))
        near_middle = list(zip(rows[places[0]].tolist(), distances[0].tolist(), strict=True))
        # windows of one file are much alike: each file is shown once, as long as there are others
        files = [self.file.name(place).rpartition("#")[0] or self.file.name(place) for place, _ in near_middle]
        order = sorted(range(len(files)), key=lambda row: (files[row] in files[:row], row))[:SHOWN_OF_CLUSTER]
        central = [self._found(*near_middle[row]) for row in order]
        labels, counts = np.unique(self.file.labels[rows], return_counts=True)
        names = self.file.facts["label_names"]
        by_size = np.argsort(-counts, kind="stable")
        shares = {names[labels[place]]: float(counts[place] / len(rows)) for place in by_size if labels[place] >= 0}
        return Cluster(rows, len(rows) / len(self), central, shares)


def index(
    run: Path | str | Model, sources: Data = (), path: Path | str | None = None, *, label_by: str | None = None,
    device: str = "auto", checkpoint: int | str = BEST, watch: Watch | None = None,
) -> Index:  # fmt: skip
    """Encode a corpus into an index of a run, and keep it there; without sources the one that is kept.

    `run`: its folder, or the model. `sources`: names of files or folders, or data in memory, as `seqvae.train` takes
    them. `path`: another place for the file, `RUN/index/index.safetensors` where there is none. It is written whole or
    not at all, takes the place of one that is there, and holds the sha256 of the weights: other weights refuse it.
    `label_by`: a regular expression; what it, or its group, matches in the name of an item is the label of that item.
    `watch` sees how many items are done.

    >>> seqvae.index("runs/mine", "my_midi_folder").outliers(3)  # doctest: +SKIP

    Raises ValueError where nothing can be read from the sources, for a model without a code, and as `Index` does.
    """
    model = run if isinstance(run, Model) else load(run, device, checkpoint)
    found, place = known(sources), place_of(model, path)
    if isinstance(found, Items) or found:
        write_index(model, found, place, watch, label_by=label_by)
    return Index(model, IndexFile(place))


def _needed(module: str, what: str) -> ModuleType:
    """A package of an extra. Raises ValueError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(f"{what}, which is not here; {EXTRA}") from None
