"""Priors fitted to codes: the density under which codes of held-out data are the most probable.

What is fitted are draws from the posteriors, a fresh one of each item in each epoch, so that it is the aggregated
posterior and not the means; what decides are draws of the held-out items.
"""

import importlib
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqvae.config import counted
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Flow, Mixture, Prior, StandardNormal, flow_of_size, of_tensors, sizes_of, tensors_of
from seqvae.noise import Noise
from seqvae.runs.foreign import PRIOR
from seqvae.runs.run import Run

KINDS = ("auto", "gaussian", "mixture", "flow", "standard")
MOST_COMPONENTS = 32
LEAST_CODES_OF_COMPONENT = 20  # on average; with fewer a covariance says nothing
REGULARISATION = 1e-3  # of a mixture's covariances, in shares of the mean variance
LEAST_VARIANCE = 1e-9  # of a Gaussian in any direction, the same way: of two codes the covariance has but one
BATCH, LEARNING_RATE, CLIP = 256, 1e-3, 5.0
ROUND = 100  # steps at least between two looks at the held-out codes, and a pass over all codes
MOST_ROUNDS, PATIENCE = 100, 8  # rounds; of those without progress on the held-out codes
EXTRA = "install it with pip install 'seqvae[latent]'"
_NEEDED = {"gaussian": {"sklearn.covariance": "scikit-learn"}, "mixture": {"sklearn.mixture": "scikit-learn"}}
_NEEDED["flow"] = _NEEDED["gaussian"]  # it begins from one
_NEEDED["auto"] = {**_NEEDED["mixture"], **_NEEDED["flow"]}

Watch = Callable[[int, int, str], object]  # done, total, what


def no_watch(done: int, total: int, what: str) -> None:
    """Does nothing: nobody wants to see how far it is."""


@dataclass(frozen=True)
class Fitted:
    """The best prior, and the mean log-likelihood of a held-out code under all that were tried, in nats, by name."""

    prior: Prior
    nats: Mapping[str, float]
    name: str


def check_kind(kind: str) -> None:
    """Raises ValueError for an unknown kind of prior, and where a package that fits it is not installed."""
    if kind not in KINDS:
        raise ValueError(f"no kind of prior '{kind}'; there are {', '.join(KINDS)}")
    for module, package in _NEEDED.get(kind, {}).items():
        try:
            importlib.import_module(module)
        except ImportError:
            one = "priors are" if kind == "auto" else f"a {kind} is"
            raise ValueError(f"{one} fitted with {package}, which is not here; {EXTRA}") from None


