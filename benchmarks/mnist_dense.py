"""The 784-400-20 VAE on MNIST: test -ELBO after ten epochs, and images a CPU-second beside a common training loop.

The other loop is built as the VAE of pytorch/examples is: a `DataLoader` over a data set that makes one image at a
time (a PIL image, then a tensor), Adam at 1e-3, batches of 128, grey levels as Bernoulli means. Both train by turns in
one process on one thread; an epoch of this toolkit includes its validation, its metrics and its checkpoints.

    python benchmarks/mnist_dense.py mnist                      ten epochs of three seeds each, about five minutes
    python benchmarks/mnist_dense.py mnist --seeds 1 --epochs 2
    python benchmarks/mnist_dense.py --seeds 1 --epochs 2       on digits of its own, for the speed alone
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from seqvae.modalities.base import Report
from seqvae.modalities.images.reading import Reading, read_pictures, shape_of
from seqvae.model import load
from seqvae.recipes import read_recipe
from seqvae.training.log import Silent
from seqvae.training.run import train

RECIPE, BATCH = "mnist-dense", 128


class Items(Dataset):
    """One image at a time, as a PIL image and from that as a tensor."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.fromarray(self.images[index].numpy())
        return torch.from_numpy(np.array(image, copy=True)).unsqueeze(0).float().div(255)


class Twin(nn.Module):
    """The same network by torch's own modules."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.hidden, self.mean, self.log_variance = nn.Linear(values, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.back, self.output = nn.Linear(20, 400), nn.Linear(400, values)

    def loss(self, x: Tensor) -> Tensor:
        """-ELBO in nats, summed over the batch."""
        x = x.reshape(-1, self.values)
        h = F.relu(self.hidden(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        shares = torch.sigmoid(self.output(F.relu(self.back(z))))
        kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        return F.binary_cross_entropy(shares, x, reduction="sum") + kl


class Clock(Silent):
    """The CPU time at which training began, and its steps."""

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Training begins."""
        self.began = time.process_time()

    def progress(self, record: Mapping[str, Any]) -> None:
        """Some steps more."""
        self.steps: int = record["step"]


def images_of(folder: Path, split: str) -> np.ndarray:
    """(N, H, W) uint8."""
    reading = Reading(split=split)
    shape = shape_of([folder], reading)
    return np.stack([p.pixels[:, :, 0] for p in read_pictures([folder], reading, shape, Report())])


def common_loop(folder: Path, epochs: int, seed: int) -> tuple[float, float]:
    """(images a CPU-second, test -ELBO in nats) of the common loop."""
    torch.manual_seed(seed)
    images, test = images_of(folder, "train"), images_of(folder, "test")
    loader = DataLoader(Items(images), batch_size=BATCH, shuffle=True)
    model = Twin(images[0].size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began, total = time.process_time(), 0.0
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            loss = model.loss(batch)
            loss.backward()
            total += loss.item()
            optimizer.step()
    rate = len(images) * epochs / (time.process_time() - began)
    with torch.no_grad():
        nats = sum(float(model.loss(batch)) for batch in DataLoader(Items(test), batch_size=BATCH)) / len(test)
    return rate, nats


def toolkit(folder: Path, epochs: int, seed: int, out: Path) -> tuple[float, float]:
    """(images a CPU-second, test -ELBO in nats) of the recipe."""
    clock = Clock()
    values: Mapping[str, Any] = read_recipe(RECIPE, "images")
    values = {**values, "train": {**values["train"], "epochs": epochs, "seed": seed, "threads": 1}}
    train("images", folder, out, values, device="cpu", reporter=clock)
    rate = clock.steps * BATCH / (time.process_time() - clock.began)
    model = load(out, "cpu")
    part = model.modality.of_split("test", [folder])
    model.modality = part or model.modality
    return rate, -model.evaluate(folder, importance_samples=1)["elbo_nats"]


def main() -> None:
    """Measure by turns and print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="a folder with MNIST's four files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--digits", type=int, default=10_000, help="of its own, to train on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ways: dict[str, Callable[[Path, int, int, Path], tuple[float, float]]] = {
        "seqvae": toolkit,
        "common loop": lambda folder, epochs, seed, out: common_loop(folder, epochs, seed),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder, seeds, epochs = arguments.data, arguments.seeds, arguments.epochs
        if folder is None:
            folder = Path(scratch) / "digits"
            script = Path(__file__).resolve().parent.parent / "scripts" / "generate_digits.py"
            count = ["--train", str(arguments.digits), "--test", str(max(10, arguments.digits // 5))]
            subprocess.run([sys.executable, str(script), "generate", "--out", str(folder), *count], check=True)
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for seed in range(seeds):
            for name, way in ways.items():
                figures[name].append(way(folder, epochs, seed, Path(scratch) / f"run-{seed}"))
                rate, nats = figures[name][-1]
                print(f"seed {seed}  {name:<12} {rate:9,.0f} images a CPU-second   test -ELBO {nats:7.2f}", flush=True)
        for name, pairs in figures.items():
            mean = statistics.mean(nats for _, nats in pairs)
            print(f"mean of {seeds}  {name:<12} test -ELBO {mean:7.2f} after {epochs} epochs")
        ratios = [a[0] / b[0] for a, b in zip(*figures.values(), strict=True)]
        print(f"images a CPU-second, ratio: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
