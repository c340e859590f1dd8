"""`seqvae import-magenta`: a checkpoint of MusicVAE to a run folder."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import click

from seqvae.cli.options import PATH, spoken_as
from seqvae.config import counted


@click.command(epilog="Example: seqvae import-magenta cat-drums_2bar_small.lokl.tar --out runs/lokl")
@click.argument("checkpoint", type=PATH)
@click.option("--out", type=PATH, required=True, help="Run folder to write.")
@click.option(
    "--bars", type=click.IntRange(1, 64), default=None, callback=spoken_as("data.bars"),
    help="Bars of a window, which no checkpoint says; by default those of the published models, 2 or 16.",
)  # fmt: skip
@click.option(
    "--segment-steps", type=click.IntRange(1, 4096), default=None, callback=spoken_as("model.segment_steps"),
    help="Steps for each step of a conductor, which no checkpoint says; by default a bar.",
)  # fmt: skip
@click.option(
    "--task", type=click.Choice(["reconstruct", "humanize", "tap", "infill"]), default=None,
    callback=spoken_as("data.task"),
    help="Of groove models: what the encoder reads, as of 'train groove --task'; published names say it themselves.",
)  # fmt: skip
@click.option(
    "--added", default="", metavar="CLASS", callback=spoken_as("data.added"),
    help="Of --task infill: the class that is added.",
)  # fmt: skip
@click.option(
    "--classes", type=click.Choice(["gm", "roland"]), default=None, callback=spoken_as("data.classes"),
    help="Of groove models: drum classes of files, gm by default; roland, as in training, for the Groove MIDI Dataset.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
def import_magenta(
    checkpoint: Path,
    out: Path,
    bars: int | None,
    segment_steps: int | None,
    task: str | None,
    added: str,
    classes: str | None,
    overwrite: bool,
) -> None:
    """Make a run of a checkpoint of MusicVAE, Magenta's model.

    CHECKPOINT is a .tar, a folder, or the prefix of its files (PREFIX.index, PREFIX.data-00000-of-00001); or a folder
    of magenta.js, with weights_manifest.json, quantised or not. Models of drums, grooves, melodies and trios can be
    imported: cat-drums_2bar_small and _big, nade-drums_2bar_reduced and _full, groovae_2bar_humanize,
    _tap_fixed_velocity and _add_closed_hh, groovae_4bar, cat-mel_2bar_big, and the flat and hierdec models of melodies
    and trios of 16 bars. TensorFlow is not needed. The run does all that runs do: sample, reconstruct,
    interpolate, evaluate, and fine-tuning by `seqvae train --from`.
    """
    from seqvae.cli.places import check_folder_place
    from seqvae.magenta.runs import import_magenta as make

    check_folder_place(out)
    run = make(checkpoint, out, bars, overwrite, segment_steps or 0, task or "", added, classes or "")
    model, data = run.settings["model"], run.settings["data"]
    weights = sum(weight.numel() for weight in run.weights(run.used_step).values())
    click.echo(
        f"{out}: {run.settings['modality']}, {counted(data['bars'], 'bars')} of {_steps(run.settings)}; "
        f"{counted(model['latent'], 'latent units')}, {counted(weights, 'weights')}, step {run.used_step:,}"
    )
    click.echo(f"next: seqvae sample {quote(str(out))}")


def _steps(settings: Mapping[str, Any]) -> str:
    """What the steps of a model are."""
    data = settings["data"]
    if settings["modality"] in ("melody", "trio"):
        drums = f", classes {data['classes']}" if settings["modality"] == "trio" else ""
        return f"pitches {data['lowest_pitch']} to {data['highest_pitch']}{drums}"
    if settings["modality"] == "groove":
        return f"classes {data['classes']}, {' '.join(filter(None, ('task', data['task'], data['added'])))}"
    kind = "by NADE" if settings["model"]["step_likelihood"] == "nade" else "in combinations"
    return f"classes {data['classes']}, {kind}"
