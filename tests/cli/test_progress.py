"""What a person sees of a run, on a terminal and off it."""

import io
import re
from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from seqvae.cli import progress
from seqvae.cli.progress import Bar, Line, Watcher, validation_line

TRAIN = {
    "step": 50, "elbo_nats": -51.0, "elbo_nats_at_mean_length": -44.123, "kl_nats": 3.21, "beta": 0.125,
    "tokens_per_second": 2520.4,
}  # fmt: skip
VALIDATION = {
    "step": 1200, "epoch": 2.5, "elbo_nats": -40.5, "kl_nats": 3.0, "active_units": 5, "perplexity_bound": 99.125,
    "best": True,
}  # fmt: skip


def seen(kind: type[Watcher], terminal: bool) -> str:
    """What a watcher of a short run writes on 80 columns."""
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=terminal, markup=False, highlight=False, soft_wrap=True)
    with kind(console) as watcher:
        watcher.message("learning [the] encoding")
        assert not watcher.is_first
        watcher.started(200, 0, "nats are negative ELBO per item")
        assert watcher.is_first
        watcher.progress(TRAIN)
        watcher.validation(VALIDATION)
        watcher.progress({**TRAIN, "step": 100, "ngram_share": 0.835})
    return screen.getvalue()


def test_lines_tell_nats_kl_beta_what_is_drawn_active_units_speed_and_the_time_left() -> None:
    lines = seen(Watcher, terminal=False).splitlines()
    assert lines[0] == "learning [the] encoding"
    assert lines[2] == "step 50/200  44.12 nats  KL 3.21  beta 0.12  2,520 tokens/s  ETA 0:00:00"
    assert lines[1] == "training from step 0 to at most 200; nats are negative ELBO per item"
    assert re.sub(r", [\d.e-]+ s an epoch", "", lines[3]) == validation_line(VALIDATION)
    assert lines[4] == (
        "step 100/200  44.12 nats  KL 3.21  beta 0.12  84% drawn  5 active  2,520 tokens/s  ETA 0:00:00"
    )


def test_a_bar_keeps_one_line_of_80_columns_with_the_same_figures() -> None:
    screen = seen(Bar, terminal=True)
    assert validation_line(VALIDATION).partition(": ")[2] in screen
    last = [part for part in screen.split("\n") if "tokens/s" in part][-1]
    assert "44.12 nats  KL 3.21  beta 0.12  84% drawn  5 active  2,520 tokens/s" in last
    assert "50%" in last


@pytest.mark.parametrize(("best", "end"), [(True, ", the best so far"), (False, "perplexity at most 99.12")])
def test_a_validation_line_tells_whether_it_is_the_best(best: bool, end: str) -> None:
    line = validation_line({**VALIDATION, "best": best})
    assert line.startswith("validation at step 1,200 (epoch 2.5): 40.50 nats, KL 3.00, 5 active units, ")
    assert line.endswith(end)


