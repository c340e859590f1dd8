"""The stages of a run: what each trains on, and which weights it takes from the one before.

A stage begins with the last weights of the one before, of which it keeps some parts and draws the others anew, and with
an optimizer and schedules of its own. These last weights stay in the run's folder as a checkpoint, from which a run
that was stopped between two stages begins the next one. Steps and epochs are counted through, so that no noise is met
twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqvae.build import build_vae, load_weights, weights_of
from seqvae.core.vae import ALL_PARTS, PARTS, VAE, is_of
from seqvae.modalities.base import Modality
from seqvae.settings import Config
from seqvae.training.progress import Progress


@dataclass(frozen=True)
class Stages:
    """The stages of a configuration, counted from 0, and the modality whose nets they train."""

    config: Config
    modality: Modality

    def __len__(self) -> int:
        return max(1, len(self.config.stages))

    def __getitem__(self, stage: int) -> Config:
        return self.config.of_each_stage()[stage]

    def ended(self, progress: Progress) -> str:
        """That a stage is over, and which checkpoint holds its last weights."""
        step = f"{progress.step:,}"
        return f"stage {progress.stage + 1} of {len(self)} ended at step {step}; its weights stay as checkpoint {step}"

    def begin(self, vae: VAE, stage: int) -> str:
        """Draw anew, by the seed and the stage, the parts that a stage does not keep; a sentence that says so."""
        keep = self.config.stages[stage].keep
        kept, drawn = divided(vae, ALL_PARTS if keep is None else keep)
        if drawn:
            load_weights(vae, weights_of(build_vae(self.config, self.modality, stage)), Path(), drawn)
        return f"stage {stage + 1} of {len(self)} keeps {listed(kept)}, draws {listed(drawn)} anew"


def divided(vae: VAE, parts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts of a model that stand in `parts`, by themselves or in the posterior, and the others."""
    inside = [part for part in vae.parts if is_of(PARTS[part][0], parts)]
    return inside, [part for part in vae.parts if part not in inside]


def listed(parts: Sequence[str]) -> str:
    """Names for a sentence; mean and scale are the posterior where they stand together.

    >>> listed(["encoder", "mean", "scale"]), listed(["mean", "decoder"]), listed([])
    ('encoder, posterior', 'mean, decoder', 'nothing')
    """
    return ", ".join(parts).replace("mean, scale", "posterior") or "nothing"


def check_parts(parts: Sequence[str], what: str) -> None:
    """Raises ValueError for a name that is no part of the weights."""
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"no part '{part}' of the weights for {what}; there are {', '.join(PARTS)}")


def check_take(take: Sequence[str], start_from: Path | str | None) -> None:
    """Raises ValueError for parts of weights that do not exist, and for parts of no run."""
    check_parts(take, "a run to take")
    if take and start_from is None:
        raise ValueError(f"take={list(take)} chooses parts of another run's weights; name that run with start_from")
