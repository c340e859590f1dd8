"""The run folder.

    config.json               modality, data, model, objective, train; format and version
    modality/                 what the modality learned from the corpus (tokenizer)
    data.json                 what reading the data gave
    manifest.json             sha256 of the files above
    metrics.jsonl             one line a log interval and a validation
    checkpoints/step-N/       weights.safetensors, optimizer.safetensors, state.json, manifest.json
    .training                 only while a process trains: the file that it has locked
    .replaced-run/            only until a run that replaces another has a checkpoint: the files of the old run

Every file and folder appears whole or not at all: what is being written bears a name that starts with `.writing-`.
The last two checkpoints and the best are kept. Loading runs no code: tensors are safetensors, the rest is JSON.
A process killed before a replacing run had a checkpoint leaves both; who opens the folder next gets the old one back.

No state of a random generator is stored, in no process, because training uses none: the order of an epoch is a function
of (seed, epoch), every other random number of (seed, step, example, place of use), and the seed stands in config.json,
the position in state.json. The weights of the start are drawn once, from the seed, and the first checkpoint holds them.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from seqvae import __version__
from seqvae.config import SECTIONS, read_json
from seqvae.files import write_atomically
from seqvae.modalities.base import Modality

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
FORMAT = 1
WEIGHTS, OPTIMIZER, STATE, MANIFEST = "weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"
_WRITING_RUN = ".writing-run"  # its presence without config.json tells a run whose creation was cut off
_LOCK, _REPLACED = ".training", ".replaced-run"
_OF_CREATION = ("modality", "data.json", MANIFEST, "config.json")  # config.json last: a folder with one is whole
_KINDS: dict[str, Any] = {"version": str, "modality": str, "sources": list, "valid": list, "from": (str, type(None))}
_KINDS_OF_PART = {"items": int, "steps": int, "key": str, "sources": list, "counts": dict}
_OF_TRAINING = ("metrics.jsonl", "checkpoints", "tensorboard")


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _write_with_manifest(folder: Path, files: Mapping[str, bytes]) -> None:
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in [*files.items(), (MANIFEST, _json_bytes(manifest))]:
        write_atomically(folder / name, content)


def _manifest(folder: Path) -> dict[str, str]:
    """sha256 of each file of a folder. Raises ValueError when the manifest is missing or damaged."""
    if not (folder / MANIFEST).exists():
        raise ValueError(f"{folder / MANIFEST} is missing; restore the folder from a copy")
    return read_json(folder / MANIFEST)


def _read_verified(folder: Path, name: str) -> bytes:
    """The content of a file that has the sha256 of the folder's manifest. Raises ValueError otherwise."""
    path, expected = folder / name, _manifest(folder).get(name)
    if expected is None or not path.is_file():
        raise ValueError(f"{path} is missing or not in its manifest; restore the folder from a copy")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{path} is damaged (its sha256 is not the manifest's); restore it from a copy")
    return content


def _demand(path: Path, values: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]]) -> None:
    """Raises ValueError for the first key that is not there or of another type."""
    for name, kind in kinds.items():
        if name not in values or not isinstance(values[name], kind):
            found = f"{name}={values[name]!r:.40}" if name in values else f"no {name}"
            raise ValueError(f"{path} was not written by seqvae (it has {found}); restore the folder from a copy")


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    _read_verified(folder, name)
    return read_json(folder / name)


def _read_tensors_verified(folder: Path, name: str) -> dict[str, Tensor]:
    content = _read_verified(folder, name)
    try:
        return tensors_from_bytes(content)
    except SafetensorError as error:
        raise ValueError(f"{folder / name} is not a safetensors file ({error}); restore it from a copy") from None


def _sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power failure, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """End a replacement: the old run goes when the new one has a checkpoint, and comes back when it has none.

    For the process that holds the folder. It can be cut off anywhere and done again, because config.json is the first
    file that leaves the top and the last that comes back.
    """
    replaced = path / _REPLACED
    if (replaced / "config.json").exists() and not (
        (path / "config.json").exists() and any((path / "checkpoints").glob("step-*"))
    ):
        for name in (*reversed(_OF_CREATION), *_OF_TRAINING):
            if (replaced / name).exists():
                _remove(path / name)
        for name in (*_OF_TRAINING, *_OF_CREATION):
            if (replaced / name).exists():
                (replaced / name).rename(path / name)
        _sync_folder(path)
    shutil.rmtree(replaced, ignore_errors=True)
    if (path / "config.json").exists():
        shutil.rmtree(path / _WRITING_RUN, ignore_errors=True)


