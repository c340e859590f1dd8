"""Plain torch twins of the toolkit's sequence models, and their turns: what the *_speed.py have in common.

A twin is the same VAE as one writes it with `torch.nn.LSTM` and torch's own functions. Its modules have the names of
the toolkit's, so that weights can be copied, and `check_twin` fails for one that does not compute the same loss. Both
train on the same random steps with the same optimizer and take turns in one run; a ratio is the median over
neighbouring turns, above 1 where the toolkit is faster.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.config import from_dict
from seqvae.core.objectives import negative_elbo
from seqvae.core.vae import VAE
from seqvae.nets.likelihoods import at_least_single
from seqvae.nets.sequences import SequenceNets
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.recipes import read_recipe
from seqvae.types import Batch

BETA, FREE_NATS, CLIP, RATE = 0.2, 33.3, 1.0, 1e-3
TOLERANCE = 1e-6  # of the losses and gradients of a twin with the same weights, in double precision, as a share

Run = Callable[[], object]
Clock = Callable[[], float]


class PlainPosition(nn.Module):
    """A vector for the place in the bar plus one for the bar, of each of `steps` steps."""

    def __init__(self, steps_per_bar: int, bars: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.places, self.bars = (nn.Parameter(torch.randn(count, width)) for count in (steps_per_bar, bars))

    def forward(self, steps: int) -> Tensor:
        """(T, P)."""
        t = torch.arange(steps, device=self.places.device)
        return self.places[t % len(self.places)] + self.bars[t // len(self.places)]


class PlainLSTM(nn.Module):
    """An LSTM whose initial state is made from the code; the code stands beside each input, the step before."""

    def __init__(
        self,
        embed: nn.Module,
        width: int,
        model: SequenceModel,
        position: PlainPosition | None = None,
        latent: int = 0,
    ) -> None:
        super().__init__()
        self.embed, self.position = embed, position
        self.hidden, layers, latent = model.decoder_hidden, model.decoder_layers, latent or model.latent
        self.first = nn.Parameter(torch.zeros(width))
        self.to_state = nn.Linear(latent, 2 * layers * self.hidden)
        inputs = width + latent + (position.width if position else 0)
        self.lstm = nn.LSTM(inputs, self.hidden, layers, batch_first=True)

    def start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell states before the first step."""
        return start_of(self.to_state, z, self.hidden)

    def read(self, x: Tensor) -> Tensor:
        """What each step reads of the one before it: x a step late."""
        return torch.cat([self.first.expand(len(x), 1, -1), self.embed(x[:, :-1])], 1)

    def forward(self, z: Tensor, read: Tensor, places: Tensor | None = None) -> Tensor:
        """The outputs of all steps, which read this, the code, and where they stand: `places`, or from the first on."""
        inputs = [read, z.unsqueeze(1).expand(-1, read.shape[1], -1)]
        if self.position is not None:
            inputs.append(self.position(read.shape[1]).expand(len(read), -1, -1) if places is None else places)
        return self.lstm(torch.cat(inputs, 2), self.start(z))[0]


class PlainCodeAtOutput(nn.Module):
    """A recurrence whose outputs have the code beside them."""

    def __init__(self, recurrence: nn.Module) -> None:
        super().__init__()
        self.recurrence = recurrence

    def read(self, x: Tensor) -> Tensor:
        """What each step reads of the one before it."""
        return self.recurrence.read(x)

    def forward(self, z: Tensor, read: Tensor) -> Tensor:
        """The outputs of all steps, and the code."""
        h = self.recurrence(z, read)
        return torch.cat([h, z.unsqueeze(1).expand(-1, h.shape[1], -1)], 2)


class PlainDecoder(nn.Module):
    """log p(x|z) by a recurrence and a likelihood of single steps."""

    def __init__(self, recurrence: nn.Module, likelihood: nn.Module) -> None:
        super().__init__()
        self.recurrence, self.likelihood = recurrence, likelihood

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """(B,), in nats."""
        h = self.recurrence(z, self.recurrence.read(x))
        return self.likelihood(h.flatten(0, 1), x.flatten(0, 1)).unflatten(0, x.shape[:2]).sum(1)


