"""The main job of seqvae on corpora that the project makes itself; every command is shown as one would type it.

Called by `make demo`. Each part has its corpus in data/demo-NAME and its model in runs/demo-NAME, sentences in
data/demo and runs/demo. Drums: an interpolation from rock to samba in runs/demo-drums/interpolate. Grooves, the same
pieces played by hand: a walk from hip-hop to samba, and rock as hip-hop plays it in runs/demo-grooves/feel. Melodies: a
walk from a lullaby to a march, and samples to chords. Images, of digits: pictures in runs/demo-digits/plot.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from seqvae.recipes import expected_figures

ROOT = Path(__file__).resolve().parent.parent
RUN, DATA = "runs/demo", "data/demo"
SHOWN = 5  # held-out sentences shown with their reconstructions
CHECKED = 500  # prior samples that the grammar's parser judges
ENDS = ("the teacher copied the letter .", "do the pirates feed the whale in the harbor ?")
LEAST_GRAMMATICAL = 0.9
ERRORS = ("timing_error_ms", "velocity_error")

DRUM_RUN, DRUM_DATA = "runs/demo-drums", "data/demo-drums"
GROOVES, CLIPS = f"{DRUM_DATA}/grooves", f"{DRUM_DATA}/clips"

GROOVE_RUN, GROOVE_DATA = "runs/demo-grooves", "data/demo-grooves"
PLAYED = f"{GROOVE_DATA}/grooves"
HIPHOP, SAMBA = f"{PLAYED}/hiphop/hiphop-001.mid#0", f"{PLAYED}/samba/samba-001.mid#0"  # held out

MELODY_RUN, MELODY_DATA = "runs/demo-melodies", "data/demo-melodies"
TUNES, TUNE_CLIPS = f"{MELODY_DATA}/melodies", f"{MELODY_DATA}/clips"
CHORDS, KEY = "C Am | F G", "C major"  # of samples
LEAST_IN_KEY = 0.8  # of their notes; of any twelve notes seven are

DIGIT_RUN, DIGIT_DATA = "runs/demo-digits", "data/demo-digits"
DIGITS = f"{DIGIT_DATA}/t10k-images-idx3-ubyte.gz"  # held out
RECONSTRUCTED, FROM, TO = range(10), 12, 10  # from a 6 to a 0


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


def train(modality: str, *arguments: str, epochs: int | None) -> float:
    """Train a model; the minutes that it took."""
    began = time.perf_counter()
    run("seqvae", "train", modality, *arguments, "--overwrite", *([] if epochs is None else ["--epochs", str(epochs)]))
    return (time.perf_counter() - began) / 60


def figures_of(folder: str) -> dict[str, Any]:
    """The figures that `seqvae evaluate` left in a run folder."""
    figures: dict[str, Any] = json.loads((ROOT / folder / "evaluation.json").read_text(encoding="utf-8"))
    return figures


def judge(recipe: str, figures: dict[str, Any]) -> None:
    """Raises ClickException when a model falls short of what its recipe expects; of errors less is better."""
    expected = expected_figures(recipe)
    assert expected is not None
    short = []
    for figure in expected.figures:
        value, least, most = figures[figure], expected.least(figure), expected.most(figure)
        if figure in ERRORS and value > most:
            short.append(f"{figure} {value:.3g} is above {most:.3g}")
        elif figure not in ERRORS and value < least:
            short.append(f"{figure} {value:.3g} is below {least:.3g}")
    if short:
        raise click.ClickException(
            f"the demo's model falls short of its aims ({', '.join(short)}); was its training cut short?"
        )


def sentences(epochs: int | None) -> None:
    """Train on generated sentences, evaluate, reconstruct, interpolate and sample."""
    generator = "python scripts/generate_sentences.py"
    run(generator, "generate", "--out", DATA)
    recipe = ("--recipe", "sentences", "--valid", f"{DATA}/valid.txt", "--out", RUN)
    minutes = train("text", f"{DATA}/train.txt", *recipe, epochs=epochs)
    run("seqvae", "evaluate", RUN, f"{DATA}/test.txt", "--json", f"{RUN}/evaluation.json")
    held_out = (ROOT / DATA / "test.txt").read_text(encoding="utf-8").splitlines()[:SHOWN]
    run("seqvae", "reconstruct", RUN, *held_out)
    run("seqvae", "interpolate", RUN, *ENDS, "--steps", "8")
    samples = run("seqvae", "sample", RUN, "-n", str(CHECKED), "--temperature", "0.7", capture=True)
    (ROOT / RUN / "samples.txt").write_text(samples, encoding="utf-8")
    run(generator, "check", f"{RUN}/samples.txt", "--at-least", str(LEAST_GRAMMATICAL))
    figures = figures_of(RUN)
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {figures['exact_match']:.1%} of {figures['items']} held-out sentences "
        f"come back word for word; {figures['active_units']} active latent units"
    )
    judge("sentences", figures)
    click.echo(f"Next: seqvae sample {RUN}, or your own file: seqvae train text YOUR.txt --out runs/yours")


def drums(epochs: int | None) -> None:
    """Train on composed grooves, evaluate, interpolate from rock to samba, vary and sample."""
    composer = "python scripts/generate_grooves.py"
    run(composer, "generate", "--out", DRUM_DATA)
    recipe = ("--recipe", "grooves", "--split-csv", f"{GROOVES}/info.csv", "--out", DRUM_RUN)
    minutes = train("drums", GROOVES, *recipe, epochs=epochs)
    reading = ("--split", "test", "--importance-samples", "20", "--json", f"{DRUM_RUN}/evaluation.json")
    run("seqvae", "evaluate", DRUM_RUN, GROOVES, *reading)
    run("seqvae", "interpolate", DRUM_RUN, f"{CLIPS}/rock.mid", f"{CLIPS}/samba.mid", "--steps", "8")
    run(composer, "check", *(f"{DRUM_RUN}/interpolate/{step:03}.mid" for step in range(1, 9)))
    run("seqvae", "similar", DRUM_RUN, f"{CLIPS}/funk.mid", "-n", "8")
    run("seqvae", "sample", DRUM_RUN, "-n", "8")
    figures = figures_of(DRUM_RUN)
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {figures['step_accuracy_greedy']:.1%} of the steps of {figures['items']} "
        f"held-out windows come back with all their drums from {figures['kl_bits']:.0f} bits of code"
    )
    judge("grooves", figures)
    click.echo(
        f"Hear {DRUM_RUN}/interpolate/interpolation.wav, see interpolation.png beside it, or take your own folder: "
        "seqvae train drums YOUR_FOLDER --out runs/yours"
    )


def grooves(epochs: int | None) -> None:
    """Train on grooves that are played by hand, evaluate, interpolate, lend the feel of one to another, sample."""
    run("python scripts/generate_grooves.py", "generate", "--by-hand", "--out", GROOVE_DATA)
    recipe = ("--recipe", "feel", "--split-csv", f"{PLAYED}/info.csv", "--out", GROOVE_RUN)
    minutes = train("groove", PLAYED, *recipe, epochs=epochs)
    reading = ("--split", "test", "--importance-samples", "20", "--json", f"{GROOVE_RUN}/evaluation.json")
    run("seqvae", "evaluate", GROOVE_RUN, PLAYED, *reading)
    run("seqvae", "interpolate", GROOVE_RUN, HIPHOP, SAMBA, "--steps", "6")
    rock, out = f"{GROOVE_DATA}/clips/rock.mid", f"{GROOVE_RUN}/feel"
    run("seqvae", "reconstruct", GROOVE_RUN, rock, "--feel", HIPHOP, "--out", out)
    run("seqvae", "sample", GROOVE_RUN, "-n", "8")
    figures = figures_of(GROOVE_RUN)
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {figures['f1_hits']:.1%} (F1) of the hits of held-out windows come back, "
        f"{figures['timing_error_ms']:.1f} ms from where they were played ({figures['timing_error_quantised_ms']:.1f} "
        f"on the grid), {figures['velocity_error']:.1f} too loud or soft ({figures['velocity_error_flat']:.1f} alike)"
    )
    judge("feel", figures)
    click.echo(
        f"Hear {GROOVE_RUN}/feel/001.wav, rock as hip-hop plays it, and {GROOVE_RUN}/interpolate/interpolation.wav, "
        "or take your own folder: seqvae train groove YOUR_FOLDER --out runs/yours"
    )


def melodies(epochs: int | None) -> None:
    """Train on composed tunes and their chords, evaluate, interpolate from a lullaby to a march, sample to chords."""
    composer = "python scripts/generate_melodies.py"
    run(composer, "generate", "--out", MELODY_DATA)
    recipe = ("--recipe", "melodies", "--split-csv", f"{TUNES}/info.csv", "--voice", "Melody", "--out", MELODY_RUN)
    minutes = train("melody", TUNES, *recipe, epochs=epochs)
    reading = ("--split", "test", "--importance-samples", "20", "--json", f"{MELODY_RUN}/evaluation.json")
    run("seqvae", "evaluate", MELODY_RUN, TUNES, *reading)
    ends = (f"{TUNE_CLIPS}/lullaby.mid", f"{TUNE_CLIPS}/march.mid")
    run("seqvae", "interpolate", MELODY_RUN, *ends, "--steps", "7")
    run("seqvae", "sample", MELODY_RUN, "-n", "8", "--chords", CHORDS)
    samples = (f"{MELODY_RUN}/sample/{number:03}.mid" for number in range(1, 9))
    run(composer, "check", *samples, "--key", KEY, "--at-least", str(LEAST_IN_KEY))
    figures = figures_of(MELODY_RUN)
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {figures['f1_notes']:.1%} (F1) of the notes of {figures['items']} "
        f"held-out windows come back from {figures['kl_bits']:.0f} bits of code"
    )
    judge("melodies", figures)
    click.echo(
        f"Hear {MELODY_RUN}/interpolate/interpolation.wav, see interpolation.png beside it, or take your own folder: "
        "seqvae train melody YOUR_FOLDER --out runs/yours"
    )


def images(epochs: int | None) -> None:
    """Train a latent plane on drawn digits, evaluate, plot, reconstruct, interpolate, decode a place of it."""
    run("python scripts/generate_digits.py", "generate", "--out", DIGIT_DATA)
    minutes = train("images", DIGIT_DATA, "--recipe", "digits", "--out", DIGIT_RUN, epochs=epochs)
    run("seqvae", "evaluate", DIGIT_RUN, DIGIT_DATA, "--split", "test", "--json", f"{DIGIT_RUN}/evaluation.json")
    run("seqvae", "plot", DIGIT_RUN, DIGIT_DATA, "--split", "test")
    run("seqvae", "reconstruct", DIGIT_RUN, *(f"{DIGITS}#{place}" for place in RECONSTRUCTED))
    run("seqvae", "interpolate", DIGIT_RUN, f"{DIGITS}#{FROM}", f"{DIGITS}#{TO}", "--steps", "10")
    run("seqvae", "decode", DIGIT_RUN, "--at", "0,2.5")
    figures = figures_of(DIGIT_RUN)
    click.echo(
        f"\ntrained in {minutes:.1f} minutes; {figures['items']:,} held-out digits have a negative ELBO of "
        f"{-figures['elbo_nats']:.1f} nats; neighbours in the plane know {figures['neighbour_accuracy']:.1%} of them"
    )
    judge("digits", figures)
    click.echo(
        f"See {DIGIT_RUN}/plot/plane.png and manifold.png beside it, or take your own images: "
        "seqvae train images YOUR_FOLDER --out runs/yours"
    )


PARTS = {"text": sentences, "drums": drums, "groove": grooves, "melody": melodies, "images": images}
RUNS = {"text": RUN, "drums": DRUM_RUN, "groove": GROOVE_RUN, "melody": MELODY_RUN, "images": DIGIT_RUN}


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), default=None, help="One modality in place of all.")
@click.option("--epochs", type=int, default=None, help="Another number of epochs than the recipes'.")
def main(only: str | None, epochs: int | None) -> None:
    """Train on generated data, evaluate, interpolate and sample, one modality after the other."""
    for name, part in PARTS.items():
        if only in (None, name):
            part(epochs)
    click.echo(
        f"\nPlay on a page of this computer: seqvae app {' '.join(RUNS.values()) if only is None else RUNS[only]}"
    )


if __name__ == "__main__":
    main()
