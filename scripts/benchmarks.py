"""Run the scripts of benchmarks/ that need no files, one after another; the others say which they need.

python scripts/benchmarks.py                          short, some minutes in all
python scripts/benchmarks.py --size full              as long as steady figures take
python scripts/benchmarks.py --size smallest ngram    seconds: to see that a script starts and finishes
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SIZES = ("smallest", "short", "full")
NEEDS_FILES = 2  # the exit code of a script whose arguments are missing
TINY, BRIEF = "--seconds 0 --batch 2", "--seconds 2 --batch"
# Of the scripts that need no files, the arguments at each of SIZES.
ARGUMENTS: Mapping[str, tuple[str, str, str]] = {
    "drums_speed": (f"{TINY} --at-once 2 --precision fp32", f"{BRIEF} 64", ""),
    "generation": (
        "--seconds 0 --at-once 1 --rows 2 --beam-rows 1 --steps 2 --words 30",
        "--seconds 2 --at-once 1 8 64 --rows 64 --beam-rows 4",
        "--seconds 30",
    ),
    "groove_speed": (TINY, f"{BRIEF} 64", ""),
    "hierarchy_speed": (TINY, f"{BRIEF} 16", ""),
    "large_corpus": ("--bytes 200KB --steps 1", "--bytes 10MB", ""),
    "lstm_gradients": ("--hidden 8 --rows 2 --steps 2 --seconds 0", "--seconds 1", ""),
    "midi_reading": ("--copies 1 --repeats 1", "--copies 2", ""),
    "mnist_dense": ("--seeds 1 --epochs 1 --digits 200", "--seeds 1 --epochs 2", ""),
    "ngram": ("--highest-order 1", "", ""),
    "text_speed": (
        "--tables speeds memory profile scaling --sizes 8/8/2 --seconds 0 --sentences 300 --words 50 "
        "--memory-steps 2 --corpora 2 --lengths 4 --batches 8 --vocabularies 20",
        "--seconds 5 --memory-steps 20",
        "--seconds 60 --tables speeds memory profile scaling --corpora 1 10 100",
    ),
}


def scripts() -> list[Path]:
    """The scripts that can be run; what they have in common is in the other files."""
    return [path for path in sorted(FOLDER.glob("*.py")) if "__main__" in path.read_text(encoding="utf-8")]


@click.command()
@click.argument("names", nargs=-1, metavar="[SCRIPT]...")
@click.option("--size", type=click.Choice(SIZES), default="short", show_default=True, help="How long each takes.")
def main(names: tuple[str, ...], size: str) -> None:
    """Run the SCRIPTs of benchmarks/, by default all."""
    known = {path.stem: path for path in scripts()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"no benchmark '{unknown[0]}'; there are {', '.join(known)}")
    failed, passed_over = [], []
    for name in names or known:
        arguments = ARGUMENTS[name][SIZES.index(size)] if name in ARGUMENTS else ""
        click.echo(f"== {name} {arguments}".rstrip())
        code = subprocess.run([sys.executable, known[name], *shlex.split(arguments)], check=False).returncode
        if name not in ARGUMENTS and code == NEEDS_FILES:
            passed_over.append(name)
        elif code:
            failed.append(name)
    if passed_over:
        click.echo(f"== passed over, since they need files: {', '.join(passed_over)}")
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
