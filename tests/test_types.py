"""The batch: what is real, and where copies stand."""

import torch

from seqvae.types import Batch


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
