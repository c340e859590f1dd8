"""The batch: what is real, and where copies stand. Steps: when two of them are the same."""

import math

import pytest
import torch

from seqvae.types import Batch, StepType


def example() -> Batch:
    x = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]])
    return Batch(x=x, lengths=torch.tensor([4, 2, 1]), keys=torch.tensor([30, 10, 20]))


def test_the_mask_is_true_on_real_steps_only() -> None:
    expected = [[True, True, True, True], [True, True, False, False], [True, False, False, False]]
    assert example().mask.tolist() == expected


def test_the_mask_ignores_further_axes_of_a_step() -> None:
    batch = Batch(x=torch.zeros(2, 3, 5), lengths=torch.tensor([1, 3]), keys=torch.tensor([0, 1]))
    assert batch.mask.tolist() == [[True, False, False], [True, True, True]]


def test_the_length_of_a_batch_is_its_number_of_examples() -> None:
    assert len(example()) == 3


def test_copies_of_an_example_stand_next_to_each_other() -> None:
    repeated = example().repeat(2)
    assert repeated.x.tolist() == [row for row in example().x.tolist() for _ in range(2)]
    assert repeated.lengths.tolist() == [4, 4, 2, 2, 1, 1]
    assert repeated.keys.tolist() == [30, 30, 10, 10, 20, 20]


def test_moving_a_batch_moves_every_part() -> None:
    moved = example().to("meta")
    assert (moved.x.device.type, moved.lengths.device.type, moved.keys.device.type) == ("meta", "meta", "meta")
    same = example().to("cpu")
    assert torch.equal(same.x, example().x)
    assert torch.equal(same.lengths, example().lengths)
    assert torch.equal(same.keys, example().keys)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32])
def test_steps_agree_where_all_of_their_numbers_do(dtype: torch.dtype) -> None:
    x = torch.tensor([[[3, 1], [0, 2], [5, 5]], [[9, 9], [1, 0], [7, 2]]]).to(dtype)
    y = torch.tensor([[[3, 1], [0, 3], [6, 4]], [[9, 9], [2, 0], [7, 2]]]).to(dtype)
    equal = [[True, False, False], [True, False, True]]
    assert StepType("any", (2,)).agree(x, y).tolist() == equal
    assert StepType("any").agree(x[..., 1], y[..., 1]).tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float64])
def test_a_tolerance_bounds_the_difference_of_each_number_both_ways(dtype: torch.dtype) -> None:
    x = torch.tensor([[[100, 7], [100, 7], [100, 7], [0, 7]]]).to(dtype)
    y = torch.tensor([[[102, 5], [97, 7], [98, 10], [254, 7]]]).to(dtype)  # 254 is -2 in eight bits
    assert StepType("any", (2,), tolerance=2).agree(x, y).tolist() == [[True, False, False, False]]
    assert StepType("any", (2,), tolerance=3).agree(x, y).tolist() == [[True, True, True, False]]


def test_only_what_is_compared_of_steps_has_to_agree() -> None:
    x, y = torch.tensor([[[3, 1], [0, 2], [5, 5]]]), torch.tensor([[[7, 9], [0, 3], [0, 5]]])
    hits = StepType("int64", (2,), compared=lambda steps: steps[..., :1] > 0)
    assert hits.agree(x, y).tolist() == [[True, True, False]]


@pytest.mark.parametrize("tolerance", [-0.5, math.nan])
def test_an_impossible_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match=rf"a tolerance of {tolerance} is not possible; give 0 \(equal\) or more"):
        StepType("float32", tolerance=tolerance)
