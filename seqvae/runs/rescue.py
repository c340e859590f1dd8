"""The folder of a run that is moved, deleted or emptied while it trains: what was learned is not lost with it."""

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from seqvae.runs.foreign import free
from seqvae.runs.place import LOCK
from seqvae.runs.run import Checkpoint, Run
from seqvae.runs.verified import write_with_manifest

if sys.platform == "darwin":
    import fcntl

LONGEST_PATH = 1024


def rescue(run: Run, metrics: int, step: int, checkpoint: Checkpoint) -> str:
    """Save a checkpoint where the folder of a run is now, or in a new one where it is gone; what happened, in words.

    `metrics` is the open metrics.jsonl, by which a folder that was moved is found.
    """
    moved = _moved(run, metrics)
    if moved is not None:
        moved.save(step, checkpoint)
        (moved.path / LOCK).unlink(missing_ok=True)
        return (
            f"{run.path} was moved to {moved.path} while it trained, so training stopped at step {step:,}; the "
            f"checkpoint is there: go on with `seqvae.resume` of {moved.path}"
        )
    lost = run.path if run.path.name not in ("", "..") else run.place  # such as ".", which has no neighbours by name
    folder = free(lost.with_name(f"{lost.name}-rescued"))
    for name in run.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_with_manifest(folder, run.files)
    alone = replace(checkpoint, state={**checkpoint.state, "best_step": step})  # the best one went with the folder
    Run(folder, to_train=True).save(step, alone)
    return (
        f"{lost} was deleted or changed while it trained, so training stopped at step {step:,}; the weights of "
        f"that step, without the log, are in {folder}: use them, or go on with `seqvae.resume` of {folder}"
    )


def _moved(run: Run, metrics: int) -> Run | None:
    """The run where its folder is now; None where that is not to be found, or not whole."""
    file = place_of(metrics)
    with contextlib.suppress(ValueError, OSError):
        found = None if file is None else Run(file.parent, to_train=True)
        if found is not None and found.files == run.files:
            return found
    return None


def place_of(handle: int) -> Path | None:
    """Where an open file is now; None where it is in no folder any more, or the system does not say."""
    try:
        if sys.platform == "darwin":
            path = Path(fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(LONGEST_PATH)).rstrip(b"\0").decode())
        else:
            path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        return path if os.path.samestat(path.stat(), os.fstat(handle)) else None
    except OSError:
        return None
