"""The run folder.

    config.json               modality, data, model, objective, train; format and version
    modality/                 what the modality learned from the corpus (tokenizer)
    data.json                 what reading the data gave
    manifest.json             sha256 of the files above
    metrics.jsonl             one line a log interval and a validation
    checkpoints/step-N/       weights.safetensors, optimizer.safetensors, state.json, manifest.json

Every file and folder appears whole or not at all: what is being written bears a name that starts with `.writing-`.
The last two checkpoints and the best are kept. Loading runs no code: tensors are safetensors, the rest is JSON.

No state of a random generator is stored, in no process, because training uses none: the order of an epoch is a function
of (seed, epoch), every other random number of (seed, step, example, place of use), and the seed stands in config.json,
the position in state.json. The weights of the start are drawn once, from the seed, and the first checkpoint holds them.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from seqvae.config import read_json
from seqvae.files import write_atomically
from seqvae.modalities.base import Modality

FORMAT = 1
WEIGHTS, OPTIMIZER, STATE, MANIFEST = "weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"
_WRITING_RUN = ".writing-run"  # its presence without config.json tells a run whose creation was cut off
_OF_CREATION = ("modality", "data.json", MANIFEST, "config.json")  # config.json last: a folder with one is whole
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


def _read_json_verified(folder: Path, name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(_read_verified(folder, name))
    return values


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


def check_free(path: Path, overwrite: bool) -> None:
    """Raises ValueError when a new run may not be written to `path`; nothing that is not a run is ever replaced."""
    if path.is_file():
        raise ValueError(f"{path} is a file; give --out a folder")
    if not path.exists() or not any(path.iterdir()):
        return
    if not (path / "config.json").exists():
        if (path / _WRITING_RUN).is_dir():
            return
        raise ValueError(f"{path} holds files that are not a run; give --out a new or empty folder")
    try:
        is_run = {"config.json", "data.json"} <= _manifest(path).keys()
    except ValueError:
        is_run = False
    if not is_run:
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
        if not (self.path / "config.json").is_file():
            raise ValueError(
                f"{path} is not a run folder ({self._what_is_there()}); give the --out folder of a training"
            )
        if not (self.path / MANIFEST).is_file():
            raise ValueError(f"{path} is not a whole run folder (it has no {MANIFEST}); restore it from a copy")
        self.settings = _read_json_verified(self.path, "config.json")
        if self.settings.get("format") != FORMAT:
            raise ValueError(
                f"{path} has run format {self.settings.get('format')}; this version reads {FORMAT}: "
                "use the version of seqvae that wrote it"
            )

    def _what_is_there(self) -> str:
        if (self.path / _WRITING_RUN).is_dir():
            return "its creation was interrupted: train again without --resume"
        return "it is a file" if self.path.is_file() else "no config.json in it" if self.path.exists() else "not there"

    @staticmethod
    def create(path: Path, settings: Mapping[str, Any], modality: Modality, report: Mapping[str, Any]) -> "Run":
        """A new run folder, in the place of a run that is there already.

        The old run goes only when the new one stands on the disk beside it; files that are no part of a run stay.
        """
        path.mkdir(parents=True, exist_ok=True)
        writing = path / _WRITING_RUN
        shutil.rmtree(writing, ignore_errors=True)
        try:
            learned = writing / "modality"
            learned.mkdir(parents=True)
            files = {f"modality/{file.name}": file.read_bytes() for file in modality.save(learned)}
            files |= {"data.json": _json_bytes(report), "config.json": _json_bytes({"format": FORMAT, **settings})}
            _write_with_manifest(writing, files)
            for name in (*reversed(_OF_CREATION), *_OF_TRAINING):
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
        """What reading the training data gave."""
        return _read_json_verified(self.path, "data.json")

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
        best: int | None = _read_json_verified(self._folder(step), STATE).get("best_step")
        return step if best is None else best

    def load(self, step: int) -> Checkpoint:
        """A whole checkpoint, verified. Raises ValueError when a file is missing or damaged."""
        folder = self._folder(step)
        has_optimizer = OPTIMIZER in _manifest(folder)
        optimizer = _read_tensors_verified(folder, OPTIMIZER) if has_optimizer else {}
        return Checkpoint(self.weights(step), optimizer, _read_json_verified(folder, STATE))

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights of a checkpoint alone, verified."""
        return _read_tensors_verified(self._folder(step), WEIGHTS)

    def last(self) -> tuple[int, Checkpoint] | None:
        """The newest checkpoint that is whole, with its step; None where there is none at all.

        Raises ValueError when there are checkpoints and none of them is whole.
        """
        damage: ValueError | None = None
        for step in reversed(self.steps()):
            try:
                return step, self.load(step)
            except ValueError as error:
                damage = damage or error
        if damage is not None:
            raise damage
        return None

    def best_step(self) -> int:
        """The step whose weights had the best bound on the validation data, else the newest.

        Raises ValueError when the folder holds no checkpoint whose state can be read.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self.path} holds no checkpoint yet; train it first, or continue it with --resume")
        damage: ValueError | None = None
        for step in reversed(steps):
            try:
                best = self._best_of(step)
            except ValueError as error:
                damage = damage or error
            else:
                return best if best in steps else step
        assert damage is not None
        raise damage


def named_optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """An optimizer's state as tensors by name and its parameter groups as plain values."""
    content = optimizer.state_dict()
    tensors = {
        f"{index}.{name}": value.contiguous() if isinstance(value, Tensor) else torch.tensor(value)
        for index, values in content["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return tensors, content["param_groups"]


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Put back what `named_optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})
