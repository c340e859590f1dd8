"""What a person sees of a training run: a bar on a terminal, plain lines elsewhere. Both go to stderr."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from seqvae.cli.words import data_lines
from seqvae.config import Values, counted

SECONDS_BETWEEN_LINES = 30.0  # of long work, where there is no terminal for a bar


def plain_console(stderr: bool = False) -> Console:
    """A console that shows text as it is: brackets and colons in sentences and paths mean nothing to it."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def validation_line(record: Values) -> str:
    """A validation's figures as a line of text."""
    figures = [
        f"{-record['elbo_nats']:.2f} nats",
        f"KL {record['kl_nats']:.2f}",
        counted(record["active_units"], "active units"),
    ]
    if record.get("iw_bound_nats") is not None:
        figures.insert(0, f"importance weighted {-record['iw_bound_nats']:.2f} nats")
    if record["perplexity_bound"] is not None:
        figures.append(f"perplexity at most {_perplexity(record['perplexity_bound'])}")
    if record["best"]:
        figures.append("the best so far")
    return f"validation at step {record['step']:,} (epoch {record['epoch']:.1f}): {', '.join(figures)}"


def _perplexity(bound: float) -> str:
    """With two decimals as long as these mean something: of many classes at once a step has very many outcomes."""
    return f"{bound:.2f}" if bound < 1e6 else f"{bound:.1e}"


def _figures(record: Values, active_units: int | None, unit: str) -> str:
    active = "" if active_units is None else f"  {active_units} active"
    return (
        f"{-record['elbo_nats']:.2f} nats  KL {record['kl_nats']:.2f}  beta {record['beta']:.2f}{active}  "
        f"{record['tokens_per_second']:,.0f} {unit}/s"
    )


class Watcher:
    """A Reporter (see `training.log`) that writes lines.

    `unit` is what the steps of items are called. `is_first`: whether this is the process that reports. `first_step`:
    where training began. `has_trained`: whether there was something left to do.
    """

    def __init__(self, console: Console, unit: str = "tokens") -> None:
        self.console, self.unit = console, unit
        self.is_first = self.has_trained = False
        self.active_units: int | None = None
        self._total = self.first_step = 0
        self._clock = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def data(self, report: Values) -> None:
        """Lines on what was read."""
        for line in data_lines(report):
            self.message(line)

    def started(self, total_steps: int, step: int) -> None:
        """Training begins at `step` of about `total_steps`; a run that has come that far gets no line."""
        self.is_first = True
        self._total, self.first_step, self._clock = total_steps, step, time.perf_counter()
        if step < total_steps:  # else the run is finished, or about to be
            self.message(f"training from step {step:,} to about {total_steps:,}; nats are negative ELBO per item")

    def progress(self, record: Values) -> None:
        """A line of figures, with the time that is left."""
        step = record["step"]
        self.has_trained = True
        seconds = (time.perf_counter() - self._clock) / max(1, step - self.first_step) * max(0, self._total - step)
        left = f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{int(seconds % 60):02}"
        self.message(f"step {step:,}/{self._total:,}  {_figures(record, self.active_units, self.unit)}  ETA {left}")

    def validation(self, record: Values) -> None:
        """A line with the figures of a validation."""
        self.active_units = record["active_units"]
        self.has_trained = True
        self.message(validation_line(record))

    def message(self, text: str) -> None:
        """A line of plain words."""
        self.console.print(text)


class Bar(Watcher):
    """A Reporter that keeps a bar below its lines."""

    def __init__(self, console: Console, unit: str = "tokens") -> None:
        super().__init__(console, unit)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(12), TaskProgressColumn(), TimeRemainingColumn(),
            console=console, speed_estimate_period=600.0,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def started(self, total_steps: int, step: int) -> None:
        """Show the bar, `step` of `total_steps` done."""
        super().started(total_steps, step)
        self._bar.start()
        self._task = self._bar.add_task("training", total=total_steps, completed=step)

    def progress(self, record: Values) -> None:
        """Move the bar and show the figures beside it."""
        self.has_trained = True
        if self._task is not None:
            self._bar.update(
                self._task, completed=record["step"], description=_figures(record, self.active_units, self.unit)
            )


def watcher(unit: str) -> Watcher:
    """A bar where stderr is a terminal, else lines; `unit` is what a step of an item is called."""
    console = plain_console(stderr=True)
    return Bar(console, unit) if console.is_terminal else Watcher(console, unit)


class ProgressBar:
    """What is done of work that reports (done, total, what): a bar on a terminal, elsewhere a line now and then."""

    def __init__(self) -> None:
        self._console = plain_console(stderr=True)
        self._bar = Progress(console=self._console, transient=True, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._told = time.perf_counter()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` items of the piece of work called `what`."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)
        now = time.perf_counter()
        if not self._console.is_terminal and now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self._console.print(f"{what}: {done:,} of {total:,}")
