"""A checkpoint of Magenta to a run folder."""

from pathlib import Path

import torch

from seqvae import modalities
from seqvae.build import build_vae, load_weights, weights_of
from seqvae.config import Values, merge
from seqvae.magenta.bundle import Bundle
from seqvae.magenta.families import family_of
from seqvae.magenta.grooves import GrooveReading
from seqvae.magenta.manifests import Manifest
from seqvae.magenta.places import find_checkpoint, find_manifest
from seqvae.magenta.variables import Variables
from seqvae.modalities.base import Modality
from seqvae.recipes import read_recipe
from seqvae.runs.foreign import remove_own
from seqvae.runs.place import OF_CREATION, OF_TRAINING, check_free, held
from seqvae.runs.run import Checkpoint, Run
from seqvae.settings import build_config

STEP, MOST_STEPS = "global_step", 10**12


def import_magenta(
    checkpoint: Path | str,
    out: Path | str,
    bars: int | None = None,
    overwrite: bool = False,
    segment_steps: int = 0,
    task: str = "",
    added: str = "",
    classes: str = "",
) -> Run:
    """Write a checkpoint of MusicVAE into a new run folder, and return the run.

    The checkpoint is a .tar, a folder or the prefix of its files, or a folder of magenta.js. `bars` are those of a
    window, which no checkpoint says; None for those of the published models of the family: two, or sixteen of melodies
    under a conductor and of trios. `segment_steps` are those of a step of the conductor; 0 for a bar, as in all these.
    Of groove models `task` and `added` say what the encoder reads (`data.task`), which is known of those that still
    have their published names; `classes` is the map by which files are read: gm, as Magenta reads those of users, or
    roland, as those of its training.

    Raises ValueError, in one sentence, for a checkpoint that is damaged, packed or of another model, and for a folder
    in use, unless it holds a run and that may be overwritten. Nothing is left behind then.
    """
    source, target = Path(checkpoint), Path(out)
    check_free(target, overwrite, trains=False)
    manifest = find_manifest(source)
    found: Variables = Bundle(find_checkpoint(source)) if manifest is None else Manifest(manifest)
    variables = family_of(found, GrooveReading(task, added, classes))
    windows = {} if bars is None else {"bars": bars}
    segments = {"segment_steps": segment_steps} if variables.is_hierarchical else {}
    if segment_steps and not segments:
        raise ValueError(f"segment_steps={segment_steps} is of a conductor, and {found.name} has none; leave it out")
    sizes = {"data": {**variables.data, **windows}, "model": {**variables.model, **segments}}
    kind = modalities.get(variables.modality)
    values = merge(merge(kind.defaults, read_recipe(variables.recipe, kind.name)), sizes)
    config = build_config(kind.name, kind.data_config, kind.model_config, values)
    modality = kind(config.data)
    modality.learned = variables.learned()
    weights = {name: torch.tensor(values) for name, values in variables.weights().items()}
    vae = build_vae(config, modality)
    load_weights(vae, weights, source)
    step = _step(found)
    state = Checkpoint(weights_of(vae), {}, {"step": step, "best_step": step})
    settings = {**config.to_dict(), "imported": str(source.resolve())}
    return _write(target, overwrite, settings, modality, state)


def _step(found: Variables) -> int:
    """The step of the checkpoint, 0 where it does not say one."""
    if found.shapes.get(STEP) != ():
        return 0
    step = found.read(STEP)
    return int(step) if step.dtype.kind in "iu" and 0 <= step < MOST_STEPS else 0


def _write(target: Path, overwrite: bool, settings: Values, modality: Modality, state: Checkpoint) -> Run:
    """A new run of one checkpoint, in the place of an old one where that may be. What fails leaves nothing behind."""
    with held(target):
        check_free(target, overwrite, trains=False)
        try:
            run = Run.create(target, settings, modality, {})
            run.save(state.state["step"], state)
        except BaseException:
            for name in (*OF_TRAINING, *reversed(OF_CREATION)):
                remove_own(target, name)
            raise
    return Run(target)
