"""The figures of a validation, computed by all processes together."""

from collections.abc import Callable, Iterable
from typing import NotRequired, TypedDict

import torch
from torch import Tensor

from seqvae.config import Values
from seqvae.core.importance import Draws
from seqvae.core.objectives import kl_beyond
from seqvae.core.vae import VAE, Terms
from seqvae.evaluation.likelihood import Elbo, perplexity
from seqvae.noise import Noise
from seqvae.settings import Objective
from seqvae.types import Batch

PLAIN = Objective()
SEED = 1  # one draw of z for each validation item, the same at every validation
ACTIVE_VARIANCE = 0.01  # of the posterior mean over the items (Burda et al. 2016, section 5.2)
COLLAPSED_NATS = 0.1  # below this KL, with no active unit, the latent code carries nothing
COLLAPSE_ADVICE = (
    "the latent code has collapsed: its KL is {kl:.3f} nats at a final beta of {beta:g} and no unit is active, so the "
    "decoder ignores z and samples will differ only by chance. Remedies, from mild to strong: --set "
    "objective.schedule=cyclical; {words}--set objective.beta={less:g}; --set objective.free_nats_per_dimension=0.25"
)


class ValidationFigures(TypedDict):
    """The figures of a validation: bounds in nats per item, active units, and perplexity per token."""

    iw_bound_nats: NotRequired[float]  # where there are several draws of each code
    objective_nats: NotRequired[float]  # where the objective is another one than the bound
    elbo_nats: float
    reconstruction_nats: float
    kl_nats: float | None  # None for points, which have no KL
    active_units: int
    perplexity_bound: float | None  # of sequences that have a latent code to draw


@torch.inference_mode()
def validate(
    vae: VAE,
    batches: Iterable[Batch],
    zeros: Tensor,
    total: Callable[[Tensor], Tensor],
    objective: Objective = PLAIN,
) -> ValidationFigures:
    """The beta = 1 bound with its parts (nats per item), active units, and the bound on the perplexity per token.

    Of an objective with several draws also the importance-weighted bound of so many; of one with free bits, another
    beta or a target of the KL also its own value at the final beta, by which the best weights are chosen: the bound
    itself would prefer codes that carry less than they were asked to. With a target that value is the reconstruction
    plus beta * |KL - target|, whatever holds the KL there.

    Each process gives its share of the batches, an empty share too; `total` adds a tensor up over the processes.
    `zeros` has the device and type of the sums. The figures are those of `seqvae.evaluation` on all items at once.
    """
    latent, samples = vae.latent, objective.importance_samples
    # items, tokens, -log p(x|z), bound, KL beyond the free nats; KL, means, squared means of each unit
    sums = zeros.new_zeros(5 + 3 * latent)
    for batch in batches:
        terms: Terms = vae(batch, Noise(SEED, batch.keys), dropout=False, draws=Draws(samples))
        log_px, kl, mean = (values.to(sums) for values in terms[:3])
        bounds = log_px - kl.sum(1) if terms.bound is None else terms.bound
        count, tokens_here = sums.new_tensor(len(batch)), batch.lengths.sum().to(sums)
        beyond = kl_beyond(kl, objective.free_nats_total, objective.free_nats_per_dimension_and_example).sum()
        counts = torch.stack([count, tokens_here, -log_px.sum(), bounds.to(sums).sum(), beyond])
        sums += torch.cat([counts, kl.sum(0), mean.sum(0), (mean**2).sum(0)])
    sums = total(sums).cpu()
    items, tokens = int(sums[0]), int(sums[1])
    kl, means, squares = sums[5:].chunk(3) if latent else (sums[5:],) * 3
    elbo = Elbo(items, tokens, float(sums[2]), kl)
    variance = (squares - means**2 / items) / max(1, items - 1)
    has_perplexity = vae.decoder.has_steps and not vae.has_points
    figures: ValidationFigures = {
        "elbo_nats": elbo.mean_elbo_nats,
        "reconstruction_nats": elbo.mean_reconstruction_nats,
        "kl_nats": None if vae.has_points else elbo.mean_kl_nats,
        "active_units": int((variance > ACTIVE_VARIANCE).sum()),
        "perplexity_bound": perplexity(-elbo.elbo_nats, tokens) if has_perplexity else None,
    }
    if samples > 1:
        return {"iw_bound_nats": float(sums[3]) / items, **figures}
    free = objective.free_nats_per_dimension
    if objective.target_kl_nats:
        distance = abs(elbo.mean_kl_nats - objective.target_kl_nats)
        return {"objective_nats": elbo.mean_reconstruction_nats + objective.beta * distance, **figures}
    asked = free or objective.free_nats_total or objective.free_nats_per_dimension_and_example or objective.beta != 1
    if not latent or vae.has_points or not asked:
        return figures
    penalty = float((kl / items).clamp(min=free).sum() if free else sums[4] / items)
    return {"objective_nats": elbo.mean_reconstruction_nats + objective.beta * penalty, **figures}


def collapse_advice(figures: Values, vae: VAE, beta: float) -> str | None:
    """What to do about a latent code that carries nothing, in plain words; None where it carries something."""
    if not vae.latent or vae.has_points or figures["kl_nats"] >= COLLAPSED_NATS or figures["active_units"]:
        return None
    words = "--set model.word_dropout=0.4; " if vae.decoder.has_steps else ""
    return COLLAPSE_ADVICE.format(kl=figures["kl_nats"], beta=beta, less=0.4 * beta, words=words)
