"""The models that come with the package, from nothing: `python scripts/make_models.py FOLDER [NAME...]`, `make models`.

FOLDER holds the published data: gmd/ (the Groove MIDI Dataset), mnist/ (its four files), wordnet/ (examples.txt,
glosses.txt and LICENSE), from which wordnet-lines/ is made beside it. Each model is trained by its recipe into
runs/models/NAME, where an interrupted training goes on. It is written to seqvae/models/NAME: its best weights in 16
bits, what was fitted to its codes (a prior, attributes, critics), and a card with its figures, each beside that of the
weights in 32 bits.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import seqvae
from seqvae.build import weights_of
from seqvae.evaluate import units
from seqvae.modalities import get
from seqvae.models import CARD
from seqvae.runs.foreign import KINDS
from seqvae.runs.run import TEMPERATURE, Checkpoint, Run

ROOT = Path(__file__).resolve().parent.parent
RUNS, PLACE = ROOT / "runs" / "models", ROOT / "seqvae" / "models"
MOST_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model comes about, and what its card says.

    `recipe`: that of its training, which begins with the encoder, posterior and decoder of a run by the recipe `first`.
    `data`: what it is trained on, in the folder of data, where a script and its arguments, `prepare`, have made it from
    what is published; `notice`: a file there with the licence, which goes along. `attributes`: what is fitted to its
    codes, each a name and further arguments; `constrain`: whether critics of labels are. `figures`: those of
    `seqvae evaluate` that the card has. `temperature`: of samples, where none is asked for, in place of the modality's.
    """

    title: str
    modality: str
    recipe: str
    first: str = ""
    prepare: Sequence[str] = ()
    data: Sequence[str]
    train: Sequence[str] = ()
    prior: str = "standard"
    attributes: Sequence[Sequence[str]] = ()
    constrain: bool = False
    held_out: Sequence[str]
    evaluate: Sequence[str] = ()
    figures: Sequence[str]
    licence: str
    temperature: float | None = None
    notice: str = ""


MODELS = {
    "digits": Recipe(
        title="digits of MNIST on a latent plane, two units, 28 x 28 pixels",
        modality="images", recipe="mnist-plane", data=["mnist"], constrain=True,
        held_out=["mnist", "--split", "test"], evaluate=["--importance-samples", "100"],
        figures=["elbo_nats", "kl_nats", "iw_nll_nats"],
        licence="MNIST, of LeCun, Cortes and Burges; Creative Commons Attribution-ShareAlike 3.0, by the documentation "
        "of Keras",
    ),
    "grooves": Recipe(
        title="two bars of drums of the Groove MIDI Dataset, nine classes on sixteenths, 4/4, hits without velocities",
        modality="drums", recipe="gmd-flow", first="gmd", data=["gmd"],
        train=["--split-csv", "gmd/info.csv", "--precision", "bf16"],
        attributes=[["density"], ["syncopation"], ["repetition"], ["share=kick"], ["share=closed hat"]],
        held_out=["gmd", "--split", "test", "--split-csv", "gmd/info.csv"], evaluate=["--codes", "drawn"],
        figures=["elbo_bits", "kl_bits", "step_accuracy_teacher_forced", "step_accuracy_greedy"],
        licence="Groove MIDI Dataset 1.0.0, of Gillick, Roberts, Engel, Eck and Bamman (2019), Google LLC; Creative "
        "Commons Attribution 4.0",
    ),
    "sentences": Recipe(
        title="short English of WordNet's examples and definitions, two to fourteen words",
        modality="text", recipe="english", prepare=["wordnet_lines.py", "wordnet", "--out", "wordnet-lines"],
        data=["wordnet-lines/train.txt"], train=["--valid", "wordnet-lines/valid.txt"], prior="mixture",
        attributes=[["length"]],
        held_out=["wordnet-lines/test.txt"], evaluate=["--importance-samples", "100"],
        figures=["elbo_nats", "kl_nats", "iw_nll_nats", "mutual_information_nats", "bleu"],
        temperature=0.5,
        licence="WordNet 3.0, Copyright 2006 by Princeton University, all rights reserved; used, copied, modified and "
        "distributed by the terms in LICENSE beside this card", notice="wordnet/LICENSE",
    ),
}  # fmt: skip


def seqvae_command(folder: Path, *arguments: str) -> None:
    """Run `seqvae` in the folder of data, echoed. Exits with its code when it fails."""
    click.secho(f"\n$ seqvae {shlex.join(arguments)}", bold=True)
    _python(folder, "-m", "seqvae", *arguments)


def _python(folder: Path, *arguments: str) -> None:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def trained(name: str, recipe: Recipe, folder: Path) -> Path:
    """The run of a model, trained to its end and with what is fitted to its codes."""
    run = RUNS / name
    if recipe.prepare:
        click.secho(f"\n$ python scripts/{shlex.join(recipe.prepare)}", bold=True)
        _python(folder, str(ROOT / "scripts" / recipe.prepare[0]), *recipe.prepare[1:])
    for out, command in trainings(recipe, str(run)):
        if (Path(out) / "config.json").exists():
            seqvae_command(folder, "train", recipe.modality, "--resume", "--out", out)
        else:
            seqvae_command(folder, *command)
    for command in fitting(recipe, str(run)):
        seqvae_command(folder, *command)
    return run


