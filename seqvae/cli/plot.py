"""`seqvae plot`: pictures of a run as PNG files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import open_model
from seqvae.cli.options import PATH, data_argument, device_option, run_argument, seed_option, split_option
from seqvae.cli.places import check_folder_place, check_own, own_folder, spare_files
from seqvae.cli.run_command import RunCommand, given_uses

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from torch import Tensor

    from seqvae.data import Part
    from seqvae.modalities.items import Item
    from seqvae.model import Model

Split = Literal["train", "valid", "test"]
MOST_CODES = 10_000
MOST_SHOWN = 100  # items among which those to show are found
MOST_WALKS = 8
PICTURES = {
    "losses": "negative ELBO, reconstruction and KL over the epochs",
    "network": "layers, shapes and parameters",
    "plane": "codes in two dimensions, by label where there are any",
    "manifold": "30 x 30 images across a plane of the latent space",
    "samples": "images from the prior",
    "reconstructions": "originals above their reconstructions",
    "denoising": "noisy images above what the model makes of them and the clean ones",
    "traversals": "one latent unit changes in each row",
    "axes": "one principal axis of the codes in each row",
    "interpolations": "from one image to another in each row",
}


def _names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Raises BadParameter for a picture that is not there."""
    chosen = () if value is None else tuple(dict.fromkeys(word.strip().lower() for word in value.split(",")))
    for word in chosen:
        if word not in PICTURES:
            raise click.BadParameter(f"no picture '{word}'; choose among {', '.join(PICTURES)}, with commas between")
    return chosen


@click.command(cls=RunCommand, uses=("reading", "choosing"), example="seqvae plot runs/demo-digits --only losses,plane")
@run_argument
@data_argument
@split_option
@click.option("--only", callback=_names, metavar="NAME,...", help=f"Some of these: {', '.join(PICTURES)}.")
@click.option("--out", type=PATH, metavar="FOLDER", help="Where the files go; the default is RUN/plot.")
@seed_option
@device_option
def plot(
    run: Path,
    data: tuple[Path, ...],
    split: Literal["train", "valid", "test"] | None,
    only: tuple[str, ...],
    out: Path | None,
    seed: int,
    device: str,
) -> None:
    """Draw a run: its losses, its network and its latent space.

    DATA are files or folders as for training; the default is what the run was validated on. Of images there are the
    manifold, samples, reconstructions, traversals and interpolations, too. The seed draws items and samples.
    """
    check_folder_place(out)
    if not data and split is None and given_uses():
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given_uses())
        raise click.UsageError(f"{flags} says how DATA are read; give DATA, or leave it out")
    model = open_model(run, device, split)
    possible = _possible(model)
    for name in only:
        if name not in possible:
            raise click.UsageError(f"there is no picture '{name}' of this model; there are {', '.join(possible)}")
    from seqvae.files import write_atomically
    from seqvae.nets.diagram import text_of
    from seqvae.pictures import layers
    from seqvae.view.sheet import png

    folder = own_folder(model) if out is None else out
    files = (file for path in data for file in model.modality.files_of(path))
    targets = [*(f"{name}.png" for name in only or possible), "network.txt"]
    if out is None:
        check_own(folder, targets)
    spare_files(files, [folder / name for name in targets], "--out another folder")
    items = cache(lambda: _read(model, data, split, seed))
    if data or split is not None:  # what is asked for and cannot be read is said before anything is drawn
        items()
    makers = _makers(model, items, seed)
    for name in only or possible:
        content = png(makers[name]())
        folder.mkdir(parents=True, exist_ok=True)
        click.echo(f"{write_atomically(folder / f'{name}.png', content)}: {_shown(name, model)}")
        if name == "network":
            path = write_atomically(folder / "network.txt", f"{text_of(layers(model))}\n".encode())
            click.echo(f"{path}: the same as text")


def _shown(name: str, model: "Model") -> str:
    """What a picture of a model shows. The training of an autoencoder or of a language model has no KL."""
    if name == "losses" and (model.vae.has_points or not model.vae.latent):
        return "reconstruction over the epochs"
    return PICTURES[name]