class PlainCategorical(nn.Module):
    """One of so many outcomes."""

    def __init__(self, hidden: int, outcomes: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, outcomes)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """log p(x|h) in nats of each row."""
        return -F.cross_entropy(at_least_single(self.projection(h)), x, reduction="none")


class PlainOneHot(nn.Module):
    """Outcomes as vectors with a single 1."""

    def __init__(self, outcomes: int) -> None:
        super().__init__()
        self.outcomes = outcomes
        self.register_buffer("unit", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., outcomes)."""
        return F.one_hot(x, self.outcomes).to(self.unit)


class Twin(nn.Module):
    """The VAE: a bidirectional LSTM, a Gaussian code and a decoder of `forward(x, z, ...)`."""

    def __init__(
        self,
        embed: nn.Module,
        width: int,
        model: SequenceModel,
        decoder: nn.Module,
        position: PlainPosition | None = None,
    ) -> None:
        super().__init__()
        self.embed, self.position = embed, position
        width += position.width if position else 0
        self.encoder = nn.LSTM(width, model.encoder_hidden, batch_first=True, bidirectional=True)
        self.posterior = nn.Linear(2 * model.encoder_hidden, 2 * model.latent)
        self.decoder = decoder

    def forward(self, x: Tensor, *decoding: Any, eps: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """log p(x|z) and the KL of each unit; `eps` are the normal draws where they are known."""
        read = self.embed(x)
        if self.position is not None:
            read = torch.cat([read, self.position(read.shape[1]).expand(len(read), -1, -1)], 2)
        _, (h, _) = self.encoder(read)
        features = self.posterior(torch.cat([h[0], h[1]], 1))
        mean, raw = at_least_single(features).chunk(2, 1)
        scale = F.softplus(raw)
        z = mean + scale * (torch.randn_like(mean) if eps is None else eps)
        return self.decoder(x, z, *decoding), 0.5 * (mean**2 + scale**2 - 1) - scale.log()


def start_of(layer: nn.Module, z: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """Hidden and cell states of an LSTM's layers by a dense layer and tanh."""
    c, h = layer(z).tanh().unflatten(1, (-1, hidden)).transpose(0, 1).chunk(2)
    return h.contiguous(), c.contiguous()


def sizes_of(recipe: str, modality: str, model_config: type[SequenceModel], **changed: Any) -> Any:
    """The sizes that a recipe trains, without its dropout, with some keys changed."""
    values = read_recipe(recipe, modality)["model"]
    dropouts = {name: 0.0 for name in values if name.endswith("_dropout")}
    return from_dict(model_config, {**values, **dropouts, **changed}, "model")


def own_vae(nets: SequenceNets, model: SequenceModel) -> VAE:
    """The toolkit's model of these nets."""
    encoder, decoder = nets
    return VAE(encoder, decoder, model.scale, model.code_initial_scale)


def check_twin(own: VAE, twin: Twin, x: Tensor) -> None:
    """Give the twin the weights of `own`, and print both losses in double precision.

    Raises AssertionError where it has other weights, another loss or another gradient.
    """
    twin.load_state_dict({**twin.state_dict(), **_weights_for_twin(own)})
    assert sum(w.numel() for w in twin.parameters()) == sum(w.numel() for w in own.parameters())
    exact = copy.deepcopy(own).double(), copy.deepcopy(twin).double()
    batch = batch_of(x)
    noise = Noise(0, batch.keys)
    eps = exact[0].posterior(batch).standard(noise)
    losses, slopes = [], []
    for model, (log_px, kl) in zip(exact, (exact[0](batch, noise)[:2], exact[1](x, eps=eps)), strict=True):
        loss = kl.sum(1).mean() - log_px.mean()
        loss.backward()
        losses.append(loss.item())
        slopes.append(torch.stack([w.grad.norm() for w in model.parameters()]).norm().item())
    print(f"losses with the same weights {losses[0]:.6f} and {losses[1]:.6f} nats")
    assert abs(losses[1] / losses[0] - 1) < TOLERANCE, "the twin has another loss"
    assert abs(slopes[1] / slopes[0] - 1) < TOLERANCE, f"the norms of the gradients are {slopes[0]} and {slopes[1]}"


