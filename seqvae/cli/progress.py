"""What a person sees of a training run: a bar on a terminal, plain lines elsewhere. Both go to stderr."""

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from seqvae.cli.spoken import advised, spoken
from seqvae.cli.words import data_lines
from seqvae.config import Values, counted

SECONDS_BETWEEN_LINES = 30.0  # of long work, where there is no terminal for a bar
MOST_LINES = 40  # of a training's steps, where there is no terminal for a bar; validations come on top
WARM_UP = 2  # steps that take longer than others, since memory is reserved and kernels are chosen
FIRST_STEPS, FIRST_SECONDS = 5, 2.0  # that are timed before it is said how long the training will take,
MOST_ERROR, MOST_SECONDS = 0.1, 30.0  # and more, until the mean is as sure as this share of it, or time has passed
DRIFT = 1.5  # factor by which that has to change before it is said anew


def plain_console(stderr: bool = False) -> Console:
    """A console that shows text as it is: brackets and colons in sentences and paths mean nothing to it."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True, force_jupyter=False)


def validation_line(record: Values, epoch_seconds: float | None = None) -> str:
    """A validation's figures as a line of text; no KL where there is none, as of an autoencoder."""
    figures = [f"{-record['elbo_nats']:.2f} nats", *_kl_words(record), counted(record["active_units"], "active units")]
    if record.get("mutual_information_nats") is not None:
        figures.insert(-1, f"MI {record['mutual_information_nats']:.2f}")
    if record.get("encoder_first_information_nats") is not None:
        figures.insert(-1, f"MI of the aggressive phase {record['encoder_first_information_nats']:.2f}")
    if record.get("objective_nats") is not None:
        figures.insert(0, f"objective {record['objective_nats']:.2f}")
    if record.get("iw_bound_nats") is not None:
        figures.insert(0, f"importance weighted {-record['iw_bound_nats']:.2f} nats")
    if record["perplexity_bound"] is not None:
        figures.append(f"perplexity at most {_perplexity(record['perplexity_bound'])}")
    if record["best"]:
        figures.append("the best so far")
    time_words = "" if epoch_seconds is None else f", {_brief(epoch_seconds)} an epoch"
    return f"validation at step {record['step']:,} (epoch {record['epoch']:.1f}{time_words}): {', '.join(figures)}"


def _perplexity(bound: float) -> str:
    """With two decimals as long as these mean something: of many classes at once a step has very many outcomes."""
    return f"{bound:.2f}" if bound < 1e6 else f"{bound:.1e}"


def _kl_words(record: Values) -> list[str]:
    return [] if record["kl_nats"] is None else [f"KL {record['kl_nats']:.2f}"]


def _figures(record: Values, active_units: int | None, unit: str) -> str:
    words = [f"{-record['elbo_nats_at_mean_length']:.2f} nats", *_kl_words(record)]
    if record["kl_nats"] is not None:
        words.append(f"beta {record['beta']:.2f}")
    if "ngram_share" in record:
        words.append(f"{record['ngram_share']:.0%} drawn")
    if active_units is not None:
        words.append(f"{active_units} active")
    return "  ".join([*words, f"{record['tokens_per_second']:,.0f} {unit}/s"])


