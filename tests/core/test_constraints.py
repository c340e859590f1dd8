"""The way to the nearest accepted code, where it is known, and what critics say together."""

import math

import torch

from seqvae.core.constraints import LEAST, Critics, nearest_accepted

SCALE = torch.tensor([1.0, 2.0], dtype=torch.float64)


def left_of_one(z: torch.Tensor) -> torch.Tensor:
    """What a code lacks to have a first unit of at least 1; the second does not matter."""
    return 20.0 * (1.0 - z[:, 0]).clamp(min=0)


def test_a_code_goes_straight_to_the_half_plane_and_no_further_than_it_has_to() -> None:
    z = torch.tensor([[-1.0, 3.0], [0.9, -2.0]], dtype=torch.float64)
    found = nearest_accepted(left_of_one, z, SCALE)
    assert torch.equal(found[:, 1], z[:, 1])
    assert ((found[:, 0] >= 1.0) & (found[:, 0] < 1.11)).all()  # the last step is no longer than a tenth


def test_a_code_that_is_accepted_stays() -> None:
    z = torch.tensor([[1.5, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    found = nearest_accepted(left_of_one, z, SCALE)
    assert torch.equal(found[0], z[0])
    assert found[1, 0] >= 1.0


def test_each_code_goes_its_own_way_whatever_stands_beside_it() -> None:
    z = torch.tensor([[-1.0, 0.3], [-0.2, 0.4], [2.0, 0.0]], dtype=torch.float64)
    together = nearest_accepted(left_of_one, z, SCALE)
    for row in range(3):
        assert torch.equal(nearest_accepted(left_of_one, z[row : row + 1], SCALE)[0], together[row])


def test_of_two_demands_the_corner_is_found() -> None:
    def corner(z: torch.Tensor) -> torch.Tensor:
        return left_of_one(z) + (z[:, 1] + 1.0).clamp(min=0)

    found = nearest_accepted(corner, torch.zeros(1, 2, dtype=torch.float64), SCALE)
    assert 1.0 <= found[0, 0] < 1.8
    assert -2.6 < found[0, 1] <= -1.0


def test_what_is_nowhere_accepted_is_given_back_after_the_last_step() -> None:
    found = nearest_accepted(lambda z: (z**2).sum(1) + 9.0, torch.ones(1, 2, dtype=torch.float64), SCALE)
    assert found.isfinite().all()


def critics() -> Critics:
    torch.manual_seed(0)
    return Critics(torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.5]), [3, 2], 5).double().requires_grad_(False)


def answers(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the critics say: that codes are real, the third value of the first attribute, the first of the second."""
    one, y = critics(), (z - torch.tensor([0.5, -1.0])) / torch.tensor([2.0, 0.5])
    first, second = (torch.softmax(net(y), 1) for net in one.attributes)
    return torch.sigmoid(one.realism(y)[:, 0]), first[:, 2], second[:, 0]


def test_draws_weigh_as_codes_of_data_that_have_what_is_wanted() -> None:
    z = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    real, first, second = answers(z)
    assert torch.allclose(critics().log_weights(z, {0: 2, 1: 0}).exp(), real / (1 - real) * first * second)
    assert torch.allclose(critics().log_weights(z, {1: 0}).exp(), real / (1 - real) * second)
    assert torch.allclose(critics().log_weights(z, {1: 0}, of_normal=False).exp(), second)


def test_what_a_code_lacks_is_summed_over_the_answers_that_are_below_their_least() -> None:
    z = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    one = critics()
    real, first, second = answers(z)
    least = {0: real.min(), 3: first.max(), 4: second.min()}  # of all questions the place of these three
    for place, p in least.items():
        one.least[place] = p.log()
    expected = (first.max().log() - first.log()).clamp(min=0)
    assert torch.allclose(one.lack(z, {0: 2, 1: 0}), expected, atol=1e-12)
    assert int((expected > 1e-6).sum()) == 3
    assert torch.allclose(one.lack(z, {1: 0}), torch.zeros(4, dtype=torch.float64), atol=1e-12)
    one.least[0] = real.max().log()
    assert torch.allclose(one.lack(z, {0: 2}), expected + real.max().log() - real.log(), atol=1e-12)


def test_no_more_is_asked_than_half_of_the_codes_of_data_have() -> None:
    z = torch.randn(41, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    values = torch.stack([torch.arange(41) % 2 + 1, torch.full((41,), -1)], 1)  # the first value of neither is met
    one = critics()
    one.calibrate(z, values)
    real, third, _ = answers(z)
    expected = [float(real.median()), LEAST, None, float(third[values[:, 0] == 2].median()), LEAST, LEAST]
    for found, p in zip(one.least.exp().tolist(), expected, strict=True):
        assert p is None or math.isclose(found, p)
    assert (one.least <= math.log(LEAST) + 1e-12).all()
