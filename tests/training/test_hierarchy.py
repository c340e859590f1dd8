"""A hierarchical decoder in training: stopped runs go on to the same bits."""

from pathlib import Path

import pytest

from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import values

SEGMENTS = {"conductor_hidden": 6, "conductor_layers": 2, "segment_steps": 3}
DROPOUT = {"word_dropout": 0.3, "weight_dropout": 0.2, "output_dropout": 0.1}
OFTEN = {"epochs": 2, "log_steps": 1, "validate_steps": 3, "checkpoint_steps": 2, "learning_rate": 0.05}
SETTINGS = values({**SEGMENTS, **DROPOUT}, {"sampling_rate": 0.3}, **OFTEN)


def test_a_stopped_run_under_a_conductor_ends_in_the_same_bits(corpus: Path, tmp_path: Path) -> None:
    whole = train("text", [corpus], tmp_path / "whole", SETTINGS, device="cpu")
    assert "decoder.recurrence.conductor.weight_hh_l1" in whole.weights(whole.steps()[-1])
    with pytest.raises(Interrupted, match="step 5"):
        train("text", [corpus], tmp_path / "run", SETTINGS, device="cpu", objective=stopped_after(5))
    assert differences(whole.path, resume(tmp_path / "run", device="cpu").path) == []
