"""Time of the importance-weighted likelihood of sentences, by an untrained model of the sizes of the recipe `ptb`.

The vocabulary is that of the training file. The time does not depend on the weights, and grows with tokens times
samples: that of the whole test file is the measured one times its tokens over those of the first sentences.

    python benchmarks/importance_weighted.py ptb.train.txt ptb.test.txt
    python benchmarks/importance_weighted.py ptb.train.txt ptb.test.txt --items 16 --samples 500
    python benchmarks/importance_weighted.py ptb.train.txt ptb.test.txt --items 3761 --precision bf16
"""

import argparse
import contextlib
import time
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from seqvae.config import from_dict
from seqvae.core.vae import VAE
from seqvae.evaluation.likelihood import importance_weighted_nll
from seqvae.modalities.base import Report
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData
from seqvae.recipes import read_recipe
from seqvae.types import Batch


def main() -> None:
    """Measure in single precision, then with products in bf16, or in those that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--items", type=int, default=100, help="sentences of the test file, from the first on")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--precision", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    arguments = parser.parse_args()
    recipe = read_recipe("ptb", "text")
    text = Text(from_dict(TextData, recipe["data"], "data"))
    text.fit(lambda: text.read([arguments.train], Report()))
    encoded = [text.encode(sentence, Report()) for sentence in text.read([arguments.test], Report())]
    arrays = [torch.from_numpy(x) for x in encoded if x is not None]
    torch.manual_seed(0)
    vae = VAE(*text.nets(from_dict(Text.model_config, recipe["model"], "model"))).requires_grad_(False)
    few = arrays[: arguments.items]
    lengths = torch.tensor([len(x) for x in few])
    batch = Batch(pad_sequence(few, batch_first=True), lengths, torch.arange(len(few)))
    share = int(lengths.sum()) / sum(map(len, arrays))
    print(f"{len(few)} of {len(arrays)} sentences, {share:.2%} of the tokens, {arguments.samples} samples")
    for name in arguments.precision:
        low = torch.autocast("cpu", dtype=torch.bfloat16) if name == "bf16" else contextlib.nullcontext()
        wall, cpu = time.perf_counter(), time.process_time()
        with low:
            nats = importance_weighted_nll(vae, [batch], arguments.samples).mean_nll_nats
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{name}: {cpu:.1f} s of CPU, {wall:.1f} s on {torch.get_num_threads()} threads; "
            f"all sentences: {cpu / share / 60:.0f} min of CPU; {nats:.5f} nats a sentence",
            flush=True,
        )


if __name__ == "__main__":
    main()
