"""Speed of training sentence VAEs beside two in public use: words a second, share of the machine's peak, and memory.

The toolkit trains by its own loop, the one of `seqvae train`, from a text file on, with data, log and schedules; its
checkpoints and validations fall outside of what is timed. Between two lines of its log the twins (text_twins.py) do as
many steps on the same sentences. All take turns in one process, and a ratio is the median over neighbouring turns.
Words are counted with the ends of sentences and without padding. The twins compute in fp32, as theirs do, and in bf16
by autocast. The share of the peak counts the multiply-adds of the matrix products of a step, forward and twice as many
backward; the peak is the fastest torch product of two 2048 x 2048 matrices in that precision, and in brackets of
oneDNN's own in fp32. Memory is the peak (VmHWM) of a process of its own over some steps, and then with the validation
and the checkpoint that end a run.

    python benchmarks/text_speed.py                               sentences that are drawn: words by Zipf's law,
                                                                  lengths as in Penn Treebank
    python benchmarks/text_speed.py --data ptb.train.txt          a file, or a folder with ptb.train.txt
    python benchmarks/text_speed.py --tables memory --batch 256   of larger batches
    python benchmarks/text_speed.py --tables scaling              by size of corpus, length, batch and vocabulary
    python benchmarks/text_speed.py --processor-time --threads 1  where others use the machine too
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import step_profile
import torch
from text_twins import BATCH, WORD_DROPOUT, Sizes, Steps, lagging, packed, read_words
from twins import Clock, clock_of, seconds_of

from seqvae.config import merge
from seqvae.training.log import Silent
from seqvae.training.loop import Interrupted
from seqvae.training.run import train

# Shares 0, .05, ... 1 of Penn Treebank's training sentences have no more words than these.
LENGTHS = (1, 6, 9, 11, 12, 14, 15, 16, 18, 19, 20, 22, 23, 24, 26, 27, 29, 31, 34, 39, 82)
SENTENCES, WORDS = 42_000, 10_000
RECIPE = "ptb-linear"  # the published settings of jxhe's model: dropout, SGD, batches of one length
NEVER = 10**8
PEAK_SIZE, PEAK_REPEATS = 2048, 10


@dataclass(frozen=True)
class Row:
    """One comparison: the sizes, the twin's loop, what the toolkit is set to, and the steps of a turn."""

    sizes: Sizes
    twin: Callable[[Sequence[np.ndarray], int, Sizes, torch.device, bool, int], Steps]
    values: Mapping[str, Any]
    steps: int

    def flops(self, words: int) -> int:
        """Floating-point operations of the matrix products of a step for each word, forward and backward."""
        e, h, z = self.sizes.embedding, self.sizes.hidden, self.sizes.latent
        return 6 * (4 * h * (e + h) + 4 * h * (e + z + h) + h * words)


ADAM = {
    "model": {
        "output_bias": True, "output_dropout": 0.0, "word_dropout": WORD_DROPOUT, "initial_range": 0.0,
    },
    "train": {"optimizer": "adam", "learning_rate": 1e-3, "length_spread": 8},
}  # fmt: skip
ROWS = {
    "256/256/32": Row(Sizes(256, 256, 32), lagging, {}, 16),
    "512/1024/32": Row(Sizes(512, 1024, 32), lagging, {}, 5),
    "300/256/16": Row(Sizes(300, 256, 16), packed, ADAM, 16),
    "8/8/2": Row(Sizes(8, 8, 2), lagging, {}, 2),
    "8/8/3": Row(Sizes(8, 8, 3), packed, ADAM, 2),
}
NAMES = {lagging: "jxhe", packed: "timbmg"}
USUAL = list(ROWS)[:3]


class Enough(Exception):
    """The time is up."""