def _lock(handle: int) -> bool:
    """Lock a file until it is closed or the process ends; False where another process has locked it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # some network file systems know no locks: there nobody is kept out
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made and, when nothing was put into it, removed again.

    The system ends the hold of a process that dies. A replacement that was cut off is settled at both ends.
    Raises ValueError when another process holds the folder, OSError when nothing can be written to it.
    """
    if path.is_file():
        raise ValueError(f"{path} is a file; give --out a folder")
    made, handle = [folder for folder in (path, *path.parents) if not folder.exists()], None
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (handle := _open_locked(path / _LOCK)) is None:
            raise ValueError(f"another process is training in {path}; wait for it, or give another --out")
        try:
            _settle(path)
            yield
        finally:
            _settle(path)
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):  # Windows removes no open file; an unlocked one does no harm
                (path / _LOCK).unlink()
            os.close(handle)
        with contextlib.suppress(OSError):  # they are in use now
            for folder in made:
                folder.rmdir()


def _open_locked(file: Path) -> int | None:
    """The handle of a file that is locked now; None where another process has it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    # a file that its holder removed in between locks nothing
    if _lock(handle) and file.exists() and os.path.samestat(os.fstat(handle), file.stat()):
        return handle
    os.close(handle)
    return None


def check_free(path: Path, overwrite: bool) -> None:
    """Raises ValueError when a new run may not be written to `path`; nothing that is not a run is ever replaced."""
    if not path.exists() or all(entry.name == _LOCK for entry in path.iterdir()):
        return
    if not (path / "config.json").exists():
        if (path / _WRITING_RUN).is_dir():
            return
        raise ValueError(f"{path} holds files that are not a run; give --out a new or empty folder")
    manifest: Mapping[str, str] = {}
    with contextlib.suppress(ValueError):
        manifest = _manifest(path)
    if not {"config.json", "data.json"} <= manifest.keys():
        raise ValueError(f"{path} holds a config.json that is not a run's; give --out a new or empty folder")
    if not overwrite:
        raise ValueError(f"{path} already holds a run; continue it with --resume, or replace it with --overwrite")


@dataclass(frozen=True)
class Checkpoint:
    """One training state: weights, optimizer tensors by name, and plain values."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]


