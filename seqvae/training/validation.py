"""The figures of a validation, computed by all processes together."""

from collections.abc import Callable, Iterable
from typing import NotRequired, TypedDict

import torch
from torch import Tensor

from seqvae.core.discrepancy import discrepancy
from seqvae.core.importance import Draws
from seqvae.core.objectives import kl_beyond
from seqvae.core.vae import VAE, Terms
from seqvae.evaluation.likelihood import Elbo, perplexity
from seqvae.nets.likelihoods import has_perplexity
from seqvae.noise import Noise
from seqvae.settings import Objective
from seqvae.types import Batch

PLAIN = Objective()
SEED = 1  # one draw of z for each validation item, the same at every validation
COMPARED = 2048  # codes of each process between which the discrepancy is computed, spread over the items
ACTIVE_VARIANCE = 0.01  # of the posterior mean over the items (Burda et al. 2016, section 5.2)
# keys of an objective that is another one than beta * KL
BESIDE_THE_BOUND = (
    "free_nats_per_dimension", "free_nats_per_dimension_and_example", "free_nats_total", "target_kl_nats", "mmd",
)  # fmt: skip


class ValidationFigures(TypedDict):
    """The figures of a validation: bounds in nats per item, active units, and perplexity per token."""

    iw_bound_nats: NotRequired[float]  # where there are several draws of each code
    objective_nats: NotRequired[float]  # where the objective is another one than the bound
    mmd: NotRequired[float]  # the squared discrepancy between the codes and the prior, where it is asked for
    mutual_information_nats: NotRequired[float]  # of some items, where it is looked at; see `code_use`
    code_gain_nats: NotRequired[float]
    encoder_first_information_nats: NotRequired[float]  # while the encoder moves first, by the authors' estimate of it
    elbo_nats: float
    reconstruction_nats: float
    kl_nats: float | None  # None for points, which have no KL
    active_units: int
    perplexity_bound: float | None  # of sequences with a density and a latent code to draw, whose KL is weighed


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
    plus beta * |KL - target|, whatever holds the KL there. A discrepancy is that of the codes of all items, of COMPARED
    where they are more, since batches of validation are of like lengths, whatever those of training are.

    Each process gives its share of the batches, an empty share too; `total` adds a tensor up over the processes.
    `zeros` has the device and type of the sums. The figures are those of `seqvae.evaluation` on all items at once.
    """
    latent, samples = vae.latent, objective.importance_samples
    # items, tokens, -log p(x|z), bound, KL beyond the free nats, discrepancy; KL, means, squared means of each unit
    sums, codes = zeros.new_zeros(6 + 3 * latent), [zeros.new_zeros(0, latent)]
    for batch in batches:
        terms: Terms = vae(batch, Noise(SEED, batch.keys), dropout=False, draws=Draws(samples))
        log_px, kl, mean = (values.to(sums) for values in terms[:3])
        bounds = log_px - kl.sum(1) if terms.bound is None else terms.bound
        count, tokens_here = sums.new_tensor(len(batch)), batch.lengths.sum().to(sums)
        beyond = kl_beyond(kl, objective.free_nats_total, objective.free_nats_per_dimension_and_example).sum()
        if objective.mmd:
            codes.append(terms.z.to(sums))
        counts = torch.stack([count, tokens_here, -log_px.sum(), bounds.to(sums).sum(), beyond, sums.new_zeros(())])
        sums += torch.cat([counts, kl.sum(0), mean.sum(0), (mean**2).sum(0)])
    sums[5] += _apart(torch.cat(codes), objective)
    sums = total(sums).cpu()
    items, tokens = int(sums[0]), int(sums[1])
    kl, means, squares = sums[6:].chunk(3) if latent else (sums[6:],) * 3
    elbo = Elbo(items, tokens, float(sums[2]), kl)
    variance = (squares - means**2 / items) / max(1, items - 1)
    is_bound = has_perplexity(vae.decoder) and not vae.has_points and objective.beta > 0  # else it says nothing
    figures: ValidationFigures = {
        "elbo_nats": elbo.mean_elbo_nats,
        "reconstruction_nats": elbo.mean_reconstruction_nats,
        "kl_nats": None if vae.has_points else elbo.mean_kl_nats,
        "active_units": int((variance > ACTIVE_VARIANCE).sum()),
        "perplexity_bound": perplexity(-elbo.elbo_nats, tokens) if is_bound else None,
    }
    if samples > 1:
        return {"iw_bound_nats": float(sums[3]) / items, **figures}
    if objective.mmd:
        figures["mmd"] = float(sums[5]) / items
    plain = objective.beta == 1 and not any(getattr(objective, name) for name in BESIDE_THE_BOUND)
    if not latent or plain or (vae.has_points and not objective.mmd):
        return figures
    penalty = 0.0 if vae.has_points else _of_the_kl(objective, kl / items, float(sums[4]) / items)
    value = elbo.mean_reconstruction_nats + objective.beta * penalty + objective.mmd * figures.get("mmd", 0.0)
    return {"objective_nats": value, **figures}


def _apart(codes: Tensor, objective: Objective) -> Tensor:
    """The discrepancy of codes (N, Z) of which some are compared, times N."""
    some = codes[torch.linspace(0, len(codes) - 1, min(len(codes), COMPARED), device=codes.device).long()]
    return len(codes) * discrepancy(some, objective.mmd_kernel, objective.mmd_estimator)


def _of_the_kl(objective: Objective, kl: Tensor, beyond: float) -> float:
    """What beta weighs, in nats: of the mean KL of each unit, or the mean of what the examples' KL count."""
    if objective.target_kl_nats:
        return abs(float(kl.sum()) - objective.target_kl_nats)
    free = objective.free_nats_per_dimension
    return float(kl.clamp(min=free).sum()) if free else beyond
