"""The groove modality: arrays and back, figures with their units, what is learned, changed in training and refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.modalities.base import Report
from seqvae.modalities.midi.augmentation import augmented
from seqvae.modalities.midi.groove import Groove
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.settings import GrooveData, GrooveModel
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.modalities.midi.test_performance import played


def groove(*meters: Meter, **settings: object) -> Groove:
    """A modality that has met windows of these metres."""
    made = Groove(GrooveData(**settings))  # type: ignore[arg-type]
    made.fit(lambda: [Performance(played((0, 0, 9, 0)), one, bpm=90.0, kit=8) for one in meters or ((4, 4),)])
    return made


def test_an_array_is_the_performance_and_a_short_one_comes_back_as_short_as_it_was() -> None:
    made, short = groove(), Performance(played((0, 0, 127, -60), (15, 8, 1, 60), steps=16))
    x = made.encode(short, Report())
    assert x is not None
    assert (x.dtype, x.shape) == (np.int8, (32, 9, 2))
    assert np.array_equal(x[:16], short.played)
    assert not x[16:].any()
    assert made.decode(x, short) == short


def test_what_a_decoder_says_of_no_hit_is_forgotten() -> None:
    x = np.zeros((32, 9, 2), np.int64)
    x[3, 1] = 0, 17
    x[4, 1] = 90, -17
    decoded = groove().decode(x)
    assert decoded.played.dtype == np.int8
    assert decoded == Performance(played((4, 1, 90, -17)), bpm=90.0, kit=8)


def test_a_place_without_a_hit_is_not_read() -> None:
    x = groove().encode(Performance(played((3, 1, 0, 17), (4, 1, 90, -17))), Report())
    assert x is not None
    assert np.array_equal(x, played((4, 1, 90, -17)))


def test_what_is_made_has_the_tempo_and_kit_of_the_corpus_or_of_what_it_stands_for() -> None:
    made = groove((3, 4), (4, 4), (3, 4))
    new = made.decode(played(steps=24))
    assert (new.meter, new.bpm, new.kit) == ((3, 4), 90.0, 8)
    like = Performance(played((1, 1, 5, 5)), (4, 4), 4, 77.0, 5, ((4, 99.0),))
    assert made.decode(played(), like) == Performance(played(), (4, 4), 4, 77.0, 5, ((4, 99.0),))


def test_performances_that_do_not_fit_are_refused() -> None:
    made, report = groove(), Report()
    for shape in ((32, 8, 2), (32, 9), (32, 9, 3), (0, 9, 2)):
        with pytest.raises(ValueError, match=rf"an array of shape {re.escape(str(shape))} is no steps of 9 drum class"):
            made.encode(Performance(np.zeros(shape, np.int8)), report)
    with pytest.raises(ValueError, match=r"velocities from 0 to 300 and places from 0 to 0 \(int64\) are not possible"):
        made.encode(Performance(played().astype(np.int64) + [[300, 0]] * (np.arange(9) == 4)[:, None]), report)
    with pytest.raises(ValueError, match="a clip of 33 steps at 4 a quarter does not fit"):
        made.encode(Performance(played(steps=33)), report)
    assert made.encode(Performance(played(steps=24), (3, 4)), report) is None
    assert report.counts == {"windows": {"in 3/4, which the model does not know, left out": 1}}
    with pytest.raises(ValueError, match="combinations takes up to 9 classes, and "):
        groove(classes="pitch").nets(GrooveModel(step_likelihood="combinations"))


def test_steps_agree_where_the_same_classes_are_hit_however_they_are_played() -> None:
    x, y, z = (torch.from_numpy(played(*hits)).unsqueeze(0) for hits in (
        ((0, 0, 9, 5), (1, 2, 100, 0)), ((0, 0, 120, -50), (1, 3, 100, 0)), ((0, 0, 9, 5),)
    ))  # fmt: skip
    agree = groove().step_type.agree
    assert agree(x, y)[0].tolist() == [True, False, *[True] * 30]
    assert agree(x, z)[0].tolist() == [True, False, *[True] * 30]


def test_errors_are_those_of_hits_that_come_back_on_their_step() -> None:
    """At 60 bpm a 16th lasts for 250 ms, and a place for 250 / 121; on a grid of 8 steps for half of that."""
    made = groove()
    truth = Performance(played((0, 0, 100, 10), (4, 1, 40, -22), (8, 2, 70, 3)), bpm=60.0)
    guess = Performance(played((0, 0, 90, -12), (4, 1, 43, -22), (9, 2, 70, 3)), bpm=60.0)
    fine = Performance(played((0, 0, 1, 20)), steps_per_quarter=8, bpm=120.0)
    found = made.metrics([truth], [guess])
    assert found["f1_hits"] == pytest.approx(4 / 6)
    assert (found["f1_kick"], found["f1_closed_hat"], found["f1_ride"]) == (1.0, 0.0, None)
    assert found["timing_error_16ths"] == pytest.approx((22 + 0) / 121 / 2)
    assert found["timing_error_ms"] == pytest.approx(250 * (22 + 0) / 121 / 2)
    assert found["timing_error_quantised_ms"] == pytest.approx(250 * (10 + 22) / 121 / 2)
    assert found["velocity_error"] == pytest.approx((10 + 3) / 2)
    assert found["velocity_error_flat"] == pytest.approx(30.0)
    assert found["exact_match"] == 0.0
    assert found.keys() <= made.units.keys() | {"exact_match"}
    alone = made.metrics([fine], [Performance(played((0, 0, 4, 0)), steps_per_quarter=8, bpm=120.0)])
    assert alone["timing_error_16ths"] == pytest.approx(20 / 121 / 2)
    assert alone["timing_error_ms"] == pytest.approx(62.5 * 20 / 121)
    assert alone["exact_match"] == 1.0, "items are compared by their hits"
    both = made.metrics([truth, fine], [guess, fine])
    assert both["timing_error_ms"] == pytest.approx(250 * 22 / 121 / 3)
    assert made.metrics([truth], [Performance(played())])["timing_error_ms"] is None


def test_figures_in_ms_name_the_tempo_that_they_are_of() -> None:
    assert groove().units["timing_error_ms"].startswith("ms at 90 bpm, the usual tempo, mean absolute error")
    assert Groove(GrooveData()).units["timing_error_ms"].startswith("ms at the usual tempo, mean")


def test_samples_are_judged_as_those_of_drums_and_by_how_they_are_played() -> None:
    made = groove()
    bar = ((0, 0, 100, 0), (6, 1, 50, 11))
    again = [(step + 16, index, 20, 33) for step, index, _, _ in bar]
    figures = made.sample_metrics([Performance(played(*bar, *again))])
    assert figures.keys() == made.sample_units.keys()
    assert figures["sample_bar_repetition"] == 1.0, "bars of the same hits repeat, however they are played"
    assert figures["sample_velocity"] == pytest.approx((100 + 50 + 20 + 20) / 4)
    assert figures["sample_velocity_spread"] == pytest.approx(np.std([100, 50, 20, 20]))
    assert figures["sample_offset_16ths"] == pytest.approx((0 + 11 + 33 + 33) / 4 / 121)
    assert made.sample_metrics([])["sample_velocity_spread"] is None


def test_a_hit_that_is_played_otherwise_is_changed_in_part() -> None:
    made = groove()
    a = Performance(played((0, 0, 100, 0), (1, 0, 100, 0), (2, 0, 100, 0)))
    louder = Performance(played((0, 0, 120, 0), (1, 0, 100, 0), (2, 0, 100, 0)))
    later = Performance(played((0, 0, 100, 0), (1, 0, 100, 30), (3, 0, 1, 1)))
    assert made.changes(a, a) == (0.0, 3)
    assert made.changes(a, louder) == pytest.approx((20 / 127, 3))
    assert made.changes(a, later) == pytest.approx((30 / 121 + 2, 4))


def test_what_was_learned_is_written_and_read_back(tmp_path: Path) -> None:
    made = groove((3, 4), classes="roland")
    (path,) = made.save(tmp_path)
    assert path.name == "groove.json"
    other = Groove(GrooveData())
    other.load(tmp_path)
    assert (other.meters, other.usual_bpm, other.classes) == ([(3, 4)], 90.0, made.classes)


@pytest.mark.parametrize(
    "changed", [{"classes": "roland"}, {"bars": 4}, {"drum_channel": 9}, {"steps_per_quarter": 8}, {"hop": 2}], ids=str
)
def test_what_items_depend_on_is_in_the_fingerprint(changed: dict[str, object]) -> None:
    assert Groove(GrooveData(**changed)).fingerprint() != Groove(GrooveData()).fingerprint()  # type: ignore[arg-type]
    assert Groove(GrooveData(mix=0.5, bpm=99.0)).fingerprint() == Groove(GrooveData()).fingerprint()


def test_inspect_shows_what_a_step_is() -> None:
    facts = dict(groove().facts(np.array([32, 32])))
    assert facts["classes"].endswith("crash, ride), a step is each hit or not, with velocity and one of 121 places")


def test_training_moves_hits_with_their_velocity_and_time() -> None:
    """The same changes as to sets of classes, whatever else is known of a hit."""
    torch.manual_seed(0)
    steps = torch.randint(1, 128, (40, 32, 9, 2)) * (torch.rand(40, 32, 9, 1) < 0.3)
    others = torch.randint(1, 128, (40, 32, 9, 2)) * (torch.rand(40, 32, 9, 1) < 0.3)
    shares = {"mix": 0.8, "drop": 0.8, "rotate": 0.8}

    def changed(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        one, two = (Batch(each, torch.full((40,), 32), torch.arange(40)) for each in (x, y))
        return augmented(one, lambda: two, Noise(3, one.keys), 9, GrooveData(**shares)).x  # type: ignore[arg-type]

    found = changed(steps, others)
    assert not torch.equal(found, steps)
    for number in range(2):
        assert torch.equal(found[..., number], changed(steps[..., number], others[..., number]))
    assert torch.equal(found[..., 0] > 0, changed((steps[..., 0] > 0).long(), (others[..., 0] > 0).long()) > 0)


def test_tied_embeddings_are_refused_where_no_weight_could_be_shared() -> None:
    with pytest.raises(
        ValueError, match=r"^model\.tied_embeddings=true is for steps of listed outcomes, .* leave it out"
    ):
        GrooveModel(embedding=256, decoder_hidden=256, tied_embeddings=True)
    assert not GrooveModel(embedding=256, decoder_hidden=256).tied_embeddings
