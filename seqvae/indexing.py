"""A corpus to the file of an index: read, encoded and scored some items at a time, in memory that does not grow."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from seqvae import __version__
from seqvae.build import weights_of
from seqvae.core.vae import VAE, Terms
from seqvae.evaluation.likelihood import elbo
from seqvae.files import own
from seqvae.generate import batches_of
from seqvae.index_file import IndexWriter, Rows
from seqvae.memory import files_of, names_of, readable
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Items, Named, Report
from seqvae.model import Model
from seqvae.types import Batch

FILE = "index/index.safetensors"  # in the folder of a run
ITEMS_AT_ONCE, VALUES_AT_ONCE = 4096, 2**22  # that are read before they are encoded
ITEMS_OF_BATCH, STEPS_OF_BATCH, VALUES_OF_BATCH = 256, 8192, 2**19

Watch: TypeAlias = Callable[[int, int, str], object]  # done, total (0: not known), what
See: TypeAlias = Callable[[Sequence[Named]], object]
LabelOf: TypeAlias = Callable[[Named], str | None]


def place_of(model: Model, path: Path | str | None = None) -> Path:
    """Where the index of a model is, if nothing else is asked for. Raises ValueError where it cannot be.

    A language model has no code; a model without a run has no folder.
    """
    if not model.vae.latent:
        of = "this" if model.run is None else model.run.path
        raise ValueError(f"{of} is a language model (model.latent=0), without codes that an index could hold")
    if path is not None:
        return Path(path)
    if model.run is None:
        raise ValueError("this model is of no run, whose folder could hold the index; give a path")
    return own(model.run.path, FILE)


def write_index(
    model: Model, data: Items | Sequence[Path], path: Path, watch: Watch | None = None, see: See | None = None,
    label_by: str | None = None,
) -> Report:  # fmt: skip
    """Write the file of an index of data; what reading them gave. `see` gets the items that are in it, in order.

    Raises ValueError when nothing can be read from the data, and where `label_by` is no pattern or matches nothing.
    """
    report, modality, label_of = Report(), model.modality, _labels(model.modality, label_by)
    folder = next(place for place in path.absolute().parents if place.is_dir())
    with readable(modality, data) as found, files_of(modality, found) as paths:
        report.sources = names_of(found)
        with IndexWriter(folder, model.vae.latent) as writer:
            for named, arrays in _read(modality, paths, report, isinstance(found, Items)):
                writer.add(_encoded(model.vae, modality, named, arrays, writer.items, label_of))
                if see is not None:
                    see(named)
                if watch is not None:
                    watch(writer.items, 0, "codes")
            if not writer.items:
                why = "; ".join(report.lines()) or "nothing was found"
                raise ValueError(
                    f"no items are left in {', '.join(report.sources)} ({why}); give other files or limits"
                )
            if label_by is not None and not writer.has_labels:
                raise ValueError(f"label_by={label_by} matches no name, such as {named[-1].name}; give another pattern")
            report.items = writer.items
            facts = {
                "version": __version__, "modality": modality.name, "weights": weights_hash(model.vae),
                "step": model.run.used_step if model.run else 0, "folder": os.getcwd(), "sources": report.sources,
            }  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            writer.write(path, facts)
    return report


def _read(
    modality: Modality, paths: Sequence[Path], report: Report, in_memory: bool
) -> Iterator[tuple[list[Named], list[np.ndarray]]]:
    """Some items at a time with their arrays; what the model's limits leave out is counted in the report."""
    named: list[Named] = []
    arrays: list[np.ndarray] = []
    values = count = 0
    for item in modality.named(paths, report):
        x = modality.encode(item.item, report)
        if x is None:
            continue
        # data in memory lie in files that are gone afterwards, and a sentence is its own name
        named.append(replace(item, name=f"item {count}") if in_memory and item.path is not None else item)
        arrays.append(x)
        count, values = count + 1, values + x.size
        if len(named) == ITEMS_AT_ONCE or values >= VALUES_AT_ONCE:
            yield named, arrays
            named, arrays, values = [], [], 0
    if named:
        yield named, arrays


def _labels(modality: Modality, pattern: str | None) -> LabelOf:
    """What labels items: their own labels, or what a pattern matches in their names, its group where it has one."""
    if pattern is None:
        return lambda named: modality.label_of(named.item)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"label_by={pattern} is no regular expression ({error}); give one, such as _([a-z]+)_"
        ) from None

    def label_of(named: Named) -> str | None:
        match = compiled.search(named.name)
        return None if match is None else match[min(1, compiled.groups)]

    return label_of


def _encoded(
    vae: VAE, modality: Modality, named: Sequence[Named], arrays: Sequence[np.ndarray], first: int, label_of: LabelOf
) -> Rows:
    """The rows of some items, by one pass through encoder and decoder; their noise is that of their places."""
    longest, largest = max(map(len, arrays)), max(x.size for x in arrays)
    size = max(1, min(ITEMS_OF_BATCH, STEPS_OF_BATCH // max(1, longest), VALUES_OF_BATCH // max(1, largest)))
    codes, bounds = torch.empty(len(arrays), vae.latent), torch.empty(len(arrays))

    def keep(batch: Batch, terms: Terms) -> None:
        rows = batch.keys.cpu() - first
        codes[rows] = terms.mean.float().cpu()
        bounds[rows] = (terms.log_px - terms.kl.sum(1)).float().cpu()

    elbo(vae, batches_of(vae, arrays, size, modality.settle, first), 0, keep)
    if not codes.isfinite().all():
        raise ValueError(
            f"the code of {named[int((~codes.isfinite()).any(1).nonzero()[0])].name} is not finite; leave it out"
        )
    steps = np.array([len(x) for x in arrays])
    return Rows(codes.numpy(), bounds.numpy(), steps, [item.name for item in named], list(map(label_of, named)))


def weights_hash(vae: VAE) -> str:
    """sha256 in hex of all weights with their names, whatever device they are on."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights_of(vae).items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
