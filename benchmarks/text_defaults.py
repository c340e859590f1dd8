"""What `seqvae train text FILE` makes of small corpora, beside the known remedies for a collapsed code.

Each corpus is a cut of the shuffled lines of some files; other lines of them are held out, and score every run.
Nothing here is a test set: the defaults were chosen by this table. A run that was scored is not trained again.

    python benchmarks/text_defaults.py corpora --work runs/defaults
    python benchmarks/text_defaults.py corpora --work runs/defaults --corpora names yelp-4k --settings defaults

The first argument holds the folders yelp-sentiment, ptb, names and wordnet. What a model writes stands beside its run
in RUN.sentences.txt: the first ten samples at temperature 1 and at 0.7, the reconstructions of the first five lines
that were held out, and a walk between the first two.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import seqvae

YELP = ("yelp-sentiment/train.negative.txt", "yelp-sentiment/train.positive.txt")
WORDNET = ("wordnet/examples.txt",)
CORPORA: Mapping[str, tuple[Sequence[str], int]] = {
    "yelp-200": (YELP, 200),
    "yelp-4k": (YELP, 4_000),
    "yelp-12k": (YELP, 12_000),
    "yelp-30k": (YELP, 30_000),
    "ptb-valid": (("ptb/ptb.valid.txt",), 2_870),
    "names": (("names/names.txt",), 1_500),
    "wordnet-5k": (WORDNET, 5_000),
}
HELD_OUT = 500  # lines
SAMPLES, TEMPERATURES, RECONSTRUCTED, STEPS = 10, (1.0, 0.7), 5, 7  # of what a model writes
SETTINGS: Mapping[str, Sequence[str]] = {  # a remedy that is asked for takes the place of that of the defaults
    "defaults": (),
    "plain": ("objective.beta=1",),
    "beta .25": ("objective.beta=0.25",),
    "free bits .4 an example": ("objective.free_nats_per_dimension_and_example=0.4",),
    "target of 8 nats": ("objective.target_kl_nats=8",),
    "normalised means, .7": ("model.batch_norm_scale=0.7",),
}
FIGURES = {
    "-ELBO": "elbo_nats", "KL": "kl_nats", "IW-NLL": "iw_nll_nats", "MI": "mutual_information_nats",
    "active units": "active_units", "BLEU": "bleu", "exact": "exact_match",
}  # fmt: skip


def cut(data: Path, work: Path, name: str) -> tuple[Path, Path]:
    """The lines to train on and those that are held out, as files; the same for every run."""
    sources, count = CORPORA[name]
    train, held_out = work / f"{name}.txt", work / f"{name}.held-out.txt"
    lines = [line for source in sources for line in (data / source).read_text().splitlines() if line.strip()]
    random.Random(0).shuffle(lines)
    work.mkdir(parents=True, exist_ok=True)
    held_out.write_text("\n".join(lines[:HELD_OUT]) + "\n")
    train.write_text("\n".join(lines[HELD_OUT : HELD_OUT + count]) + "\n")
    return train, held_out


def figures_of(corpus: tuple[Path, Path], run: Path, settings: Sequence[str]) -> dict[str, Any]:
    """Train and score one run, unless that was done before."""
    report = Path(f"{run}.json")
    if not report.is_file():
        train, held_out = corpus
        sets = [word for value in settings for word in ("--set", value)]
        resume = ["--resume"] if run.exists() else sets
        command("train", "text", str(train), "--out", str(run), *resume, log=Path(f"{run}.log"))
        command(
            "evaluate", str(run), str(held_out), "--json", str(report), "--precision", "bf16", log=Path(f"{run}.scores")
        )
    write_sentences(run, corpus[1])
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def write_sentences(run: Path, held_out: Path) -> None:
    """What a model makes of its prior and of lines that it has not seen, none of it chosen."""
    lines = held_out.read_text().splitlines()[:RECONSTRUCTED]
    model = seqvae.load(run, device="cpu")
    found = [f"Samples, temperature {value:g}:" for value in TEMPERATURES]
    parts = [model.sample(SAMPLES, temperature=value) for value in TEMPERATURES]
    found += ["Reconstructions:", "A walk:"]
    parts.append([f"{line} -> {again}" for line, again in zip(lines, model.reconstruct(lines), strict=True)])
    parts.append(model.interpolate(*lines[:2], steps=STEPS))
    text = [
        f"{heading}\n\n" + "".join(f"    {line}\n" for line in part) for heading, part in zip(found, parts, strict=True)
    ]
    Path(f"{run}.sentences.txt").write_text("\n".join(text))


def command(*words: str, log: Path) -> None:
    """The program, its output in a file."""
    with log.open("w") as out:
        subprocess.run([sys.executable, "-m", "seqvae", *words], check=True, stdout=out, stderr=subprocess.STDOUT)


def row(corpus: str, settings: str, seeds: Iterable[dict[str, Any]]) -> str:
    """A line of the table: the mean over the seeds."""
    runs = list(seeds)
    cells = []
    for name, key in FIGURES.items():
        values = [run[key] for run in runs if run.get(key) is not None]
        value = mean(values) * (-1 if name == "-ELBO" else 1) if values else None
        cells.append("" if value is None else f"{value:.3f}" if name == "exact" else f"{value:.2f}")
    return f"| {corpus} | {settings} | {' | '.join(cells)} |"


def main() -> None:
    """Train and score what is missing, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of the corpora and runs")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="steps of each run, to try the script out; by default all")
    arguments = parser.parse_args()
    short = [f"train.steps={arguments.steps}"] if arguments.steps else []
    print(f"| corpus | settings | {' | '.join(FIGURES)} |\n{'| --- ' * (len(FIGURES) + 2)}|", flush=True)
    for name in arguments.corpora:
        corpus = cut(arguments.data, arguments.work, name)
        for settings in arguments.settings:
            where = arguments.work / f"{name}.{settings.replace(' ', '-').replace(',', '')}"
            runs = [
                figures_of(corpus, Path(f"{where}.{seed}"), (*SETTINGS[settings], f"train.seed={seed}", *short))
                for seed in arguments.seeds
            ]
            print(row(name, settings, runs), flush=True)


if __name__ == "__main__":
    main()