def _possible(model: "Model") -> list[str]:
    """The pictures that there are of a model. A plain autoencoder has neither a prior nor a scale of its units."""
    from seqvae.pictures import corrupts

    latent, points, images = model.vae.latent, model.vae.has_points, model.modality.has_pixels
    possible = {
        "losses": model.run is not None and model.run.metrics_path.exists(),
        "network": True,
        "plane": latent >= 2,
        "manifold": images and latent >= 2,
        "samples": images and not points,
        "reconstructions": images,
        "denoising": images and corrupts(model),
        "traversals": images and not points,
        "axes": images and (latent > 2 or points),
        "interpolations": images,
    }
    return [name for name, there in possible.items() if there]


@dataclass(frozen=True)
class _Items:
    """Items of a corpus in a random order: the codes of all, and some of themselves."""

    codes: "Tensor"  # (N, Z)
    labels: "np.ndarray | None"  # (N,)
    label_names: Sequence[str]
    some: "Sequence[Item]"


def _makers(model: "Model", items: Callable[[], _Items], seed: int) -> dict[str, "Callable[[], Figure]"]:
    """What makes each picture; the data are read when the first one needs them."""
    from seqvae import pictures

    def losses() -> "Figure":
        assert model.run is not None
        return pictures.losses(model.run)

    def manifold() -> "Figure":
        whole = model.vae.latent == 2 and not model.vae.has_points  # the prior is a plane
        try:
            codes = items().codes
        except ValueError:
            if not whole:
                raise
            return pictures.manifold(model)  # which needs no data
        return pictures.manifold(model, items=None if whole and pictures.prior_fits(codes) else codes)

    return {
        "losses": losses,
        "network": lambda: pictures.network(model),
        "plane": lambda: pictures.plane(model, items().codes, items().labels, items().label_names),
        "manifold": manifold,
        "samples": lambda: pictures.samples(model, seed=seed),
        "reconstructions": lambda: pictures.reconstructions(model, items().some),
        "denoising": lambda: pictures.denoising(model, items().some, seed=seed),
        "traversals": lambda: pictures.traversals(model, items().some[0]),
        "axes": lambda: pictures.principal_traversals(model, items().codes),
        "interpolations": lambda: pictures.interpolations(model, _pairs(items())),
    }


def _read(model: "Model", data: Sequence[Path], split: Split | None, seed: int) -> _Items:
    """At most 10,000 items of the data. Raises ValueError when there are not two."""
    import numpy as np

    from seqvae import generate

    modality, part = model.modality, _part(model, data, split)
    corpus = part.corpus
    drawn = np.random.default_rng(seed).permutation(part.indices(np.arange(len(corpus))))[:MOST_CODES]
    if len(drawn) < 2:
        raise ValueError(f"{', '.join(corpus.report.sources)} has one item only; give DATA with more")
    codes = generate.encode(model.vae, [corpus[int(index)] for index in drawn], settle=modality.settle).mean
    some = [[modality.decode(corpus[int(index)])] for index in drawn[:MOST_SHOWN]]
    labels = None if corpus.labels is None else corpus.labels[drawn]
    return _Items(codes, labels, corpus.label_names, some)


def _part(model: "Model", data: Sequence[Path], split: Split | None) -> "Part":
    """The items of DATA, or what the run was validated on; of both the split that is asked for."""
    from seqvae.corpus import prepare
    from seqvae.data import Part
    from seqvae.training.run import IN_MEMORY, corpora_of, parts

    assert model.run is not None
    settings = model.run.settings
    if not data and not settings["sources"] and (split is not None or not settings.get(IN_MEMORY)):
        raise click.UsageError(f"{model.run.path} does not name files that it was trained on; give DATA")
    if data or split is not None:
        data = data or [Path(path) for path in settings["sources"]]
        chosen = model if split is None else model.of_split(split, data)
        return Part(prepare(chosen.modality, data))
    try:
        return parts(corpora_of(model.run.path), model.config.train.seed)[1]
    except (ValueError, OSError) as error:
        raise ValueError(f"the data of {model.run.path} cannot be read; give DATA ({error})") from None


def _pairs(items: _Items) -> "list[tuple[Item, Item]]":
    """Items to walk between, of different labels where they have any."""
    labels = items.labels
    pairs: "list[tuple[Item, Item]]" = []
    rest = list(range(len(items.some)))
    while len(rest) >= 2 and len(pairs) < MOST_WALKS:
        first = rest.pop(0)
        others = [] if labels is None else [place for place in rest if labels[place] != labels[first]]
        second = (others or rest)[0]
        rest.remove(second)
        pairs.append((items.some[first], items.some[second]))
    return pairs