def trainings(recipe: Recipe, out: str) -> list[tuple[str, list[str]]]:
    """The runs that are trained, the model's last, each with its command."""
    common = ["train", recipe.modality, *recipe.data, *recipe.train, "--recipe"]
    if not recipe.first:
        return [(out, [*common, recipe.recipe, "--out", out])]
    first = f"{out}-first"
    begun = ["--from", first, "--take", "encoder,posterior,decoder"]
    return [
        (first, [*common, recipe.first, "--out", first]),
        (out, [*common, recipe.recipe, *begun, "--out", out]),
    ]


def fitting(recipe: Recipe, run: str) -> list[list[str]]:
    """The commands that fit its prior, its attributes and critics, whose data are those of the training."""
    prior = [["fit-prior", run, "--kind", recipe.prior]] if recipe.prior != "standard" else []
    attributes = [["attribute", "fit", run, *arguments] for arguments in recipe.attributes]
    return [*prior, *attributes, *([["constrain", run]] if recipe.constrain else [])]


def ship(run: Path, place: Path, temperature: float | None = None) -> None:
    """Write the weights that are used, in 16 bits, and what was fitted, as a run that names no folder."""
    model = seqvae.load(run, "cpu")
    assert model.run is not None
    settings: dict[str, Any] = {name: value for name, value in model.run.settings.items() if name != "format"}
    settings |= {**model.config.to_dict(), "sources": [], "valid": [], "from": None}
    settings |= {} if temperature is None else {TEMPERATURE: temperature}
    if settings["data"].get("split_csv"):
        settings["data"]["split_csv"] = Path(settings["data"]["split_csv"]).name
    report = {part: {**said, "sources": []} for part, said in model.run.report.items()}
    shutil.rmtree(place, ignore_errors=True)
    shipped = Run.create(place, settings, model.modality, report)
    step = model.run.used_step
    weights = {name: weight.half() for name, weight in weights_of(model.vae).items()}
    shipped.save(step, Checkpoint(weights, {}, {"step": step, "best_step": step}))
    for kind in KINDS:
        values = model.run.beside(step, kind)
        if values is not None:
            shipped.save_beside(step, kind, values, model.run.tensors_beside(step, kind))


def figures(run: Path, recipe: Recipe, folder: Path) -> dict[str, float]:
    """What evaluation of held-out data says of a run."""
    scored = RUNS / f"{run.parent.name}-{run.name}.json"
    seqvae_command(folder, "evaluate", str(run), *recipe.held_out, *recipe.evaluate, "--json", str(scored))
    said = json.loads(scored.read_text(encoding="utf-8"))
    found = {name: said[name] for name in (*recipe.figures, *said) if name in recipe.figures or "fitted_prior" in name}
    return {name: value for name, value in found.items() if isinstance(value, float)}


def card(name: str, recipe: Recipe, exact: dict[str, float], rounded: dict[str, float]) -> str:
    """The card of a model, as Markdown."""
    prepare = f"    python scripts/{shlex.join(recipe.prepare)}\n" if recipe.prepare else ""
    fitted = "".join(f"    seqvae {shlex.join(command)}\n" for command in fitting(recipe, f"runs/{name}"))
    trained = "".join(f"    seqvae {shlex.join(command)}\n" for _, command in trainings(recipe, f"runs/{name}"))
    of_units = units(get(recipe.modality)(get(recipe.modality).data_config()))
    rows = "".join(
        f"| {figure} | {of_units.get(figure, '').replace('|', ' given ')} | {value:.4g} | {exact[figure]:.4g} |\n"
        for figure, value in rounded.items()
    )
    own = recipe.temperature
    drawn = "" if own is None else f"Samples are drawn at temperature {own:g}, where none is asked for.\n\n"
    return (
        f"# {name}: {recipe.title}\n\n"
        f"Data: {recipe.licence}. The weights are under the terms of the data.\n\n"
        f"{drawn}"
        f"Trained from nothing, seed 0:\n\n"
        f"{prepare}{trained}{fitted}"
        f"    seqvae evaluate runs/{name} {shlex.join([*recipe.held_out, *recipe.evaluate])}\n\n"
        "Held-out data, as it comes along (weights of 16 bits), and as it was trained (32 bits):\n\n"
        f"| figure | unit | 16 bits | 32 bits |\n| --- | --- | --- | --- |\n{rows}"
    )


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, type=click.Choice(list(MODELS)))
def main(folder: Path, names: Sequence[str]) -> None:
    """Train the models that come with the package, all or those NAMES, on the data in FOLDER."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for name in names or MODELS:
        recipe, place = MODELS[name], PLACE / name
        run = trained(name, recipe, folder)
        ship(run, place, recipe.temperature)
        exact, rounded = figures(run, recipe, folder), figures(place, recipe, folder)
        (place / CARD).write_text(card(name, recipe, exact, rounded), encoding="utf-8")
        if recipe.notice:
            shutil.copy(folder / recipe.notice, place / "LICENSE")
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        click.echo(f"{place}: {size / 1e6:.1f} MB")
        if size > MOST_BYTES:
            raise SystemExit(f"{name} is larger than {MOST_BYTES / 1e6:.0f} MB; give its recipe fewer weights")


if __name__ == "__main__":
    main()
