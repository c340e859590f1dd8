"""Tables of sentences: what stands where, and which words stand out."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from seqvae.view import sentences
from seqvae.view.sheet import BLUE, INK, OTHER


def words(figure: Figure) -> list[tuple[str, str]]:
    """The texts of a figure with their colours."""
    return [(text.get_text(), to_hex(text.get_color())) for text in figure.texts]


def lines(figure: Figure) -> list[str]:
    """The texts line by line, from the top."""
    places = [(round(1 - text.get_position()[1], 4), text.get_position()[0], text.get_text()) for text in figure.texts]
    heights = sorted({height for height, _, _ in places})
    return [" ".join(text for height, _, text in sorted(places) if height == line) for line in heights]


def test_sentences_stand_behind_their_heads_below_the_names_of_their_rows() -> None:
    rows = [["the cat sees", "the dog sees"], ["a bird", ""]]
    figure = sentences.sweep(rows, ["unit 3", "unit 1"], ["-1", "1"], "Units", "a note")
    assert lines(figure) == [
        "Units", f"a note; {sentences.COLOURS}",
        "unit 3", "-1 the cat sees", "1 the dog sees", "unit 1", "-1 a bird", "1"
    ]  # fmt: skip
    assert "unit 3" not in lines(sentences.sweep(rows[:1], [""], ["-1", "1"]))


def test_words_that_are_new_are_blue_and_what_stands_above_already_is_grey() -> None:
    row = ["the cat sees the dog", "the cat sees a red dog", "the cat sees a red dog", "sees the cat"]
    found = words(sentences.sweep([row], [""], list("0123")))
    assert found[0][0] == "blue: words that the line above has not; grey: the line above once more"
    coloured = [(text, colour) for text, colour in found[1:] if not text.isdigit()]
    assert {colour for _, colour in coloured[:5]} == {INK}
    assert [text for text, colour in coloured[5:11] if colour == BLUE] == ["a", "red"]
    assert {colour for _, colour in coloured[11:17]} == {OTHER}
    assert [colour for _, colour in coloured[17:]] == [BLUE, INK, INK]


def test_no_word_overlaps_another_and_long_sentences_go_on_below() -> None:
    row = [" ".join(["extraordinarily"] * 40), "$short \\ {text", "word"]
    figure = sentences.sweep([row], ["a row"], ["a head that has too many letters", "0", "1"], "A title")
    figure.canvas.draw()
    boxes = np.array([text.get_window_extent().extents for text in figure.texts])
    assert (boxes[:, :2] > 0).all()
    assert (boxes[:, 2] < figure.bbox.width).all()
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            assert min(one[2], other[2]) <= max(one[0], other[0]) + 1 or min(one[3], other[3]) <= max(one[1], other[1])
    assert figure.get_figwidth() < 12
    assert len(lines(figure)) > 6
    assert "$short \\ {text" in " ".join(lines(figure))


def test_no_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="0 sentences make no picture; give at least one"):
        sentences.sweep([[]], ["a"], [])
