"""What a step of training meets as a function of where the run stands."""

import pytest

from seqvae.modalities.text.sentences import Text
from seqvae.settings import build_config
from seqvae.training.limits import check_values
from seqvae.training.progress import Progress
from seqvae.training.schedules import Schedules, StepValues


def at(progress: Progress, **sections: dict[str, float | str]) -> StepValues:
    """What the schedules of a text model say, of ten examples an epoch."""
    return Schedules(build_config("text", Text.data_config, Text.model_config, sections), 10).at(progress)


def rate(step: int, **train: float) -> float:
    return at(Progress(step=step), train=train).learning_rate


def test_a_decay_by_the_step_brings_the_learning_rate_down_to_the_least() -> None:
    settings = {"learning_rate": 1e-3, "step_decay": 0.9999, "least_learning_rate": 1e-5}
    assert rate(0, **settings) == pytest.approx(1e-3)
    assert rate(1000, **settings) == pytest.approx(1e-5 + 0.99e-3 * 0.9999**1000)
    assert rate(10**6, **settings) == pytest.approx(1e-5)


def test_without_a_decay_by_the_step_the_least_learning_rate_means_nothing() -> None:
    assert rate(1000, learning_rate=1e-6) == 1e-6
    assert rate(1000, learning_rate=1e-3) == 1e-3
    assert rate(1000, learning_rate=1e-6, step_decay=0.5) == 1e-6  # nor one that is above the rate


def test_warm_up_and_decays_after_validation_act_on_the_decayed_rate() -> None:
    train = {"learning_rate": 1.0, "step_decay": 0.5, "least_learning_rate": 0.0, "warmup_steps": 4}
    assert at(Progress(step=1, rate_factor=0.1), train=train).learning_rate == pytest.approx(0.5 * 0.1 * 2 / 4)


def test_the_share_of_drawn_inputs_follows_the_steps() -> None:
    objective = {"sampling_schedule": "exponential", "sampling_rate": 0.99}
    shares = [at(Progress(step=step), objective=objective).sampling_probability for step in (0, 2)]
    assert shares == pytest.approx([0.0, 1 - 0.99**2])
    assert at(Progress(step=9)).sampling_probability == 0.0


def test_the_share_of_the_n_gram_falls_to_zero_over_the_training() -> None:
    train = {"ngram_share": 0.8, "epochs": 4}
    places = [Progress(), Progress(epoch=1, examples=5), Progress(epoch=4)]
    assert [at(place, train=train).ngram_share for place in places] == pytest.approx([0.8, 0.5, 0.0])
    assert at(Progress(step=3), train={"ngram_share": 1.0, "steps": 4}).ngram_share == pytest.approx(0.25)
    assert at(Progress(epoch=1)).ngram_share == 0.0


@pytest.mark.parametrize(
    ("objective", "progress", "expected"),
    [
        ({"anneal_steps": 8, "beta": 0.4}, Progress(step=2, epoch=7), 0.1),
        ({"anneal_epochs": 2.0}, Progress(step=99, epoch=1, examples=5), 0.75),
        ({"anneal_epochs": 0.0, "beta": 0.3}, Progress(), 0.3),
        ({"schedule": "constant", "beta": 0.3}, Progress(), 0.3),
        ({}, Progress(epoch=2, examples=5), 0.25),  # ten epochs
        ({"schedule": "cosine"}, Progress(epoch=5), 0.5),
    ],
)
def test_beta_rises_with_steps_or_with_epochs_and_their_fractions(
    objective: dict[str, float | str], progress: Progress, expected: float
) -> None:
    values = at(progress, objective=objective)
    assert values.beta == values.draws.beta == pytest.approx(expected)