class Turns(Silent):
    """Who watches the toolkit train, and lets the twins do as many steps after each line of its log."""

    def __init__(self, twins: Sequence[Steps], steps: int, seconds: float, clock: Clock) -> None:
        self.twins, self.steps, self.seconds, self.clock = twins, steps, seconds, clock
        self.rounds: list[list[float]] = []  # words a second of the toolkit and of each twin
        self.spent = self.logged = 0.0

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Training begins."""
        self.since = self.clock()

    def progress(self, record: Mapping[str, Any]) -> None:
        """A turn of the toolkit is over."""
        took = self.clock() - self.since
        tokens = record["tokens_per_second"] * (record["seconds"] - self.logged)
        speeds, self.logged = [tokens / took], record["seconds"]
        self.spent += took
        for twin in self.twins:
            start = self.clock()
            tokens = twin(self.steps)
            took = self.clock() - start
            speeds.append(tokens / took)
            self.spent += took
        self.rounds.append(speeds)
        if len(self.rounds) == 1:
            self.spent = 0.0  # all are warm from now on
        elif len(self.rounds) > 3 and self.spent >= self.seconds:
            raise Enough
        self.since = self.clock()

    def medians(self) -> list[float]:
        """Words a second of the toolkit and of each twin."""
        return [statistics.median(speeds) for speeds in zip(*self.rounds[1:], strict=True)]

    def ratios(self) -> list[float]:
        """The toolkit's speed over that of each twin."""
        own, *others = zip(*self.rounds[1:], strict=True)
        return [statistics.median(a / b for a, b in zip(own, other, strict=True)) for other in others]


