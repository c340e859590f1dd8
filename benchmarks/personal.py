"""What a handful of a user's files says about others of theirs: densities of codes, judged by held-out codes.

Of each of five drummers and styles of the Groove MIDI Dataset seven files are taken, and windows of seven others judge.
`seqvae.personalise` fits a Gaussian of Ledoit and Wolf; beside it stand N(0, I), probabilistic PCA (Tipping and Bishop
1999) with so many axes, and a small VAE over the codes with four units (MidiMe, Dinculescu, Engel and Roberts 2019).

    python benchmarks/personal.py runs/gmd-small gmd
"""

import argparse
import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

import seqvae

UNITS, FILES, STEPS = 4, 7, 500


class SmallVAE(nn.Module):
    """A code z by a few units u: q(u|z) and p(z|u) by a hidden layer, with a linear way beside it."""

    def __init__(self, latent: int, units: int, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, 2 * units))
        self.decoder = nn.Sequential(nn.Linear(units, hidden), nn.Tanh(), nn.Linear(hidden, latent))
        self.log_scale = nn.Parameter(torch.zeros(latent))
        self.linear = nn.Linear(units, latent)

    def posterior(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the scale of u."""
        mean, log_scale = self.encoder(z).chunk(2, 1)
        return mean, log_scale.clamp(-6, 3)

    def log_prob(self, z: Tensor, u: Tensor) -> Tensor:
        """log p(z|u) in nats."""
        found: Tensor = Normal(self.decoder(u) + self.linear(u), self.log_scale.exp()).log_prob(z).sum(-1)
        return found

    def nats(self, z: Tensor, samples: int = 300) -> float:
        """The mean log p(z), by importance sampling."""
        mean, log_scale = self.posterior(z)
        q = Normal(mean, log_scale.exp())
        u = q.sample((samples,))
        log_weights = self.log_prob(z, u) - q.log_prob(u).sum(-1) + Normal(0.0, 1.0).log_prob(u).sum(-1)
        return float((torch.logsumexp(log_weights, 0) - math.log(samples)).mean())


def of_vae(mean: Tensor, scale: Tensor, judged: Tensor) -> float:
    """What codes have under a small VAE that was trained on draws of others."""
    centre, deviation = mean.mean(0), (mean.var(0) + (scale**2).mean(0)).sqrt()
    torch.manual_seed(0)
    vae = SmallVAE(mean.shape[1], UNITS)
    optimizer = torch.optim.AdamW(vae.parameters(), 5e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        rows = torch.randint(len(mean), (128,))
        z = (mean[rows] + scale[rows] * torch.randn(128, mean.shape[1]) - centre) / deviation
        location, log_scale = vae.posterior(z)
        u = location + log_scale.exp() * torch.randn_like(location)
        kl = (0.5 * (location**2 + (2 * log_scale).exp() - 1) - log_scale).sum(1)
        loss = (kl * min(1.0, step / 200) - vae.log_prob(z, u)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return vae.nats(((judged - centre) / deviation).float()) - float(deviation.log().sum())


def of_axes(z: Tensor, axes: int, judged: Tensor) -> float:
    """What codes have under probabilistic PCA."""
    variances, directions = torch.linalg.eigh(torch.cov(z.T))
    rest = variances[:-axes].mean()
    long = directions[:, -axes:] * (variances[-axes:] - rest).clamp(min=0).sqrt()
    return of_gaussian(z.mean(0), long @ long.T + rest * torch.eye(z.shape[1]), judged)


def of_gaussian(mean: Tensor, covariance: Tensor, judged: Tensor) -> float:
    """What codes have under a Gaussian: the mean log-likelihood in nats."""
    return float(MultivariateNormal(mean, covariance).log_prob(judged).mean())


def players(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The beats in 4/4 of each drummer and style that has enough of them."""
    files = defaultdict(list)
    with open(folder / "info.csv", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["beat_type"] == "beat" and row["time_signature"] == "4-4":
                files[row["drummer"], row["style"].split("/")[0]].append(folder / row["midi_filename"])
    for (drummer, style), own in files.items():
        if len(own) >= 2 * FILES:
            random.Random(0).shuffle(own)
            yield f"{drummer} {style}", own


def main() -> None:
    """Print a line for each drummer and style, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path, help="the folder of the Groove MIDI Dataset")
    parser.add_argument("--groups", type=int, default=5)
    given = parser.parse_args()
    model, rows = seqvae.load(given.run, "cpu"), []
    for (name, files), _ in zip(players(given.data), range(given.groups), strict=False):
        own, others = model.encode(files[:FILES]), model.encode(files[FILES : 2 * FILES])
        torch.manual_seed(0)
        z, judged, once = (
            (q.mean.repeat(n, 1) + q.scale.repeat(n, 1) * torch.randn(len(q.mean) * n, q.mean.shape[1])).double()
            for q, n in ((own, max(1, 400 // len(own))), (others, 5), (own, 1))
        )
        covariance, _ = ledoit_wolf(once.numpy())
        nats = {
            "N(0, I)": float(Normal(0.0, 1.0).log_prob(judged).sum(1).mean()),
            "Ledoit-Wolf": of_gaussian(z.mean(0), torch.from_numpy(covariance), judged),
            **{f"PCA {axes}": of_axes(z, axes, judged) for axes in (2, 4, 8)},
            f"VAE {UNITS}": of_vae(own.mean, own.scale, judged),
        }
        rows.append(list(nats.values()))
        print(f"{name}, {len(own)} windows, {len(others)} judge: " + figures(nats), flush=True)
    print("mean: " + figures(dict(zip(nats, np.mean(rows, 0), strict=True))))


def figures(nats: dict[str, float]) -> str:
    """Names with nats a code."""
    return ", ".join(f"{name} {value:.1f}" for name, value in nats.items())


if __name__ == "__main__":
    main()
