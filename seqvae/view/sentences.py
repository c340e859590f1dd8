"""Sentences below each other, behind what they were made of; words that the sentence above has not stand out."""

import difflib
from collections.abc import Sequence
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from seqvae.view.sheet import BLUE, INK, OTHER, SOFT, Sheet, shortened

SIZE = 9.5  # points
LINE, APART = 0.22, 0.16  # inches, between lines, and more between rows
WIDEST = 8.0  # of sentences; longer ones go on in the next line
LONGEST_HEAD = 24  # letters
BETWEEN = 0.16  # a head and its sentence
COLOURS = "blue: words that the line above has not; grey: the line above once more"


def sweep(
    rows: Sequence[Sequence[str]], names: Sequence[str], heads: Sequence[str], title: str = "", note: str = ""
) -> Figure:
    """Below the name of each row, where it has one, its sentences behind their heads.

    Words that do not stand in the sentence above, in their order, are blue; a sentence that is the one above once more
    is grey. White space between words is a space.

    Raises ValueError when there are no sentences.
    """
    if not any(rows):
        raise ValueError("0 sentences make no picture; give at least one")
    heads = [shortened(head, LONGEST_HEAD) for head in heads]
    left = max(map(_width, heads)) + BETWEEN
    placed: list[tuple[float, float, str, str]] = []  # from the left and the top of the content, text and colour
    top = 0.0
    for name, row in zip(names, rows, strict=True):
        if name:
            placed.append((0.0, top, name, SOFT))
            top += LINE
        above: list[str] | None = None
        for head, sentence in zip(heads, row, strict=True):
            words = sentence.split()
            placed.append((left - BETWEEN - _width(head), top, head, SOFT))
            for x, down, word, colour in _lines(words, _colours(words, above)):
                placed.append((left + x, top + down, word, colour))
            top = max(down for _, down, _, _ in placed) + LINE
            above = words
        top += APART
    across = max(x + _width(text) for x, _, text, _ in placed)
    sheet = Sheet(across, top - APART, title, "; ".join(filter(None, (note, COLOURS))))
    for x, down, text, colour in placed:
        sheet.text(x, down + LINE / 2, text, SIZE, colour)
    return sheet.figure


def _lines(words: Sequence[str], colours: Sequence[str]) -> list[tuple[float, float, str, str]]:
    """Each word with its place from the start of a sentence, to the right and down, and its colour."""
    found, x, down = [], 0.0, 0.0
    for word, colour in zip(words, colours, strict=True):
        if x and x + _width(word) > WIDEST:
            x, down = 0.0, down + LINE
        found.append((x, down, word, colour))
        x += _width(word) + _width(" ")
    return found


def _colours(words: Sequence[str], above: Sequence[str] | None) -> list[str]:
    """The colour of each word, by the sentence above, where there is one."""
    if above is None:
        return [INK] * len(words)
    if list(words) == list(above):
        return [OTHER] * len(words)
    colours = [BLUE] * len(words)
    for _, first, size in difflib.SequenceMatcher(None, above, words, autojunk=False).get_matching_blocks():
        colours[first : first + size] = [INK] * size
    return colours


@cache
def _width(text: str) -> float:
    """Of a line of text, in inches."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=SIZE), False)
    return float(width) / 72