def told(seconds_of_steps: Sequence[float], total: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a watcher says whose steps end at these times, of a training of so many."""
    clock = iter([0.0, 0.0, *seconds_of_steps])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    screen = io.StringIO()
    with Watcher(Console(file=screen, soft_wrap=True, highlight=False)) as watcher:
        watcher.started(total, 0, "nats are negative ELBO per item")
        for step in range(1, len(seconds_of_steps) + 1):
            watcher.stepped(step)
    return screen.getvalue().splitlines()[1:]


def test_a_few_steps_tell_how_long_it_takes_and_how_to_stop_and_a_slower_machine_tells_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    even = [0.5 * step for step in range(1, 11)]
    assert told(even, 480, monkeypatch) == [
        "about 4 minutes at 0.5 s a step; Ctrl-C stops and keeps the best so far, and "
        "`seqvae.resume` goes on from there"
    ]
    slower = [*even, *(5.0 + 2.5 * step for step in range(1, 11))]
    assert told(slower, 480, monkeypatch)[1:] == [
        "now about 7 minutes to go, at 0.9 s a step", "now about 10 minutes to go, at 1.4 s a step",
    ]  # fmt: skip


def test_first_steps_are_no_measure_and_steps_of_many_lengths_are_averaged_before_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warm_up = [8.0, 9.0, *(9.0 + 0.5 * step for step in range(1, 9))]
    assert told(warm_up, 482, monkeypatch)[0].startswith("about 4 minutes at 0.5 s a step; ")
    short_and_long = np.cumsum([0.5, 0.5, *[0.25, 0.25, 0.25, 0.25, 1.0, 0.25, 1.0, 1.0, 1.0, 1.0] * 6]).tolist()
    (line,) = told(short_and_long[: 2 + 40], 482, monkeypatch)
    assert line.startswith("about 5 minutes at 0.6")
    assert told(short_and_long[: 2 + 8], 482, monkeypatch) == [], "the mean of eight is still at half of its own size"
    long_steps = [0.5, 0.5, 2.0, 42.0]
    assert told([*long_steps, *(42.0 + step for step in range(1, 4))], 100, monkeypatch), "not silent for ever"


def test_a_training_of_a_moment_is_not_told_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told([0.1 * step for step in range(1, 11)], 1000, monkeypatch) == []


def test_of_a_long_log_some_forty_lines_are_shown_without_a_terminal() -> None:
    screen = io.StringIO()
    with Watcher(Console(file=screen, soft_wrap=True, highlight=False)) as watcher:
        watcher.started(2000, 0, "nats are negative ELBO per item")
        for step in range(3, 2001, 3):
            watcher.progress({**TRAIN, "step": step})
    shown = [line for line in screen.getvalue().splitlines() if line.startswith("step ")]
    assert len(shown) == progress.MOST_LINES - 1
    assert shown[0].startswith("step 51/2,000 ")


def test_the_time_of_an_epoch_is_told_with_a_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 600.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    screen = io.StringIO()
    with Watcher(Console(file=screen, soft_wrap=True, highlight=False)) as watcher:
        watcher.started(2000, 600, "nats are negative ELBO per item")
        watcher.validation(VALIDATION)
    assert "validation at step 1,200 (epoch 2.5, 480 s an epoch): " in screen.getvalue()


def test_an_autoencoder_shows_no_kl() -> None:
    points = {**VALIDATION, "kl_nats": None, "perplexity_bound": None}
    assert (
        validation_line(points) == "validation at step 1,200 (epoch 2.5): 40.50 nats, 5 active units, the best so far"
    )
    screen = io.StringIO()
    with Watcher(Console(file=screen, soft_wrap=True, highlight=False)) as watcher:
        watcher.started(200, 0, "nats are -log p(x|z) per item")
        watcher.progress({**TRAIN, "kl_nats": None})
    assert "  44.12 nats  2,520 tokens/s" in screen.getvalue().replace("step 50/200", "")


def test_the_objective_that_chooses_the_weights_is_shown_where_it_is_not_the_bound() -> None:
    phase = validation_line({**VALIDATION, "encoder_first_information_nats": 2.5, "mutual_information_nats": 1.25})
    assert "KL 3.00, MI 1.25, MI of the aggressive phase 2.50, " in phase
    assert "): objective 38.20, 40.50 nats, KL 3.00, " in validation_line({**VALIDATION, "objective_nats": 38.2})


def test_long_work_tells_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0, 62.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.ProgressBar() as steps:
        for done in (1, 2000, 3, 4000):
            steps(done, 9000, "likelihood")
    assert capsys.readouterr().err.splitlines() == ["likelihood: 2,000 of 9,000", "likelihood: 4,000 of 9,000"]


def test_work_whose_end_is_not_known_says_how_much_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 31.0, 62.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.ProgressBar() as steps:
        for done in (4096, 8192):
            steps(done, 0, "codes")
    assert capsys.readouterr().err.splitlines() == ["codes: 4,096", "codes: 8,192"]


def test_a_line_of_a_notebook_is_written_over_and_leaves_nothing_of_a_longer_one() -> None:
    lines = seen(Line, terminal=False).split("\n")
    first = "step 50/200  44.12 nats  KL 3.21  beta 0.12  2,520 tokens/s  ETA 0:00:00"
    over, then = lines[2].lstrip("\r").split("\r")
    assert over == first
    assert re.sub(r", [\d.e-]+ s an epoch", "", then).rstrip() == validation_line(VALIDATION)
    last = "\rstep 100/200  44.12 nats  KL 3.21  beta 0.12  84% drawn  5 active  2,520 tokens/s  ETA 0:00:00"
    assert lines[3:] == [last, ""]
