"""Speed of generation: greedy, drawn, nucleus and beam search, alone and beside a plain step-by-step decoder.

Random weights of the size of the published Penn Treebank models: 256 embedding, 256 hidden, 32 latent units, 10,000
words. No sequence ends early, so every step computes all rows.

The twin is the decoder of text_twins.py, as jxhe's vae-lagging-encoder generates, with the same weights: an LSTM call a
step, each word fetched by itself, and beam search for one sentence after another, with a list of hypotheses; of its
beam search only the first `--beam-rows` codes are timed. It computes in fp32, the toolkit in both precisions, in bf16
by autocast from outside. Before anything is timed, both have to give the same sentences in double precision.

    python benchmarks/generation.py                            both tables, some four minutes on two cores
    python benchmarks/generation.py --tables twin --seconds 20 beside the twin, longer
"""

import argparse
import copy
import time
from functools import partial

import torch
from text_twins import LaggingDecoder, Sizes
from torch import nn
from twins import Run, clock_of, compare

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.lstm import LSTMRecurrence, LSTMState
from seqvae.nets.sampling import beam_search, generate
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.types import Batch

SIZES = Sizes(embedding=256, hidden=256, latent=32)
CHOICES = {
    "greedy": Choice(temperature=0.0),
    "temperature 1": Choice(),
    "top-k 50": Choice(top_k=50),
    "top-p 0.9": Choice(top_p=0.9),
    "beam 5": None,
}
CHECKED, CHECKED_STEPS = 3, 5  # codes and steps of the check of the twin

Decoder = SequenceDecoder[LSTMState]


def decoder_of(words: int) -> Decoder:
    """The toolkit's decoder with weights at random."""
    model = SequenceModel(latent=SIZES.latent, decoder_hidden=SIZES.hidden)
    recurrence = LSTMRecurrence(nn.Embedding(words, SIZES.embedding), SIZES.embedding, model)
    return SequenceDecoder(recurrence, Categorical(SIZES.hidden, words))


def twin_of(own: Decoder, words: int) -> LaggingDecoder:
    """The twin with the same weights."""
    twin, recurrence = LaggingDecoder(words, SIZES, bias=True).eval(), own.recurrence
    rows = torch.cat([recurrence.embed.weight, recurrence.first.unsqueeze(0)])
    twin.embed.load_state_dict({"weight": rows})
    for mine, theirs in ((twin.lstm, recurrence.lstm), (twin.to_state, recurrence.to_state)):
        mine.load_state_dict(theirs.state_dict())
    twin.output.load_state_dict(own.likelihood.projection.state_dict())
    return twin


def check_twin(own: Decoder, twin: LaggingDecoder) -> None:
    """Raises AssertionError where the twin finds other sentences in double precision."""
    own, twin = copy.deepcopy(own).double(), copy.deepcopy(twin).double()
    z = torch.randn(CHECKED, SIZES.latent, dtype=torch.float64)
    for name, found in (("greedy", twin.generate), ("beam 5", twin.beam_search)):
        expected = decode(own, z, CHECKED_STEPS, CHOICES[name]).x.tolist()
        assert found(z, CHECKED_STEPS) == expected, f"{name}: the twin finds other sentences"


def decode(decoder: Decoder, z: torch.Tensor, steps: int, choice: Choice | None, bf16: bool = False) -> Batch:
    """Sequences of so many steps from the codes; without a choice by beam search."""
    with torch.autocast(z.device.type, torch.bfloat16, enabled=bf16):
        if choice is None:
            return beam_search(decoder, z, beam=5, max_steps=steps, end=None)
        return generate(decoder, z, Noise(0, torch.arange(len(z))), choice, steps, end=None)


def tokens_per_second(decoder: Decoder, rows: int, choice: Choice | None, options: argparse.Namespace) -> float:
    """The fastest of as many runs as fit into the time of a figure, at least one; short runs are warmed up."""
    z = torch.randn(rows, SIZES.latent)
    if rows < 100:
        decode(decoder, z, options.steps, choice)
    fastest, spent = float("inf"), 0.0
    while not spent or spent < options.seconds / 20:
        start = time.perf_counter()
        decode(decoder, z, options.steps, choice)
        took = time.perf_counter() - start
        fastest, spent = min(fastest, took), spent + took
    return rows * options.steps / fastest


def print_alone(own: Decoder, options: argparse.Namespace) -> None:
    """Tokens a second by way of choosing and by how many there are at once."""
    print(f"{'tokens a second':26}" + "".join(f"{rows:>10}" for rows in options.at_once))
    for name, choice in CHOICES.items():
        speeds = [tokens_per_second(own, rows, choice, options) for rows in options.at_once]
        print(f"{name:26}" + "".join(f"{speed:>10,.0f}" for speed in speeds), flush=True)


def print_beside_twin(own: Decoder, twin: LaggingDecoder, options: argparse.Namespace) -> None:
    """Sentences a second beside the twin."""
    z = torch.randn(options.rows, SIZES.latent)
    few = z[: options.beam_rows]
    twins: dict[str, tuple[int, Run]] = {
        "greedy": (len(z), partial(twin.generate, z, options.steps)),
        "temperature 1": (len(z), partial(twin.generate, z, options.steps, draw=True)),
        "beam 5": (len(few), partial(twin.beam_search, few, options.steps)),
    }
    clock = clock_of(z.device, options.processor_time)
    print(f"{f'sentences a second, {len(z)} at once':34}{'seqvae':>10}{'twin':>10}{'ratio':>8}")
    for name, (rows, plain) in twins.items():
        for bf16 in (False, True):
            ours = partial(decode, own, z, options.steps, CHOICES[name], bf16)
            figures = compare(ours, plain, len(z), options.seconds, clock, rows)
            print(f"{f'{name}, ' + ('bf16' if bf16 else 'fp32'):34}{figures}", flush=True)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=["alone", "twin"], default=["alone", "twin"])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line beside the twin; alone, a twentieth")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 512], help="sequences at once, alone")
    parser.add_argument("--rows", type=int, default=256, help="sentences at once, beside the twin")
    parser.add_argument("--beam-rows", type=int, default=8, help="sentences that the twin searches for by beam")
    parser.add_argument("--steps", type=int, default=20, help="words of each sentence")
    parser.add_argument("--words", type=int, default=10_000, help="the vocabulary")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processor-time", action="store_true", help="count the process's own time, not the clock's")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    own = decoder_of(options.words)
    twin = twin_of(own, options.words)
    print(f"{options.threads} threads, torch {torch.__version__}, {options.steps} steps each, {options.words:,} words")
    with torch.inference_mode():
        check_twin(own, twin)
        if "alone" in options.tables:
            print_alone(own, options)
        if "twin" in options.tables:
            print_beside_twin(own, twin, options)


if __name__ == "__main__":
    main()
