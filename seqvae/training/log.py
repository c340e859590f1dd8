"""What training reports: metrics.jsonl, TensorBoard, and a reporter for people."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from seqvae.config import Values, counted
from seqvae.files import check_regular, own, write_atomically

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

PLACES = ("step", "stage")  # fields that say where a record stands
CLOCK_FIELDS = ("seconds", "tokens_per_second")  # the only fields that differ between equal runs


class Reporter(Protocol):
    """Somebody who watches a run. All calls come from the first process only."""

    def data(self, report: Values) -> None:
        """What reading the data gave, as the run's data.json will hold it."""
        ...

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Training begins at `step` of about `total_steps`; `nats` says what the nats of its figures are."""
        ...

    def stepped(self, step: int) -> None:
        """An optimizer step is done, the one that makes `step` of them."""
        ...

    def progress(self, record: Values) -> None:
        """A line of metrics over the last steps."""
        ...

    def validation(self, record: Values) -> None:
        """The figures of a validation."""
        ...

    def message(self, text: str) -> None:
        """Something in plain words."""
        ...


class Silent:
    """A reporter that says nothing."""

    def data(self, report: Values) -> None:
        """Nothing."""

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Nothing."""

    def stepped(self, step: int) -> None:
        """Nothing."""

    def progress(self, record: Values) -> None:
        """Nothing."""

    def validation(self, record: Values) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""


class MetricsLog:
    """metrics.jsonl, one JSON object a line, and TensorBoard event files when asked.

    On resume the file is cut back to the `size` that it had at the checkpoint of `step`, so no step stands there twice.
    Numbers that are not finite, for which JSON has no word, are written as null.
    """

    def __init__(self, path: Path, size: int, tensorboard: bool, step: int = 0) -> None:
        check_regular(path)
        self._writer = _tensorboard_writer(path.parent / "tensorboard", step) if tensorboard else None
        self._file = open(path, "ab")  # noqa: SIM115 - stays open as long as the run
        if size < self._file.tell():  # never longer: that would fill the file up with zero bytes
            self._file.truncate(size)

    def write(self, record: Values) -> None:
        """Append one record."""
        clean = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        }
        self._file.write((json.dumps(clean) + "\n").encode())
        self._file.flush()
        if self._writer is not None:
            for name, value in record.items():
                if isinstance(value, int | float) and not isinstance(value, bool) and name not in PLACES:
                    self._writer.add_scalar(f"{record['event']}/{name}", value, record["step"])

    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    @property
    def handle(self) -> int:
        """The open file, as the system numbers it."""
        return self._file.fileno()

    def close(self) -> None:
        """Write out what is buffered and close the files."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def mend(path: Path, size: int, step: int) -> str | None:
    """Make sure that metrics.jsonl is whole up to the checkpoint of `step`, when it had `size` bytes.

    None where it is, else what was lost, in words. Whole lines are kept, but those of later steps, which come again;
    a damaged file is kept beside the new one.
    """
    found = path.read_bytes() if path.is_file() else b""
    lines = [line + b"\n" for line in found[:size].split(b"\n") if _is_record_up_to(step, line)]
    kept = b"".join(lines)
    if kept == found[:size] and len(kept) == size:
        return None
    if not found:
        return f"{path} is missing, so the log of all steps up to {step:,} is lost; a new one goes on from there"
    number, beside = 1, own(path.parent, "metrics-damaged.jsonl")
    while beside.exists():
        number += 1
        beside = own(path.parent, f"metrics-damaged-{number}.jsonl")
    write_atomically(beside, found)
    write_atomically(path, kept)
    whole, last = counted(len(lines), "whole lines"), json.loads(lines[-1])["step"] if lines else 0
    return (
        f"{path} is damaged: of the log up to step {step:,} only {whole} up to step {last:,} can be read and go on; "
        f"the file as it was is kept as {beside}"
    )


def _is_record_up_to(step: int, line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and isinstance(record.get("step"), int) and record["step"] <= step


def _tensorboard_writer(folder: Path, step: int) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError(
            "train.tensorboard=true needs the package tensorboard; install it with pip install 'seqvae[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