class Bench:
    """What all tables share: the corpus, the machine and what was asked for."""

    def __init__(self, corpus: Path, folder: Path, options: argparse.Namespace) -> None:
        self.corpus, self.folder, self.options = corpus, folder, options
        self.device = torch.device(options.device)
        self.clock = clock_of(self.device, options.processor_time)

    def train(self, row: Row, precision: str, reporter: Silent, corpus: Path | None = None, **keys: Any) -> None:
        """The toolkit's own training of a row's model, until its reporter has enough."""
        sizes = row.sizes
        own = {
            "model": {
                "embedding": sizes.embedding, "encoder_hidden": sizes.hidden, "decoder_hidden": sizes.hidden,
                "latent": sizes.latent,
            },
            "train": {
                "precision": precision, "threads": torch.get_num_threads(), "log_steps": row.steps, "epochs": NEVER,
                "validate_steps": NEVER, "checkpoint_steps": NEVER, "batch_size": self.options.batch, **keys,
            },
        }  # fmt: skip
        try:
            train(
                "text", corpus or self.corpus, self.folder / "run", merge(row.values, own), device=str(self.device),
                recipe=RECIPE, overwrite=True, reporter=reporter,
            )  # fmt: skip
        except Enough:
            return

    def speeds(self) -> None:
        """A table of speeds, ratios and shares of the peak."""
        peaks = {precision: peak(precision, self.device, self.clock) for precision in self.options.precision}
        own = one_dnn_peak(self.clock) if self.device.type == "cpu" and "fp32" in peaks else None
        found = ", ".join(f"{precision} {flops / 1e9:,.0f}" for precision, flops in peaks.items())
        print(f"peaks in GFLOP/s: torch {found}" + (f"; oneDNN fp32 {own / 1e9:,.0f}" if own else ""), flush=True)
        sentences, words = read_words(self.corpus)
        print("\n| sizes | precision | words/s | twin | ratio | twin, bf16 | ratio | share of the peak |")
        print(f"|{' --- |' * 8}")
        for name in self.options.sizes:
            row = ROWS[name]
            for precision in self.options.precision:
                low = (False, True) if precision == "bf16" else (False,)
                given = sentences, words, row.sizes, self.device
                twins = [row.twin(*given, bf16, self.options.batch) for bf16 in low]
                turns = Turns(twins, row.steps, self.options.seconds, self.clock)
                self.train(row, precision, turns)
                speed, *others = turns.medians()
                beside = [f"{twin:,.0f} | {ratio:.2f}" for twin, ratio in zip(others, turns.ratios(), strict=True)]
                flops = speed * row.flops(words)
                share = f"{flops / peaks[precision]:.0%}"
                if own and precision == "fp32":
                    share += f" ({flops / own:.0%})"
                cells = [f"{NAMES[row.twin]} {name}", precision, f"{speed:,.0f}", *beside, *[" | "] * (2 - len(low))]
                print(f"| {' | '.join([*cells, share])} |", flush=True)

    def profile(self) -> None:
        """A table for each row of where a step's time goes."""
        for name in self.options.sizes:
            for precision in self.options.precision:
                print(f"\n| {name}, {precision}: ms of a step | forward | backward | both | share |")
                print(f"|{' --- |' * 5}")
                watch = step_profile.Stopwatch(self.clock)
                reporter = Profiled(watch, ROWS[name].steps, self.options.seconds)
                with step_profile.watched(watch):
                    self.train(ROWS[name], precision, reporter)
                print("\n".join(step_profile.lines_of(watch, reporter.steps)), flush=True)

    def scaling(self) -> None:
        """A table of the toolkit's speed alone, by size of corpus, length, batch and vocabulary."""
        row, options = ROWS[self.options.sizes[0]], self.options
        head = f"{options.sizes[0]}, batch {options.batch}, {options.words:,} words"
        print(f"\n| {head} | {' | '.join(options.precision)} | share of the peak |")
        print(f"|{' --- |' * (2 + len(options.precision))}")
        peaks = {precision: peak(precision, self.device, self.clock) for precision in options.precision}
        base = options.sentences
        cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            *((f"corpus x {times}", {"sentences": base * times}, {}) for times in options.corpora),
            *((f"{length} words a sentence", {"lengths": (length,)}, {}) for length in options.lengths),
            *((f"batch {batch}", {}, {"batch_size": batch}) for batch in options.batches),
            *((f"{words:,} words", {"words": words}, {}) for words in options.vocabularies),
        ]
        for name, drawn, keys in cases:
            corpus = self.folder / "scaled.txt"
            given = {"sentences": base, "words": options.words, **drawn}
            draw_corpus(corpus, **given)
            speeds, shares = [], []
            for precision in options.precision:
                turns = Turns((), row.steps, options.seconds, self.clock)
                self.train(row, precision, turns, corpus, **keys)
                (speed,) = turns.medians()
                speeds.append(f"{speed:,.0f}")
                shares.append(f"{speed * row.flops(given['words'] + 1) / peaks[precision]:.0%}")
            print(f"| {name} | {' | '.join(speeds)} | {' / '.join(shares)} |", flush=True)

    def memory(self) -> None:
        """A table of peak memory, each figure of a process of its own."""
        head = f"MiB, batch {self.options.batch}, {self.options.memory_steps} steps"
        print(f"\n| {head} | seqvae {' | seqvae '.join(self.options.precision)} | twin |")
        print(f"|{' --- |' * (2 + len(self.options.precision))}", flush=True)
        for name in self.options.sizes:
            figures = [self._memory_of(name, precision) for precision in (*self.options.precision, "twin")]
            print(f"| {NAMES[ROWS[name].twin]} {name} | {' | '.join(figures)} |", flush=True)

    def _memory_of(self, name: str, who: str) -> str:
        command = [
            sys.executable, __file__, "--data", str(self.corpus), "--sizes", name, "--memory-of", who,
            "--threads", str(torch.get_num_threads()), "--memory-steps", str(self.options.memory_steps),
            "--batch", str(self.options.batch), "--device", str(self.device),
        ]  # fmt: skip
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def own_memory(self, row: Row, who: str) -> str:
        """The peak of this process in MiB: over the steps and, of the toolkit, with what ends a run."""
        steps = self.options.memory_steps
        if who == "twin":
            sentences, words = read_words(self.corpus)
            row.twin(sentences, words, row.sizes, self.device, False, self.options.batch)(steps)
            return f"{peak_memory():,.0f}"
        reporter = Stepped(steps)
        self.train(row, who, reporter, steps=steps)
        return f"{reporter.peak:,.0f}, at the end {peak_memory():,.0f}"


class Profiled(Silent):
    """Clears a stopwatch after the first line of the log, and has enough when the time is up."""

    def __init__(self, watch: step_profile.Stopwatch, steps: int, seconds: float) -> None:
        self.watch, self.turn, self.seconds, self.steps = watch, steps, seconds, -steps

    def progress(self, record: Mapping[str, Any]) -> None:
        """Some steps more."""
        self.steps += self.turn
        self.watch.charge()
        if not self.steps:
            self.watch.clear()
        elif sum(self.watch.seconds.values()) >= self.seconds:
            raise Enough


