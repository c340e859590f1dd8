"""What validations say of the weights and of the learning rate."""

import pytest

from seqvae.settings import Train
from seqvae.training.progress import Progress


def test_a_figure_that_is_not_a_number_is_never_the_best() -> None:
    progress = Progress(step=3)
    config = Train(decay_patience=1, decay=0.5, decay_steps=0)
    assert progress.judge(5.0, config) == (True, False)
    assert progress.judge(5.0, config) == (False, True)
    assert progress.rate_factor == 0.5
    assert (progress.best_nats, progress.best_step, progress.stalled) == (5.0, 3, 1)


def test_each_decay_waits_for_as_many_validations_as_the_first() -> None:
    progress, config = Progress(), Train(decay_patience=2, decay=0.5, decay_steps=0)
    progress.judge(5.0, config)
    assert [progress.judge(6.0, config)[1] for _ in range(6)] == [False, True, False, True, False, True]
    assert (progress.rate_factor, progress.stalled) == (0.125, 6)
    assert progress.judge(4.0, config) == (True, False)
    assert [progress.judge(6.0, config)[1] for _ in range(2)] == [False, True]


def test_decays_end_at_the_least_learning_rate_and_then_nothing_can_change() -> None:
    progress = Progress()
    config = Train(learning_rate=1e-3, least_learning_rate=3e-4, decay=0.5, decay_patience=2, decay_steps=0)
    progress.judge(5.0, config)
    decays, ends = zip(*((progress.judge(6.0, config)[1], progress.is_spent(config)) for _ in range(6)), strict=True)
    assert decays == (False, True, False, True, False, False)
    assert ends == (False, False, False, False, False, True)
    assert progress.rate_factor == pytest.approx(0.3)
    assert progress.judge(4.0, config) == (True, False)
    assert not progress.is_spent(config), "an improvement gives it as many validations as before"


def test_a_learning_rate_below_the_least_is_neither_decayed_nor_a_reason_to_stop() -> None:
    progress, config = Progress(), Train(learning_rate=1e-6, decay_patience=1, decay_steps=0)
    progress.judge(5.0, config)
    assert [progress.judge(6.0, config)[1] for _ in range(9)] == [False] * 9
    assert (progress.rate_factor, progress.is_spent(config)) == (1.0, False)


def test_decays_stand_as_many_steps_apart_as_asked_for_however_often_is_validated() -> None:
    progress, config = Progress(), Train(decay_patience=2, decay=0.5, decay_steps=10)
    decayed = []
    for step in range(3, 45, 3):  # an epoch of three steps
        progress.step = step
        if progress.judge(1.0 if step == 6 else 2.0, config)[1]:
            decayed.append(step)
    assert decayed == [18, 30, 42], "ten steps after the best one, then after each decay"


def test_the_end_of_a_stage_is_noted_once_and_read_again() -> None:
    progress = Progress(step=7)
    progress.note_end_of_stage()
    progress.note_end_of_stage()
    progress.begin_next_stage()
    progress.step = 9
    progress.note_end_of_stage()
    assert progress.stage_ends == [7, 9]
    assert Progress.from_dict(progress.to_dict()) == progress
    for impossible in ([7, "9"], 7, [None]):
        with pytest.raises(ValueError, match="stage_ends is missing or not possible"):
            Progress.from_dict({**progress.to_dict(), "stage_ends": impossible})


def test_what_is_written_is_read_again_and_nothing_else() -> None:
    progress = Progress(step=3, sums=[1.0, 0.1], best_nats=0.3)
    assert "objective" not in progress.to_dict()
    assert Progress.from_dict(progress.to_dict()) == progress
    progress.objective, progress.decayed_step = {"turn": 2}, 2
    assert Progress.from_dict(progress.to_dict()) == progress
    without = {name: value for name, value in progress.to_dict().items() if name != "step"}
    for wrong in (without, {**progress.to_dict(), "more": 1}, {**progress.to_dict(), "objective": 1}):
        with pytest.raises(ValueError, match=r"^is not that of a training \((step|more|objective) is missing or not"):
            Progress.from_dict(wrong)
