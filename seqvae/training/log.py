"""What training tells: metrics.jsonl, TensorBoard, and a reporter for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CLOCK_FIELDS = ("seconds", "tokens_per_second")  # the only fields that differ between equal runs


class Reporter(Protocol):
    """Somebody who watches a run. All calls come from the first process only."""

    def started(self, total_steps: int, step: int) -> None:
        """Training begins at `step` of about `total_steps`."""
        ...

    def progress(self, record: Mapping[str, Any]) -> None:
        """A line of metrics over the last steps."""
        ...

    def validation(self, record: Mapping[str, Any]) -> None:
        """The figures of a validation."""
        ...

    def message(self, text: str) -> None:
        """Something in plain words."""
        ...


class Silent:
    """A reporter that says nothing."""

    def started(self, total_steps: int, step: int) -> None:
        """Nothing."""

    def progress(self, record: Mapping[str, Any]) -> None:
        """Nothing."""

    def validation(self, record: Mapping[str, Any]) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""


class MetricsLog:
    """metrics.jsonl, one JSON object a line, and TensorBoard event files when asked.

    On resume the file is cut back to the size that it had at the checkpoint, so no step stands there twice.
    """

    def __init__(self, path: Path, size: int, tensorboard: bool) -> None:
        path.touch()
        with open(path, "r+b") as file:
            file.truncate(size)
        self._file = open(path, "ab")  # noqa: SIM115 - stays open as long as the run
        self._writer = _tensorboard_writer(path.parent / "tensorboard") if tensorboard else None

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record."""
        self._file.write((json.dumps(record) + "\n").encode())
        self._file.flush()
        if self._writer is not None:
            for name, value in record.items():
                if isinstance(value, float):
                    self._writer.add_scalar(f"{record['event']}/{name}", value, record["step"])

    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def close(self) -> None:
        """Write out what is buffered and close the files."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def _tensorboard_writer(folder: Path) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "train.tensorboard=true needs the package tensorboard; install it with pip install 'seqvae[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder))
