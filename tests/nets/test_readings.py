"""What an encoder reads of played steps: flat hits, taps of one class, all classes but one."""

import pytest
import torch

from seqvae.nets.readings import FLAT, on_the_grid, tapped, without

# two examples of three steps of four classes
STEPS = torch.tensor(
    [
        [[[90, -7], [0, 0], [5, 60], [0, 0]], [[0, 0]] * 4, [[0, 0], [1, -60], [1, 3], [0, 0]]],
        [[[0, 0], [0, 0], [0, 0], [127, 9]], [[20, 1], [30, 2], [40, 3], [35, 4]], [[0, 0]] * 4],
    ]
)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64])
def test_on_the_grid_the_hits_are_all_that_is_left(dtype: torch.dtype) -> None:
    read = on_the_grid(STEPS.to(dtype))
    assert read.dtype == dtype
    assert torch.equal(read[..., 0] > 0, STEPS[..., 0] > 0)
    assert set(read[..., 0].flatten().tolist()) == {0, FLAT}
    assert not read[..., 1].any()
    again = STEPS.clone()
    again[..., 0] = torch.where(STEPS[..., 0] > 0, 128 - STEPS[..., 0], 0)
    again[..., 1] *= -1
    assert torch.equal(on_the_grid(again), read.long()), "velocity and time are not read"


@pytest.mark.parametrize("c", [0, 2, 3])
def test_a_tap_is_the_loudest_hit_of_a_step_with_its_time_whatever_its_class(c: int) -> None:
    taps = tapped(STEPS, c)
    assert taps[..., c, :].tolist() == [[[90, -7], [0, 0], [1, -60]], [[127, 9], [40, 3], [0, 0]]]
    others = [other for other in range(4) if other != c]
    assert not taps[..., others, :].any()
    assert torch.equal(tapped(taps, c), taps), "what is tapped already is read as it is"


@pytest.mark.parametrize("c", [0, 3])
def test_without_a_class_all_others_are_read_as_they_are(c: int) -> None:
    before, read = STEPS.clone(), without(STEPS, c)
    assert torch.equal(STEPS, before), "the steps themselves stay"
    assert not read[..., c, :].any()
    others = [other for other in range(4) if other != c]
    assert torch.equal(read[..., others, :], STEPS[..., others, :])
