"""The run folder.

    config.json               modality, data, model, objective, train; format and version
    modality/                 what the modality learned from the corpus (tokenizer)
    data.json                 what reading the data gave
    manifest.json             sha256 of the files above
    metrics.jsonl             one line a log interval and a validation
    checkpoints/step-N/       weights.safetensors, optimizer.safetensors, state.json, manifest.json

Every file and folder appears whole or not at all. The last two checkpoints and the best are kept. Random state is part
of state.json by construction: order and noise are functions of the seed and the position, which stand there.
Loading runs no code: weights and optimizer are safetensors, the rest is JSON.
"""

import hashlib
import json
import os
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
from seqvae.modalities.base import Modality

FORMAT = 1
WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it holds either its old content or the new, whatever happens."""
    writing = path.with_name(f".writing-{path.name}")
    try:
        with open(writing, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, path)
    finally:
        writing.unlink(missing_ok=True)


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _write_with_manifest(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(folder / name, content)
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_atomically(folder / "manifest.json", _json_bytes(manifest))


def _read_verified(folder: Path, name: str) -> bytes:
    """The content of a file that has the sha256 of the folder's manifest. Raises ValueError otherwise."""
    path = folder / name
    expected = read_json(folder / "manifest.json").get(name) if (folder / "manifest.json").exists() else None
    if expected is None or not path.exists():
        raise ValueError(f"{path} is missing, or its manifest is; restore the folder from a copy")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{path} is damaged (its sha256 is not the manifest's); restore it from a copy")
    return content


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
        if not (self.path / "config.json").exists():
            what = (
                "is a file" if self.path.is_file() else "holds no config.json" if self.path.exists() else "is not there"
            )
            raise ValueError(f"{path} is not a run folder ({what}); give the --out folder of `seqvae train`")
        self.settings = json.loads(self._verified_config())
        if self.settings.get("format") != FORMAT:
            raise ValueError(
                f"{path} has run format {self.settings.get('format')}; this version reads {FORMAT}: "
                "use the version of seqvae that wrote it"
            )

    def _verified_config(self) -> bytes:
        return _read_verified(self.path, "config.json")

    @staticmethod
    def create(path: Path, settings: Mapping[str, Any], modality: Modality, report: Mapping[str, Any]) -> "Run":
        """A new run folder; config.json is written last, so a folder with one is whole."""
        path.mkdir(parents=True, exist_ok=True)
        learned = path / "modality"
        learned.mkdir(exist_ok=True)
        files = {f"modality/{file.name}": file.read_bytes() for file in modality.save(learned)}
        files |= {"data.json": _json_bytes(report), "config.json": _json_bytes({"format": FORMAT, **settings})}
        _write_with_manifest(path, files)
        return Run(path)

    def load_modality(self, modality: Modality) -> None:
        """Give the modality what it learned from the corpus, verified."""
        names = [name for name in read_json(self.path / "manifest.json") if name.startswith("modality/")]
        for name in names:
            _read_verified(self.path, name)
        modality.load(self.path / "modality")

    @property
    def report(self) -> dict[str, Any]:
        """What reading the training data gave."""
        report: dict[str, Any] = json.loads(_read_verified(self.path, "data.json"))
        return report

    @property
    def metrics_path(self) -> Path:
        """The file of metrics."""
        return self.path / "metrics.jsonl"

    def _folder(self, step: int) -> Path:
        return self.path / "checkpoints" / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, oldest first."""
        return sorted(int(folder.name.removeprefix("step-")) for folder in (self.path / "checkpoints").glob("step-*"))

    def save(self, step: int, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, then drop those that are neither among the last two nor the best of these."""
        target = self._folder(step)
        writing = target.with_name(f".writing-{target.name}")
        replaced = target.with_name(f".replaced-{target.name}")
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir(parents=True)
        try:
            files = {
                WEIGHTS: tensors_to_bytes(checkpoint.weights),
                STATE: _json_bytes(checkpoint.state),
            }
            if checkpoint.optimizer:
                files[OPTIMIZER] = tensors_to_bytes(checkpoint.optimizer)
            _write_with_manifest(writing, files)
            if target.exists():  # the same step again, now with a validation's results
                target.rename(replaced)
            writing.rename(target)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)
        self._drop_old()

    def _drop_old(self) -> None:
        steps = self.steps()
        keep = set(steps[-2:])
        keep |= {read_json(self._folder(step) / STATE).get("best_step") for step in steps[-2:]}
        for step in steps:
            if step not in keep:
                shutil.rmtree(self._folder(step))

    def load(self, step: int) -> Checkpoint:
        """A whole checkpoint, verified. Raises ValueError when a file is missing or damaged."""
        folder = self._folder(step)
        state = json.loads(_read_verified(folder, STATE))
        optimizer = _read_verified(folder, OPTIMIZER) if (folder / OPTIMIZER).exists() else None
        return Checkpoint(self.weights(step), tensors_from_bytes(optimizer) if optimizer else {}, state)

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights of a checkpoint alone, verified."""
        try:
            return tensors_from_bytes(_read_verified(self._folder(step), WEIGHTS))
        except SafetensorError as error:
            raise ValueError(f"{self._folder(step) / WEIGHTS} is not a safetensors file ({error})") from None

    def last(self) -> tuple[int, Checkpoint] | None:
        """The newest checkpoint that is whole, with its step; None where there is none."""
        for step in reversed(self.steps()):
            try:
                return step, self.load(step)
            except ValueError:
                continue
        return None

    def best_step(self) -> int:
        """The step whose weights had the best bound on the validation data, else the newest.

        Raises ValueError when the folder holds no checkpoint.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self.path} holds no checkpoint yet; train it first, or continue it with --resume")
        best = json.loads(_read_verified(self._folder(steps[-1]), STATE)).get("best_step")
        return best if best in steps else steps[-1]


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
