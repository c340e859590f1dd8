"""Where a run stands: everything about the training that a checkpoint has to hold besides tensors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias, get_args, get_origin

from seqvae.settings import Train

State: TypeAlias = Mapping[str, float | int | str | bool | None]  # of an objective: values that JSON holds
OPTIONAL = (
    "objective",
    "stage",
    "first_step",
    "first_epoch",
    "decayed_step",
    "encoder_first",
    "collapsed_step",
    "stage_ends",
    "unsaid",
)  # written only where there is something to write


def _fits(kind: Any, value: Any) -> bool:
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(get_args(kind)[0], each) for each in value)
    if kind == State:
        return isinstance(value, dict)
    return isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))


@dataclass
class Progress:
    """Position in the data, the validation history, and the sums of metrics since the last log line."""

    step: int = 0  # optimizer steps done
    epoch: int = 0  # epochs finished
    offset: int = 0  # batches of the current epoch that are done
    examples: int = 0  # examples of the current epoch that are done
    best_nats: float | None = None  # lowest value of what `train.best_by` names, on the validation data
    best_step: int | None = None
    validated_step: int = -1
    stalled: int = 0  # validations since the last improvement
    stalled_since_decay: int = 0
    decayed_step: int = 0  # of the last decay since the last improvement
    rate_factor: float = 1.0  # product of the decays of the learning rate
    logged_step: int = 0
    logged_seconds: float = 0.0
    seconds: float = 0.0
    metrics_bytes: int = 0
    sums: list[float] = field(default_factory=list)  # of the training figures, since the last log line
    finished: bool = False
    threads: int = 0
    objective: State = field(default_factory=dict)
    encoder_first: State = field(default_factory=dict)  # of the phase of `training.aggressive`
    collapsed_step: int = 0  # of the first validation, if any, at whose final beta it carried little
    stage: int = 0
    first_step: int = 0  # steps, and epochs, that were done when the stage began
    first_epoch: int = 0
    stage_ends: list[int] = field(default_factory=list)  # steps at which stages ended, but the last
    unsaid: list[str] = field(default_factory=list)  # what the last validation has to say as soon as training goes on

    @property
    def stage_steps(self) -> int:
        """Optimizer steps of the stage that are done."""
        return self.step - self.first_step

    @property
    def stage_epochs(self) -> int:
        """Epochs of the stage that are finished."""
        return self.epoch - self.first_epoch

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; floats survive exactly."""
        return {name: value for name, value in asdict(self).items() if value or name not in OPTIONAL}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Progress":
        """What `to_dict` gave. Raises ValueError when a key is missing, unknown or of another type."""
        known = {declared.name: declared for declared in fields(Progress)}
        different = sorted((known.keys() ^ values.keys()) - set(OPTIONAL))
        different += [name for name in known.keys() & values.keys() if not _fits(known[name].type, values[name])]
        if different:
            raise ValueError(f"is not that of a training ({different[0]} is missing or not possible)")
        return Progress(**values)

    @staticmethod
    def of_checkpoint(state: Mapping[str, Any]) -> "Progress":
        """The progress in the state of a checkpoint, which holds more. Raises ValueError as `from_dict`."""
        known = {declared.name for declared in fields(Progress)}
        return Progress.from_dict({name: value for name, value in state.items() if name in known})

    def note_end_of_stage(self) -> None:
        """Remember the step at which a stage ended that another one follows, once however often it is resumed there."""
        if self.step not in self.stage_ends:
            self.stage_ends.append(self.step)

    def begin_next_stage(self) -> None:
        """Stand at the start of the next stage, which takes up the data with a new epoch and knows no validation."""
        self.epoch += self.offset > 0
        self.offset = self.examples = self.stalled = self.stalled_since_decay = self.decayed_step = 0
        self.best_nats = self.best_step = None
        self.rate_factor, self.objective, self.encoder_first = 1.0, {}, {}
        self.stage, self.first_step, self.first_epoch = self.stage + 1, self.step, self.epoch

    def judge(self, nats: float, train: Train) -> tuple[bool, bool]:
        """Take in a validation's `train.best_by` in nats; (is it the best so far, is the learning rate to decay)."""
        self.validated_step = self.step
        best = self.best_nats is None or nats < self.best_nats
        if best:
            self.best_nats, self.best_step = nats, self.step
            self.stalled = self.stalled_since_decay = self.decayed_step = 0
            return True, False
        self.stalled += 1
        self.stalled_since_decay += 1
        decay = self._decay_is_due(train) and self.rate_factor > _least_factor(train)
        if decay:
            self.rate_factor = max(self.rate_factor * train.decay, _least_factor(train))
            self.stalled_since_decay, self.decayed_step = 0, self.step
        return False, decay

    def is_spent(self, train: Train) -> bool:
        """Whether decays have brought the learning rate as low as they can, and the last validation asks for another.

        Never for a learning rate that no decay may lower.
        """
        return self._decay_is_due(train) and self.rate_factor <= _least_factor(train) < 1.0

    def _decay_is_due(self, train: Train) -> bool:
        """Whether enough validations and steps have passed since the last improvement or decay."""
        if not train.decay_patience or self.stage_epochs + 1 < train.decay_from_epoch:
            return False
        since = max(self.best_step or 0, self.first_step, self.decayed_step)
        return self.stalled_since_decay >= train.decay_patience and self.validated_step - since >= train.decay_steps


def _least_factor(train: Train) -> float:
    """The smallest product of decays; 1 for a learning rate that is not above the least."""
    return min(1.0, train.least_learning_rate / train.learning_rate) if train.learning_rate else 1.0
