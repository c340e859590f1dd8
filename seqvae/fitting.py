"""What is fitted to the codes of a trained model, whose weights stay as they are: its prior, and critics of codes."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from seqvae import priors
from seqvae.config import nearest
from seqvae.constraints import LABEL, Constraints, Examples, keep_constraints, train_critics
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import StandardNormal
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus, encoded, prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import collect_posterior
from seqvae.memory import Data, files_of, known, readable
from seqvae.modalities.base import Modality
from seqvae.model import Model, load
from seqvae.priors import Fitted, Watch, keep_prior, no_watch
from seqvae.runs.place import held
from seqvae.runs.run import BEST, Run
from seqvae.training.corpora import corpora_of, parts
from seqvae.types import Batch

MOST_CODES, MOST_HELD_OUT = 2**16, 2**14  # items, at equal distances
TOKENS_PER_BATCH = 8192


def fit_prior(
    run: Path | str,
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

    >>> fitted = seqvae.fit_prior("runs/mine")  # doctest: +SKIP
    >>> fitted.name, fitted.nats  # doctest: +SKIP
    ('mixture of 4', {'standard': -45.1, 'gaussian': -44.0, ...})
    >>> seqvae.load("runs/mine").sample(4)  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown kind, where a package is not installed, where there are no
    data, while another process trains or fits there, and for a model that comes with the package.
    """
    path = Path(run)
    priors.check_kind(kind)  # before what takes long
    Run(path).check_own()  # before its folder is held
    with held(path):
        model = load(path, device, checkpoint)
        assert model.run is not None
        if not model.vae.latent:
            raise ValueError(f"{path} is a language model (model.latent=0): it has no code whose prior could be fitted")
        if kind == "standard":
            fitted = Fitted(model.vae.own_prior, {}, kind)
        else:
            corpora = corpora_for(model.run, model.modality, sources)
            training, held_out = parts(corpora, model.config.train.seed)
            codes, _ = _codes(model.vae, training, MOST_CODES, watch)
            judged, _ = _codes(model.vae, held_out, MOST_HELD_OUT, watch)
            own = model.vae.own_prior
            fitted = priors.fit(codes, judged, kind, seed, watch, not model.vae.has_points, own)
        kept = StandardNormal(model.vae.latent) if fitted.name == "standard" else fitted.prior  # nothing, or it
        keep_prior(model.run, kept, not on_request, fitted.nats)
    return fitted


def fit_constraints(
    run: Path | str,
    sources: Data = (),
    by: Sequence[str] = (LABEL,),
    seed: int = 0,
    *,
    device: str = "auto",
    checkpoint: int | str = BEST,
    watch: Watch = no_watch,
) -> Constraints:
    """Train critics of the codes of a run, and keep them in it: `seqvae.where` then asks for what they know.

    One critic tells codes of data from draws of N(0, I), one for each attribute of `by` reads its value from a code. So
    far an attribute is the `label` of the data. Encoder and decoder stay as they are (Engel, Hoffman and Roberts 2018).
    Draws of a prior that was fitted (`fit_prior`) begin nearer to the data, and end there. `sources`: other data, or
    the same, where neither the files nor the cache hold them any longer. `watch` sees how far it is.

    >>> seqvae.fit_constraints("runs/digits").right  # doctest: +SKIP
    {'label': 0.97}
    >>> seqvae.where(seqvae.load("runs/digits"), {"label": "3"}).sample(8)  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown attribute, for data without labels or with a single one,
    where there are no data, and while another process trains or fits there.
    """
    path, names = Path(run), [by] if isinstance(by, str) else list(dict.fromkeys(by))
    _check_attributes(names)
    Run(path).check_own()  # before its folder is held
    with held(path):
        model = load(path, device, checkpoint)
        assert model.run is not None
        if not model.vae.latent:
            raise ValueError(f"{path} is a language model (model.latent=0): it has no code for critics to judge")
        corpora = corpora_for(model.run, model.modality, sources)
        values = {name: _values(corpora, model.modality) for name in names}
        split = parts(corpora, model.config.train.seed)
        training, held_out = (
            _examples(model.vae, part, most, values, watch)
            for part, most in zip(split, (MOST_CODES, MOST_HELD_OUT), strict=True)
        )
        found = train_critics(training, held_out, values, seed, watch)
        keep_constraints(model.run, found)
    return found


def _check_attributes(names: Sequence[str]) -> None:
    """Raises ValueError for none, and for one that nobody can read from data."""
    if not names:
        raise ValueError(f"by={list(names)} names no attribute; give {LABEL}")
    for name in names:
        if name != LABEL:
            raise ValueError(f"no attribute '{name}' to constrain; there is {LABEL}.{nearest(name, [LABEL])}")


def _values(corpora: Sequence[Corpus], modality: Modality) -> list[str]:
    """The labels that items have. Raises ValueError where there are none."""
    found = sorted({name for corpus in corpora for name in corpus.label_names})
    if not found:
        raise ValueError(f"these {modality.words.items} have no labels for critics to read; give data that have")
    return found


def _examples(vae: VAE, part: Part, most: int, values: dict[str, list[str]], watch: Watch) -> Examples:
    """Codes of about so many items of a part, with the places of their values."""
    codes, rows = _codes(vae, part, most, watch)
    corpus = part.corpus
    if corpus.labels is None:
        return Examples(codes, torch.full((len(rows), len(values)), -1))
    places = torch.tensor([values[LABEL].index(name) for name in corpus.label_names] + [-1])  # the last one is for -1
    labels = torch.from_numpy(corpus.labels[rows.numpy()].astype("int64"))
    return Examples(codes, places[labels].unsqueeze(1))


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

    Raises ValueError for a model without a code, for fewer than two windows, for a folder that is in use, and where
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
    if "train" not in run.report:
        raise ValueError(f"{run.path} was not trained here; give data to whose codes it is to be fitted")
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
