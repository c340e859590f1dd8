"""Peak memory of training on a large corpus: tokenizer, encoding and the first steps, in anonymous memory.

    python benchmarks/large_corpus.py --bytes 1GB

Pages of a memory map count as resident although the system can drop them at any time, so the anonymous part (RssAnon,
Linux only) is what counts. The corpus is generated: paragraphs with many rare words.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

PERIOD_SECONDS = 0.02
GENERATOR = Path(__file__).resolve().parent.parent / "scripts" / "generate_sentences.py"


def anonymous_megabytes() -> float:
    """Anonymous resident memory of this process in MB. Raises ValueError where the system does not show it."""
    status = Path("/proc/self/status")
    if not status.exists():
        raise ValueError("this system does not show RssAnon; run the benchmark on Linux")
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1000


class PeakMemory(threading.Thread):
    """The largest anonymous memory seen while it runs, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0

    def run(self) -> None:
        """Look every PERIOD_SECONDS."""
        while True:
            self.peak = max(self.peak, anonymous_megabytes())
            time.sleep(PERIOD_SECONDS)


@click.command()
@click.option("--bytes", "size", default="1GB", show_default=True, help="Size of the corpus.")
@click.option("--steps", default=20, show_default=True, help="Training steps.")
@click.option("--tokenizer", default="unigram", show_default=True, help="As in data.tokenizer.")
def main(size: str, steps: int, tokenizer: str) -> None:
    """Train a few steps on a corpus and print the peak of anonymous memory beyond the interpreter and torch."""
    import torch

    import seqvae

    torch.ones(256, 256) @ torch.ones(256, 256)  # the pools that torch makes at its first product belong to torch
    base = anonymous_megabytes()
    watch = PeakMemory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEQVAE_CACHE"] = folder
        corpus, valid = Path(folder) / "corpus.txt", Path(folder) / "valid.txt"
        for path, bytes_of_file in ((corpus, size), (valid, "100KB")):
            generate = [sys.executable, GENERATOR, "corpus", "--bytes", bytes_of_file, "--out", path]
            subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
        watch.start()
        began = time.perf_counter()
        values = {"data": {"tokenizer": tokenizer}, "train": {"steps": steps, "validate_steps": steps}}
        run = seqvae.train("text", [corpus], Path(folder) / "run", values, valid=[valid], device="cpu")
        seconds = time.perf_counter() - began
        items, megabytes = run.report["train"]["items"], corpus.stat().st_size / 1e6
    click.echo(
        f"{megabytes:,.0f} MB in {items:,} items, {tokenizer} tokenizer, {steps} steps: peak "
        f"{watch.peak - base:,.0f} MB of anonymous memory beyond the {base:,.0f} MB of the interpreter and torch; "
        f"{seconds:,.0f} s"
    )


if __name__ == "__main__":
    main()
