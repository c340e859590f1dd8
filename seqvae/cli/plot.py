"""`seqvae plot`: pictures of a run as PNG files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from seqvae.cli.items import open_model
from seqvae.cli.maps import check_map, drawn_map, has_map, map_options, opened
from seqvae.cli.options import PATH, data_argument, device_option, run_argument, seed_option, split_option
from seqvae.cli.places import check_folder_place, check_own, own_folder, spare_files
from seqvae.cli.run_command import RunCommand, given_uses

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from torch import Tensor

    from seqvae.core.posterior import DiagonalGaussian
    from seqvae.corpus import Corpus
    from seqvae.data import Part
    from seqvae.modalities.items import Item
    from seqvae.model import Model

Split = Literal["train", "valid", "test"]
MOST_CODES = 10_000
FEW_CODES = 300  # of fewer validation items a plane shows little, so training items are taken as well
MOST_SHOWN = 100  # items among which those to show are found
MOST_WALKS = 8
PICTURES = {
    "losses": "negative ELBO, reconstruction and KL over the epochs",
    "network": "layers, shapes and parameters",
    "plane": "codes in two dimensions, by label where there are any",
    "map": "the indexed corpus in two dimensions",
    "manifold": "30 x 30 images across a plane of the latent space",
    "samples": "images from the prior",
    "reconstructions": "originals above their reconstructions",
    "denoising": "noisy images above what the model makes of them and the clean ones",
    "traversals": "one latent unit changes in each row",
    "axes": "one principal axis of the codes in each row",
    "interpolations": "from one image to another in each row",
}
WITHOUT_DATA = frozenset(
    {"losses", "network", "manifold", "samples", "map"}
)  # pictures that can be drawn when these are gone


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
@map_options
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

    DATA are files or folders as for training; the default is what the run was validated on, for plane, manifold and
    axes with the training items where these are fewer than 300. Traversals start from one of them. Of images there are
    the manifold, samples, reconstructions and interpolations, too. Where there is an index (seqvae index) there is its
    map. The seed draws items and samples.
    """
    check_folder_place(out)
    if not data and split is None and given_uses():
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given_uses())
        raise click.UsageError(f"{flags} says how DATA are read; give DATA, or leave it out")
    model = open_model(run, device, split)
    possible = _possible(model)
    for name in only:
        if name == "map" and name not in possible and model.vae.latent != 1:
            opened(model)  # which says why there is none
        if name not in possible:
            raise click.UsageError(f"there is no picture '{name}' of this model; there are {', '.join(possible)}")
    check_map("map" in (only or possible))
    from seqvae.files import write_atomically
    from seqvae.nets.diagram import text_of
    from seqvae.pictures import layers
    from seqvae.view.sheet import png

    folder = own_folder(model) if out is None else out
    files = (file for path in data for file in model.modality.files_of(path))
    targets = [*(f"{name}.png" for name in only or possible), "network.txt"]
    stale = [] if only or out is not None else _of_another_model(folder, possible)
    if out is None:
        check_own(folder, (*targets, *stale))
    spare_files(files, [folder / name for name in (*targets, *stale)], "--out another folder")
    items = cache(lambda: _read(model, data, split, seed))
    # what is asked for and cannot be read is said before anything is drawn
    if data or split is not None or not WITHOUT_DATA.issuperset(only or possible):
        items()
    makers = _makers(model, items, seed)
    for name in only or possible:
        content = png(makers[name]())
        folder.mkdir(parents=True, exist_ok=True)
        click.echo(f"{write_atomically(folder / f'{name}.png', content)}: {_shown(name, model, items)}")
        if name == "network":
            path = write_atomically(folder / "network.txt", f"{text_of(layers(model))}\n".encode())
            click.echo(f"{path}: the same as text")
    for name in stale:
        (folder / name).unlink(missing_ok=True)


def _of_another_model(folder: Path, possible: Sequence[str]) -> list[str]:
    """Pictures that there are none of now: of the run that `train --overwrite` replaced by the one that is drawn."""
    names = (f"{name}.png" for name in PICTURES if name not in possible)
    return [name for name in names if (folder / name).exists()]


def _shown(name: str, model: "Model", items: "Callable[[], _Items]") -> str:
    """What a picture of a model shows, and of which items. An autoencoder or a language model has no KL."""
    if name == "losses" and (model.vae.has_points or not model.vae.latent):
        return "reconstruction over the epochs"
    drawn = _of_plane(model, items) if name == "manifold" else items() if name in ("plane", "axes") else None
    if drawn is None or not drawn.trained_on:
        return PICTURES[name]
    return f"{PICTURES[name]}; of {len(drawn.codes):,} items {drawn.trained_on:,} are training items"


def _possible(model: "Model") -> list[str]:
    """The pictures that there are of a model. A plain autoencoder has neither a prior nor a scale of its units."""
    from seqvae.pictures import corrupts

    latent, points = model.vae.latent, model.vae.has_points
    drawn, images = model.modality.has_pictures, model.modality.has_pixels
    possible = {
        "losses": model.run is not None and model.run.metrics_path.exists(),
        "network": True,
        "plane": latent >= 2,
        "map": has_map(model),
        "manifold": images and latent >= 2,
        "samples": images and not points,
        "reconstructions": images,
        "denoising": images and corrupts(model),
        "traversals": drawn and latent >= 1 and not points,
        "axes": drawn and (latent > 2 or points),
        "interpolations": images,
    }
    return [name for name, there in possible.items() if there]


