"""From codes to sequences, step by step: greedy, by drawing, and by beam search.

A row never depends on the batch that it is in: its noise belongs to its key, and rows do not meet. Sequences that are
finished leave the computation.
"""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from seqvae.nets.decoder import StateT
from seqvae.nets.draws import Choice
from seqvae.nets.given import beside
from seqvae.nets.likelihoods import Holding, Likelihood, Listed
from seqvae.noise import Noise
from seqvae.types import Batch


@runtime_checkable
class StepDecoder(Protocol[StateT]):
    """What generation asks of a decoder: a state, a step, and the likelihood of one step."""

    if TYPE_CHECKING:  # isinstance, from Python 3.12 on, does not find an attribute that is a submodule
        likelihood: Likelihood

    def start(self, z: Float[Tensor, "B Z"], held: Shaped[Tensor, "B T ..."] | None = None) -> StateT:
        """The state before the first step, of steps of which a part may be known."""
        ...

    def step(self, state: StateT, x_prev: Shaped[Tensor, "B ..."] | None) -> tuple[Float[Tensor, "B H"], StateT]:
        """One step: the hidden state that the likelihood reads, and the next state. `x_prev` is None at the first."""
        ...


def generate(
    decoder: StepDecoder[StateT],
    z: Float[Tensor, "B Z"],
    noise: Noise,
    choice: Choice,
    max_steps: int,
    end: int | None,
    held: Shaped[Tensor, "B T ..."] | None = None,
) -> Batch:
    """One sequence for each code, each step chosen as `choice` says; greedy draws use no noise.

    `lengths` include the end step; a sequence that reaches `max_steps` without one is cut there, and without an end
    (None) all have `max_steps`. Step t of a row meets the noise of its key at t. Keys are those of the noise. A part of
    each step is that of `held`, of `max_steps` steps, where the likelihood can hold it (`Holding`); the decoder may
    read it as well.

    Raises ValueError when `max_steps` is below 1, and for held steps that the likelihood has no part of.
    """
    _check_steps(max_steps)
    keys, rows = noise.keys, torch.arange(z.shape[0], device=z.device)  # where the unfinished sequences stand
    lengths = torch.zeros_like(rows)
    columns: list[Tensor] = []
    state, x_prev = decoder.start(z, held), None  # a step may be of any number type and shape
    for step in range(max_steps):
        h, state = decoder.step(state, x_prev)
        likelihood = decoder.likelihood if held is None else _holding(decoder.likelihood, held[rows, step])
        x_prev = likelihood.mode(h) if choice.greedy else likelihood.draw(h, noise.at(step), choice)
        lengths[rows] += 1
        columns.append(x_prev.new_zeros(len(lengths), *x_prev.shape[1:]).index_copy_(0, rows, x_prev))
        if end is None:
            continue
        live = (x_prev != end).nonzero().squeeze(1)
        if len(live) == 0:
            break
        if len(live) < len(rows):
            rows, x_prev, noise, state = rows[live], x_prev[live], noise.select(live), state.select(live)
    return Batch(torch.stack(columns, 1), lengths, keys)


