"""A run: what it was made from, what the modality learned, and its checkpoints."""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from seqvae import __version__
from seqvae.config import counted, nearest, read_json
from seqvae.files import own, write_atomically
from seqvae.modalities.base import Modality
from seqvae.models import known_models
from seqvae.runs.foreign import (
    OPTIMIZER,
    STATE,
    WEIGHTS,
    is_checkpoint,
    is_of_step,
    move_into,
    remove_checkpoint,
    remove_leftovers,
    remove_own,
)
from seqvae.runs.format_1 import grouped, weights_by_name
from seqvae.runs.place import LOCK, OF_CREATION, OF_TRAINING, REPLACED, WRITING_RUN, drop_replaced, home
from seqvae.runs.verified import (
    MANIFEST,
    Tensors,
    demand,
    json_bytes,
    read_json_verified,
    read_manifest,
    read_tensors_verified,
    read_verified,
    sha256,
    sync_folder,
    write_hashed,
    write_with_manifest,
)
from seqvae.settings import SECTIONS

BEST, LAST = "best", "last"  # checkpoints that have a name
FORMAT = 2
READABLE = (1, 2)
BEGAN_AS = "began_with_format"  # of a run that an older version began and today's went on with
_KINDS: dict[str, Any] = {"version": str, "modality": str, "sources": list, "valid": list, "from": (str, type(None))}
TEMPERATURE = "temperature"  # in the config.json of a run whose samples have one of their own, where none is asked for
_KINDS_OF_STATE: dict[str, Any] = {"best_step": (int, type(None)), "stage_ends": list}
_KINDS_OF_PART = {"items": int, "steps": int, "key": str, "sources": list, "counts": dict}


