"""`seqvae info`: what is in a run folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqvae.cli.options import folder_of_run_argument
from seqvae.cli.words import data_lines
from seqvae.config import Values, counted, few
from seqvae.settings import SECTIONS, STAGES

if TYPE_CHECKING:
    from seqvae.model import Model
    from seqvae.runs.run import Run


@click.command(epilog="Example: seqvae info runs/demo")
@folder_of_run_argument
def info(run: Path) -> None:
    """Show what is in a run folder.

    Configuration, layers, data, validation history and checkpoints.
    """
    from seqvae.build import build_vae, open_run
    from seqvae.model import Model

    folder, config, modality = open_run(run)
    model = Model(config, modality, build_vae(config, modality), folder)
    parameters = sum(parameter.numel() for parameter in model.vae.parameters())
    click.echo(f"{run}: {config.modality}, seqvae {folder.settings['version']}, {counted(parameters, 'parameters')}")
    if "imported" in folder.settings:
        click.echo(f"imported from {folder.settings['imported']}")
    _show_configuration(config.to_dict())
    _show_network(model)
    _show_data(folder.report)
    _show_history(folder, model.vae.latent)


def _show_configuration(config: Values) -> None:
    """The configuration as a recipe in TOML would have it."""
    for section in SECTIONS:
        _show_table(f"[{section}]", config[section])
    for stage in config.get(STAGES, ()):
        _show_table(f"[[{STAGES}]]", {name: value for name, value in stage.items() if not isinstance(value, Mapping)})
        for name, values in stage.items():
            if isinstance(values, Mapping):
                _show_table(f"[{STAGES}.{name}]", values)


def _show_table(head: str, values: Values) -> None:
    click.echo(f"\n{head}")
    for name, value in values.items():
        shown = "none" if value is None else value  # TOML has no word for it, and a recipe may say "none"
        click.echo(f"{name} = {json.dumps(shown, ensure_ascii=False)}")


def _show_network(model: "Model") -> None:
    """The layers as they run, with the shape of what each gives for one item."""
    from seqvae.nets.diagram import text_of
    from seqvae.pictures import layers

    click.echo("\nnetwork")
    for line in text_of(layers(model)).splitlines():
        click.echo(f"  {line}")


def _show_data(report: Values) -> None:
    click.echo("\ndata")
    for line in data_lines(report):
        click.echo(f"  {line}")


def _show_history(folder: "Run", latent: int) -> None:
    from seqvae.attributes import kept_attributes
    from seqvae.cli.progress import validation_line
    from seqvae.constraints import kept_constraints
    from seqvae.pictures import records_of
    from seqvae.priors import kept_prior

    click.echo("\nhistory")
    try:
        records = records_of(folder)
        lines = [validation_line(record) for record in records if record["event"] == "validation"]
        click.echo("\n".join(f"  {line}" for line in lines[-5:] or ["no validation yet"]))
    except (ValueError, KeyError, TypeError):  # it is no part of the model, so the rest is shown all the same
        click.echo(f"{folder.metrics_path} is damaged; the model is not, restore the file from a copy", err=True)
    steps = folder.steps()
    if not steps:
        click.echo("  no checkpoint yet")
        return
    click.echo(f"  checkpoints at steps {folder.listed_steps()}; step {folder.best_step():,} is used")
    if names := kept_attributes(folder, latent):
        click.echo(f"  attributes: {few(names)}")
    if kept := kept_prior(folder, latent):
        click.echo(f"  prior: {kept.kind}, {'which samples come from' if kept.is_used else 'for --prior fitted'}")
    if critics := kept_constraints(folder):
        ((name, value),) = critics.example.items()
        click.echo(f"  critics: {', '.join(critics.names)}, for --where {name}={value}")
