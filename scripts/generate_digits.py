"""The demo digits: 28 x 28 pictures of 0 to 9, drawn by strokes as a hand would, in MNIST's files.

A digit has one to three forms, each a few strokes through fixed points. A drawing moves the points a little, bends,
slants, turns and scales the whole, and chooses the width of the pen. Strokes are curves through their points; corners
are where one stroke ends and the next begins.

    python scripts/generate_digits.py --help
"""

import functools
import gzip
import os
import struct
from pathlib import Path

import click
import numpy as np
from generate_sentences import OneSentenceErrors

SIDE = 28
BOX = 18.0  # pixels that the longer side of a digit's middle lines takes; with the pen's width about 20, as in MNIST
CURVE = 4  # straight pieces between two points
CHUNK = 4  # pictures drawn at a time

Stroke = tuple[tuple[float, float], ...]
Form = tuple[Stroke, ...]

# For each digit its forms with how often each is met: points (x to the right, y down), in a box of 0 to 1.
FORMS: dict[int, tuple[tuple[float, Form], ...]] = {
    0: (
        (3, (((0.60, 0.02), (0.34, 0.04), (0.12, 0.30), (0.10, 0.66), (0.32, 0.96), (0.62, 0.95), (0.88, 0.68),
              (0.88, 0.32), (0.64, 0.05), (0.44, 0.04)),)),
        (1, (((0.72, 0.10), (0.42, 0.01), (0.12, 0.25), (0.08, 0.65), (0.36, 0.98), (0.70, 0.90), (0.92, 0.55),
              (0.82, 0.18), (0.55, 0.03), (0.40, 0.14)),)),
    ),
    1: (
        (5, (((0.52, 0.00), (0.50, 0.50), (0.48, 1.00)),)),
        (3, (((0.28, 0.24), (0.42, 0.13), (0.54, 0.00)), ((0.54, 0.00), (0.53, 0.50), (0.52, 1.00)))),
        (1, (((0.30, 0.22), (0.52, 0.00)), ((0.52, 0.00), (0.52, 0.98)), ((0.24, 0.99), (0.52, 0.98), (0.80, 0.98)))),
    ),
    2: (
        (3, (((0.10, 0.26), (0.28, 0.05), (0.60, 0.02), (0.80, 0.24), (0.66, 0.52), (0.38, 0.78), (0.10, 0.97)),
             ((0.10, 0.97), (0.50, 0.95), (0.92, 0.97)))),
        (2, (((0.10, 0.22), (0.34, 0.02), (0.70, 0.07), (0.78, 0.32), (0.54, 0.66), (0.22, 0.96), (0.07, 0.88),
              (0.24, 0.76), (0.50, 0.88), (0.74, 0.98), (0.96, 0.88)),)),
    ),
    3: (
        (3, (((0.12, 0.14), (0.40, 0.00), (0.74, 0.10), (0.72, 0.34), (0.38, 0.47)),
             ((0.38, 0.47), (0.76, 0.54), (0.86, 0.78), (0.56, 0.99), (0.08, 0.88)))),
        (1, (((0.10, 0.03), (0.46, 0.02), (0.80, 0.03)), ((0.80, 0.03), (0.60, 0.24), (0.40, 0.42)),
             ((0.40, 0.42), (0.78, 0.50), (0.84, 0.80), (0.52, 0.99), (0.10, 0.90)))),
    ),
    4: (
        (3, (((0.18, 0.02), (0.14, 0.30), (0.12, 0.54)), ((0.12, 0.54), (0.50, 0.54), (0.92, 0.50)),
             ((0.76, 0.04), (0.72, 0.50), (0.68, 1.00)))),
        (2, (((0.66, 0.00), (0.36, 0.33), (0.05, 0.66)), ((0.05, 0.66), (0.50, 0.66), (0.96, 0.65)),
             ((0.66, 0.00), (0.66, 0.50), (0.66, 1.00)))),
    ),
    5: (
        (3, (((0.86, 0.02), (0.55, 0.02), (0.26, 0.04)), ((0.26, 0.04), (0.21, 0.24), (0.17, 0.45)),
             ((0.17, 0.45), (0.48, 0.36), (0.82, 0.54), (0.82, 0.82), (0.50, 1.00), (0.08, 0.92)))),
        (1, (((0.92, 0.06), (0.60, 0.05), (0.30, 0.02)), ((0.30, 0.02), (0.22, 0.40)),
             ((0.22, 0.40), (0.60, 0.46), (0.76, 0.72), (0.52, 0.96), (0.14, 1.00)))),
    ),
    6: (
        (3, (((0.72, 0.01), (0.40, 0.20), (0.15, 0.54), (0.17, 0.87), (0.48, 1.00), (0.78, 0.83), (0.72, 0.59),
              (0.44, 0.54), (0.18, 0.76)),)),
        (1, (((0.46, 0.00), (0.26, 0.30), (0.14, 0.66), (0.30, 0.97), (0.64, 0.97), (0.82, 0.76), (0.60, 0.58),
              (0.30, 0.66), (0.20, 0.82)),)),
    ),
    7: (
        (4, (((0.08, 0.06), (0.46, 0.06), (0.88, 0.03)), ((0.88, 0.03), (0.64, 0.46), (0.44, 1.00)))),
        (2, (((0.08, 0.06), (0.46, 0.05), (0.88, 0.04)), ((0.88, 0.04), (0.66, 0.46), (0.46, 1.00)),
             ((0.34, 0.52), (0.56, 0.50), (0.80, 0.49)))),
        (1, (((0.10, 0.22), (0.12, 0.04)), ((0.12, 0.04), (0.50, 0.08), (0.88, 0.03)),
             ((0.88, 0.03), (0.72, 0.46), (0.64, 1.00)))),
    ),
    8: (
        (3, (((0.74, 0.12), (0.48, 0.00), (0.22, 0.15), (0.30, 0.37), (0.58, 0.53), (0.80, 0.76), (0.56, 0.99),
              (0.24, 0.91), (0.20, 0.70), (0.46, 0.48), (0.72, 0.30), (0.76, 0.13), (0.62, 0.03)),)),
        (1, (((0.54, 0.46), (0.26, 0.36), (0.28, 0.08), (0.58, 0.01), (0.76, 0.22), (0.54, 0.46), (0.22, 0.60),
              (0.20, 0.88), (0.50, 1.00), (0.80, 0.84), (0.74, 0.58), (0.54, 0.46)),)),
    ),
    9: (
        (3, (((0.80, 0.20), (0.52, 0.01), (0.20, 0.18), (0.22, 0.42), (0.52, 0.49), (0.78, 0.30), (0.82, 0.12)),
             ((0.82, 0.12), (0.78, 0.52), (0.70, 1.00)))),
        (1, (((0.80, 0.18), (0.50, 0.01), (0.20, 0.18), (0.24, 0.42), (0.54, 0.46), (0.80, 0.26), (0.82, 0.14)),
             ((0.82, 0.14), (0.82, 0.56), (0.66, 0.90), (0.26, 0.96)))),
    ),
}  # fmt: skip