@dataclass(frozen=True)
class Checkpoint:
    """One training state: weights, optimizer tensors by name, and plain values."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]


class Run:
    """A run folder that exists. Nothing is changed in it but by `create`, `renew` and what begins with `save`."""

    def __init__(self, path: Path, to_train: bool = False, checkpoint: int | str = BEST) -> None:
        """`to_train`: for the process that holds the folder, which trains the new one of a run that is being replaced.
        `checkpoint`: whose weights are used; see `used_step`.

        Raises ValueError when `path` is not a run folder of a format that this version reads, or holds a link.
        """
        self.path = Path(path)
        self.place = Path(os.path.abspath(path))  # while there is a current folder that it may be named from
        self._checkpoint = checkpoint
        self._home = self.path if to_train else home(self.path)
        if not own(self._home, "config.json").is_file():
            there = self._what_is_there()
            meant = "" if self.path.exists() else nearest(str(self.path), known_models())  # a model that comes along
            raise ValueError(
                f"{path} is not a run folder ({there}); give the `out` folder of a training{meant and '.'}{meant}"
            )
        if not own(self._home, MANIFEST).is_file():
            raise ValueError(f"{path} is not a whole run folder (it has no {MANIFEST}); restore it from a copy")
        self.settings = self._read_settings()
        if self.settings.get("format") not in READABLE:
            known = " and ".join(map(str, READABLE))
            raise ValueError(
                f"{path} has run format {self.settings.get('format')}; this version reads {known}: "
                "use the version of seqvae that wrote it"
            )
        demand(self._home / "config.json", self.settings, _KINDS | dict.fromkeys(SECTIONS, dict))

    def _read_settings(self) -> dict[str, Any]:
        """config.json, verified; also where `renew` was cut off between the manifest and it."""
        try:
            return read_json_verified(self._home, "config.json")
        except ValueError:
            with contextlib.suppress(ValueError):
                renewed = _renewed(own(self._home, "config.json"))
                if sha256(renewed) == read_manifest(self._home).get("config.json"):
                    return read_json(self._home / "config.json")
            raise

    def renew(self) -> None:
        """Make a run of an older format, which goes on, one of today's: an older version could not read what follows.

        For the process that holds the folder, before anything else is read.
        """
        if self.settings["format"] == FORMAT:
            return
        content = _renewed(own(self._home, "config.json"))
        manifest = {**read_manifest(self._home), "config.json": sha256(content)}
        write_atomically(own(self._home, MANIFEST), json_bytes(manifest))
        write_atomically(own(self._home, "config.json"), content)
        self.settings = read_json_verified(self._home, "config.json")

    @property
    def is_of_package(self) -> bool:
        """Whether it is one of the models that come with the package, which its name stands for."""
        return self._home == known_models().get(str(self.path))

    @property
    def copy_first(self) -> str:
        """What comes before anything is kept beside the weights, in words; empty of a run of one's own."""
        return "copy it (`seqvae.copy_model`), " if self.is_of_package else ""

    def check_own(self) -> None:
        """Raises ValueError where nothing may be written beside the weights."""
        if self.is_of_package:
            raise ValueError(
                f"{self.path} comes with seqvae, and nothing is kept in it; {self.copy_first}and name the copy"
            )

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self.settings['modality']}, {counted(len(self.steps()), 'checkpoints')}>"

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What the run was created with, by name, verified."""
        return {name: read_verified(self._home, name) for name in read_manifest(self._home)}

    def is_in_place(self) -> bool:
        """Whether the folder is still the one that `files` were read from: somebody may move, delete or empty it."""
        with contextlib.suppress(ValueError, OSError):
            is_own = read_manifest(self._home) == {name: sha256(content) for name, content in self.files.items()}
            return is_own and all(own(self._home, name).is_file() for name in self.files)
        return False

    def _what_is_there(self) -> str:
        if (self.path / REPLACED).is_dir():
            return "its replacement was interrupted: train it with `seqvae.resume`, or again with `overwrite=True`"
        if (self.path / WRITING_RUN).is_dir() or (self.path / LOCK).exists():
            return "its creation was interrupted: train again without `seqvae.resume`"
        return "it is a file" if self.path.is_file() else "no config.json in it" if self.path.exists() else "not there"

    @staticmethod
    def create(path: Path, settings: Mapping[str, Any], modality: Modality, report: Mapping[str, Any]) -> "Run":
        """A new run folder, in the place of a run that is there already; files that are no part of a run stay.

        The old run is set aside until the first checkpoint of the new one, so `path` has to be `held` then.
        """
        path.mkdir(parents=True, exist_ok=True)
        writing = own(path, WRITING_RUN)
        shutil.rmtree(writing, ignore_errors=True)
        try:
            learned = writing / "modality"
            learned.mkdir(parents=True)
            files = {f"modality/{file.name}": file.read_bytes() for file in modality.save(learned)}
            settings = {"format": FORMAT, "version": __version__, "sources": [], "valid": [], "from": None, **settings}
            files |= {"data.json": json_bytes(report), "config.json": json_bytes(settings)}
            write_with_manifest(writing, files)
            if (path / "config.json").exists():
                (path / REPLACED).mkdir()
            for name in (*reversed(OF_CREATION), *OF_TRAINING):
                if (path / REPLACED).exists() and (path / name).exists():
                    (path / name).rename(path / REPLACED / name)
                remove_own(path, name)
            for name in OF_CREATION:
                move_into(writing / name, path / name)
            sync_folder(path)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
        return Run(path, to_train=True)

    def load_modality(self, modality: Modality) -> None:
        """Give the modality what it learned from the corpus, verified."""
        names = [name for name in read_manifest(self._home) if name.startswith("modality/")]
        for name in names:
            read_verified(self._home, name)
        modality.load(own(self._home, "modality"))

    @property
    def report(self) -> dict[str, Any]:
        """What reading the training data gave. Raises ValueError when data.json is damaged or of something else."""
        parts = read_json_verified(self._home, "data.json")
        demand(self._home / "data.json", parts, dict.fromkeys(parts, dict))
        for part in parts.values():
            demand(self._home / "data.json", part, _KINDS_OF_PART)
        return {name: {**part, "counts": grouped(part["counts"])} for name, part in parts.items()}

    @property
    def metrics_path(self) -> Path:
        """The file of metrics."""
        return own(self._home, "metrics.jsonl")

    def _folder(self, step: int) -> Path:
        return own(self._home, f"checkpoints/step-{step:08d}")

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, oldest first. Raises ValueError where one is a link."""
        folder = own(self._home, "checkpoints")
        found = [own(folder, path.name) for path in folder.glob("step-*") if is_of_step(path)]
        return sorted(int(path.name.removeprefix("step-")) for path in found if is_checkpoint(path))

    def save(self, step: int, checkpoint: Checkpoint) -> None:
        """Write a checkpoint whole, then drop those that are not among the last two, nor named by these.

        They name the best one, and those at which a stage ended.

        Later ones, which a run that is continued could not read, go as well.
        """
        target = self._folder(step)
        remove_leftovers(target.parent)
        writing = own(target.parent, f".writing-{target.name}")
        try:
            writing.mkdir(parents=True)
            files: dict[str, bytes | Tensors] = {WEIGHTS: checkpoint.weights, STATE: json_bytes(checkpoint.state)}
            if checkpoint.optimizer:
                files[OPTIMIZER] = checkpoint.optimizer
            write_with_manifest(writing, files)
            if target.exists():  # the same step again, now with a validation's results
                target.rename(target.with_name(f".replaced-{target.name}"))
            writing.rename(target)
            sync_folder(target.parent)
        finally:
            remove_leftovers(target.parent)
        drop_replaced(self.path)
        self._drop_others(step)

    def _drop_others(self, newest: int) -> None:
        """Delete all checkpoints but the last two up to `newest` and those that these name."""
        last_two = [step for step in self.steps() if step <= newest][-2:]
        keep = set(last_two)
        for step in last_two:
            with contextlib.suppress(ValueError):  # a damaged state names nothing
                keep |= {self._best_of(step), *self._stages_ended(step)}
        for step in self.steps():
            if step not in keep:
                remove_checkpoint(self._folder(step))

    def _best_of(self, step: int) -> int:
        """The best step that a checkpoint knows of, itself where it knows none."""
        best: int | None = self._state(step)["best_step"]
        return step if best is None else best

    def _state(self, step: int) -> dict[str, Any]:
        state = {"best_step": None, **read_json_verified(self._folder(step), STATE)}
        demand(self._folder(step) / STATE, {"stage_ends": [], **state}, _KINDS_OF_STATE)
        return state

    def _stages_ended(self, step: int) -> list[int]:
        """The steps, up to that of a checkpoint, at which a stage ended that another one followed."""
        ends: list[int] = self._state(step).get("stage_ends", [])
        return ends

    def load(self, step: int) -> Checkpoint:
        """A whole checkpoint, verified. Raises ValueError when a file is missing or damaged."""
        folder = self._folder(step)
        optimizer = read_tensors_verified(folder, OPTIMIZER) if OPTIMIZER in read_manifest(folder) else {}
        return Checkpoint(self.weights(step), optimizer, self._state(step))

    def weights(self, step: int) -> dict[str, Tensor]:
        """The weights of a checkpoint alone, verified."""
        weights = read_tensors_verified(self._folder(step), WEIGHTS)
        has_scale = self.settings["model"]["posterior"] != "point"
        began_as = self.settings.get(BEGAN_AS, self.settings["format"])
        return weights_by_name(weights, has_scale) if began_as == 1 else weights

    def beside(self, step: int, kind: str) -> dict[str, Any] | None:
        """What is said of something that was fitted to the codes of a checkpoint; None where nothing of the kind was.

        The kinds are PRIOR, ATTRIBUTES and CRITICS.
        """
        folder, name = self._folder(step), f"{kind}.json"
        return read_json_verified(folder, name) if name in read_manifest(folder) else None

    def tensors_beside(self, step: int, kind: str) -> dict[str, Tensor]:
        """The tensors of what was fitted."""
        return read_tensors_verified(self._folder(step), f"{kind}.safetensors")

    def save_beside(self, step: int, kind: str, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> None:
        """Keep something of a kind beside the weights of a checkpoint, in the place of what is there.

        Without tensors nothing is kept. It can be cut off anywhere: the manifest then names nothing of the kind.
        """
        folder, names = self._folder(step), (f"{kind}.json", f"{kind}.safetensors")
        others = {name: digest for name, digest in read_manifest(folder).items() if name not in names}
        write_atomically(own(folder, MANIFEST), json_bytes(others))
        for name in names:
            own(folder, name).unlink(missing_ok=True)
        files: dict[str, bytes | Tensors] = {names[0]: json_bytes(values), names[1]: tensors} if tensors else {}
        manifest = others | {name: write_hashed(folder, name, content) for name, content in files.items()}
        write_atomically(own(folder, MANIFEST), json_bytes(manifest))

    def last(self, report: Callable[[str], object] = str) -> tuple[int, Checkpoint] | None:
        """The newest checkpoint that is whole, with its step; None where there is none at all.

        `report` is called with a sentence about each damaged checkpoint that is skipped. Raises ValueError when none of
        them is whole.
        """
        damages: list[ValueError] = []
        for step in reversed(self.steps()):
            try:
                checkpoint = self.load(step)
            except ValueError as error:
                damages.append(error)
                continue
            for damage in damages:
                report(f"{damage}; skipped, training goes on from the checkpoint of step {step}")
            return step, checkpoint
        if damages:
            raise damages[0]
        return None

    def best_step(self) -> int:
        """The step whose weights were the best on the validation data, by what `train.best_by` names; else the newest.

        Raises ValueError when there is no checkpoint, or the newest does not name the best, or that is gone.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(
                f"{self.path} holds no checkpoint yet; train it first, or continue it with `seqvae.resume`"
            )
        try:
            best = self._best_of(steps[-1])
        except ValueError as error:
            raise ValueError(f"{error}, or train on from the checkpoint before it with `seqvae.resume`") from None
        if best not in steps:
            raise ValueError(f"{self._folder(best)}, the best of this run, is missing; restore the folder from a copy")
        return best

    @cached_property
    def used_step(self) -> int:
        """The step whose weights are used: the best, the last, or the one that was asked for; it stays the same.

        Raises ValueError as `best_step`, and for a checkpoint that is not there, with those that are.
        """
        asked, steps = str(self._checkpoint).strip().lower(), self.steps()
        if asked == BEST or not steps:
            return self.best_step()
        if asked == LAST:
            return steps[-1]
        number = asked.replace(",", "")
        if not number.isdecimal():
            raise ValueError(
                f"checkpoint {self._checkpoint} is not possible; give {BEST}, {LAST} or the number of a step: "
                f"{self.path} has {self.listed_steps()}"
            )
        if int(number) not in steps:
            raise ValueError(f"{self.path} has no checkpoint of step {int(number):,}; there are {self.listed_steps()}")
        return int(number)

    def listed_steps(self) -> str:
        """The steps of the checkpoints in words, oldest first, with the best, the last and ends of stages named so."""
        steps = self.steps()
        names: dict[int, list[str]] = {step: [] for step in steps}
        with contextlib.suppress(ValueError):
            names[self.best_step()].append(BEST)
        for step in steps[-1:]:
            names[step].append(LAST)
        with contextlib.suppress(ValueError):
            ends = self._stages_ended(steps[-1]) if steps else []
            for step in filter(names.__contains__, ends):
                names[step].append(f"end of stage {self._state(step).get('stage', 0) + 1}")
        return ", ".join(f"{step:,}" + f" ({' and '.join(found)})" * bool(found) for step, found in names.items())


def _renewed(path: Path) -> bytes:
    """A config.json of an older format as one of today's that says how it began. Raises ValueError as `read_json`."""
    settings = read_json(path)
    return json_bytes({**settings, "format": FORMAT, BEGAN_AS: settings.get("format")})
