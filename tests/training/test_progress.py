"""What validations say of the weights and of the learning rate."""

import pytest

from seqvae.settings import Train
from seqvae.training.progress import Progress


def test_a_figure_that_is_not_a_number_is_never_the_best() -> None:
    progress = Progress(step=3)
    config = Train(decay_patience=1, decay=0.5)
    assert progress.judge(5.0, config) == (True, False)
    assert progress.judge(5.0, config) == (False, True)
    assert progress.rate_factor == 0.5
    assert (progress.best_nats, progress.best_step, progress.stalled) == (5.0, 3, 1)


def test_each_decay_waits_for_as_many_validations_as_the_first() -> None:
    progress, config = Progress(), Train(decay_patience=2, decay=0.5)
    progress.judge(5.0, config)
    assert [progress.judge(6.0, config)[1] for _ in range(6)] == [False, True, False, True, False, True]
    assert (progress.rate_factor, progress.stalled) == (0.125, 6)
    assert progress.judge(4.0, config) == (True, False)
    assert [progress.judge(6.0, config)[1] for _ in range(2)] == [False, True]


def test_what_is_written_is_read_again_and_nothing_else() -> None:
    progress = Progress(step=3, sums=[1.0, 0.1], best_nats=0.3)
    assert "objective" not in progress.to_dict()
    assert Progress.from_dict(progress.to_dict()) == progress
    progress.objective = {"turn": 2}
    assert Progress.from_dict(progress.to_dict()) == progress
    without = {name: value for name, value in progress.to_dict().items() if name != "step"}
    for wrong in (without, {**progress.to_dict(), "more": 1}, {**progress.to_dict(), "objective": 1}):
        with pytest.raises(ValueError, match=r"^is not that of a training \((step|more|objective) is missing or not"):
            Progress.from_dict(wrong)
