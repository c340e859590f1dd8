"""Pieces as pictures of their notes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seqvae.config import counted
from seqvae.modalities.base import Arrangement, Sweep
from seqvae.modalities.midi.excerpt import Excerpt
from seqvae.modalities.midi.meters import meter_name, steps_per_bar, steps_per_beat
from seqvae.modalities.midi.piece import Piece

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqvae.view.grids import Panel

STRIP_BARS, PALETTE_BARS = 8, 4  # that are drawn of each piece; more could not be read
MOST_ON_SHEET = 100  # pieces of a set


def whole_piece(piece: Piece, place: int, name: str) -> "Figure":
    """One stretch of a piece of one metre, bar by bar, under a name."""
    from seqvae.view import grids

    clip = piece.stretches[place]
    title = f"{name}: {meter_name(clip.meter)}, {piece.tempo}"
    drawn = piece.notation.drawn(clip)
    return grids.grid_figure(drawn, piece.notation.rows([drawn]), *_lines(clip), title)


def together(
    pieces: Sequence[Piece],
    arrangement: Arrangement,
    name: str = "",
    labels: Sequence[str] = (),
    what: str = "clips",
) -> "Figure":
    """The beginnings of pieces in one picture: a `path` below each other, a `grid` in a square between its corners.

    Of a `set` the first hundred are drawn, each in its own metre and under its label, else under its number from 001.
    `what` the title calls them. A sweep has a title of its own; one of a single row stands below each other.
    """
    from seqvae.view import grids

    if isinstance(arrangement, Sweep):
        return _sweep(pieces, arrangement)
    if arrangement == "set":
        return _overview(pieces, name, labels or [f"{number:03}" for number in range(1, len(pieces) + 1)], what)
    firsts, notation = [piece.stretches[0] for piece in pieces], pieces[0].notation
    bar, total = steps_per_bar(firsts[0].meter, firsts[0].steps_per_quarter), len(pieces[0].bars)
    shown = min(total, PALETTE_BARS if arrangement == "grid" else STRIP_BARS)
    title = f"{name}: " if name else ""
    tempo = replace(pieces[0], items=[item for piece in pieces for item in piece.items]).tempo
    title += f"{counted(len(firsts), what)}, {meter_name(firsts[0].meter)}, {tempo}"
    title += f" (bars 1 to {shown} of {total})" if shown < total else ""
    drawn = [notation.drawn(clip.taken(0, shown * bar)) for clip in firsts]
    rows = notation.rows(drawn)
    if arrangement != "grid":
        return grids.strip_figure(drawn, rows, *_lines(firsts[0]), title)
    size = math.isqrt(len(drawn))
    square = [drawn[row * size : (row + 1) * size] for row in range(size)]
    return grids.palette_figure(square, rows, *_lines(firsts[0]), title)


def _sweep(pieces: Sequence[Piece], sweep: Sweep) -> "Figure":
    """The beginnings of pieces row by row; those of a single row below each other."""
    from seqvae.view import grids

    single = len(sweep.names) == 1
    panels = [_panel(piece, STRIP_BARS if single else PALETTE_BARS) for piece in pieces]
    rows = pieces[0].notation.rows([panel.drawn for panel in panels])
    if not single:
        return grids.sweep_figure(sweep.rows(panels), rows, sweep.names, sweep.heads, sweep.title, sweep.note)
    (line,) = sweep.rows(panels)
    lines = line[0].steps_per_beat, line[0].steps_per_bar
    return grids.strip_figure([panel.drawn for panel in line], rows, *lines, sweep.title, sweep.heads, sweep.note)


def _panel(piece: Piece, bars: int, label: str = "") -> "Panel":
    """So many first bars of a piece at most, of its first metre."""
    from seqvae.view.grids import Panel

    clip = piece.stretches[0]
    beat, bar = _lines(clip)
    return Panel(piece.notation.drawn(clip.taken(0, bars * bar)), beat, bar, label)


def _overview(pieces: Sequence[Piece], name: str, labels: Sequence[str], what: str) -> "Figure":
    """The beginnings of pieces side by side, under their labels."""
    from seqvae.view import grids

    panels, is_cut = [], False
    for piece, label in zip(pieces[:MOST_ON_SHEET], labels, strict=False):
        panels.append(_panel(piece, PALETTE_BARS, label))
        clip = piece.stretches[0]
        is_cut |= len(piece.bars) > min(PALETTE_BARS, len(clip) // panels[-1].steps_per_bar)
    title = f"{name}: " if name else ""
    title += f"{len(panels)} of {len(pieces):,} {what}" if len(panels) < len(pieces) else counted(len(pieces), what)
    title += f", bars 1 to {PALETTE_BARS} at most" if is_cut else ""
    return grids.overview_figure(panels, pieces[0].notation.rows([panel.drawn for panel in panels]), title)


def _lines(clip: Excerpt) -> tuple[int, int]:
    """Steps a beat and steps a bar."""
    return steps_per_beat(clip.meter, clip.steps_per_quarter), steps_per_bar(clip.meter, clip.steps_per_quarter)
