"""Runs beside each other: every point where it belongs, and lines along which the bound is the same."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqvae.view import comparisons
from seqvae.view.sheet import png


def lines(figure: Figure) -> dict[str, list[list[float]]]:
    (axes,) = figure.axes
    return {
        line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_label()[0] != "_"
    }


def test_each_run_has_its_rate_and_its_distortion_and_lines_their_sum() -> None:
    figure = comparisons.rate_distortion({"a": [(2.0, 100.0), (4.0, 96.0)], "b": [(0.0, 101.0)]}, "Plane")
    assert lines(figure) == {"a": [[2, 100], [4, 96]], "b": [[0, 101]]}
    (axes,) = figure.axes
    broken = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(broken) >= 2
    totals = {text.get_text() for text in axes.texts}
    for line in broken:
        x, y = line.get_xy1()
        assert f"{x + y:g}" in totals
        assert line.get_slope() == -1
    for text in axes.texts:
        assert sum(text.xy) == pytest.approx(float(text.get_text()))
    assert len(png(figure)) > 10_000


def test_units_stand_in_the_order_of_their_kl() -> None:
    figure = comparisons.kl_per_unit({"a": [0.1, 2.0, 0.5], "b": [1.0]})
    assert lines(figure) == {"a": [[1, 2.0], [2, 0.5], [3, 0.1]], "b": [[1, 1.0]]}


def test_validations_go_over_the_epochs() -> None:
    figure = comparisons.training({"a": ([1.0, 2.0], [60.0, 55.0]), "none": ([], [])})
    assert lines(figure)["a"] == [[1, 60], [2, 55]]


@pytest.mark.parametrize("draw", [comparisons.rate_distortion, comparisons.kl_per_unit])
def test_nothing_to_draw_is_refused(draw: object) -> None:
    with pytest.raises(ValueError, match="give one with a latent code"):
        draw({"a": []})  # type: ignore[operator]
    with pytest.raises(ValueError, match="give one that was trained for an epoch"):
        comparisons.training({"a": ([], [])})
