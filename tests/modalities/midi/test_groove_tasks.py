"""Tasks of grooves: what the encoder reads of them, what a reconstruction keeps, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from seqvae import generate
from seqvae.core.vae import VAE
from seqvae.generate import Length
from seqvae.modalities.midi.groove import Groove
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.settings import GrooveData, GrooveModel
from tests.modalities.midi.test_performance import played

HAT = 2  # the closed one
SIZES: dict[str, Any] = {"latent": 3, "embedding": 5, "encoder_hidden": 4, "decoder_hidden": 6}


def groove(**settings: Any) -> Groove:
    made = Groove(GrooveData(**settings))
    made.fit(lambda: [Performance(played((0, 0, 9, 0)))])
    return made


def vae_of(modality: Groove) -> VAE:
    torch.manual_seed(0)
    return VAE(*modality.nets(GrooveModel(**SIZES))).double()


def code(modality: Groove, steps: np.ndarray) -> torch.Tensor:
    return generate.encode(vae_of(modality), [steps]).mean


BEAT = ((0, 0, 100, 3), (0, HAT, 60, -9), (4, 1, 110, 20), (4, HAT, 30, 5), (6, HAT, 90, 11))
GROOVE = played(*BEAT)
FLAT = played(*[(step, index, 64, 0) for step, index, _, _ in BEAT])
TAPS = played((0, HAT, 100, 3), (4, HAT, 110, 20), (6, HAT, 90, 11))
NO_SNARE = played(*[hit for hit in BEAT if hit[1] != 1])


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({}, ()),
        ({"task": "humanize"}, ("flat",)),
        ({"task": "tap"}, ("taps",)),
        ({"task": "infill", "added": "snare"}, ("no snare",)),
    ],
    ids=str,
)
def test_the_encoder_reads_what_the_task_says_and_no_more(settings: dict[str, Any], same: tuple[str, ...]) -> None:
    made = groove(**settings)
    whole = code(made, GROOVE)
    others = {"flat": FLAT, "taps": TAPS, "no snare": NO_SNARE}
    assert {name for name, steps in others.items() if torch.equal(code(made, steps), whole)} == set(same)


def test_the_weights_of_all_tasks_have_the_same_names_and_shapes() -> None:
    shapes = [
        {name: weight.shape for name, weight in vae_of(groove(**settings)).named_parameters()}
        for settings in ({}, {"task": "humanize"}, {"task": "infill", "added": "ride"})
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_the_density_is_that_of_all_of_the_groove_whatever_is_read() -> None:
    from seqvae.data import collate

    vae = vae_of(groove(task="infill", added="snare"))
    z = torch.zeros(1, 3, dtype=torch.float64)
    costs = [vae.decoder.log_prob(z, collate([steps], [0])).item() for steps in (GROOVE, NO_SNARE)]
    assert costs[0] < costs[1] - 5, "the snare's velocity and time cost nats"


def test_taps_are_on_the_closed_hat_and_on_the_first_class_of_a_map_without_one() -> None:
    assert torch.equal(code(groove(task="tap", classes="roland"), GROOVE), code(groove(task="tap"), TAPS))
    made = groove(task="tap", classes="pitch")
    steps = torch.zeros(1, 1, 63, 2, dtype=torch.int64)
    steps[0, 0, 20] = torch.tensor([99, 7])
    assert made.reads is not None
    assert made.reads(steps)[0, 0, 0].tolist() == [99, 7]


def test_what_is_humanized_keeps_its_hits_and_nothing_else_does() -> None:
    made = groove(task="humanize")
    assert made.holds
    vae = vae_of(made)
    flat, short = FLAT.astype(np.int8), FLAT[:20].astype(np.int8)
    z = torch.randn(2, 3, dtype=torch.float64)
    found = generate.decode(vae, z, Length(32), held=[flat, short])
    assert np.array_equal(found[0][..., 0] > 0, FLAT[..., 0] > 0)
    assert np.array_equal(found[1][..., 0] > 0, FLAT[..., 0] > 0), "all hits stand in the first twenty steps"
    assert len(np.unique(found[0][FLAT[..., 0] > 0][:, 0])) > 1
    assert not any(groove(**more).holds for more in ({}, {"task": "tap"}, {"task": "infill", "added": "ride"}))


def test_a_class_that_is_not_there_is_refused_before_anything_is_read() -> None:
    made = Groove(GrooveData(task="infill", added="closed hut"))
    with pytest.raises(ValueError) as error:
        made.fit(lambda: pytest.fail("nothing is read"))
    assert str(error.value) == (
        "data.added=closed hut is no class of data.classes=gm; choose kick, snare, closed hat, open hat, low tom, mid "
        "tom, high tom, crash, ride. Did you mean 'closed hat'?"
    )


def test_a_task_and_its_class_go_together() -> None:
    with pytest.raises(ValueError, match=r"^data\.task=infill adds a class of drums, and nothing says which one; name"):
        GrooveData(task="infill")
    with pytest.raises(
        ValueError, match=r"^data\.added=snare is of data\.task=infill, and this is data\.task=tap; lea"
    ):
        GrooveData(task="tap", added="snare")


def test_a_model_of_one_task_is_not_used_for_another() -> None:
    with pytest.raises(ValueError, match=r"data\.task=tap is not possible with this model, which depends on data\.tas"):
        groove(task="humanize").using({"task": "tap"})


def test_tasks_share_the_arrays_of_a_corpus_and_inspect_names_them() -> None:
    made = groove(task="infill", added="ride")
    assert made.fingerprint() == groove().fingerprint()
    assert made.facts(np.array([32]))[-1] == ("task", "infill ride")
    assert "task" not in dict(groove().facts(np.array([32])))


TRUTH = [Performance(played((0, 0, 100, 10), (4, 1, 40, -22), (8, HAT, 70, 3)), bpm=60.0)]
TRAINING = [played((0, 0, 90, -12), (4, 1, 43, 0), (8, HAT, 80, 3))]  # one window, so that it is the nearest


def test_what_is_humanized_stands_beside_a_flat_copy_and_the_nearest_windows() -> None:
    made = groove(task="humanize")
    guess = [Performance(played((0, 0, 80, 5), (4, 1, 50, -20), (8, HAT, 70, 0)), bpm=60.0)]
    figures = made.metrics(TRUTH, guess) | made.baseline_metrics(TRUTH, guess, TRAINING)
    assert figures["f1_hits"] == 1.0
    place_ms = 250 / 121
    assert figures["timing_error_ms"] == pytest.approx((5 + 2 + 3) / 3 * place_ms)
    assert figures["timing_error_quantised_ms"] == pytest.approx((10 + 22 + 3) / 3 * place_ms)
    assert figures["timing_error_neighbours_ms"] == pytest.approx((22 + 22 + 0) / 3 * place_ms)
    assert figures["timing_error_neighbours_16ths"] == pytest.approx((22 + 22 + 0) / 3 / 121)
    assert figures["velocity_error"] == pytest.approx((20 + 10 + 0) / 3)
    assert figures["velocity_error_flat"] == pytest.approx((30 + 30 + 0) / 3)
    assert figures["velocity_error_neighbours"] == pytest.approx((10 + 3 + 10) / 3)
    assert figures.keys() <= made.units.keys() | {"exact_match"}
    assert figures.get("f1_hits_input") is None


def test_the_nearest_windows_play_the_hits_that_a_reconstruction_has() -> None:
    guess = [Performance(played((0, 0, 80, 5), (9, 1, 50, -20)), bpm=60.0)]
    figures = groove().baseline_metrics(TRUTH, guess, TRAINING)
    assert figures["timing_error_neighbours_16ths"] == pytest.approx(22 / 121)
    assert figures["velocity_error_neighbours"] == pytest.approx(10)


def test_an_added_class_is_judged_by_itself_and_hits_by_all() -> None:
    made = groove(task="infill", added="snare")
    guess = [Performance(played((0, 0, 1, 60), (4, 1, 50, -20), (5, 1, 50, -20)), bpm=60.0)]
    figures = made.metrics(TRUTH, guess) | made.baseline_metrics(TRUTH, guess, TRAINING)
    assert figures["f1_hits"] == pytest.approx(4 / 6)
    assert figures["f1_hits_input"] == pytest.approx(4 / 5)
    assert figures["f1_hits_neighbours"] == 1.0
    assert (figures["f1_added"], figures["f1_added_neighbours"]) == (pytest.approx(2 / 3), 1.0)
    assert figures["timing_error_16ths"] == pytest.approx(2 / 121)
    assert figures["velocity_error"] == pytest.approx(10)
    assert figures["velocity_error_flat"] == 0.0
    assert figures["velocity_error_neighbours"] == pytest.approx(3)


def test_taps_as_they_are_stand_beside_what_is_made_of_them() -> None:
    made = groove(task="tap")
    figures = made.metrics(TRUTH, TRUTH) | made.baseline_metrics(TRUTH, TRUTH, TRAINING)
    assert figures["f1_hits_input"] == pytest.approx(2 / 6), "all three are hats"
    assert figures["f1_hits_neighbours"] == 1.0
    assert figures.keys() <= made.units.keys() | {"exact_match"}


def test_the_divergence_of_histograms_is_that_of_the_data_from_what_is_made() -> None:
    """Two velocities in one bin of sixteen, of which the guess has one there: half a hit is added to each bin."""
    guess = [Performance(played((0, 0, 100, 0), (4, 1, 10, 0)), bpm=60.0)]
    truth = [Performance(played((0, 0, 97, 0), (4, 1, 103, 0)), bpm=60.0)]
    figures = groove().metrics(truth, guess)
    p, q = 2.5 / 10, 1.5 / 10
    small, more = 0.5 / 10, 1.5 / 10
    assert figures["velocity_kl_nats"] == pytest.approx(p * np.log(p / q) + small * np.log(small / more))
    assert figures["timing_kl_nats"] == pytest.approx(0.0)
    assert figures["velocity_kl_flat_nats"] == pytest.approx(0.0), "the mean of both is in their bin"
    late = [Performance(played((0, 0, 97, 30), (4, 1, 103, 30)), bpm=60.0)]
    apart = groove().metrics(late, late)
    assert apart["timing_kl_nats"] == 0.0
    p, q = 2.5 / 7.5, 0.5 / 7.5
    assert apart["timing_kl_quantised_nats"] == pytest.approx((p - q) * np.log(p / q))
    assert groove().metrics(truth, [Performance(played())])["velocity_kl_nats"] is None


@pytest.mark.parametrize("task", ["humanize", "tap", "reconstruct"])
def test_hits_that_are_kept_are_said_to_be_no_result(task: str) -> None:
    kept = "Hits are kept (data.task=humanize), so exact_match, F1s of hits and greedy steps are 1 by themselves."
    assert (kept in groove(task=task).remarks(GrooveModel(latent=3), {})) is (task == "humanize")


def test_squared_errors_are_said_to_be_no_likelihood() -> None:
    made = groove()
    squares, logistic = GrooveModel(latent=3, feel="squares"), GrooveModel(latent=3)
    of_errors = "Nats are those of hits and squared errors of velocities and times (model.feel=squares): no likelihood."
    assert of_errors in made.remarks(squares, {})
    assert of_errors not in made.remarks(logistic, {})
    assert made.nats_of(squares) == "nats are negative ELBO per item, squared errors of velocities and times among them"
    assert made.nats_of(logistic) == "nats are negative ELBO per item"


@pytest.mark.parametrize(("reads", "sees"), [("all", True), ("hits", False)])
def test_what_was_said_before_moves_a_later_step_where_the_decoder_reads_it(reads: Any, sees: bool) -> None:
    """Of two grooves of the same hits the second one's first kick is softer and later; the third one lacks it."""
    from seqvae.data import collate

    torch.manual_seed(0)
    vae = VAE(*groove().nets(GrooveModel(**SIZES, decoder_reads=reads))).double()
    rest = BEAT[1:]
    grooves = [GROOVE, played((0, 0, 3, 50), *rest), played(*rest)]
    z = torch.zeros(3, 3, dtype=torch.float64)
    whole, softer, without = vae.decoder.step_log_prob(z, collate(grooves, range(3)))
    assert whole[0] != softer[0], "the hit itself has its velocity and time"
    assert (not torch.equal(whole[1:], softer[1:])) == sees
    assert not torch.equal(whole[1:], without[1:])
