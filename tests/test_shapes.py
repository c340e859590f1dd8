"""The shape checks of the test run see every kind of call."""

from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import Float, Float32, Int64, TypeCheckError
from torch import Tensor

from seqvae.core.objectives import negative_elbo
from tests.shapes import remembering

checked = remembering(typechecker=beartype)
calls = []


@checked
def mean(x: Float[Tensor, "B Z"], weights: Float[Tensor, " B"]) -> Float[Tensor, " Z"]:
    calls.append(len(x))
    return weights @ x


@checked
def first(x: Float[Tensor, "B Z"], count: int) -> Float[Tensor, "{count} Z"]:
    return x[:3]


@checked
def where(x: Float[Tensor, " B"], low: float) -> Float[Tensor, " B"] | Int64[Tensor, " N"]:
    return x if low == 0.0 else x.unsqueeze(0) if low > 1.0 else torch.nonzero(x > low).flatten()


@checked
def joined(parts: dict[str, Float[Tensor, "B Z"]]) -> Float[Tensor, "N Z"]:
    return torch.cat(list(parts.values()))


@checked
def halved(x: Float32[np.ndarray, "B {width}"], width: np.int64) -> Float32[np.ndarray, "B {width}"]:
    return x / 2


def test_the_packages_functions_are_checked() -> None:
    assert jaxtyping.jaxtyped is remembering
    log_px, kl = torch.zeros(2), torch.zeros(2, 3)
    assert negative_elbo(log_px, kl) == 0
    with pytest.raises(TypeCheckError, match="kl"):
        negative_elbo(log_px, torch.zeros(3, 2))


def test_a_call_of_another_shape_or_dtype_is_refused_after_those_that_passed_and_is_not_made() -> None:
    x, weights = torch.ones(2, 3), torch.ones(2)
    calls.clear()
    for _ in range(3):
        assert mean(x, weights=weights).tolist() == [2.0, 2.0, 2.0]
    for wrong in ((x.mT, weights), (x, torch.ones(3)), (x.long(), weights), (x, None), (x, [1.0, 1.0])):
        with pytest.raises(TypeCheckError, match="weights" if wrong[0] is x else "x"):
            mean(*wrong)
    with pytest.raises(TypeError, match="weights"):
        mean(x)
    assert calls == [2, 2, 2]
    assert mean(torch.ones(4, 3), torch.ones(4)).tolist() == [4.0, 4.0, 4.0]


def test_a_number_that_names_an_axis_is_part_of_the_call() -> None:
    x = torch.ones(5, 2)
    assert first(x, 3).shape == first(x, 3).shape == (3, 2)
    with pytest.raises(TypeCheckError, match="return value"):
        first(x, 4)


def test_a_result_of_another_shape_is_checked_though_its_arguments_were_met_before() -> None:
    x = torch.tensor([1.0, 2.0, 3.0])
    assert where(x, 0.0) is x
    assert where(x, 0.5).tolist() == [0, 1, 2]
    assert where(x, 1.0).tolist() == [1, 2]
    for _ in range(2):
        with pytest.raises(TypeCheckError, match="return value"):
            where(x, 2.0)


def test_an_array_of_a_subclass_is_known_by_its_shape_and_a_numpy_number_by_its_value(tmp_path: Path) -> None:
    for number, shape in enumerate([(2, 3), (2, 3), (3, 2)]):
        mapped = np.memmap(tmp_path / f"{number}.bin", dtype=np.float32, mode="w+", shape=shape)
        if shape == (2, 3):
            assert halved(mapped, np.int64(3)).shape == (2, 3)
            continue
        with pytest.raises(TypeCheckError, match="x"):
            halved(mapped, np.int64(3))
    with pytest.raises(TypeCheckError, match="x"):
        halved(mapped.reshape(2, 3), np.int64(2))


def test_what_a_dictionary_holds_is_checked_each_time() -> None:
    assert joined({"a": torch.ones(2, 3), "b": torch.ones(2, 3)}).shape == (4, 3)
    for _ in range(2):
        with pytest.raises(TypeCheckError, match="parts"):
            joined({"a": torch.ones(2)})