@pytest.mark.parametrize(
    ("objective", "train", "weights"),
    [
        ({}, {"epochs": 40}, [0.0, 1.0, 0.5]),  # at epochs 0, 5 and 12.5, of four cycles of ten epochs
        ({}, {"epochs": 99, "steps": 400}, [0.0, 1.0, 0.5]),  # the same in steps, of ten an epoch
        ({"anneal_epochs": 10.0}, {"epochs": 40}, [0.0, 0.0, 1.0]),  # as asked for: at the start of a cycle, at the end
        ({"anneal_steps": 400}, {"epochs": 7}, [0.0, 1.0, 0.5]),
    ],
)
def test_cycles_go_over_the_whole_training_unless_a_length_is_asked_for(
    objective: dict[str, float], train: dict[str, float], weights: list[float]
) -> None:
    sections = {"objective": {"schedule": "cyclical", **objective}, "train": train}
    places = [Progress(step=step, epoch=step // 10, examples=step % 10) for step in (0, 50, 125)]
    assert [at(place, **sections).beta for place in places] == pytest.approx(weights)
    config = build_config("text", Text.data_config, Text.model_config, sections)
    early = Schedules(config, 10).is_annealed(places[-1])
    assert early == ("anneal_epochs" in objective), "the last cycle is over"
    assert Schedules(config, 10).is_annealed(Progress(step=400, epoch=40))


def test_points_may_have_a_discrepancy() -> None:
    sections = {"objective": {"mmd": 9.0}, "model": {"posterior": "point"}}
    check_values(build_config("text", Text.data_config, Text.model_config, sections))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"train": {"step_decay": 0.999, "cosine": True}},
            r"step_decay=0\.999 and train\.cosine=true exclude each oth",
        ),
        ({"train": {"ngram_share": 1.5}}, r"train\.ngram_share=1\.5 is no share; give a number from 0 to 1"),
        ({"train": {"step_decay": 0.0}}, r"train\.step_decay=0\.0 is not possible; give a factor in \(0, 1\]"),
        ({"train": {"step_decay": 1.5}}, r"train\.step_decay=1\.5 is not possible"),
        ({"objective": {"sampling_rate": 2}}, r"a sampling rate of 2\.0 is not possible with the schedule constant"),
        ({"objective": {"sampling_schedule": "inverse_sigmoid"}}, r"rate of 0\.0 .* give a number of 1 or more"),
        (
            {"objective": {"free_nats_per_dimension_and_example": 0.5}, "model": {"posterior": "point"}},
            r"and_example=0\.5 does not go with model\.posterior=point, whose codes have no KL; set model\.posterior=g",
        ),
        (
            {"objective": {"target_kl_nats": 3.0, "free_nats_total": 2.0}},
            r"target_kl_nats=3\.0 and objective\.free_nats_total=2\.0 exclude each other, since both say how large",
        ),
        (
            {"objective": {"target_kl_nats": 3.0, "beta": 0.0}},
            r"target_kl_nats=3\.0 does not go with objective\.beta=0",
        ),
        (
            {"objective": {"target_kl_nats": 3.0, "importance_samples": 5}},
            r"importance_samples=5 does not go with objective\.target_kl_nats=3\.0",
        ),
        (
            {"objective": {"target_kl_nats": 3.0}, "model": {"posterior": "point"}},
            r"target_kl_nats=3\.0 does not go with model\.posterior=point",
        ),
        (
            {"objective": {"mmd": 9.0}, "model": {"latent": 0}},
            r"mmd=9\.0 does not go with model\.latent=0, a language model",
        ),
        (
            {"objective": {"mmd": 9.0, "importance_samples": 5}},
            r"samples=5 does not go with objective\.mmd=9\.0, since",
        ),
        (
            {"objective": {"free_nats_per_dimension_and_example": 0.5}, "model": {"latent": 0}},
            r"and_example=0\.5 does not go with model\.latent=0, a language model without a code; set model\.latent",
        ),
        (
            {"objective": {"free_nats_per_dimension_and_example": 0.5, "importance_samples": 5}},
            r"importance_samples=5 does not go with objective\.free_nats_per_dimension_and_example=0\.5",
        ),
    ],
)
def test_values_that_exclude_each_other_are_refused(section: dict[str, dict[str, float]], message: str) -> None:
    config = build_config("text", Text.data_config, Text.model_config, section)
    with pytest.raises(ValueError, match=message):
        check_values(config)
