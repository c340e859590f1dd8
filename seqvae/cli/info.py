"""`seqvae info`: what is in a run folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqvae.cli.options import run_argument
from seqvae.config import SECTIONS

if TYPE_CHECKING:
    from seqvae.checkpoint import Run


@click.command()
@run_argument
def info(run: Path) -> None:
    """Tell what is in a run folder.

    Configuration, size, data, validation history and checkpoints.
    """
    from seqvae.model import build, open_run

    folder, config, modality = open_run(run)
    parameters = sum(parameter.numel() for parameter in build(config, modality).parameters())
    click.echo(f"{run}: {config.modality}, seqvae {folder.settings['version']}, {parameters:,} parameters")
    _show_configuration(config.to_dict())
    _show_data(folder.report)
    _show_history(folder)


def _show_configuration(config: Mapping[str, Any]) -> None:
    for section in SECTIONS:
        click.echo(f"\n[{section}]")
        for name, value in config[section].items():
            click.echo(f"{name} = {json.dumps(value, ensure_ascii=False)}")


def _show_data(report: Mapping[str, Any]) -> None:
    click.echo("\ndata")
    for part, found in report.items():
        click.echo(f"  {part}: {found['items']:,} items, {found['steps']:,} steps from {', '.join(found['sources'])}")
        for reason, count in found["counts"].items():
            click.echo(f"    {count:,} {reason}")


def _show_history(folder: "Run") -> None:
    from seqvae.cli.progress import validation_line

    records = [record for record in _records(folder.metrics_path) if record["event"] == "validation"]
    click.echo("\nhistory")
    for record in records[-5:]:
        click.echo(f"  {validation_line(record)}")
    if not records:
        click.echo("  no validation yet")
    steps = folder.steps()
    if not steps:
        click.echo("  no checkpoint yet")
        return
    click.echo(
        f"  checkpoints at steps {', '.join(f'{step:,}' for step in steps)}; step {folder.best_step():,} is used"
    )


def _records(path: Path) -> list[dict[str, Any]]:
    """The records of metrics.jsonl; a last line that is being written right now is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]