@dataclass(frozen=True)
class _Items:
    """Items in a random order, those of training last: the codes of all, and some of themselves."""

    posterior: "DiagonalGaussian"  # (N, Z)
    labels: "np.ndarray | None"  # (N,)
    label_names: Sequence[str]
    some: "Sequence[Item]"
    trained_on: int  # of them, because those for validation are few

    @property
    def codes(self) -> "Tensor":
        """(N, Z) the posterior means."""
        return self.posterior.mean


def _of_plane(model: "Model", items: Callable[[], _Items]) -> _Items | None:
    """The items whose codes give the plane of a manifold; None where it is that of the prior, which needs no data."""
    from seqvae.pictures import prior_fits

    whole = model.vae.latent == 2 and not model.vae.has_points  # the prior is a plane
    try:
        found = items()
    except ValueError:
        if not whole:
            raise
        return None
    return None if whole and prior_fits(found.codes) else found


def _makers(model: "Model", items: Callable[[], _Items], seed: int) -> dict[str, "Callable[[], Figure]"]:
    """What makes each picture; the data are read when the first one needs them."""
    from seqvae import pictures

    def losses() -> "Figure":
        assert model.run is not None
        return pictures.losses(model.run)

    def plane() -> "Figure":
        drawn = items()
        return pictures.plane(model, drawn.codes, drawn.labels, drawn.label_names, trained_on=drawn.trained_on)

    def manifold() -> "Figure":
        drawn = _of_plane(model, items)
        if drawn is None:
            return pictures.manifold(model)
        return pictures.manifold(model, items=drawn.codes, trained_on=drawn.trained_on)

    def axes() -> "Figure":
        return pictures.principal_traversals(model, items().codes, trained_on=items().trained_on)

    return {
        "losses": losses,
        "network": lambda: pictures.network(model),
        "plane": plane,
        "map": lambda: drawn_map(model, seed),
        "manifold": manifold,
        "samples": lambda: pictures.samples(model, seed=seed),
        "reconstructions": lambda: pictures.reconstructions(model, items().some),
        "denoising": lambda: pictures.denoising(model, items().some, seed=seed),
        "traversals": lambda: pictures.traversals(model, items().some[0], items().posterior),
        "axes": axes,
        "interpolations": lambda: pictures.interpolations(model, _pairs(items())),
    }


def _read(model: "Model", data: Sequence[Path], split: Split | None, seed: int) -> _Items:
    """At most 10,000 items of the data. Raises ValueError when there are not two."""
    import numpy as np

    from seqvae import generate

    modality, generator = model.modality, np.random.default_rng(seed)
    drawn: "list[tuple[Corpus, np.ndarray]]" = []
    for part in _parts(model, data, split):
        chosen = generator.permutation(part.indices(np.arange(len(part.corpus))))
        drawn.append((part.corpus, chosen[: MOST_CODES - sum(len(indices) for _, indices in drawn)]))
    arrays = [corpus[int(index)] for corpus, indices in drawn for index in indices]
    if len(arrays) < 2:
        raise ValueError(f"{', '.join(drawn[0][0].report.sources)} has one item only; give DATA with more")
    posterior = generate.encode(model.vae, arrays, settle=modality.settle)
    first = len(drawn[0][1])
    some = [[modality.decode(x)] for x in arrays[: min(first, MOST_SHOWN) if first > 1 else MOST_SHOWN]]
    return _Items(posterior, *_labels(drawn), some, len(arrays) - first)


def _labels(drawn: "Sequence[tuple[Corpus, np.ndarray]]") -> "tuple[np.ndarray | None, list[str]]":
    """The labels of items of one corpus or two as places among the names of both; None where there are none."""
    import numpy as np

    names = list(dict.fromkeys(name for corpus, _ in reversed(drawn) for name in corpus.label_names))
    if all(corpus.labels is None for corpus, _ in drawn):
        return None, names
    found = []
    for corpus, indices in drawn:
        places = np.array([*(names.index(name) for name in corpus.label_names), -1])  # the last one is for none
        found.append(np.full(len(indices), -1) if corpus.labels is None else places[corpus.labels[indices]])
    return np.concatenate(found), names


def _parts(model: "Model", data: Sequence[Path], split: Split | None) -> "list[Part]":
    """The items of DATA, or what the run was validated on; of both the split that is asked for.

    Few items for validation are followed by those for training.
    """
    from seqvae.corpus import prepare
    from seqvae.data import Part
    from seqvae.memory import readable
    from seqvae.training.corpora import IN_MEMORY, corpora_of, parts

    assert model.run is not None
    settings = model.run.settings
    if not data and not settings["sources"] and (split is not None or not settings.get(IN_MEMORY)):
        raise click.UsageError(f"{model.run.path} does not name files that it was trained on; give DATA")
    if data or split is not None:
        data = data or [Path(path) for path in settings["sources"]]
        chosen = model if split is None else model.of_split(split, data)
        with readable(chosen.modality, data) as files:
            return [Part(prepare(chosen.modality, files))]
    try:
        training, validation = parts(corpora_of(model.run.path), model.config.train.seed)
    except (ValueError, OSError) as error:
        raise ValueError(f"the data of {model.run.path} cannot be read; give DATA ({error})") from None
    same = training.corpus is validation.corpus and len(training.corpus) == 1  # the only item is for both
    return [validation] if same or len(validation) >= FEW_CODES else [validation, training]


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
