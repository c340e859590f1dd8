"""What a command made, to the terminal or to files."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqvae.cli.places import check_own, own_folder, spare_files

if TYPE_CHECKING:
    from seqvae.codes import Windows
    from seqvae.modalities.base import Arrangement, Named, Written
    from seqvae.modalities.items import Item
    from seqvae.model import Model

LATEST = ".latest.json"  # the names of the files that the latest call left in the folder of the run


@dataclass(frozen=True)
class Made:
    """Pieces, each a list of windows, and the inputs that they were made of.

    `originals`: what the model read of each input, where each piece is made of the input in its place. `notes`: what
    is said of each piece beside its file. `names`: of pieces of a family, whose files bear them in place of numbers.
    """

    pieces: "Sequence[Sequence[Item]]"
    arrangement: "Arrangement" = "set"
    inputs: "Sequence[Named]" = ()
    originals: "Sequence[Windows]" = ()
    notes: Sequence[str] = ()
    names: Sequence[str] = ()


def show(model: "Model", made: Made, folder: Path | None) -> None:
    """Print pieces that are text; write all others, and text where a folder is named, and say where they are.

    Raises ValueError before an input would be overwritten, or a link in the folder of the run followed.
    """
    text = model.modality.printed(made.pieces)
    if text is not None:
        click.echo(_laid_out(model, made, text), nl=False)
        if folder is None:
            return
    originals = [windows.items for windows in made.originals]
    written = model.modality.write(made.pieces, made.arrangement, originals, made.names)
    place = folder or own_folder(model)
    inputs = [item.path for item in made.inputs if item.path is not None]
    names = [file.name for result in written for file in result.files]
    if folder is None:
        check_own(place, (*names, LATEST))
    spare_files(inputs, (place / name for name in names), "--out another folder")
    _store(written, place, made, to_stderr=text is not None)
    if folder is None:
        _clear(place, names, inputs)


def _laid_out(model: "Model", made: Made, text: str) -> str:
    """Pieces that are text, for a terminal: those of a family or a sweep a line each, behind their names."""
    from seqvae.modalities.items import Sweep

    if not (made.names or isinstance(made.arrangement, Sweep)):
        return text
    lines = [" ".join(str(model.modality.printed([piece])).split("\n")).rstrip() for piece in made.pieces]
    if isinstance(made.arrangement, Sweep):
        return made.arrangement.as_text(lines)
    return "".join(f"{'  ' * name.count('.')}{name}  {line}\n" for name, line in zip(made.names, lines, strict=True))


def _store(written: "Sequence[Written]", folder: Path, made: Made, to_stderr: bool) -> None:
    """Write the files and a line for each result."""
    from seqvae.files import store

    for place, result in enumerate(written):
        paths = [store(folder, file.name, file.content()) for file in result.files]
        others = " ".join(path.name.removeprefix(paths[0].stem) for path in paths[1:])
        about = [result.note] if result.note else []
        if made.originals and place < len(made.inputs) and (len(made.inputs) > 1 or not about):
            about.append(f"from {made.inputs[place].name}")
        about += filter(None, made.notes[place : place + 1])
        where = [f"{paths[0]}{f' ({others})' if others else ''}"] if paths else []
        line = ": ".join([*where, *([", ".join(about)] if about else [])])
        click.echo(f"written to {line}" if to_stderr else line, err=to_stderr)


def _clear(folder: Path, names: Sequence[str], inputs: Iterable[Path]) -> None:
    """Remove what the call before left in the folder of the run: two results side by side would be taken for one."""
    from seqvae.files import store

    kept = {path.resolve() for path in inputs}
    for name in _latest(folder):
        path = folder / name
        if name not in names and path.is_file() and not path.is_symlink() and path.resolve() not in kept:
            path.unlink()
    store(folder, LATEST, json.dumps(list(names)).encode())


def _latest(folder: Path) -> list[str]:
    """The names that the latest call noted, without any that lead out of the folder."""
    try:
        names = json.loads((folder / LATEST).read_text(encoding="utf-8")) if (folder / LATEST).is_file() else []
    except (OSError, ValueError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str) and name == Path(name).name]
