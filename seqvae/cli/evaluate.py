"""`seqvae evaluate`: one table and one JSON of figures with their units."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import open_model, show_report
from seqvae.cli.options import PATH, device_option, prior_option, run_argument, seed_option, split_option
from seqvae.cli.per_item import check_form, table
from seqvae.cli.places import check_file_place, spare_files
from seqvae.cli.run_command import RunCommand
from seqvae.config import Values, counted

if TYPE_CHECKING:
    from seqvae.corpus import Corpus
    from seqvae.evaluate import Settings
    from seqvae.evaluation.scores import Scores
    from seqvae.modalities.base import Modality
    from seqvae.modalities.items import Figures
    from seqvae.model import Model


@click.command(
    cls=RunCommand,
    uses=("reading", "choosing"),
    example="seqvae evaluate runs/demo data/demo/test.txt --json figures.json",
)
@run_argument
@click.argument("data", nargs=-1, type=PATH, required=True)
@split_option
@click.option(
    "--importance-samples", type=click.IntRange(1), default=100, show_default=True, help="Draws of z for each item."
)
@click.option(
    "--codes", type=click.Choice(["mean", "drawn"]), default="mean", show_default=True,
    help="Reconstruct from the posterior mean, or from a draw of the posterior.",
)  # fmt: skip
@click.option(
    "--temperature", type=float, show_default="that of seqvae sample",
    help="Of the samples that are compared with DATA.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", show_default=True,
    help="Of matrix products; auto: likelihoods of text in bf16 where the device computes it natively.",
)  # fmt: skip
@prior_option
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Also write the figures to this file.")
@click.option(
    "--per-item", type=PATH, metavar="FILE", help="Also write the scores of each item, to FILE.csv or FILE.jsonl."
)
@click.option(
    "--language-model", type=PATH, metavar="RUN",
    help="A model of text without a code (model.latent=0), which judges samples: forward perplexity.",
)  # fmt: skip
@click.option(
    "--reverse-samples", type=click.IntRange(0), default=0, show_default="none", metavar="N",
    help="Train one like it on N samples and score DATA with it: reverse perplexity.",
)  # fmt: skip
@seed_option
@device_option
def evaluate(
    run: Path,
    data: tuple[Path, ...],
    split: Literal["train", "valid", "test"] | None,
    importance_samples: int,
    codes: Literal["mean", "drawn"],
    temperature: float | None,
    precision: Literal["auto", "fp32", "bf16"],
    prior: Literal["standard", "fitted"] | None,
    json_file: Path | None,
    per_item: Path | None,
    language_model: Path | None,
    reverse_samples: int,
    seed: int,
    device: str,
) -> None:
    """Score a model on files: one table, one JSON.

    Likelihood, latent code, reconstructions of DATA, and samples from the prior beside DATA. What reading DATA
    drops or cuts is shown on stderr. DATA are files or folders as for training; --split takes a part of them.
    """
    written = {"--json": json_file, "--per-item": per_item}
    for place in filter(None, written.values()):
        check_file_place(place)
    if per_item is not None:
        check_form(per_item)
    from seqvae.cli.progress import ProgressBar
    from seqvae.corpus import prepare, training_data
    from seqvae.evaluate import Settings
    from seqvae.evaluate import evaluate as figures_of
    from seqvae.memory import readable

    settings = Settings(
        importance_samples=importance_samples, codes=codes, temperature=temperature, seed=seed, precision=precision
    )
    model = open_model(run, device, split, prior)
    model = model if split is None else model.of_split(split, data)
    _check(model, data, written, temperature)
    judge = _judge(model, language_model, reverse_samples, device)
    names = ", ".join(map(str, data))
    with readable(model.modality, data) as files:
        corpus = prepare(model.modality, files)
    show_report(names, corpus.report)
    kept: list[Scores] = []
    with ProgressBar() as bar:
        training = training_data(model.modality, model.run)
        figures = figures_of(model.vae, model.modality, corpus, settings, bar, kept.append, training, model.prior)
    if judge is not None:
        figures |= _judged(judge, model, corpus, settings, reverse_samples)
    title = f"{run} on {names}{f' (split {split})' if split else ''}"
    _show(figures, title, model)
    if figures["samples"] is not None:
        _show_samples(figures, model.modality, seed)
    if json_file is not None:
        content = {**_origin(model, data, split, settings), **figures}
        content["kl_per_unit_nats"] = kept[0].kl_per_unit_nats.tolist() if kept else None
        _write(json_file, (json.dumps(content, indent=1) + "\n").encode())
    if per_item is not None:
        _write(per_item, table(kept[0], corpus, per_item.suffix.lower()))


def _check(model: "Model", data: Sequence[Path], written: Mapping[str, Path | None], temperature: float | None) -> None:
    """Raises ValueError where an input would be overwritten, UsageError for an option that means nothing to the model.

    `written` are the files to write, by the options that name them.
    """
    for flag, path in written.items():
        if path is not None:
            read = (file for source in data for file in model.modality.files_of(source))
            spare_files(read, [path], f"{flag} another file")
    if written["--per-item"] is not None and model.vae.has_points:
        raise click.UsageError("--per-item is of likelihoods, and a plain autoencoder has none; leave it out")
    if temperature is not None and (not model.modality.sample_units or model.vae.has_points):
        raise click.UsageError(
            "--temperature is that of samples, and this model has no figures of samples; leave it out"
        )


def _judge(model: "Model", path: Path | None, reverse_samples: int, device: str) -> "Model | None":
    """The language model that judges samples. Raises UsageError where there are none to judge."""
    if path is None:
        if reverse_samples:
            raise click.UsageError(
                f"--reverse-samples {reverse_samples} trains a language model like that of --language-model; name one"
            )
        return None
    from seqvae.language_models import load_language_model

    if model.modality.name != "text" or model.vae.has_points:
        raise click.UsageError("--language-model judges samples of text, and this model gives none; leave it out")
    return load_language_model(path, device)


def _judged(judge: "Model", model: "Model", corpus: "Corpus", settings: "Settings", reverse_samples: int) -> "Figures":
    """The figures of samples under a language model, and of data under one like it that is trained on samples."""
    from seqvae.language_models import sample_perplexities

    items = [model.modality.decode(corpus[place]) for place in range(len(corpus))]
    count = max(settings.prior_samples, reverse_samples)
    drawn = model.sample(count, seed=settings.seed, temperature=settings.temperature)
    return sample_perplexities(judge, items, [text for windows in drawn for text in windows], reverse_samples)


def _write(path: Path, content: bytes) -> None:
    from seqvae.files import write_atomically

    write_atomically(path, content)
    click.echo(f"written to {path}", err=True)


def _origin(model: "Model", data: Sequence[Path], split: str | None, settings: "Settings") -> Values:
    """What figures are of and how they were made: enough to make them again."""
    from seqvae import __version__

    return {
        "run": str(model.run.path) if model.run else None,
        "step": model.run.used_step if model.run else None,
        "modality": model.modality.name,
        "data": [str(path) for path in data],
        "split": split,
        "train_seed": model.config.train.seed,
        "seed": settings.seed,
        "codes": settings.codes,
        "precision": settings.precision_of(model.vae, model.modality),
        "prior": model.prior.kind,
        "version": __version__,
    }


def _show(figures: "Figures", title: str, model: "Model") -> None:
    """The table. Figures that do not apply to the model are left out; the JSON has them as null."""
    from rich.table import Table

    from seqvae.cli.progress import plain_console
    from seqvae.evaluate import OF_SAMPLES, of_data, units

    modality = model.modality
    known = {**units(modality), **modality.units_of(model.config.model)}
    elsewhere = {*OF_SAMPLES, *modality.sample_units, *map(of_data, modality.sample_units)}
    remarks = modality.remarks(model.config.model, figures)
    if model.vae.has_points:
        remarks.append("A plain autoencoder (model.posterior=point) has neither KL nor likelihood.")
    table = Table("figure", "value", "unit", caption="\n".join(remarks) or None, caption_justify="left")
    table.columns[0].overflow = "fold"  # names are those of the JSON: never cut
    table.columns[1].justify = "right"
    for name, value in figures.items():
        if value is not None and name not in elsewhere:
            table.add_row(name, _written(value), _unit(name, value, known))
    console = plain_console()
    console.print(title)
    console.print(table, soft_wrap=False)


def _show_samples(figures: Values, modality: "Modality", seed: int) -> None:
    """The table of samples beside the data."""
    from rich.table import Table

    from seqvae.cli.progress import plain_console
    from seqvae.evaluate import of_data

    table = Table("figure", "samples", "data", "unit")
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, unit in modality.sample_units.items():
        values = ("-" if value is None else _written(value) for value in (figures[name], figures[of_data(name)]))
        table.add_row(name, *values, unit)
    beside = counted(min(figures["samples"], figures["items"]), modality.words.items)
    console = plain_console()
    console.print(
        f"{counted(figures['samples'], 'samples')} from the prior at temperature {figures['sample_temperature']:g}, "
        f"seed {seed}, beside {beside} of the data"
    )
    console.print(table, soft_wrap=False)


def _unit(name: str, value: float, known: Mapping[str, str]) -> str:
    """The unit of a figure; of an estimate below 0 that it is no information below 0."""
    negative = name == "mutual_information_nats" and value < 0
    return f"{known.get(name, '')}{': 0 up to its error' if negative else ''}"


def _written(value: float) -> str:
    return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}"
