"""The main job of seqvae on a corpus that the project makes itself; every command is shown as one would type it.

Called by `make demo`. Leaves the corpus in data/demo and the model in runs/demo.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
RUN, DATA = "runs/demo", "data/demo"
SHOWN = 5  # held-out sentences shown with their reconstructions
CHECKED = 500  # prior samples that the grammar's parser judges
ENDS = ("the teacher copied the letter .", "do the pirates feed the whale in the harbor ?")
LEAST_EXACT, LEAST_ACTIVE_UNITS, LEAST_GRAMMATICAL = 0.9, 4, 0.9


def run(program: str, *arguments: str, capture: bool = False) -> str:
    """Run `seqvae` or a script of the tree from its root, echoed. Exits with its code when it fails."""
    click.secho(f"\n$ {shlex.join([*program.split(), *arguments])}", bold=True)
    target = ["-m", "seqvae"] if program == "seqvae" else program.split()[1:]
    done = subprocess.run(
        [sys.executable, *target, *arguments],
        cwd=ROOT,
        text=True,
        check=False,
        stdout=subprocess.PIPE if capture else None,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    if capture:
        click.echo("\n".join(done.stdout.splitlines()[:12]))
    return done.stdout or ""


@click.command()
@click.option("--epochs", type=int, default=None, help="Another number of epochs than the recipe's.")
def main(epochs: int | None) -> None:
    """Train on generated sentences, evaluate, reconstruct, sample and interpolate."""
    generator = "python scripts/generate_sentences.py"
    run(generator, "generate", "--out", DATA)
    began = time.perf_counter()
    changes = [] if epochs is None else ["--epochs", str(epochs)]
    recipe = ["--recipe", "sentences", "--valid", f"{DATA}/valid.txt", "--out", RUN, "--overwrite"]
    run("seqvae", "train", "text", f"{DATA}/train.txt", *recipe, *changes)
    minutes = (time.perf_counter() - began) / 60
    run("seqvae", "evaluate", RUN, f"{DATA}/test.txt", "--json", f"{RUN}/evaluation.json")
    held_out = (ROOT / DATA / "test.txt").read_text(encoding="utf-8").splitlines()[:SHOWN]
    run("seqvae", "reconstruct", RUN, *held_out)
    run("seqvae", "interpolate", RUN, *ENDS, "--steps", "8")
    samples = run("seqvae", "sample", RUN, "-n", str(CHECKED), "--temperature", "0.7", capture=True)
    (ROOT / RUN / "samples.txt").write_text(samples, encoding="utf-8")
    run(generator, "check", f"{RUN}/samples.txt", "--at-least", str(LEAST_GRAMMATICAL))
    figures = json.loads((ROOT / RUN / "evaluation.json").read_text(encoding="utf-8"))
    exact, active = figures["exact_match"], figures["active_units"]
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {exact:.1%} of {figures['items']} held-out sentences come back word for "
        f"word (aim {LEAST_EXACT:.0%}); {active} active latent units (aim {LEAST_ACTIVE_UNITS})"
    )
    if exact < LEAST_EXACT or active < LEAST_ACTIVE_UNITS:
        raise click.ClickException("the demo's model falls short of its aims; was its training cut short?")
    click.echo(f"Next: seqvae sample {RUN}, or your own file: seqvae train text YOUR.txt --out runs/yours")


if __name__ == "__main__":
    main()
