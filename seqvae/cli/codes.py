"""`seqvae encode` and `decode`: items to a file of latent codes and back."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import open_model, read_items, show_assumed
from seqvae.cli.options import (
    PATH,
    decoding_options,
    device_option,
    file_option,
    folder_option,
    given_decoding,
    inputs_argument,
    run_argument,
    seed_option,
    split_option,
)
from seqvae.cli.places import check_file_place, check_folder_place, spare_files
from seqvae.cli.results import Made, show
from seqvae.cli.run_command import RunCommand
from seqvae.config import counted

if TYPE_CHECKING:
    import numpy as np

MOST_NAMES_BYTES = 1 << 28  # of the array of names in a file of codes


@click.command(
    cls=RunCommand,
    uses=("reading", "choosing"),
    example="seqvae encode runs/demo --file data/demo/test.txt --out codes.npz",
)
@run_argument
@inputs_argument
@file_option
@split_option
@click.option("--out", type=PATH, required=True, metavar="FILE.npz", help="The file to write.")
@device_option
def encode(
    run: Path,
    inputs: tuple[str, ...],
    file: Path | None,
    split: Literal["train", "valid", "test"] | None,
    out: Path,
    device: str,
) -> None:
    """Write the latent codes of items to a file.

    An item that is longer than one code stands for gives a row for each of its windows, one after another. The arrays
    of the file are mean and scale, a row for each window, items, an array of their names, and labels, where there are
    any.
    """
    check_file_place(out)
    model = open_model(run, device, split)
    named, windows = read_items(model, inputs, file, split)
    read = [*(item.path for item in named if item.path is not None), *([] if file is None else [file])]
    spare_files(read, [out], "--out another file")
    codes = model.encode(windows)
    arrays = {"mean": codes.mean.cpu().numpy(), "scale": codes.scale.cpu().numpy(), "items": _as_array(codes.names)}
    labels = [model.modality.label_of(item.item) for item, own in zip(named, windows, strict=True) for _ in own.items]
    if any(label is not None for label in labels):
        arrays["labels"] = _as_array([label or "" for label in labels])
    _write_codes(out, arrays)
    units = counted(codes.mean.shape[1], "units")
    click.echo(f"{counted(len(codes.names), 'codes')} of {units} written to {out}", err=True)


@click.command(
    cls=RunCommand,
    uses=("making", "writing"),
    example="seqvae decode runs/demo-digits --at 0,2.5 --at=-1,0",
)
@run_argument
@click.argument("codes", type=PATH, metavar="[LATENTS.npz]", required=False)
@click.option("--at", multiple=True, metavar="Z,Z,...", help="In place of a file: a code, one number for each unit.")
@decoding_options("temperature", "top_k", "top_p", "beam")
@seed_option
@folder_option
@device_option
def decode(run: Path, codes: Path | None, at: tuple[str, ...], seed: int, folder: Path | None, device: str) -> None:
    """Make items from latent codes.

    The codes are those of a file of `seqvae encode`, whose array mean is decoded, or those of --at, which may be
    repeated.
    """
    check_folder_place(folder)
    decoding = given_decoding()
    if (codes is None) == (not at):
        raise click.UsageError("give either a file of codes, LATENTS.npz, or codes with --at, such as --at 0,2.5")
    model = open_model(run, device)
    show_assumed(model)
    z = _read_codes(codes) if codes is not None else _codes_at(at, model.vae.latent)
    show(model, Made(model.decode(z, decoding, seed)), folder)


def _write_codes(path: Path, arrays: "Mapping[str, np.ndarray]") -> None:
    import numpy as np

    from seqvae.files import write_atomically

    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type] # numpy takes all names but its own allow_pickle
    write_atomically(path, content.getvalue())


def _as_array(names: Sequence[str]) -> "np.ndarray":
    """(N,) names, each of which takes as much memory as the longest; cut where that is more than MOST_NAMES_BYTES."""
    import numpy as np

    most = max(1, MOST_NAMES_BYTES // (4 * len(names)))
    if max(map(len, names)) > most:
        click.echo(f"items: names longer than {most:,} characters are cut", err=True)
    return np.array([name if len(name) <= most else f"{name[: most - 1]}…" for name in names])


def _codes_at(at: Sequence[str], units: int) -> "np.ndarray":
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


def _read_codes(path: Path) -> "np.ndarray":
    """The array `mean` (N, Z) of a file of codes. Raises ValueError when it is not such a file."""
    import numpy as np

    from seqvae.files import check_regular

    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a file that seqvae encode wrote")
    check_regular(path)  # nobody may ever write into a pipe
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
