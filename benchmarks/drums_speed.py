"""Speed of the drum model beside a plain torch twin of it: sequences a second in training and in sampling.

The sizes are those of MusicVAE's cat-drums_2bar_small: a bidirectional LSTM of 512 units, a decoder of two layers of
256, a code of 256, 512 outcomes, 32 steps. The twin is what one writes with `torch.nn.LSTM`, one-hot inputs and
autocast: the code stands beside every input, scheduled sampling and generation go step by step. Both train on random
steps with the same optimizer, and take turns in one run; the ratio is the median over the turns, above 1 where this
toolkit is faster.

    python benchmarks/drums_speed.py                          everything, some ten minutes on two cores
    python benchmarks/drums_speed.py --seconds 2 --batch 64   shorter, some batches only
    python benchmarks/drums_speed.py --processor-time         where others use the machine too (CPU, one thread)
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqvae.core.objectives import negative_elbo
from seqvae.core.vae import VAE
from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.likelihoods import Categorical, Choice
from seqvae.nets.lstm import LSTMEncoder, LSTMRecurrence
from seqvae.nets.sampling import generate
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import bits_of_labels, step_input
from seqvae.noise import Noise
from seqvae.types import Batch

CLASSES, ENCODER, DECODER, LAYERS, LATENT, STEPS = 9, 512, 256, 2, 256, 32
OUTCOMES = 2**CLASSES
SAMPLING = {"teacher forced": 0.0, "scheduled sampling": 0.5}  # share of the inputs that are drawn
BETA, FREE_NATS, CLIP, RATE = 0.2, 33.3, 1.0, 1e-3

Run = Callable[[], object]
Clock = Callable[[], float]


class Twin(nn.Module):
    """The same model by torch's own modules."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bits", F.pad(bits_of_labels(CLASSES), (0, 1)))
        self.bits[0, CLASSES] = 1.0  # silence
        self.encoder = nn.LSTM(CLASSES + 1, ENCODER, batch_first=True, bidirectional=True)
        self.posterior = nn.Linear(2 * ENCODER, 2 * LATENT)
        self.to_state = nn.Linear(LATENT, 2 * LAYERS * DECODER)
        self.decoder = nn.LSTM(OUTCOMES + LATENT, DECODER, LAYERS, batch_first=True)
        self.output = nn.Linear(DECODER, OUTCOMES)

    def start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell states of the decoder."""
        c, h = self.to_state(z).tanh().unflatten(1, (2 * LAYERS, DECODER)).transpose(0, 1).chunk(2)
        return h.contiguous(), c.contiguous()

    def inputs(self, x: Tensor, z: Tensor) -> Tensor:
        """One-hot steps with the code beside them, a step late."""
        one_hot = F.one_hot(x, OUTCOMES).to(z.dtype)
        return torch.cat([one_hot, z.unsqueeze(1).expand(-1, x.shape[1], -1)], 2)

    def forward(self, x: Tensor, sampling: float) -> tuple[Tensor, Tensor]:
        """log p(x|z) and the KL of each unit."""
        _, (h, _) = self.encoder(self.bits[x])
        mean, raw = self.posterior(torch.cat([h[0], h[1]], 1)).float().chunk(2, 1)
        scale = F.softplus(raw)
        z = mean + scale * torch.randn_like(mean)
        read = F.pad(self.inputs(x[:, :-1], z), (0, 0, 1, 0))
        read[:, 0, OUTCOMES:] = z
        if sampling:
            logits = self.sampled(x, read, z, sampling)
        else:
            logits = self.output(self.decoder(read, self.start(z))[0])
        log_px = -F.cross_entropy(logits.float().flatten(0, 1), x.flatten(), reduction="none").unflatten(0, x.shape)
        return log_px.sum(1), 0.5 * (mean**2 + scale**2 - 1) - scale.log()

    def sampled(self, x: Tensor, read: Tensor, z: Tensor, sampling: float) -> Tensor:
        """Logits of scheduled sampling, step by step."""
        state, inputs, logits = self.start(z), read[:, :1], []
        for t in range(x.shape[1]):
            h, state = self.decoder(inputs, state)
            logits.append(self.output(h))
            if t + 1 < x.shape[1]:
                draws = torch.distributions.Categorical(logits=logits[-1][:, 0].detach().float()).sample()
                drawn = torch.rand(len(x), 1, 1, device=x.device) < sampling
                inputs = torch.where(drawn, self.inputs(draws.unsqueeze(1), z), read[:, t + 1 : t + 2])
        return torch.cat(logits, 1)

    def sample(self, z: Tensor) -> Tensor:
        """A sequence for each code."""
        state, steps = self.start(z), []
        inputs = torch.cat([z.new_zeros(len(z), OUTCOMES), z], 1).unsqueeze(1)
        for _ in range(STEPS):
            h, state = self.decoder(inputs, state)
            x = self.output(h)[:, 0].float().softmax(1).multinomial(1)
            steps.append(x)
            inputs = self.inputs(x, z)
        return torch.cat(steps, 1)


def own() -> VAE:
    """The model as the toolkit builds it."""
    reads, width = step_input(CLASSES, True, 0, shared=False, one_hot=False)
    model = SequenceModel(
        latent=LATENT,
        encoder_hidden=ENCODER,
        decoder_hidden=DECODER,
        decoder_layers=LAYERS,
        initial_state="dense",
        scale="softplus",
    )
    encoder = LSTMEncoder(reads, width, model)
    reads, width = step_input(CLASSES, True, 0, shared=False, one_hot=True)
    decoder = SequenceDecoder(LSTMRecurrence(reads, width, model), Categorical(DECODER, OUTCOMES))
    return VAE(encoder, decoder, model.scale)


def training(model: VAE | Twin, rows: int, sampling: float, bf16: bool, device: torch.device) -> Run:
    """One optimizer step on random steps, as a call."""
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    x = torch.randint(OUTCOMES, (rows, STEPS), device=device)
    batch = Batch(x, torch.full((rows,), STEPS, device=device), torch.arange(rows, device=device))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            if isinstance(model, Twin):
                log_px, kl = model(x, sampling)
            else:
                terms = model(batch, Noise(0, batch.keys, done), sampling_probability=sampling)
                log_px, kl = terms.log_px, terms.kl
        negative_elbo(log_px, kl, BETA, free_nats_total=FREE_NATS).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()

    return step


def sampling(model: VAE | Twin, rows: int, bf16: bool, device: torch.device) -> Run:
    """Sequences from random codes, as a call."""
    z, noise = torch.randn(rows, LATENT, device=device), Noise(0, torch.arange(rows, device=device))

    @torch.inference_mode()
    def draw() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            if isinstance(model, Twin):
                model.sample(z)
            else:
                generate(model.decoder, z, noise, Choice(), STEPS, end=None)

    return draw


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


def compare(ours: Run, twins: Run, rows: int, seconds: float, clock: Clock) -> str:
    """Sequences a second of both, turn by turn for some time, and the median of the ratios of neighbours."""
    for run in (ours, twins):
        run()
    pairs: list[tuple[float, float]] = []
    while sum(map(sum, pairs)) < seconds or len(pairs) < 3:
        pairs.append((seconds_of(ours, clock), seconds_of(twins, clock)))
    own_speed, twin_speed = (rows / statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    return f"{own_speed:>10,.0f}{twin_speed:>10,.0f}{ratio:>8.2f}"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=12.0, help="for each line, both models together")
    parser.add_argument("--batch", type=int, nargs="*", default=[64, 512], help="training batches")
    parser.add_argument("--at-once", type=int, nargs="*", default=[8, 512], help="sequences sampled at once")
    parser.add_argument("--precision", nargs="*", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--processor-time", action="store_true", help="count the process's own time, not the clock's")
    options = parser.parse_args()
    device = torch.device(options.device)
    clock = clock_of(device, options.processor_time)
    torch.manual_seed(0)
    models = own().to(device), Twin().to(device)
    sizes = " and ".join(f"{sum(p.numel() for p in model.parameters()):,}" for model in models)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}; {sizes} parameters")
    print(f"{'sequences a second':42}{'seqvae':>10}{'twin':>10}{'ratio':>8}")
    for precision in options.precision:
        lines: list[tuple[str, int, list[Run]]] = []
        for rows, (name, share) in itertools.product(options.batch, SAMPLING.items()):
            runs = [training(model, rows, share, precision == "bf16", device) for model in models]
            lines.append((f"{precision} training, batch {rows}, {name}", rows, runs))
        for rows in options.at_once:
            runs = [sampling(model, rows, precision == "bf16", device) for model in models]
            lines.append((f"{precision} sampling, {rows} at once", rows, runs))
        for name, rows, runs in lines:
            print(f"{name:42}{compare(*runs, rows, options.seconds, clock)}", flush=True)


if __name__ == "__main__":
    main()
