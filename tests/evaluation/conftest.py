"""Inputs that several tests of the evaluation share."""

import pytest
import torch
from torch import Tensor


@pytest.fixture
def sentences() -> list[Tensor]:
    """Seven sequences of outcomes below 9, of lengths 1 to 8, 28 tokens in all."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(9, (length,), generator=generator) for length in (3, 8, 1, 5, 2, 5, 4)]
