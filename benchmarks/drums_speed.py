"""Speed of the drum model beside a plain torch twin of it: sequences a second in training and in sampling.

The sizes are those of MusicVAE's cat-drums_2bar_small: a bidirectional LSTM of 512 units, a decoder of two layers of
256, a code of 256, 512 outcomes, 32 steps. The twin is what one writes with `torch.nn.LSTM`, one-hot inputs and
autocast: the code stands beside every input, scheduled sampling and generation go step by step.

    python benchmarks/drums_speed.py                          everything, some ten minutes on two cores
    python benchmarks/drums_speed.py --seconds 2 --batch 64   shorter, some batches only
    python benchmarks/drums_speed.py --processor-time         where others use the machine too (CPU, one thread)
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from twins import (
    PlainCategorical,
    PlainDecoder,
    PlainLSTM,
    PlainOneHot,
    Run,
    Twin,
    check_twin,
    clock_of,
    compare,
    heading,
    own_vae,
    timing_options,
    training,
)

from seqvae.core.vae import VAE
from seqvae.modalities.midi.nets import Bars, drum_nets
from seqvae.modalities.midi.settings import DrumModel
from seqvae.nets.draws import Choice
from seqvae.nets.sampling import generate
from seqvae.nets.steps import bits_of_labels
from seqvae.noise import Noise

CLASSES, STEPS = 9, 32
OUTCOMES = 2**CLASSES
SAMPLING = {"teacher forced": 0.0, "scheduled sampling": 0.5}  # share of the inputs that are drawn
MODEL = DrumModel(
    latent=256,
    embedding=0,
    position=0,
    encoder_hidden=512,
    decoder_hidden=256,
    decoder_layers=2,
    initial_state="dense",
    scale="softplus",
    word_dropout=0.0,
)


class PlainBits(nn.Module):
    """Labels as the classes that are hit, and a last number that is 1 where none is."""

    def __init__(self) -> None:
        super().__init__()
        bits = F.pad(bits_of_labels(CLASSES), (0, 1))
        bits[0, CLASSES] = 1.0
        self.register_buffer("bits", bits, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C + 1)."""
        return self.bits[x]


class DrumDecoder(PlainDecoder):
    """The decoder of drums, which can read its own draws and make steps of codes."""

    def forward(self, x: Tensor, z: Tensor, sampling: float = 0.0) -> Tensor:
        """log p(x|z); of scheduled sampling step by step."""
        if not sampling:
            return super().forward(x, z)
        recurrence, layer = self.recurrence, self.likelihood.projection
        state, read, logits = recurrence.start(z), recurrence.read(x), []
        inputs = read[:, :1]
        for t in range(x.shape[1]):
            h, state = recurrence.lstm(torch.cat([inputs, z.unsqueeze(1)], 2), state)
            logits.append(layer(h))
            if t + 1 < x.shape[1]:
                draws = torch.distributions.Categorical(logits=logits[-1].detach().float()).sample()
                drawn = torch.rand(len(x), 1, 1, device=x.device) < sampling
                inputs = torch.where(drawn, recurrence.embed(draws), read[:, t + 1 : t + 2])
        scores = F.cross_entropy(torch.cat(logits, 1).float().flatten(0, 1), x.flatten(), reduction="none")
        return -scores.unflatten(0, x.shape).sum(1)

    def sample(self, z: Tensor) -> Tensor:
        """A sequence for each code."""
        recurrence, steps = self.recurrence, []
        state, inputs = recurrence.start(z), recurrence.first.expand(len(z), 1, -1)
        for _ in range(STEPS):
            h, state = recurrence.lstm(torch.cat([inputs, z.unsqueeze(1)], 2), state)
            x = self.likelihood.projection(h)[:, 0].float().softmax(1).multinomial(1)
            steps.append(x)
            inputs = recurrence.embed(x)
        return torch.cat(steps, 1)


def own() -> VAE:
    """The model as the toolkit builds it."""
    return own_vae(drum_nets(MODEL, CLASSES, True, Bars([], 2, 4)), MODEL)


def plain() -> Twin:
    """Its twin."""
    recurrence = PlainLSTM(PlainOneHot(OUTCOMES), OUTCOMES, MODEL)
    decoder = DrumDecoder(recurrence, PlainCategorical(MODEL.decoder_hidden, OUTCOMES))
    return Twin(PlainBits(), CLASSES + 1, MODEL, decoder)


def sampling(model: VAE | Twin, rows: int, bf16: bool, device: torch.device) -> Run:
    """Sequences from random codes, as a call."""
    z, noise = torch.randn(rows, MODEL.latent, device=device), Noise(0, torch.arange(rows, device=device))

    @torch.inference_mode()
    def draw() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            if isinstance(model, Twin):
                model.decoder.sample(z)
            else:
                generate(model.decoder, z, noise, Choice(), STEPS, end=None)

    return draw


def main() -> None:
    """Print one table."""
    parser = timing_options(__doc__, [64, 512])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--at-once", type=int, nargs="*", default=[8, 512], help="sequences sampled at once")
    parser.add_argument("--precision", nargs="*", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    options = parser.parse_args()
    device = torch.device(options.device)
    clock = clock_of(device, options.processor_time)
    torch.manual_seed(0)
    models = own().to(device), plain().to(device)
    check_twin(*models, torch.randint(OUTCOMES, (8, STEPS), device=device))
    print(heading(device, models))
    for precision in options.precision:
        bf16 = precision == "bf16"
        lines: list[tuple[str, int, list[Run]]] = []
        for rows, (name, share) in itertools.product(options.batch, SAMPLING.items()):
            x = torch.randint(OUTCOMES, (rows, STEPS), device=device)
            runs = [training(model, x, share, bf16) for model in models]
            lines.append((f"{precision} training, batch {rows}, {name}", rows, runs))
        for rows in options.at_once:
            runs = [sampling(model, rows, bf16, device) for model in models]
            lines.append((f"{precision} sampling, {rows} at once", rows, runs))
        for name, rows, runs in lines:
            print(f"{name:42}{compare(*runs, rows, options.seconds, clock)}", flush=True)


if __name__ == "__main__":
    main()