class Stepped(Silent):
    """The peak of memory after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def stepped(self, step: int) -> None:
        """A step is done."""
        if step == self.steps:
            self.peak = peak_memory()


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MiB; Linux alone says it, elsewhere it is not a number."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


def peak(precision: str, device: torch.device, clock: Clock) -> float:
    """Floating-point operations a second of the fastest torch matrix product of the peak's size."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, device=device).to(dtype) for _ in range(2))
    return 2 * PEAK_SIZE**3 / min(seconds_of(lambda: a @ b, clock) for _ in range(PEAK_REPEATS))


def one_dnn_peak(clock: Clock) -> float | None:
    """The same of oneDNN's own product in fp32, which torch uses for its opaque tensors; None where it is not built."""
    if not torch.backends.mkldnn.is_available():
        return None
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE).to_mkldnn() for _ in range(2))
    with torch.inference_mode():
        fastest = min(seconds_of(lambda: torch.nn.functional.linear(a, b), clock) for _ in range(PEAK_REPEATS))
    return 2 * PEAK_SIZE**3 / fastest


def draw_corpus(path: Path, sentences: int, words: int, lengths: Sequence[int] = LENGTHS) -> None:
    """A file of sentences: words by Zipf's law, lengths as these quantiles have them."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, words + 1)
    cumulative = np.cumsum(shares) / shares.sum()
    names = np.array([f"w{place}" for place in range(words)])
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, sentences, SENTENCES):
            count = min(SENTENCES, sentences - first)
            drawn = np.interp(random.random(count), np.linspace(0, 1, len(lengths)), lengths).round().astype(int)
            found = names[np.searchsorted(cumulative, random.random(drawn.sum()))]
            if not first:  # each word at least once
                found[: len(names)] = names[: len(found)]
            file.writelines(" ".join(part) + "\n" for part in np.split(found, np.cumsum(drawn)[:-1]))


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = ["speeds", "memory", "profile", "scaling"]
    parser.add_argument("--tables", nargs="+", choices=tables, default=tables[:3])
    parser.add_argument("--data", type=Path, help="a text file of a sentence a line, or a folder with ptb.train.txt")
    parser.add_argument("--sizes", nargs="+", choices=ROWS, default=USUAL, help="embedding/hidden/latent")
    parser.add_argument("--batch", type=int, default=BATCH, help="sentences of a batch")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--seconds", type=float, default=12.0, help="for each line, all models together")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processor-time", action="store_true", help="count the process's own time, not the clock's")
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="of the corpus that is drawn")
    parser.add_argument("--words", type=int, default=WORDS, help="different words of the corpus that is drawn")
    parser.add_argument("--memory-steps", type=int, default=100)
    parser.add_argument("--corpora", type=int, nargs="*", default=[1, 10], help="scaling: sizes of the corpus")
    parser.add_argument("--lengths", type=int, nargs="*", default=[8, 16, 32, 64, 128], help="scaling: words")
    parser.add_argument("--batches", type=int, nargs="*", default=[8, 32, 128, 256], help="scaling: sentences")
    parser.add_argument("--vocabularies", type=int, nargs="*", default=[1_000, 10_000, 30_000], help="scaling: words")
    parser.add_argument("--memory-of", choices=["fp32", "bf16", "twin"], help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> None:
    """Print the tables that are asked for."""
    options = options_of()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ.setdefault("SEQVAE_CACHE", str(folder / "cache"))
        corpus = options.data
        if corpus is None:
            corpus = folder / "corpus.txt"
            draw_corpus(corpus, options.sentences, options.words)
        elif corpus.is_dir():
            corpus = corpus / "ptb.train.txt"
        bench = Bench(corpus, folder, options)
        if options.memory_of:
            print(bench.own_memory(ROWS[options.sizes[0]], options.memory_of))
            return
        print(f"{bench.device}, {torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
        try:
            for table in options.tables:
                getattr(bench, table)()
        except Interrupted as stopped:
            sys.exit(str(stopped))


if __name__ == "__main__":
    main()
