"""The n-gram that training items are drawn from: the probabilities of Witten and Bell, rows, ends."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from seqvae.ngram import Ngram

END = 0
ITEMS = ([1, 2, 1, 3, END], [1, 2, 2, END], [1, 2, 1, 2, END], [3, END], [1, 2, 1, 4, END])


def ngram(order: int = 3, end: int | None = END, items: Sequence[Sequence[int]] = ITEMS) -> Ngram:
    return Ngram((np.array(x, np.int32) for x in items), order, end)


def probability(label: int, before: tuple[int, ...], items: Sequence[Sequence[int]], order: int) -> float:
    """Witten and Bell's, step by step: n(c, x) + d(c) P(x | shorter c) over n(c) + d(c)."""
    outcomes = sorted({x for item in items for x in item})
    found = 1 / len(outcomes)
    for length in range(order):
        context = before[len(before) - length :]
        followers = Counter(
            padded[place]
            for padded in ((*[-1] * (order - 1), *item) for item in items)
            for place in range(order - 1, len(padded))
            if padded[place - length : place] == context
        )
        met, different = followers.total(), len(followers)
        if not met:
            break
        found = (followers[label] + different * found) / (met + different)
    return found


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_steps_have_the_probabilities_of_witten_and_bell(order: int) -> None:
    """Numbers at even distances choose each label as often as it is probable."""
    count = 20_000
    even = (np.arange(count) + 0.5) / count
    model = ngram(order)
    first = np.array([x[0] for x in model.draw(np.stack([even, even * 0, even], 1))])
    start = (-1,) * (order - 1)
    for label in range(5):
        assert (first == label).mean() == pytest.approx(probability(label, start, ITEMS, order), abs=4 / count)
    # a number that chooses 1, and then another one at even distances
    one = even[first == 1][0]
    second = np.array([x[1] for x in model.draw(np.stack([np.full(count, one), even, even], 1))])
    for label in range(5):
        expected = probability(label, (*start, 1)[1 if order > 1 else 0 :][: order - 1], ITEMS, order)
        assert (second == label).mean() == pytest.approx(expected, abs=4 / count)


def test_a_row_is_a_function_of_its_own_numbers() -> None:
    numbers = np.random.default_rng(0).random((50, 8))
    model = ngram()
    together = model.draw(numbers)
    assert len({tuple(x) for x in together}) > 10
    for place in (0, 7, 49):
        assert np.array_equal(model.draw(numbers[place : place + 1])[0], together[place])


def test_no_number_is_asked_for_after_all_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = ngram(), []
    chosen = Ngram._next
    monkeypatch.setattr(Ngram, "_next", lambda self, *of: asked.append(of) or chosen(self, *of))
    numbers = np.random.default_rng(1).random((20, 500))
    drawn = model.draw(numbers)
    assert len(asked) == max(map(len, drawn)) < 100
    assert all(np.array_equal(x, y) for x, y in zip(drawn, model.draw(numbers[:, :100]), strict=True))


def test_sequences_close_with_their_first_end_or_in_the_last_step() -> None:
    drawn = ngram().draw(np.random.default_rng(1).random((300, 4)))
    assert {len(x) for x in drawn} == {1, 2, 3, 4}
    assert all(x[-1] == END and END not in x[:-1] for x in drawn)


def test_without_an_end_all_are_as_long_as_asked() -> None:
    drawn = ngram(end=None, items=[[0, 1, 0, 2], [2, 1, 0, 0]]).draw(np.random.default_rng(1).random((40, 6)))
    assert {len(x) for x in drawn} == {6}
    assert {0, 1, 2} == {int(label) for x in drawn for label in x}


def test_the_highest_numbers_choose_labels_of_the_corpus() -> None:
    highest = np.full((1, 5), np.nextafter(1.0, 0.0))
    assert set(ngram().draw(highest)[0]) <= {0, 1, 2, 3, 4}


def test_what_was_never_met_is_drawn_too() -> None:
    """No item has a 3 after a 4: shorter contexts, and all labels alike, have their share."""
    drawn = {tuple(x) for x in ngram().draw(np.random.default_rng(2).random((2_000, 6)))}
    assert any(x[:2] == (4, 3) for x in drawn)
    assert len(drawn - {tuple(x) for x in ITEMS}) > 100


def test_an_order_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an n-gram of order 0 is not possible; give 1 or more$"):
        ngram(0)
