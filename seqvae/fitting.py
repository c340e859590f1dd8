"""What is fitted to the codes of a trained model, whose weights stay as they are: its prior."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqvae import priors
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE
from seqvae.corpus import Corpus, encoded, prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import collect_posterior
from seqvae.memory import Data, files_of, known, readable
from seqvae.modalities.base import Modality
from seqvae.model import load
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

    `kind`: gaussian, mixture or flow; auto, the one under which held-out codes are the most probable; standard, N(0, I)
    again, which takes away what was fitted. Samples, and the aims of `Model.vary`, then come from it, unless it is kept
    `on_request`; `Model.with_prior` chooses. `sources`: other data, or the same, where neither the files nor the cache
    hold them any longer; 5 % of these items are held out. A plain autoencoder, which has no prior of its own, can be
    sampled from with one that is fitted (Ghosh et al. 2020, section 4). `watch` sees how far it is.

    >>> fitted = seqvae.fit_prior("runs/mine")  # doctest: +SKIP
    >>> fitted.name, fitted.nats  # doctest: +SKIP
    ('mixture of 4', {'standard': -45.1, 'gaussian': -44.0, ...})
    >>> seqvae.load("runs/mine").sample(4)  # doctest: +SKIP

    Raises ValueError for a model without a code, an unknown kind, where a package is not installed, where there are no
    data, and while another process trains or fits there.
    """
    path = Path(run)
    priors.check_kind(kind)  # before what takes long
    Run(path)  # before its folder is held
    with held(path):
        model = load(path, device, checkpoint)
        assert model.run is not None
        if not model.vae.latent:
            raise ValueError(f"{path} is a language model (model.latent=0): it has no code whose prior could be fitted")
        if kind == "standard":
            fitted = Fitted(model.with_prior("standard").prior, {}, kind)
        else:
            corpora = corpora_for(model.run, model.modality, sources)
            training, held_out = parts(corpora, model.config.train.seed)
            codes = _codes(model.vae, training, MOST_CODES, watch)
            judged = _codes(model.vae, held_out, MOST_HELD_OUT, watch)
            fitted = priors.fit(codes, judged, kind, seed, watch, not model.vae.has_points)
        keep_prior(model.run, fitted.prior, not on_request, fitted.nats)
    return fitted


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


def _codes(vae: VAE, part: Part, most: int, watch: Watch) -> DiagonalGaussian:
    """q(z|x) of about so many items of a part."""
    batches = Batches(part, TOKENS_PER_BATCH, "tokens")

    def read() -> Iterator[Batch]:
        done = 0
        for indices in batches.some(most) if len(part) > most else batches.in_order():
            yield batches.load(indices).to(vae.device)
            done += len(indices)
            watch(done, min(most, len(part)), "codes")

    return collect_posterior(vae, read())[0]
