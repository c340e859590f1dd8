"""Training from Python, as in a notebook: `training.run` with somebody who shows how far it is."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

from seqvae import modalities
from seqvae.cli.progress import Line, plain_console, watcher
from seqvae.memory import Data
from seqvae.runs.run import Run
from seqvae.settings import Config
from seqvae.training import run as training
from seqvae.training.log import Reporter, Silent
from seqvae.training.objective import Objective, objective_of


@contextlib.contextmanager
def _watched(unit: str, verbose: bool | None) -> Iterator[Reporter]:
    """Who shows a training: a bar on a terminal, a line in a notebook; where stderr goes elsewhere, nobody unasked."""
    in_notebook, console = "ipykernel" in sys.modules, plain_console(stderr=True)
    if not (in_notebook or console.is_terminal if verbose is None else verbose):
        yield Silent()
        return
    with Line(console, unit) if in_notebook else watcher(unit) as reporter:
        yield reporter


def train(
    modality: str,
    sources: Data,
    out: Path | str,
    values: Mapping[str, Any] | None = None,
    valid: Data = (),
    device: str = "auto",
    *,
    verbose: bool | None = None,
    **options: Unpack[training.Options],
) -> Run:
    """Train a model on files, or on data in memory, and return its run folder.

    `modality`: text, drums, groove, melody, trio or images.
    `sources`, `valid`: what to train and to validate on, each a str or Path, or a list of them, which name files and
    folders; or the data: an array of images, a pair of images and labels, a list of PIL images or of PrettyMIDI
    objects, or `seqvae.Items(sentences)`. Without `valid`, 5 % of the items are held out by the seed.
    `out`: the run folder to write; `overwrite`: in the place of a run that is there.
    `recipe`: one that `seqvae recipes` lists, such as "mnist-plane", a TOML file, or a run's config.json.
    `values`: configuration values over it, such as {"model": {"latent": 16}}.
    `device`: auto, cpu, cuda or mps.
    `start_from`: a run whose modality and weights are the starting point; `take`: the parts of them that are taken,
    of encoder, posterior, mean, scale, decoder and prior, else all; `checkpoint`: whose weights these are, "best",
    "last" or the number of a step.
    `objective`: makes what is minimised from the configuration.
    `verbose`: whether progress is shown on stderr. By default it is on a terminal and in a notebook, and not where
    stderr is a file or a pipe. `reporter`: an object of your own that is called instead (`training.log.Reporter`).

    >>> run = seqvae.train("text", "sentences.txt", "runs/mine", {"model": {"latent": 16}})  # doctest: +SKIP

    Raises ValueError, in one sentence, for everything that the caller can mend.
    """
    own = options.get("reporter")
    with _watched(modalities.get(modality).words.steps, False if own else verbose) as shown:
        options["reporter"] = own or shown
        return training.train(modality, sources, out, values, valid, device, **options)


def resume(
    out: Path | str,
    values: Mapping[str, Any] | None = None,
    device: str = "auto",
    reporter: Reporter | None = None,
    objective: Callable[[Config], Objective] = objective_of,
    sources: Data = (),
    valid: Data = (),
    verbose: bool | None = None,
) -> Run:
    """Continue a run from its newest whole checkpoint; on the CPU to the same bits as without the stop.

    `out`: the run folder. `values`: a new length alone, such as {"train": {"epochs": 40}}. `sources`, `valid`: the data
    once more, where they were moved, or were in memory and are no longer in the cache. The others are as in `train`.

    >>> run = seqvae.resume("runs/mine", {"train": {"epochs": 40}})  # doctest: +SKIP

    Raises ValueError when another key would change, or when the data did.
    """
    kind = modalities.get(training.settled(Path(out)).settings["modality"])
    with _watched(kind.words.steps, False if reporter else verbose) as shown:
        return training.resume(out, values, device, reporter or shown, objective, sources, valid)