def _weights_for_twin(own: VAE) -> dict[str, Tensor]:
    """The weights of the toolkit's model by the names of the twin."""
    weights = {f"decoder.{name}": weight for name, weight in own.decoder.named_parameters()}
    for name, weight in own.encoder.named_parameters():
        if not name.startswith("layers."):
            weights[name] = weight
    for way, lstm in zip(("", "_reverse"), own.encoder.layers[0], strict=True):
        weights |= {f"encoder.{name}{way}": weight for name, weight in lstm.named_parameters()}
    for kind in ("weight", "bias"):
        weights[f"posterior.{kind}"] = torch.cat([getattr(own.to_mean, kind), getattr(own.to_scale, kind)])
    return weights


def batch_of(x: Tensor) -> Batch:
    """Steps as a batch without padding."""
    return Batch(x, torch.full((len(x),), x.shape[1], device=x.device), torch.arange(len(x), device=x.device))


def training(model: VAE | Twin, x: Tensor, sampling: float = 0.0, bf16: bool = False) -> Run:
    """One optimizer step on these steps, as a call; with scheduled sampling the twin's decoder takes its share."""
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    batch = batch_of(x)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            if isinstance(model, Twin):
                log_px, kl = model(x, sampling) if sampling else model(x)
            else:
                log_px, kl = model(batch, Noise(0, batch.keys, done), sampling_probability=sampling)[:2]
        negative_elbo(log_px, kl, BETA, free_nats_total=FREE_NATS).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds_of(run: Run, clock: Clock) -> float:
    """The time of one call."""
    start = clock()
    run()
    return clock() - start


def clock_of(device: torch.device, processor_time: bool) -> Clock:
    """The clock that runs are timed by; on a GPU it waits for what was launched."""

    def after_the_device() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    if device.type == "cuda":
        return after_the_device
    return time.process_time if processor_time else time.perf_counter


def compare(ours: Run, twins: Run, rows: int, seconds: float, clock: Clock, twin_rows: int = 0) -> str:
    """Sequences a second of both, turn by turn for some time, and the median of the ratios of neighbours.

    A call of the twin makes `twin_rows` of them, 0 for as many as a call of ours.
    """
    for run in (ours, twins):
        run()
    pairs: list[tuple[float, float]] = []
    while sum(map(sum, pairs)) < seconds or len(pairs) < 3:
        pairs.append((seconds_of(ours, clock), seconds_of(twins, clock)))
    speeds = [(rows / mine, (twin_rows or rows) / theirs) for mine, theirs in pairs]
    own_speed, twin_speed = (statistics.median(each) for each in zip(*speeds, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in speeds)
    return f"{own_speed:>10,.1f}{twin_speed:>10,.1f}{ratio:>8.2f}"


def timing_options(description: str, batches: Sequence[int]) -> argparse.ArgumentParser:
    """The options that all of these scripts have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="for each line, both models together")
    parser.add_argument("--batch", type=int, nargs="*", default=list(batches), help="training batches")
    parser.add_argument("--processor-time", action="store_true", help="count the process's own time, not the clock's")
    return parser


def heading(device: torch.device, models: Iterable[nn.Module]) -> str:
    """The machine, the sizes of both models, and the heads of the columns that `compare` fills."""
    sizes = " and ".join(f"{sum(p.numel() for p in model.parameters()):,}" for model in models)
    first = f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}; {sizes} parameters"
    return f"{first}\n{'sequences a second':42}{'seqvae':>10}{'twin':>10}{'ratio':>8}"


def print_turns(name: str, own: VAE, twin: Twin, x: Tensor, options: argparse.Namespace) -> None:
    """Check the twin, then print a line for each batch of training: x cut to so many rows."""
    check_twin(own, twin, x[:8])
    print(heading(x.device, (own, twin)))
    clock = clock_of(x.device, options.processor_time)
    for rows in options.batch:
        runs = [training(model, x[:rows]) for model in (own, twin)]
        print(f"{f'{name}, batch {rows}':42}{compare(*runs, rows, options.seconds, clock)}", flush=True)
