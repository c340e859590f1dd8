"""What is fitted to the codes of a trained model, whose weights stay as they are: its prior, and critics of codes."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqvae import levels, priors
from seqvae.config import few, nearest
from seqvae.constraints import LABEL, Constraints, Examples, keep_constraints, train_critics
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import StandardNormal
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus, encoded, prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import collect_posterior
from seqvae.memory import Data, files_of, known, readable
from seqvae.modalities.base import Modality
from seqvae.modalities.measuring import Measure, listed_measures
from seqvae.model import Model, load
from seqvae.priors import Fitted, Watch, keep_prior, no_watch
from seqvae.runs.place import held
from seqvae.runs.run import BEST, Run
from seqvae.training.corpora import IN_MEMORY, corpora_of, parts
from seqvae.types import Batch

MOST_CODES, MOST_HELD_OUT = 2**16, 2**14  # items, at equal distances
TOKENS_PER_BATCH = 8192


def fit_prior(
    run: Path | str | Model,
    sources: Data = (),
    kind: str = "auto",
    seed: int = 0,
    *,
    on_request: bool = False,
    device: str = "auto",
    checkpoint: int | str = BEST,
    watch: Watch = no_watch,
) -> Fitted:
    """Fit a prior to the codes of a run's training data, and keep it in the run.

    `kind`: gaussian, mixture or flow; auto, the one under which held-out codes are the most probable; standard, that of
    the training again, which takes away what was fitted. Samples, and the aims of `Model.vary`, then come from it,
    unless it is kept `on_request`; `Model.with_prior` chooses. `sources`: other data, or the same, where neither the
    files nor the cache hold them any longer; 5 % of these items are held out. A plain autoencoder, which has no prior
    of its own, can be sampled from with one that is fitted (Ghosh et al. 2020, section 4). `watch` sees how far it is.
    `run` may be a model, whose checkpoint and device are used.

    >>> fitted = seqvae.fit_prior("runs/mine")  # doctest: +SKIP
    >>> fitted.name, fitted.nats  # doctest: +SKIP
    ('mixture of 4', {'standard': -45.1, 'gaussian': -44.0, ...})
    >>> seqvae.load("runs/mine").sample(4)  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown kind, where a package is not installed, where there are no
    data, while another process trains or fits there, and for a model that comes with the package.
    """
    priors.check_kind(kind)  # before what takes long
    with _held(run, device, checkpoint) as (model, own_run):
        if not model.vae.latent:
            name = _name_of(model)
            raise ValueError(f"{name} is a language model (model.latent=0): it has no code whose prior could be fitted")
        if kind == "standard":
            fitted = Fitted(model.vae.own_prior, {}, kind)
        else:
            corpora = corpora_for(own_run, model.modality, sources)
            training, held_out = parts(corpora, model.config.train.seed)
            codes, _ = _codes(model.vae, training, MOST_CODES, watch)
            judged, _ = _codes(model.vae, held_out, MOST_HELD_OUT, watch)
            own = model.vae.own_prior
            fitted = priors.fit(codes, judged, kind, seed, watch, not model.vae.has_points, own)
        kept = StandardNormal(model.vae.latent) if fitted.name == "standard" else fitted.prior  # nothing, or it
        keep_prior(own_run, kept, not on_request, fitted.nats)
    return fitted


def fit_constraints(
    run: Path | str | Model,
    sources: Data = (),
    by: Sequence[str] = (LABEL,),
    seed: int = 0,
    *,
    device: str = "auto",
    checkpoint: int | str = BEST,
    watch: Watch = no_watch,
) -> Constraints:
    """Train critics of the codes of a run, and keep them in it: `seqvae.where` then asks for what they know.

    One critic tells codes of data from draws of N(0, I), one for each attribute of `by` reads its value from a code:
    the `label` of the data, or the level of what the modality measures of items, such as `density`: low, middle or
    high, by thirds of the training data, or where it is yes or no, such as `word=not`, these. Encoder and decoder stay
    as they are (Engel, Hoffman and Roberts 2018); critics that were made before are replaced. Draws of a prior that was
    fitted (`fit_prior`) begin nearer to the data, and end there. `sources`: other data, or the same, where neither the
    files nor the cache hold them any longer. `watch` sees how far it is. `run` may be a model, whose checkpoint and
    device are used.

    >>> seqvae.fit_constraints("runs/digits").right  # doctest: +SKIP
    {'label': 0.97}
    >>> seqvae.where(seqvae.load("runs/digits"), {"label": "3"}).sample(8)  # doctest: +SKIP
    >>> seqvae.fit_constraints("runs/drums", by=["density"]).limits  # doctest: +SKIP
    {'density': (13.25, 19.75)}
    >>> seqvae.where(seqvae.load("runs/drums"), {"density": "high"}).sample(8)  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown attribute, for data without labels or of which all have the
    same value, where there are no data, and while another process trains or fits there.
    """
    names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    if not names:
        raise ValueError(f"by=[] names no attribute; give {LABEL}, or what is measured of items")
    with _held(run, device, checkpoint) as (model, own_run):
        if not model.vae.latent:
            name = _name_of(model)
            raise ValueError(f"{name} is a language model (model.latent=0): it has no code for critics to judge")
        measures = _measures(names, model.modality)
        corpora = corpora_for(own_run, model.modality, sources)
        labels = _labels(corpora, model.modality) if LABEL in names else []
        split = zip(parts(corpora, model.config.train.seed), (MOST_CODES, MOST_HELD_OUT), strict=True)
        coded = [(part.corpus, *_codes(model.vae, part, most, watch)) for part, most in split]
        rows = [(corpus, places.numpy()) for corpus, _, places in coded]
        columns = [
            _of_label(labels, rows) if name == LABEL else _of_measure(name, measures[name], model.modality, rows)
            for name in names
        ]
        training, held_out = (
            Examples(codes, torch.from_numpy(np.stack([column.places[part] for column in columns], 1)))
            for part, (_, codes, _) in enumerate(coded)
        )
        values = {name: column.values for name, column in zip(names, columns, strict=True)}
        limits = {name: column.limits for name, column in zip(names, columns, strict=True) if column.limits}
        found = replace(train_critics(training, held_out, values, seed, watch), limits=limits)
        keep_constraints(own_run, found)
    return found


@contextlib.contextmanager
def _held(run: Path | str | Model, device: str, checkpoint: int | str) -> Iterator[tuple[Model, Run]]:
    """A model, and its run, which no other process trains or fits as long. Raises ValueError where nothing is kept."""
    own = run.run if isinstance(run, Model) else Run(Path(run))
    if own is None:
        raise ValueError("this model has no run folder to keep anything in; save it, then load it")
    own.check_own()  # before its folder is held
    with held(own.path):
        model = run if isinstance(run, Model) else load(run, device, checkpoint)
        assert model.run is not None
        yield model, model.run


@dataclass(frozen=True)
class _Column:
    """The values of an attribute, and for each part of the data the place of that of each item, (N,); -1 for none.

    `limits` lie between the values of one that is measured.
    """

    values: Sequence[str]
    places: Sequence[np.ndarray]
    limits: tuple[float, ...] = ()


Rows = Sequence[tuple[Corpus, np.ndarray]]  # of each part of the data: some rows of its corpus


def _measures(names: Sequence[str], modality: Modality) -> dict[str, Measure]:
    """The measures among the names of attributes. Raises ValueError for one that nobody can read from data."""
    known = [LABEL, *listed_measures(modality.measures)]
    for name in names:
        if name != LABEL and name.partition("=")[0] not in modality.measures:
            close = nearest(name, [LABEL, *modality.measures])
            raise ValueError(f"no attribute '{name}' to constrain; there {'is' if len(known) == 1 else 'are'} "
                             f"{few(known)}.{close}")  # fmt: skip
    return {name: modality.measure(name) for name in names if name != LABEL}


def _labels(corpora: Sequence[Corpus], modality: Modality) -> list[str]:
    """The labels that items have. Raises ValueError where there are none."""
    found = sorted({name for corpus in corpora for name in corpus.label_names})
    if not found:
        measured = few(listed_measures(modality.measures))
        raise ValueError(
            f"these {modality.words.items} have no labels for critics to read; give data that have"
            f"{f', or name what is measured of them: {measured}' if measured else ''}"
        )
    return found


def _of_label(labels: Sequence[str], rows: Rows) -> _Column:
    """The labels of the data."""
    places = []
    for corpus, own in rows:
        of_names = np.array([*(labels.index(name) for name in corpus.label_names), -1])  # the last one is for -1
        places.append(of_names[-1 if corpus.labels is None else corpus.labels[own]] + np.zeros(len(own), np.int64))
    return _Column(labels, places)


def _of_measure(name: str, measure: Measure, modality: Modality, rows: Rows) -> _Column:
    """The levels of what is measured, by the first part. Raises ValueError where there is only one."""
    numbers = [
        np.array([measure.of(modality.decode(corpus[row])) for row in own.tolist()], float) for corpus, own in rows
    ]  # None becomes NaN
    limits = levels.limits_of(numbers[0], measure.is_yes_or_no)
    if not limits:
        known = numbers[0][~np.isnan(numbers[0])]
        what = f"all have {known[0]:g}" if len(known) else "none has one"
        raise ValueError(
            f"{name} says nothing of these {modality.words.items}: {what}, so that there is nothing to choose; give "
            "data of several, or another attribute"
        )
    places = [levels.places_of(one, limits) for one in numbers]
    return _Column(levels.names_of(limits, measure.is_yes_or_no), places, limits)


def personalise(
    run: Path | str | Model,
    sources: Data,
    out: Path | str,
    *,
    device: str = "auto",
    checkpoint: int | str = BEST,
    watch: Watch = no_watch,
) -> Model:
    """A model of a handful of data of one's own: a copy of a run whose prior is a Gaussian of the codes of these.

    The copy, in the folder `out`, is a run as any other. Samples then come from where the codes of these data are, and
    `at_sliders` moves them along the few directions in which they differ most; nothing is trained. MidiMe (Dinculescu,
    Engel and Roberts 2019) trains a small VAE on the codes for that; a Gaussian of Ledoit and Wolf 2004 is closer to
    codes of other windows of the same drummer and style (BENCHMARKS.md), and is there at once.

    >>> mine = seqvae.personalise("runs/drums", ["a.mid", "b.mid"], "runs/mine")  # doctest: +SKIP
    >>> mine.sample(4), seqvae.at_sliders(mine, [2]).sample(4)  # doctest: +SKIP

    Raises ValueError for a model without a code, for fewer than two windows, for a folder that is not empty, and where
    scikit-learn is not installed.
    """
    priors.check_kind("gaussian")
    model = run if isinstance(run, Model) else load(run, device, checkpoint)
    if not model.vae.latent:
        raise ValueError(f"{_name_of(model)} is a language model (model.latent=0): it has no code to be made personal")
    found = known(sources)
    if not found:
        raise ValueError("a model cannot be made personal without data; give some of your own")
    with readable(model.modality, found) as files, files_of(model.modality, files) as paths:
        codes, _ = _codes(model.vae, Part(prepare(model.modality, paths)), MOST_CODES, watch)
    fitted = priors.fit(codes, codes, "gaussian")
    model.with_prior(fitted.prior).save(out)
    return load(out, device)


def _name_of(model: Model) -> str:
    return "this model" if model.run is None else str(model.run.path)


def corpora_for(run: Run, modality: Modality, sources: Data) -> Sequence[Corpus]:
    """The data that are named, else those of the run as they were encoded, else from their files."""
    found = known(sources)
    if found:
        with readable(modality, found) as files, files_of(modality, files) as paths:
            return [prepare(modality, paths)]
    with contextlib.suppress(ValueError, KeyError):  # the cache was cleared
        if corpora := [encoded(modality, part["key"]) for part in run.report.values()]:
            return corpora
    if not run.settings.get("sources") and not run.settings.get(IN_MEMORY):
        raise ValueError(f"{run.path} came without its training data; give `sources` to whose codes it is to be fitted")
    try:
        return corpora_of(run.path)
    except ValueError as error:
        raise ValueError(f"{error}, or give data to whose codes it is to be fitted") from None


def _codes(vae: VAE, part: Part, most: int, watch: Watch) -> tuple[DiagonalGaussian, Int[Tensor, " N"]]:
    """q(z|x) of about so many items of a part, and their places in its corpus."""
    batches = Batches(part, TOKENS_PER_BATCH, "tokens")

    def read() -> Iterator[Batch]:
        done = 0
        for indices in batches.some(most) if len(part) > most else batches.in_order():
            yield batches.load(indices).to(vae.device)
            done += len(indices)
            watch(done, min(most, len(part)), "codes")

    return collect_posterior(vae, read())
