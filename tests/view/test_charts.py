"""Curves, planes and diagrams: every number where it belongs, every label readable, nothing cut off."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from seqvae.view import charts
from seqvae.view.sheet import BLUE, COLOURS, MUSTARD, OTHER, TEAL, png


@dataclass(frozen=True)
class Layer:
    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


def record(epoch: float, reconstruction: float | None, kl: float | None) -> dict[str, Any]:
    elbo = None if reconstruction is None or kl is None else -(reconstruction + kl)
    return {"epoch": epoch, "elbo_nats": elbo, "reconstruction_nats": reconstruction, "kl_nats": kl}


TRAIN = [record(0.5, 100.0, 2.0), record(1.0, 60.0, 10.0), record(1.5, 55.0, 11.0), record(2.0, 50.0, 12.0)]
VALID = [record(1.0, 61.0, 10.5) | {"best": True}, record(2.0, 52.0, 12.5) | {"best": True}]


def curves(axes: Axes) -> dict[str, list[list[float]]]:
    return {
        line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_label()[0] != "_"
    }


def points(axes: Axes) -> tuple[np.ndarray, list[str]]:
    collection = axes.collections[0]
    return np.asarray(collection.get_offsets()), [to_hex(colour) for colour in collection.get_facecolor()]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_the_three_terms_stand_beside_each_other_in_nats_over_epochs() -> None:
    figure = charts.losses(TRAIN, VALID, "Losses of a run")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["negative ELBO", "reconstruction", "KL"]
    bound, reconstruction, kl = figure.axes
    assert curves(bound)["training"] == [[0.5, 102], [1, 70], [1.5, 66], [2, 62]]
    assert curves(bound)["validation"] == [[1, 71.5], [2, 64.5]]
    assert curves(reconstruction)["training"] == [[0.5, 100], [1, 60], [1.5, 55], [2, 50]]
    assert curves(kl)["validation"] == [[1, 10.5], [2, 12.5]]
    assert bound.get_ylabel() == "nats per item"


def test_the_best_bound_on_the_validation_data_is_marked_with_its_terms() -> None:
    worse = [*VALID, record(3.0, 51.0, 14.0) | {"best": False}]
    figure = charts.losses(TRAIN, worse)
    assert [axes.get_title(loc="right") for axes in figure.axes] == ["○ 64.50", "○ 52.00", "○ 12.50"]
    rings = [line for axes in figure.axes for line in axes.lines if line.get_fillstyle() == "none"]
    assert [line.get_xydata().tolist() for line in rings] == [[[2, 64.5]], [[2, 52]], [[2, 12.5]]]


def test_no_words_lie_on_a_curve_a_tick_or_an_axis() -> None:
    train = [record(place / 10, 100 / place + 3, 9.0 - 8 / place) for place in range(1, 31)]
    figure = charts.losses(train, [record(epoch, 100 / epoch, 8.0) | {"best": True} for epoch in (1.0, 2.0, 3.0)])
    png(figure)  # lays it out
    for axes in figure.axes:
        ground = axes.get_window_extent()
        legends = [legend for legend in [axes.get_legend()] if legend]
        words = [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        ticks = [label for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
        boxes = [
            part.get_window_extent()
            for part in [*words, *ticks, *legends]
            if not hasattr(part, "get_text") or part.get_text()
        ]
        assert not axes.texts
        assert not any(box.overlaps(ground.padded(-4)) for box in boxes)
        assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_an_importance_weighted_bound_stands_in_the_panel_of_the_bound() -> None:
    weighted = [one | {"iw_bound_nats": one["elbo_nats"] + 20.0} for one in VALID]
    bound, reconstruction, _ = charts.losses(TRAIN, weighted).axes
    assert curves(bound)["importance weighted"] == [[1, 51.5], [2, 44.5]]
    assert bound.get_ylim()[0] < 44.5
    assert "importance weighted" not in curves(reconstruction)


def test_the_first_steps_may_leave_the_panel_so_that_the_rest_is_not_flat() -> None:
    train = [record(0.01, 5000.0, 1.0), *(record(epoch / 20, 100 - epoch / 10, 1.0) for epoch in range(1, 100))]
    axes = charts.losses(train, []).axes[1]
    bottom, top = axes.get_ylim()
    assert bottom < 90.1
    assert 100 < top < 120
    assert [text.get_text() for text in axes.texts] == ["↑ 5,000.00"]
    assert not charts.losses(train[1:], []).axes[1].texts


def test_the_beginning_of_a_short_training_is_shown() -> None:
    train = [
        record(epoch, nats, 1.0)
        for epoch, nats in ((0.2, 316.0), (0.4, 214.0), (0.6, 189.0), (0.8, 175.0), (1.0, 172.0))
    ]
    axes = charts.losses(train, []).axes[1]
    assert axes.get_ylim()[1] > 316
    assert axes.get_xlim()[0] == 0
    assert not axes.texts


def test_values_that_were_not_finite_are_gaps() -> None:
    figure = charts.losses([record(1.0, 5.0, 1.0), record(2.0, None, None), record(3.0, 4.0, 1.0)], [])
    assert np.isnan(curves(figure.axes[1])["training"][1][1])
    assert png(figure)[:4] == b"\x89PNG"


def test_a_model_without_a_kl_has_one_curve_and_no_records_are_refused() -> None:
    figure = charts.losses([record(1.0, 5.0, 0.0)], [record(1.0, 6.0, 0.0)])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["reconstruction"]
    with pytest.raises(ValueError, match=r"^0 records make no curve; train for at least one epoch$"):
        charts.losses([], [])


def test_only_values_that_are_not_finite_make_an_empty_curve() -> None:
    assert png(charts.losses([record(1.0, None, None)], []))[:4] == b"\x89PNG"


def test_each_code_is_a_point_in_the_colour_of_its_label() -> None:
    random = np.random.default_rng(0)
    codes, labels = random.normal(size=(50, 2)), random.integers(0, 3, 50)
    (axes,) = charts.plane(codes, labels, ["cat", "dog", "fox"]).axes
    places, colours = points(axes)
    order = [int(np.abs(codes - place).sum(1).argmin()) for place in places]
    assert sorted(order) == list(range(50))
    assert colours == [COLOURS[labels[row]] for row in order]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["cat", "dog", "fox"]


def test_a_label_keeps_its_colour_where_others_are_missing_before_it() -> None:
    codes = np.array([[0.0, 0.0], [1.0, 1.0]])
    _, colours = points(charts.plane(codes, np.array([3, 7]), [str(digit) for digit in range(10)]).axes[0])
    assert sorted(colours) == sorted([COLOURS[3], COLOURS[7]])


def test_a_label_stands_where_its_points_are_and_those_of_others_are_not() -> None:
    random = np.random.default_rng(0)
    # Label a has two clouds, whose median lies between them, and b lies on the smaller one.
    clouds = [random.normal(place, 0.1, size=(count, 2)) for place, count in ((-3.0, 60), (3.0, 50), (3.0, 40))]
    (axes,) = charts.plane(np.concatenate(clouds), np.repeat([0, 1], [110, 40]), ["a", "b"]).axes
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert np.hypot(places["a"][0] + 3, places["a"][1] + 3) < 0.2
    assert np.hypot(places["b"][0] - 3, places["b"][1] - 3) < 0.4


def test_labels_of_one_place_are_pushed_apart() -> None:
    codes = np.array([[0.0, 1.0]] * 30 + [[5.0, 1.0]])
    (axes,) = charts.plane(codes, np.repeat([0, 1, 2, 3], [10, 10, 10, 1]), ["a", "b", "c", "lonely"]).axes
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]  # the label of a single point would hide it
    places = np.array([text.get_position() for text in axes.texts])
    distances = np.hypot(*(places[:, None] - places).T)
    assert distances[np.triu_indices(3, 1)].min() >= 0.045 * np.ptp(axes.get_xlim())


def test_beyond_ten_labels_the_most_frequent_nine_have_colours_and_the_others_are_grey() -> None:
    labels = np.concatenate([np.arange(12), *[np.arange(2, 11)] * 5])
    codes = np.random.default_rng(0).normal(size=(len(labels), 2))
    (axes,) = charts.plane(codes, labels, [f"class {place}" for place in range(12)]).axes
    assert points(axes)[1].count(OTHER) == 3
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["class 10", "3 others"]


def test_of_many_small_classes_none_has_a_colour_or_a_name() -> None:
    codes = np.random.default_rng(0).normal(size=(400, 2))
    figure = charts.plane(codes, np.arange(400) % 40, [f"s{place}" for place in range(40)], note="400 codes")
    assert set(points(figure.axes[0])[1]) == {BLUE}
    assert figure.axes[0].get_legend() is None
    assert not figure.axes[0].texts
    assert texts(figure) == ["400 codes; 40 labels, too many for colours"]
    # nine labels have most of these points, and two points each
    few = charts.plane(codes[:20], np.concatenate([np.arange(12), np.arange(8)]), [str(place) for place in range(12)])
    assert few.axes[0].get_legend() is None
    assert charts.plane(codes[:20], np.arange(20) % 10).axes[0].get_legend() is not None


def test_items_without_a_label_are_grey_among_those_with_one() -> None:
    codes = np.random.default_rng(0).normal(size=(4, 2))
    (axes,) = charts.plane(codes, np.array([0, -1, 1, -1]), ["a", "b"]).axes
    assert sorted(points(axes)[1]) == sorted([COLOURS[0], COLOURS[1], OTHER, OTHER])
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "no label"]
    assert set(points(charts.plane(codes, np.full(4, -1)).axes[0])[1]) == {OTHER}


def test_without_labels_there_is_one_colour_and_no_legend() -> None:
    (axes,) = charts.plane(np.random.default_rng(0).normal(size=(9, 2)), axis_names=("first", "second")).axes
    assert set(points(axes)[1]) == {BLUE}
    assert axes.get_legend() is None
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("first", "second")


def test_numbers_shade_the_points_beside_their_scale() -> None:
    codes = np.random.default_rng(0).standard_normal((400, 2))
    values = np.linspace(2.0, 5.0, 400)
    values[-1] = 1000.0  # which takes the colour of the end, and leaves the others theirs
    figure = charts.plane(codes, shade=(values, "nats per step"))
    plane, scale = figure.axes
    found, colours = points(plane)
    shades = {tuple(code): colour for code, colour in zip(found.round(9).tolist(), colours, strict=True)}
    in_order = [shades[tuple(code)] for code in codes.round(9).tolist()]
    assert (in_order[0], in_order[-1]) == ("#440154", "#fde725")  # of viridis
    assert len(set(in_order)) > 200
    low, high = scale.get_ylim()
    assert (low, high) == (pytest.approx(2.03, abs=0.01), pytest.approx(4.97, abs=0.01))
    assert scale.get_ylabel() == "nats per step"
    assert plane.get_legend() is None
    assert png(charts.plane(codes, shade=(np.full(400, 3.0), "all alike")))[:4] == b"\x89PNG"


def test_the_plane_has_one_scale_for_both_axes_and_circles_of_the_prior() -> None:
    codes = np.random.default_rng(0).normal(size=(200, 2)) * [3.0, 1.0]
    figure = charts.plane(codes, prior=True)
    (axes,) = figure.axes
    box = axes.get_window_extent()
    assert box.width / np.ptp(axes.get_xlim()) == pytest.approx(box.height / np.ptp(axes.get_ylim()), rel=0.01)
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert [(circle.center, circle.radius) for circle in circles] == [((0, 0), 1), ((0, 0), 2), ((0, 0), 3)]


def test_one_code_alone_can_be_drawn() -> None:
    assert png(charts.plane(np.zeros((1, 2)), np.array([0]), ["$x$"]))[:4] == b"\x89PNG"


def test_what_is_no_plane_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^codes of shape \(4, 3\) are no plane; give \(N, 2\)"):
        charts.plane(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"^4 codes have labels of shape \(3,\); give one for each$"):
        charts.plane(np.zeros((4, 2)), np.zeros(3, dtype=np.int64))


def test_the_diagram_tells_name_kind_shape_and_parameters_of_each_layer_and_their_sum() -> None:
    layers = [
        Layer("encoder.0", "Linear", (1, 1023), 5000),
        Layer("to_mean", "Linear", (1, 31), 400),
        Layer("decoder.0", "ConvTranspose2d", (1, 4, 8, 8), 30),
        Layer("decoder.1", "ReLU", (1, 4, 8, 8), 0),
        Layer("decoder.scale", "Parameter", (), 1),
    ]
    figure = charts.network(layers, "The network")
    assert texts(figure) == [
        "The network", "layer", "encoder.0", "to_mean", "decoder.0", "decoder.1", "decoder.scale", "kind",
        "Linear", "Linear", "ConvTranspose2d", "ReLU", "Parameter", "output of one item", "1,023", "31", "4 x 8 x 8",
        "4 x 8 x 8", "", "parameters", "5,000", "400", "30", "", "1", "5,431 parameters",
    ]  # fmt: skip
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [BLUE, MUSTARD, TEAL, TEAL, TEAL]
    # widths go with the logarithm: 2 x 1023 values are 2^11, 62 are about 2^6
    assert bars[0].get_width() == pytest.approx(2.0)
    assert bars[4].get_width() == 0
    assert bars[1].get_width() / bars[0].get_width() == pytest.approx(np.log2(62) / np.log2(2046), rel=1e-6)
    with pytest.raises(ValueError, match=r"^0 layers make no diagram"):
        charts.network([])