class Run:
    """A run folder that exists."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError when `path` is not a run folder of a format that this version reads."""
        self.path = Path(path)
        if (self.path / _REPLACED).is_dir():  # being replaced right now, or left by a process that was killed
            with contextlib.suppress(ValueError, OSError), held(self.path):
                pass
        if not (self.path / "config.json").is_file():
            raise ValueError(
                f"{path} is not a run folder ({self._what_is_there()}); give the --out folder of a training"
            )
        if not (self.path / MANIFEST).is_file():
            raise ValueError(f"{path} is not a whole run folder (it has no {MANIFEST}); restore it from a copy")
        self.settings = _read_json(self.path, "config.json")
        if self.settings.get("format") != FORMAT:
            raise ValueError(
                f"{path} has run format {self.settings.get('format')}; this version reads {FORMAT}: "
                "use the version of seqvae that wrote it"
            )
        _demand(self.path / "config.json", self.settings, _KINDS | dict.fromkeys(SECTIONS, dict))

    def _what_is_there(self) -> str:
        if (self.path / _WRITING_RUN).is_dir() or (self.path / _LOCK).exists():
            return "its creation was interrupted: train again without --resume"
        return "it is a file" if self.path.is_file() else "no config.json in it" if self.path.exists() else "not there"

    @staticmethod
    def create(path: Path, settings: Mapping[str, Any], modality: Modality, report: Mapping[str, Any]) -> "Run":
        """A new run folder, in the place of a run that is there already; files that are no part of a run stay.

        The old run is set aside until the first checkpoint of the new one, so `path` has to be `held` then.
        """
        path.mkdir(parents=True, exist_ok=True)
        writing = path / _WRITING_RUN
        shutil.rmtree(writing, ignore_errors=True)
        try:
            learned = writing / "modality"
            learned.mkdir(parents=True)
            files = {f"modality/{file.name}": file.read_bytes() for file in modality.save(learned)}
            settings = {"format": FORMAT, "version": __version__, "sources": [], "valid": [], "from": None, **settings}
            files |= {"data.json": _json_bytes(report), "config.json": _json_bytes(settings)}
            _write_with_manifest(writing, files)
            if (path / "config.json").exists():
                (path / _REPLACED).mkdir()
            for name in (*reversed(_OF_CREATION), *_OF_TRAINING):
                if (path / _REPLACED).exists() and (path / name).exists():
                    (path / name).rename(path / _REPLACED / name)
                _remove(path / name)
            for name in _OF_CREATION:
                (writing / name).rename(path / name)
            _sync_folder(path)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
        return Run(path)

    def load_modality(self, modality: Modality) -> None:
        """Give the modality what it learned from the corpus, verified."""
        names = [name for name in _manifest(self.path) if name.startswith("modality/")]
        for name in names:
            _read_verified(self.path, name)
        modality.load(self.path / "modality")

    @property
    def report(self) -> dict[str, Any]:
        """What reading the training data gave. Raises ValueError when data.json is damaged or of something else."""
        parts = _read_json(self.path, "data.json")
        _demand(self.path / "data.json", parts, dict.fromkeys(parts, dict))
        for part in parts.values():
            _demand(self.path / "data.json", part, _KINDS_OF_PART)
        return parts

    @property
    def metrics_path(self) -> Path:
        """The file of metrics."""
        return self.path / "metrics.jsonl"

    def _folder(self, step: int) -> Path:
        return self.path / "checkpoints" / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, oldest first."""
        names = [folder.name for folder in (self.path / "checkpoints").glob("step-*")]
        return sorted(int(name.removeprefix("step-")) for name in names if re.fullmatch(r"step-\d{8,}", name))

    def save(self, step: int, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, then drop those that are neither among the last two nor the best of these.

        Later ones, which a run that is continued could not read, go as well.
        """
        target = self._folder(step)
        self._remove_leftovers()
        writing = target.with_name(f".writing-{target.name}")
        try:
            writing.mkdir(parents=True)
            files = {WEIGHTS: tensors_to_bytes(checkpoint.weights), STATE: _json_bytes(checkpoint.state)}
            if checkpoint.optimizer:
                files[OPTIMIZER] = tensors_to_bytes(checkpoint.optimizer)
            _write_with_manifest(writing, files)
            if target.exists():  # the same step again, now with a validation's results
                target.rename(target.with_name(f".replaced-{target.name}"))
            writing.rename(target)
            _sync_folder(target.parent)
        finally:
            self._remove_leftovers()
        shutil.rmtree(self.path / _REPLACED, ignore_errors=True)
        self._drop_others(step)

    def _remove_leftovers(self) -> None:
        for leftover in (self.path / "checkpoints").glob(".*-step-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _drop_others(self, newest: int) -> None:
        """Delete all checkpoints but the last two up to `newest` and the best ones that these name."""
        last_two = [step for step in self.steps() if step <= newest][-2:]
        keep = set(last_two)
        for step in last_two:
            with contextlib.suppress(ValueError):  # a damaged state names nothing
                keep.add(self._best_of(step))
        for step in self.steps():
            if step not in keep:
                shutil.rmtree(self._folder(step))

    def _best_of(self, step: int) -> int:
        """The best step that a checkpoint knows of, itself where it knows none."""
        best: int | None = self._state(step)["best_step"]
        return step if best is None else best

    def _state(self, step: int) -> dict[str, Any]:
        state = {"best_step": None, **_read_json(self._folder(step), STATE)}
        _demand(self._folder(step) / STATE, state, {"best_step": (int, type(None))})
        return state

    def load(self, step: int) -> Checkpoint:
        """A whole checkpoint, verified. Raises ValueError when a file is missing or damaged."""
        folder = self._folder(step)
        optimizer = _read_tensors_verified(folder, OPTIMIZER) if OPTIMIZER in _manifest(folder) else {}
        return Checkpoint(self.weights(step), optimizer, self._state(step))

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights of a checkpoint alone, verified."""
        return _read_tensors_verified(self._folder(step), WEIGHTS)

    def last(self, tell: Callable[[str], Any] = str) -> tuple[int, Checkpoint] | None:
        """The newest checkpoint that is whole, with its step; None where there is none at all.

        `tell` gets a sentence for each damaged one that is skipped. Raises ValueError when none of them is whole.
        """
        damages: list[ValueError] = []
        for step in reversed(self.steps()):
            try:
                checkpoint = self.load(step)
            except ValueError as error:
                damages.append(error)
                continue
            for damage in damages:
                tell(f"{damage}; skipped, training goes on from the checkpoint of step {step}")
            return step, checkpoint
        if damages:
            raise damages[0]
        return None

    def best_step(self) -> int:
        """The step whose weights had the best bound on the validation data, else the newest.

        Raises ValueError when there is no checkpoint, or the newest cannot tell which is the best, or that one is gone.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self.path} holds no checkpoint yet; train it first, or continue it with --resume")
        try:
            best = self._best_of(steps[-1])
        except ValueError as error:
            raise ValueError(f"{error}, or train on from the checkpoint before it with --resume") from None
        if best not in steps:
            raise ValueError(f"{self._folder(best)}, the best of this run, is missing; restore the folder from a copy")
        return best
