"""What sentences cost by position, in nats a sentence: of a language model, and of models that know a drawn code.

Where a model with codes is below a language model of its sizes, its code says something of the words there.

    python benchmarks/by_position.py ptb.valid.txt runs/ptb-lm runs/ptb runs/ptb-best-longer
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.model import load
from seqvae.noise import Noise

ENDS = (1, 2, 3, 4, 10, 20, 30)  # of groups of positions
SIZE = 64


def cost_by_step(run: Path, source: Path, seed: int) -> np.ndarray:
    """-log p(x_t | x_<t, z) of each position in nats, summed over the sentences and divided by how many there are."""
    model = load(run)
    corpus = prepare(model.modality, [source])
    batches = Batches(Part(corpus), SIZE)
    cost = np.zeros(int(corpus.lengths(np.arange(len(corpus))).max()))
    with torch.no_grad():
        for batch in map(batches.load, batches.in_order()):
            z = model.vae.posterior(batch).rsample(Noise(seed, batch.keys))
            steps = -model.vae.decoder.step_log_prob(z, batch).double().sum(0)
            cost[: len(steps)] += steps.numpy()
    return cost / len(corpus)


def main() -> None:
    """A line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    arguments = parser.parse_args()
    firsts = (0, *ENDS)
    names = [str(a + 1) if b == a + 1 else f"{a + 1}-{b}" for a, b in zip(firsts, ENDS, strict=False)]
    print("| run |", " | ".join([*names, f"{ENDS[-1] + 1}-", "sum"]), "|")
    print("| --- |" + " --- |" * (len(ENDS) + 2))
    for run in arguments.runs:
        cost = cost_by_step(run, arguments.source, arguments.seed)
        groups = [part.sum() for part in np.split(cost, ENDS)]
        print(f"| {run.name} |", " | ".join(f"{nats:.2f}" for nats in [*groups, cost.sum()]), "|", flush=True)


if __name__ == "__main__":
    main()