def fit(
    codes: DiagonalGaussian, held_out: DiagonalGaussian, kind: str = "auto", seed: int = 0, watch: Watch = no_watch,
    may_be_standard: bool = True, own: Prior | None = None,
) -> Fitted:  # fmt: skip
    """The prior of a kind that gives held-out codes the highest log-likelihood; `auto` is the best of all kinds.

    A Gaussian has the covariance of Ledoit and Wolf 2004; of mixtures the number of Gaussians is doubled as long as
    that helps; a flow is trained until it no longer gets better. The prior of the training, N(0, I) unless it is the
    model's `own`, is among them as `standard`, so that `auto` fits nothing where nothing is gained, unless it may not
    be that. `watch` sees how far it is.

    Raises ValueError as `check_kind`, for fewer than two codes, and for codes that are all the same.
    """
    check_kind(kind)
    items, units = codes.mean.shape
    if items < 2 or len(held_out.mean) < 1 or not units:
        few = f"{counted(items, 'codes')} of {counted(units, 'units')}"
        raise ValueError(f"a prior cannot be fitted to {few}; give at least two items")
    codes, held_out = _exact(codes), _exact(held_out)
    judged = held_out.rsample(Noise(seed, torch.arange(len(held_out.mean))))
    found: dict[str, tuple[Prior, float]] = {}

    def tried(name: str, prior: Prior) -> bool:
        """Whether a prior is better than all before it."""
        with torch.no_grad():
            nats = float(prior.log_prob(judged).double().mean())
        better = nats > max((known for _, known in found.values()), default=-math.inf)
        found[name] = (prior, nats)
        watch(1, 1, name)
        return better

    tried("standard", own or StandardNormal(units))
    z = _drawn(codes, seed, 0)
    if (z == z[0]).all():
        raise ValueError(
            f"all {items} codes are the same, so there is no prior to fit to them; give other data, or train longer"
        )
    if kind in ("auto", "gaussian"):
        tried("gaussian", _gaussian(z))
    if kind in ("auto", "mixture"):
        components = 2
        while components <= min(MOST_COMPONENTS, items // LEAST_CODES_OF_COMPONENT):
            if not tried(f"mixture of {components}", _mixture(z, components, seed)) and components > 2:
                break
            components *= 2
    if kind in ("auto", "flow"):
        tried("flow", _flow(codes, judged, seed, watch))
    is_wanted = kind == "standard" or (kind == "auto" and may_be_standard)
    wanted = found if is_wanted else [name for name in found if name != "standard"]
    if not wanted:
        raise ValueError(f"{items} codes are too few for a {kind}; give more, or take another kind")
    name = max(wanted, key=lambda name: found[name][1])
    return Fitted(found[name][0], {tried: nats for tried, (_, nats) in found.items()}, name)


def _exact(q: DiagonalGaussian) -> DiagonalGaussian:
    """In float64 and on the CPU."""
    return DiagonalGaussian(q.mean.cpu().double(), q.log_scale.cpu().double())


def _drawn(q: DiagonalGaussian, seed: int, epoch: int) -> Float[Tensor, "N Z"]:
    """A code of each item, another one in each epoch; never one that held-out items are judged by."""
    return q.rsample(Noise(seed, torch.arange(len(q.mean)), epoch + 1))


def _gaussian(z: Float[Tensor, "N Z"]) -> Mixture:
    """One Gaussian, whose covariance is drawn towards a multiple of I as far as Ledoit and Wolf 2004 hold it wise."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(z.numpy())
    covariance = covariance + LEAST_VARIANCE * covariance.diagonal().mean() * np.eye(len(covariance))
    return _mixture_of(np.ones(1), z.mean(0, keepdim=True).numpy(), covariance[None])


def _mixture(z: Float[Tensor, "N Z"], components: int, seed: int) -> Mixture:
    """So many Gaussians of any covariance, by expectation and maximisation."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    found = GaussianMixture(components, reg_covar=REGULARISATION * float(z.var(0).mean()), random_state=seed % 2**32)
    with warnings.catch_warnings():  # held-out codes say what it is worth
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.fit(z.numpy())
    return _mixture_of(found.weights_, found.means_, found.covariances_)


def _mixture_of(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> Mixture:
    factors = torch.linalg.cholesky(torch.from_numpy(covariances))
    return Mixture(torch.from_numpy(weights).log(), torch.from_numpy(means), factors)


def _flow(codes: DiagonalGaussian, judged: Float[Tensor, "M Z"], seed: int, watch: Watch) -> Flow:
    """A flow of the best epoch by the held-out codes, each epoch with fresh draws."""
    units = codes.mean.shape[1]
    base = _gaussian(_drawn(codes, seed, 0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        flow = flow_of_size(units, base.means[0], base.factors[0])
        flow.flow.float()  # the mean and the covariance of codes far from 0 need more digits
        _train(flow, codes, judged, seed, watch)
    return flow.double().requires_grad_(False)


def _train(flow: Flow, codes: DiagonalGaussian, judged: Float[Tensor, "M Z"], seed: int, watch: Watch) -> None:
    """Maximise the likelihood of draws of the codes; the weights end as those of the best epoch."""
    passes = math.ceil(ROUND / math.ceil(len(codes.mean) / BATCH))
    optimizer = torch.optim.AdamW(flow.parameters(), LEARNING_RATE, weight_decay=1e-4)
    judged = flow.standardised(judged).float()
    best, since, kept = -math.inf, 0, {name: weight.clone() for name, weight in flow.state_dict().items()}
    for round_ in range(MOST_ROUNDS):
        watch(round_, MOST_ROUNDS, "flow, rounds at most")
        for epoch in range(round_ * passes, (round_ + 1) * passes):
            y = flow.standardised(_drawn(codes, seed, epoch)).float()
            for rows in torch.randperm(len(y)).split(BATCH):
                loss = -flow.log_prob_of(y[rows]).mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
                optimizer.step()
        with torch.no_grad():
            nats = float(flow.log_prob_of(judged).double().mean())
        since += 1
        if nats > best:
            best, since, kept = nats, 0, {name: weight.clone() for name, weight in flow.state_dict().items()}
        if since >= PATIENCE or not math.isfinite(nats):
            break
    flow.load_state_dict(kept)


class Kept:
    """A prior that a run keeps, which is read when it is first asked something; see `Prior`.

    `is_used`: whether samples come from it unless another one is asked for. Raises ValueError for a damaged one.
    """

    def __init__(self, run: Run, latent: int, kind: str, is_used: bool) -> None:
        self._run, self.latent, self.kind, self.is_used = run, latent, kind, is_used

    def log_prob(self, z: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """log p(z) in nats."""
        return self.prior.log_prob(z)

    def codes(self, noise: Noise) -> Float[Tensor, "B Z"]:
        """A code drawn for each example of the noise."""
        return self.prior.codes(noise)

    @cached_property
    def prior(self) -> Prior:
        """The density itself."""
        step = self._run.used_step
        values = self._run.beside(step, PRIOR)
        if values is None:
            raise ValueError(
                f"the prior of {self._run.path} was taken away since the model was loaded; load it again, or take "
                "prior=standard"
            )
        tensors = self._run.tensors_beside(step, PRIOR)
        try:
            return of_tensors(tensors, values["sizes"])
        except (KeyError, TypeError, RuntimeError, AttributeError):
            raise ValueError(_strange(self._run)) from None


def _strange(run: Run) -> str:
    return f"the prior in {run.path} was not written by seqvae; restore the folder from a copy, or fit it again"


def keep_prior(run: Run, prior: Prior, is_used: bool = True, nats: Mapping[str, float] | None = None) -> None:
    """Write a prior into the run, beside the weights whose codes it was fitted to; N(0, I) takes away what is there.

    `nats` are those of held-out codes, for the record.
    """
    prior = prior.prior if isinstance(prior, Kept) else prior
    is_standard = isinstance(prior, StandardNormal)
    values = {"kind": prior.kind, "used": is_used, "held_out_nats": dict(nats or {}), "sizes": sizes_of(prior)}
    run.save_beside(run.used_step, PRIOR, values, {} if is_standard else tensors_of(prior))


def kept_prior(run: Run, latent: int) -> Kept | None:
    """The prior of the weights that are used; None where none was fitted to their codes.

    Raises ValueError for a damaged one.
    """
    values = run.beside(run.used_step, PRIOR) if run.steps() else None
    if values is None:
        return None
    kind, is_used = values.get("kind"), values.get("used")
    if not isinstance(kind, str) or not isinstance(is_used, bool):
        raise ValueError(_strange(run))
    return Kept(run, latent, kind, is_used)


def prior_called(prior: Prior | str, own: Prior, run: Run | None) -> Prior:
    """A prior by its name, or itself: `standard` is a model's own, that of its training, `fitted` the one that is kept.

    Raises ValueError for another name, for one of another number of units, and where none was fitted.
    """
    if prior == "standard":
        return own
    if prior == "fitted":
        kept = None if run is None else kept_prior(run, own.latent)
        if kept is None:
            name, first = ("this model", "") if run is None else (run.path, run.copy_first)
            raise ValueError(
                f"no prior was fitted to {name}; {first}fit one (seqvae fit-prior, seqvae.fit_prior), or take "
                "prior=standard"
            )
        return kept
    if isinstance(prior, str) or not isinstance(prior, Prior):
        raise ValueError(f"no prior {prior!r:.80}; there are standard and fitted")
    if prior.latent != own.latent:
        raise ValueError(f"a prior of {prior.latent} units does not fit a model of {own.latent}")
    return prior
