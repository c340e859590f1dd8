"""`seqvae encode` and `decode`: items to a file of latent codes and back."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from seqvae.cli.items import open_model, read_items
from seqvae.cli.named import Made
from seqvae.cli.options import (
    PATH,
    Input,
    Output,
    beam_option,
    check_draw,
    device_option,
    file_option,
    given_input,
    given_output,
    input_options,
    inputs_argument,
    metre_option,
    output_options,
    run_argument,
    seed_option,
    split_options,
    temperature_option,
    top_k_option,
    top_p_option,
)
from seqvae.cli.places import check_file_place, spare_files
from seqvae.cli.words import counted


@click.command()
@run_argument
@inputs_argument
@file_option
@split_options
@input_options
@click.option("--out", type=PATH, required=True, metavar="FILE.npz", help="The file to write.")
@device_option
def encode(run: Path, inputs: tuple[str, ...], file: Path | None, out: Path, device: str) -> None:
    """Write the latent codes of items to a file.

    INPUT is a sentence for text models, - reads sentences from the standard input. For drums it is a MIDI file, which
    gives a row for each window, one after another, or FILE#INDEX. For images it is an image file, FILE#INDEX of an IDX
    or .npz file, or all of it. The arrays of the file are mean and scale, a row for each item, and items, a JSON list
    of the sentences, or of FILE and FILE#INDEX.
    """
    check_file_place(out)
    source = given_input()
    model, face = open_model(run, device, source, Output())
    items = read_items(model, face, inputs, file, source)
    read = [*(item.path for item in items if item.path is not None), *([] if file is None else [file])]
    spare_files(read, [out], "--out another file")
    rows = face.rows(model, items)
    posterior = model.encode([row.item for row in rows])
    _write_codes(out, posterior.mean.cpu().numpy(), posterior.scale.cpu().numpy(), [row.name for row in rows])
    units = counted(posterior.mean.shape[1], "units")
    click.echo(f"{counted(len(rows), 'codes')} of {units} written to {out}", err=True)


@click.command()
@run_argument
@click.argument("codes", type=PATH, metavar="[LATENTS.npz]", required=False)
@click.option("--at", multiple=True, metavar="Z,Z,...", help="In place of a file: a code, one number for each unit.")
@temperature_option(0.0)
@top_k_option
@top_p_option
@beam_option
@seed_option
@metre_option
@output_options
@device_option
def decode(
    run: Path,
    codes: Path | None,
    at: tuple[str, ...],
    temperature: float,
    top_k: int,
    top_p: float,
    beam: int,
    seed: int,
    device: str,
) -> None:
    """Make items from latent codes.

    The codes are those of a file of `seqvae encode`, whose array mean is decoded, or those of --at, which may be
    repeated: decode RUN --at 0,2.5 --at=-1,0.
    """
    check_draw(temperature, top_k, top_p)
    if (codes is None) == (not at):
        raise click.UsageError("give either a file of codes, LATENTS.npz, or codes with --at, such as --at 0,2.5")
    output = given_output()
    model, face = open_model(run, device, Input(), output)
    z = _read_codes(codes) if codes is not None else _codes_at(at, model.vae.latent)
    face.show(model, Made(model.decode(z, temperature, top_k, top_p, beam, seed)), output)


def _write_codes(path: Path, mean: Any, scale: Any, items: Sequence[str]) -> None:
    import numpy as np

    from seqvae.files import write_atomically

    content = io.BytesIO()
    np.savez(content, mean=mean, scale=scale, items=np.array(json.dumps(list(items))))
    write_atomically(path, content.getvalue())


def _codes_at(at: Sequence[str], units: int) -> Any:
    """(N, Z) of the codes of --at. Raises UsageError for what is no code of so many units."""
    import numpy as np

    rows = []
    for text in at:
        try:
            row = [float(word) for word in text.split(",")]
        except ValueError:
            raise click.UsageError(f"--at {text} is no code; give numbers with commas, such as --at 0,2.5") from None
        if len(row) != units:
            raise click.UsageError(f"--at {text} has {counted(len(row), 'numbers')}; this model has {units} units")
        rows.append(row)
    return np.array(rows)


def _read_codes(path: Path) -> Any:
    """The array `mean` (N, Z) of a file of codes. Raises ValueError when it is not such a file."""
    import numpy as np

    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a file that seqvae encode wrote")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            mean = arrays["mean"]
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}; give a file that seqvae encode wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise ValueError(
            f"{path} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"
        ) from None
    if mean.ndim != 2 or mean.dtype.kind not in "fiu":
        raise ValueError(f"the array mean of {path} has shape {mean.shape} and type {mean.dtype}; give (N, Z) numbers")
    with np.errstate(over="ignore"):  # what a float64 cannot hold becomes infinity, which the model refuses
        return mean.astype(np.float64)
