"""Speed of generation in tokens a second: greedy, drawn, nucleus and beam search, at 1, 8 and 512 sequences at once.

Random weights of the size of the published Penn Treebank models: 256 embedding, 256 hidden, 32 latent units, 10,000
words. No sequence ends early, so every step computes all rows.
"""

import time

import torch
from torch import nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.lstm import LSTMRecurrence, LSTMState
from seqvae.nets.sampling import beam_search, generate
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.types import Batch

WORDS, EMBEDDING, HIDDEN, LATENT = 10_000, 256, 256, 32
STEPS = 20
AT_ONCE = (1, 8, 512)
CHOICES = {
    "greedy": Choice(temperature=0.0),
    "temperature 1": Choice(),
    "top-k 50": Choice(top_k=50),
    "top-p 0.9": Choice(top_p=0.9),
    "beam 5": None,
}


def decode(decoder: SequenceDecoder[LSTMState], z: torch.Tensor, choice: Choice | None) -> Batch:
    """Sequences of STEPS steps from the codes; without a choice by beam search."""
    if choice is None:
        return beam_search(decoder, z, beam=5, max_steps=STEPS, end=None)
    return generate(decoder, z, Noise(0, torch.arange(len(z))), choice, STEPS, end=None)


def tokens_per_second(decoder: SequenceDecoder[LSTMState], rows: int, choice: Choice | None) -> float:
    """The fastest of as many runs as fit into half a second, at least one; short runs are warmed up."""
    z = torch.randn(rows, LATENT)
    if rows < 100:
        decode(decoder, z, choice)
    fastest, spent = float("inf"), 0.0
    while spent < 0.5:
        start = time.perf_counter()
        decode(decoder, z, choice)
        took = time.perf_counter() - start
        fastest, spent = min(fastest, took), spent + took
    return rows * STEPS / fastest


def main() -> None:
    """Print one table."""
    torch.manual_seed(0)
    embed = nn.Embedding(WORDS, EMBEDDING)
    model = SequenceModel(latent=LATENT, decoder_hidden=HIDDEN)
    decoder = SequenceDecoder(LSTMRecurrence(embed, EMBEDDING, model), Categorical(HIDDEN, WORDS))
    print(f"tokens a second, {torch.get_num_threads()} threads, {STEPS} steps each")
    print(f"{'at once':14}" + "".join(f"{rows:>10}" for rows in AT_ONCE))
    with torch.inference_mode():
        for name, choice in CHOICES.items():
            speeds = [tokens_per_second(decoder, rows, choice) for rows in AT_ONCE]
            print(f"{name:14}" + "".join(f"{speed:>10,.0f}" for speed in speeds), flush=True)


if __name__ == "__main__":
    main()
