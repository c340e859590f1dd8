"""The optimizers that can be chosen, by what their steps do."""

from typing import Any

import pytest
import torch
from torch import nn

from seqvae.settings import Train
from seqvae.training.optimizer import gradient_norm, make_optimizer, shrink_of, step_shrunk


class Point(nn.Module):
    """A model of one number, which begins at 1 and has the gradient 2 at each step."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))

    def after(self, steps: int, **train: Any) -> float:
        optimizer = make_optimizer(self, Train(learning_rate=0.1, **train))  # type: ignore[arg-type]
        for _ in range(steps):
            self.x.grad = torch.full_like(self.x, 2.0)
            optimizer.step()
        return self.x.item()


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({"optimizer": "sgd"}, 1 - 0.2 - 0.2),
        ({"optimizer": "sgd", "momentum": 0.5}, 1 - 0.2 - 0.1 * (0.5 * 2 + 2)),
        ({"optimizer": "sgd", "weight_decay": 0.5}, 0.75 - 0.1 * (2 + 0.5 * 0.75)),
        ({"optimizer": "adam"}, 1 - 0.1 - 0.1),  # of a constant gradient each step has the length of the rate
        ({"optimizer": "adam", "weight_decay": 0.5}, 1 - 0.1 - 0.1),  # which a decay in the gradient hardly changes,
        ({"optimizer": "adamw", "weight_decay": 0.5}, (1 * 0.95 - 0.1) * 0.95 - 0.1),  # and one beside it does
    ],
)
def test_two_steps_go_as_far_as_the_formula_says(train: dict[str, Any], expected: float) -> None:
    assert Point().after(2, **train) == pytest.approx(expected, abs=1e-3)


def test_the_norm_of_the_gradient_is_over_all_that_have_one() -> None:
    weights = [torch.zeros(2), torch.zeros(1), torch.zeros(3)]
    weights[0].grad, weights[1].grad = torch.tensor([1.0, 2.0]), torch.tensor([2.0])
    assert gradient_norm(weights).item() == pytest.approx(3.0)


class Table(Point):
    """A model of two tables of numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.x, self.y = (nn.Parameter(torch.randn(rows, 4, dtype=torch.float64)) for rows in (3, 50))


@pytest.mark.parametrize("kind", [{"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "adam", "weight_decay": 0.1}])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_a_step_that_divides_gradients_is_one_after_clipping(kind: dict[str, Any], limit: float) -> None:
    models = [Table(), Table()]
    plain, shrunk = (
        make_optimizer(model, Train(learning_rate=0.1, **kind))  # type: ignore[arg-type]
        for model in models
    )
    for _ in range(3):
        slopes = [torch.randn_like(weight) for weight in models[0].parameters()]
        for model in models:
            for weight, slope in zip(model.parameters(), slopes, strict=True):
                weight.grad = slope.clone()
        whole = nn.utils.clip_grad_norm_(models[0].parameters(), limit)
        plain.step()
        norm = gradient_norm(models[1].parameters())
        assert norm.item() == pytest.approx(whole.item())
        step_shrunk(shrunk, shrink_of(norm, limit))
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-6)  # the divisor is of 32 bits
    step_shrunk(shrunk, None)  # as it is, and not by what was divided by before
    assert vars(shrunk)["grad_scale"] is None
