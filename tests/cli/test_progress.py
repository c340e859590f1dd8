"""What a person sees of a run, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from seqvae.cli import progress
from seqvae.cli.progress import Bar, Watcher, validation_line

TRAIN = {"step": 50, "elbo_nats": -44.123, "kl_nats": 3.21, "beta": 0.125, "tokens_per_second": 2520.4}
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
        watcher.started(200, 0)
        assert watcher.is_first
        watcher.progress(TRAIN)
        watcher.validation(VALIDATION)
        watcher.progress({**TRAIN, "step": 100})
    return screen.getvalue()


def test_lines_tell_nats_kl_beta_active_units_speed_and_the_time_left() -> None:
    lines = seen(Watcher, terminal=False).splitlines()
    assert lines[0] == "learning [the] encoding"
    assert lines[2] == "step 50/200  44.12 nats  KL 3.21  beta 0.12  2,520 tokens/s  ETA 0:00:00"
    assert lines[3] == validation_line(VALIDATION)
    assert lines[4] == "step 100/200  44.12 nats  KL 3.21  beta 0.12  5 active  2,520 tokens/s  ETA 0:00:00"


def test_a_bar_keeps_one_line_of_80_columns_with_the_same_figures() -> None:
    screen = seen(Bar, terminal=True)
    assert validation_line(VALIDATION) in screen
    last = [part for part in screen.split("\n") if "tokens/s" in part][-1]
    assert "44.12 nats  KL 3.21  beta 0.12  5 active  2,520 tokens/s" in last
    assert "50%" in last


@pytest.mark.parametrize(("best", "end"), [(True, ", the best so far"), (False, "perplexity at most 99.12")])
def test_a_validation_line_tells_whether_it_is_the_best(best: bool, end: str) -> None:
    line = validation_line({**VALIDATION, "best": best})
    assert line.startswith("validation at step 1,200 (epoch 2.5): 40.50 nats, KL 3.00, 5 active units, ")
    assert line.endswith(end)


def test_long_work_tells_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0, 62.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.ProgressBar() as steps:
        for done in (1, 2000, 3, 4000):
            steps(done, 9000, "likelihood")
    assert capsys.readouterr().err.splitlines() == ["likelihood: 2,000 of 9,000", "likelihood: 4,000 of 9,000"]