def _brief(seconds: float) -> str:
    """A time with two digits, or more where it takes many seconds.

    >>> _brief(0.2123), _brief(480.2)
    ('0.21 s', '480 s')
    """
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def duration(seconds: float) -> str:
    """A time in the one unit that suits it.

    >>> duration(0.8), duration(59), duration(61), duration(5400), duration(7201)
    ('1 second', '59 seconds', '1 minute', '1.5 hours', '2 hours')
    """
    if seconds < 59.5:
        return counted(max(1, round(seconds)), "seconds")
    if seconds < 59.5 * 60:
        return counted(round(seconds / 60), "minutes")
    hours = round(seconds / 1800) / 2
    return "1 hour" if hours == 1 else f"{hours:g} hours"


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
        self._said_seconds: float | None = None  # of the whole training, as it was said last
        self._warm = self._last = self._clock  # when the steps that are timed began, and when the last of them ended
        self._squares = 0.0  # of their times
        self._lines = 0  # of the training's steps, by the share that was done when the last one was written

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def data(self, report: Values) -> None:
        """Lines on what was read."""
        for line in data_lines(report):
            self.message(spoken(line))

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Training begins at `step` of about `total_steps`; a run that has come that far gets no line."""
        self.is_first = True
        self._total, self.first_step, self._clock = total_steps, step, time.perf_counter()
        if step < total_steps:  # else the run is finished, or about to be
            self.message(f"training from step {step:,} to at most {total_steps:,}; {nats}")

    def stepped(self, step: int) -> None:
        """How long the training takes, once steps enough are timed, and anew when that has changed much."""
        now, timed = time.perf_counter(), step - self.first_step - WARM_UP
        if timed <= 0:
            self._warm = self._last = now
            return
        self._squares, self._last = self._squares + (now - self._last) ** 2, now
        seconds, mean = now - self._clock, (now - self._warm) / timed
        if timed < FIRST_STEPS or seconds < FIRST_SECONDS or step >= self._total:
            return
        # batches are of sentences of one length each: a few may all be short
        error = math.sqrt(max(0.0, self._squares / timed - mean**2) / timed)
        if self._said_seconds is None and error > MOST_ERROR * mean and seconds < MOST_SECONDS:
            return
        left = mean * (self._total - step)
        whole = seconds + left
        if self._said_seconds is None:
            self.message(
                f"about {duration(whole)} at {_brief(mean)} a step; Ctrl-C stops and keeps the best so far, "
                "and `seqvae.resume` goes on from there"
            )
        elif max(whole / self._said_seconds, self._said_seconds / whole) >= DRIFT:
            self.message(f"now about {duration(left)} to go, at {_brief(mean)} a step")
        else:
            return
        self._said_seconds = whole

    def progress(self, record: Values) -> None:
        """A line of figures, with the time that is left; of a long log only some lines are shown."""
        step = record["step"]
        self.has_trained = True
        lines = step * MOST_LINES // max(1, self._total)
        if lines == self._lines:
            return
        self._lines = lines
        self.message(self.line(record))

    def line(self, record: Values) -> str:
        """The figures of a training's last steps, with the time that is left."""
        step = record["step"]
        seconds = (time.perf_counter() - self._clock) / max(1, step - self.first_step) * max(0, self._total - step)
        left = f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{int(seconds % 60):02}"
        return f"step {step:,}/{self._total:,}  {_figures(record, self.active_units, self.unit)}  ETA {left}"

    def validation(self, record: Values) -> None:
        """A line with the figures of a validation."""
        self.active_units = record["active_units"]
        self.has_trained = True
        done = record["step"] - self.first_step
        seconds = (time.perf_counter() - self._clock) / done if done > 0 else None  # of a step
        epoch = seconds and record["epoch"] and seconds * record["step"] / record["epoch"]
        self.message(validation_line(record, epoch if epoch and epoch >= 1 else None))

    def message(self, text: str) -> None:
        """A line of plain words."""
        self.console.print(advised(text))


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

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """Show the bar, `step` of `total_steps` done."""
        super().started(total_steps, step, nats)
        self._bar.start()
        self._task = self._bar.add_task("training", total=total_steps, completed=step)

    def progress(self, record: Values) -> None:
        """Move the bar and show the figures beside it."""
        self.has_trained = True
        if self._task is not None:
            self._bar.update(
                self._task, completed=record["step"], description=_figures(record, self.active_units, self.unit)
            )


class Line(Watcher):
    """A Reporter whose line of figures is written over by the next one, as notebooks show it."""

    def __init__(self, console: Console, unit: str = "tokens") -> None:
        super().__init__(console, unit)
        self._shown = 0  # characters of the line that is to be written over

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the line."""
        if self._shown:
            self._write("\n")

    def progress(self, record: Values) -> None:
        """Write over the line."""
        self.has_trained = True
        line = self.line(record)
        self._write(f"\r{line.ljust(self._shown)}")
        self._shown = len(line)

    def message(self, text: str) -> None:
        """A line of plain words in the place of that of figures, which comes again below it."""
        self._write(f"\r{text.ljust(self._shown)}\n" if self._shown else f"{text}\n")
        self._shown = 0

    def _write(self, text: str) -> None:
        """To the file itself, since a console takes the return of the carriage out."""
        self.console.file.write(text)
        self.console.file.flush()


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
        self._said_at = time.perf_counter()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text)

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` items of the piece of work called `what`; a total of 0 is not known yet."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total or None)
        shown = what if total else f"{what}: {done:,}"
        self._bar.update(self._tasks[what], completed=done, total=total or None, description=shown)
        now = time.perf_counter()
        if not self._console.is_terminal and now - self._said_at >= SECONDS_BETWEEN_LINES:
            self._said_at = now
            self._console.print(f"{what}: {done:,} of {total:,}" if total else shown)
