"""Golden values: tokenizers, reading, writing, metrics and short trainings give what they gave before."""

import pytest

from tests.golden.make import TOLERANCE, differences, kept_values, measure

KEPT = kept_values()
ADVICE = "if that is meant, run python tests/golden/make.py --write and say in the commit why they moved"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The values of today."""
    return measure(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("name", KEPT)
def test_golden_values_have_not_moved(name: str, found: dict[str, object]) -> None:
    moved = list(differences(KEPT[name], found[name]))
    assert not moved, "\n".join([*moved[:20], f"{len(moved)} values of {name}.json moved; {ADVICE}"])


def test_all_that_is_measured_is_kept(found: dict[str, object]) -> None:
    assert found.keys() == KEPT.keys()


@pytest.mark.parametrize(
    ("kept", "now", "expected"),
    [
        ({"a": [1, 2.0]}, {"a": [1, 2.0 + TOLERANCE]}, []),
        ({"a": [1, 2.0]}, {"a": [1, 2.0 + 3 * TOLERANCE]}, ["a[1]: 2.0 -> 2.00003"]),
        ({"a": 0.0}, {"a": 2 * TOLERANCE}, ["a: 0.0 -> 2e-05"]),
        ({"a": float("nan")}, {"a": float("nan")}, ["a: nan -> nan"]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, ["a.b: 1 -> None", "a.c: None -> 1"]),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, ["a: [1, 2] -> [1, 2, 3]"]),
        ({"a": 1}, {"a": 1.0}, ["a: 1 -> 1.0"]),
        ({"a": "x"}, {"a": "y"}, ["a: 'x' -> 'y'"]),
    ],
)
def test_what_differs_by_more_than_rounding_is_named(kept: object, now: object, expected: list[str]) -> None:
    assert list(differences(kept, now)) == expected