def beam_search(
    decoder: StepDecoder[StateT],
    z: Float[Tensor, "B Z"],
    beam: int,
    max_steps: int,
    end: int | None,
    length_penalty: float = 0.0,
    held: Shaped[Tensor, "B T ..."] | None = None,
) -> Batch:
    """The best sequence found for each code by log p(x|z) / T^length_penalty, with `beam` hypotheses a step.

    Each step keeps the `beam` most probable extensions of a row's live hypotheses. Those that end (or reach
    `max_steps`, where they are cut) compete by the score above, the others live on; a hypothesis is dropped when
    nothing that may follow can lift it over the row's best finished one (T^penalty: Wu et al. 2016, section 7). A
    beam of 1 is greedy decoding; one that holds all prefixes is exact. Keys are the rows' numbers. What the decoder
    reads of `held` beside its steps stands beside them in what comes back (`nets.given`).

    Raises ValueError when the beam or `max_steps` is below 1, the penalty is not in [0, 10], or the likelihood cannot
    list its outcomes.
    """
    _check_steps(max_steps)
    likelihood = _listed(decoder.likelihood, beam, length_penalty)
    keys = torch.arange(z.shape[0], device=z.device)
    lengths = torch.zeros_like(keys)
    total = torch.zeros(len(keys), 1, dtype=torch.float64, device=z.device)  # log p of each hypothesis, (B, N)
    best = total.new_full((len(keys),), -torch.inf)
    live = torch.ones_like(total, dtype=torch.bool)  # the rows of the state are the live ones, in this order
    history = keys.new_zeros(len(keys), 1, 0)  # (B, N, T)
    found = keys.new_zeros(len(keys), 0)  # (B, T)
    stop = -1 if end is None else end  # outcomes are not negative
    state, x_prev = decoder.start(z, held), None
    for length in range(1, max_steps + 1):
        h, state = decoder.step(state, x_prev)
        state_row = live.flatten().cumsum(0).unflatten(0, live.shape) - 1
        total, origin, x = _extend(*likelihood.best(h, beam), total, live, beam)
        history = history.gather(1, origin.unsqueeze(2).expand(-1, -1, length - 1))
        history = torch.cat([history, x.unsqueeze(2)], 2)
        possible = total > -torch.inf
        over = possible & ((x == stop) | (length == max_steps))
        score, place = (total * length**-length_penalty).masked_fill(~over, -torch.inf).max(1)
        better = score > best
        best = torch.where(better, score, best)
        lengths = torch.where(better, length, lengths)
        winner = history.gather(1, place.view(-1, 1, 1).expand(-1, 1, length)).squeeze(1)
        found = torch.where(better.unsqueeze(1), winner, F.pad(found, (0, 1)))
        # log p can only fall, so its value at the greatest length bounds every score to come
        live = possible & ~over & (total * max_steps**-length_penalty > best.unsqueeze(1))
        if not live.any():
            break
        state, x_prev = state.select(state_row.gather(1, origin)[live]), x[live]
    found = found[:, : int(lengths.max())]
    return Batch(found if held is None else beside(found, held), lengths, keys)


def _extend(
    top: Float[Tensor, "M K"],
    outcomes: Int[Tensor, "M K"],
    total: Float[Tensor, "B N"],
    live: Bool[Tensor, "B N"],
    beam: int,
) -> tuple[Float[Tensor, "B N2"], Int[Tensor, "B N2"], Int[Tensor, "B N2"]]:
    """The most probable extensions of each row: their log p, the hypotheses that they extend, their last outcomes.

    `top` are the scores of the best outcomes of the M live hypotheses in row-major order; no row needs more of one
    hypothesis than the beam. What fills up a row stands at minus infinity.
    """
    choices = top.shape[1]
    totals = total.new_full((*live.shape, choices), -torch.inf)
    totals[live] = total[live].unsqueeze(1) + top
    x = outcomes.new_zeros(totals.shape)
    x[live] = outcomes
    kept, place = totals.flatten(1).topk(min(beam, totals.shape[1] * choices), dim=1)
    return kept, place // choices, x.flatten(1).gather(1, place)


def _holding(likelihood: Likelihood, x: Shaped[Tensor, "N ..."]) -> Likelihood:
    """The likelihood of what is left of x. Raises ValueError where it cannot hold a part of a step."""
    if not isinstance(likelihood, Holding):
        raise ValueError(f"no part of {type(likelihood).__name__} steps can be held; hold nothing")
    return likelihood.holding(x)


def _check_steps(max_steps: int) -> None:
    if max_steps < 1:
        raise ValueError(f"max_steps={max_steps} is not possible; give 1 or more")


def _listed(likelihood: Likelihood, beam: int, length_penalty: float) -> Listed:
    """The likelihood, as one whose outcomes are listed. Raises ValueError where beam search is not possible."""
    if beam < 1:
        raise ValueError(f"beam={beam} is not possible; give 1 (greedy) or more")
    check_length_penalty(length_penalty)
    if not isinstance(likelihood, Listed):
        raise ValueError(
            f"beam={beam} is not possible with {type(likelihood).__name__} steps, whose outcomes cannot be "
            "listed; leave the beam out for greedy decoding, or give a temperature to draw"
        )
    return likelihood


def check_length_penalty(length_penalty: float) -> None:
    """Raise ValueError unless the penalty is in [0, 10], where the greatest power of a length is finite."""
    if not 0.0 <= length_penalty <= 10.0:
        raise ValueError(f"length_penalty={length_penalty} is not possible; give a number from 0 (none) to 10")