@functools.cache
def curve(points: int) -> np.ndarray:
    """(pieces + 1, points): what turns the points of a stroke into a Catmull-Rom spline through them."""
    padded = np.vstack([np.eye(points)[:1], np.eye(points), np.eye(points)[-1:]])
    rows = []
    for span in range(points - 1):
        before, start, end, after = padded[span : span + 4]
        for t in np.arange(CURVE) / CURVE:
            rows.append(
                start
                + 0.5 * t * (end - before)
                + 0.5 * t**2 * (2 * before - 5 * start + 4 * end - after)
                + 0.5 * t**3 * (3 * start - before - 3 * end + after)
            )
    return np.vstack([*rows, padded[-1]])


def strokes_of(digit: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The strokes of one drawing, each (points, 2) in pixels from the middle of the picture."""
    weights, forms = zip(*FORMS[digit], strict=True)
    form = forms[rng.choice(len(forms), p=np.array(weights) / sum(weights))]
    moved: dict[tuple[float, float], np.ndarray] = {}  # what begins where another ends still does
    strokes = []
    for stroke in form:
        for point in stroke:
            moved.setdefault(point, np.array(point) - 0.5 + rng.normal(0, 0.028, 2))
        strokes.append(curve(len(stroke)) @ np.array([moved[point] for point in stroke]))
    bend, phase = rng.normal(0, 0.03, (2, 2)), rng.uniform(0, 2 * np.pi, (2, 2))
    wide = min(max(rng.normal(0.74, 0.12), 0.42), 1.0)
    slant, turn = rng.normal(0.14, 0.20), rng.normal(0, 0.09)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ np.array([[wide, -slant], [0, 1]])
    bent = [
        (stroke + sum(bend[axis] * np.sin(5 * stroke[:, axis, None] + phase[axis]) for axis in (0, 1))) @ matrix.T
        for stroke in strokes
    ]
    every = np.concatenate(bent)
    scale = min(BOX, BOX * rng.normal(0.97, 0.05)) / np.ptp(every, axis=0).max()
    middle = (every.max(0) + every.min(0)) / 2
    return [(stroke - middle) * scale for stroke in bent]


def segments_of(digit: int, rng: np.random.Generator) -> np.ndarray:
    """(pieces, 5): the straight pieces of one drawing, from (x, y) by (x, y), with half the width of the pen there."""
    half = min(max(rng.normal(1.25, 0.3), 0.75), 2.2)
    pieces = []
    for stroke in strokes_of(digit, rng):
        way = np.linspace(0, 1, len(stroke) - 1)
        pressure = 1 + 0.12 * np.sin(rng.uniform(0, 2 * np.pi) + 4 * way) - 0.15 * rng.random() * way
        pieces.append(np.column_stack([stroke[:-1], np.diff(stroke, axis=0), half * pressure]))
    drawn = np.concatenate(pieces)
    lengths = np.hypot(drawn[:, 2], drawn[:, 3])
    drawn[:, :2] -= lengths @ (drawn[:, :2] + drawn[:, 2:4] / 2) / lengths.sum()  # the centre of mass to the middle
    drawn[:, :2] += rng.normal(0, 0.3, 2)
    return drawn


def painted(drawings: list[np.ndarray]) -> np.ndarray:
    """(N, 28, 28) uint8: how much of each pixel is covered, by its distance from the strokes' middle lines."""
    longest = max(map(len, drawings))
    pieces = np.array([np.pad(drawing, ((0, longest - len(drawing)), (0, 0)), mode="edge") for drawing in drawings])
    pieces = pieces.astype(np.float32)
    start, along, half = pieces[:, :, :2], pieces[:, :, 2:4], pieces[:, :, 4:]
    places = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    pixels = np.stack([np.tile(places, SIDE), np.repeat(places, SIDE)])  # (2, pixels): x, y
    # With p from the start of a piece d to a pixel, the nearest point is at t = p.d / d.d, kept in [0, 1], and the
    # squared distance p.p - 2 t p.d + t^2 d.d; all are (N, pieces, pixels).
    length = (along**2).sum(-1, keepdims=True) + 1e-6
    product = along @ pixels - (along * start).sum(-1, keepdims=True)
    t = (product / length).clip(0, 1)
    squared = (start * -2) @ pixels + (start**2).sum(-1, keepdims=True) + (pixels**2).sum(0)
    squared += t * (t * length - 2 * product)
    covered = (half + 0.5 - np.sqrt(squared.clip(0))).max(1).clip(0, 1)
    return np.rint(255 * covered).astype(np.uint8).reshape(-1, SIDE, SIDE)


def draw(count: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 28, 28) uint8 and their digits (N,) uint8, each digit as often as the others, in random order."""
    rng = np.random.default_rng(seed)
    digits = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    pictures = [
        painted([segments_of(int(digit), rng) for digit in digits[start : start + CHUNK]])
        for start in range(0, count, CHUNK)
    ]
    return np.concatenate(pictures), digits


def _write(path: Path, values: np.ndarray) -> None:
    """Write an IDX file that takes its name only when it is whole."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
    os.replace(partial, path)


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Digits drawn by strokes, as images in MNIST's files."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--train", type=click.IntRange(10), default=10_000, show_default=True, help="Pictures for training.")
@click.option("--test", type=click.IntRange(10), default=2_000, show_default=True, help="Pictures for testing.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every picture.")
def generate(out: Path, train: int, test: int, seed: int) -> None:
    """Draw digits into four files with MNIST's names, of the pictures and their labels."""
    out.mkdir(parents=True, exist_ok=True)
    for part, (name, count) in enumerate((("train", train), ("t10k", test))):
        pictures, digits = draw(count, (seed, part))
        _write(out / f"{name}-images-idx3-ubyte.gz", pictures)
        _write(out / f"{name}-labels-idx1-ubyte.gz", digits)
        click.echo(f"{out / name}-images-idx3-ubyte.gz: {count:,} pictures of {SIDE} x {SIDE}")


if __name__ == "__main__":
    main()
