"""When a training ends, and what is said of it then."""

from seqvae.config import counted
from seqvae.settings import Train
from seqvae.training.progress import Progress


def has_its_length(train: Train, progress: Progress) -> bool:
    """Whether the stage has been trained for its epochs or steps."""
    return progress.stage_epochs >= train.epochs or 0 < train.steps <= progress.stage_steps


def why_early(train: Train, progress: Progress, is_annealed: bool) -> str | None:
    """Why a stage need not go on, whatever its length, in plain words; None where it has to.

    `is_annealed`: the weight of the KL term is at its final value.
    """
    last = "validation" if progress.stalled == 1 else counted(progress.stalled, "validations")
    flat = f"the last {last} brought nothing better"
    if 0 < train.stop_patience <= progress.stalled:
        return f"{flat} (train.stop_patience={train.stop_patience})"
    if is_annealed and progress.is_spent(train):
        return f"{flat} and the learning rate can go no lower (train.least_learning_rate={train.least_learning_rate:g})"
    return None


def summary(train: Train, progress: Progress, is_annealed: bool) -> str:
    """Where a run ended and why, and which weights are used."""
    why = None if has_its_length(train, progress) else why_early(train, progress, is_annealed)
    end = "trained to" if why is None else f"stopped, since {why}, at"
    used = "the last" if progress.best_step is None else f"those of step {progress.best_step:,}, the best in validation"
    return f"{end} step {progress.step:,}; the weights that are used are {used}"
