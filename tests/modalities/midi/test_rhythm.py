"""What windows are like as music: repetition between bars, hits and their places, on any grid and in any metre."""

import numpy as np
import pytest

from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.rhythm import rhythm_figures, units


def window(hits: dict[int, list[int]], bars: int = 2, meter: Meter = (4, 4), grid: int = 4) -> Clip:
    """A clip of three classes with these classes hit at these steps."""
    made = np.zeros((bars * steps_per_bar(meter, grid), 3), bool)
    for step, classes in hits.items():
        made[step, classes] = True
    return Clip(made, meter, grid)


def test_repetition_counts_the_steps_that_the_bar_before_has_too() -> None:
    one = window({0: [0, 1], 5: [2], 16: [0, 1], 21: [1]})  # steps 0 and 5 come back as equal and as another hit
    two = window({3: [0], 19: [0]})
    figures = rhythm_figures([one, two], "hits")
    assert figures["sample_bar_repetition"] == pytest.approx((15 + 16) / 32)
    assert figures["sample_exact_repeats"] == 0.5
    three = window({0: [0], 12: [0], 24: [0]}, bars=3, meter=(3, 4))
    assert rhythm_figures([three], "hits")["sample_exact_repeats"] == 1.0
    there_and_back = window({0: [0], 24: [0]}, bars=3, meter=(3, 4))  # its third bar is its first
    assert rhythm_figures([there_and_back], "hits")["sample_bar_repetition"] == pytest.approx(22 / 24)


def test_silent_windows_are_counted_apart_and_repeat_nothing() -> None:
    figures = rhythm_figures([window({}), window({0: [0, 2]}), window({}), window({7: [1]})], "hits")
    assert figures["sample_silent"] == 0.5
    assert figures["sample_hits"] == 3 / 4
    assert figures["sample_bar_repetition"] == pytest.approx(15 / 16)
    assert figures["sample_exact_repeats"] == 0.0


@pytest.mark.parametrize(("grid", "eighths"), [(4, [0, 2, 4]), (8, [0, 4, 8]), (12, [0, 6, 12]), (24, [0, 12, 24])])
def test_hits_off_the_eighths_are_those_that_are_on_none_on_every_grid(grid: int, eighths: list[int]) -> None:
    on = {step: [0, 1] for step in eighths}
    assert rhythm_figures([window(on, grid=grid)], "hits")["sample_off_eighths"] == 0.0
    off = {step + 1: [0] for step in eighths}
    assert rhythm_figures([window(on | off, grid=grid)], "hits")["sample_off_eighths"] == pytest.approx(3 / 9)


def test_what_cannot_be_counted_is_none() -> None:
    assert rhythm_figures([], "hits") == dict.fromkeys(units("hits"))
    one_bar = rhythm_figures([window({3: [0]}, bars=1)], "hits")
    assert one_bar["sample_bar_repetition"] is None
    assert one_bar["sample_exact_repeats"] is None
    assert one_bar["sample_off_eighths"] == 1.0
