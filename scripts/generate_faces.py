"""The demo faces: 64 x 64 portraits in colour of people who do not exist, drawn from ellipses and lines.

A person is a shape of the head, colours of skin, hair and eyes, and distances between the features. Each portrait of a
person moves, turns, lights and smiles in its own way. Folders `train` and `test` hold a folder for each person; nobody
is in both.

    python scripts/generate_faces.py --help
"""

import colorsys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from generate_sentences import OneSentenceErrors
from PIL import Image, ImageDraw

SIDE = 64
FINER = 4  # drawn so many times as large, then averaged
Colour = tuple[int, int, int]


class Person(NamedTuple):
    """What all portraits of somebody share; lengths are pixels of the finished portrait."""

    width: float
    height: float
    hair_length: float  # below the middle of the head
    fringe: float
    eye_distance: float  # of each eye from the middle
    nose: float
    mouth: float
    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def person(rng: np.random.Generator) -> Person:
    """Somebody new."""
    light = rng.uniform(0.35, 0.98)
    return Person(
        width=rng.uniform(27, 35),
        height=rng.uniform(38, 46),
        hair_length=rng.uniform(-6, 22),
        fringe=rng.uniform(3, 10),
        eye_distance=rng.uniform(5.5, 8.5),
        nose=rng.uniform(4, 8),
        mouth=rng.uniform(7, 14),
        skin=_colour(rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.55), light),
        hair=_colour(rng.uniform(0.03, 0.12), rng.uniform(0.1, 0.8), rng.uniform(0.08, 0.8)),
        iris=_colour(rng.choice([0.08, 0.3, 0.58]), 0.6, rng.uniform(0.3, 0.7)),
        shirt=_colour(rng.uniform(), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9)),
    )


def portrait(who: Person, rng: np.random.Generator) -> np.ndarray:
    """(64, 64, 3) uint8: one portrait."""
    image = Image.new("RGB", (SIDE * FINER, SIDE * FINER), _colour(rng.uniform(), 0.25, rng.uniform(0.4, 0.9)))
    draw = ImageDraw.Draw(image)
    x, y = SIDE / 2 + rng.normal(0, 1.5), SIDE / 2 + 1 + rng.normal(0, 1.5)
    turn, smile = rng.normal(0, 1.5), rng.uniform(-2, 4)  # features move to the side as the head turns

    def ellipse(left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        draw.ellipse([part * FINER for part in (left, top, right, bottom)], fill=fill)

    def line(points: list[tuple[float, float]], fill: Colour, width: float) -> None:
        draw.line([(a * FINER, b * FINER) for a, b in points], fill=fill, width=round(width * FINER))

    half, tall = who.width / 2, who.height / 2
    ellipse(x - 24, y + tall - 2, x + 24, y + tall + 40, who.shirt)
    ellipse(x - half - 4, y - tall - 4, x + half + 4, y + max(2.0, who.hair_length), who.hair)
    line([(x, y + tall - 6), (x, y + tall + 5)], _scaled(who.skin, 0.85), 11)
    ellipse(x - half, y - tall, x + half, y + tall, who.skin)
    draw.chord([part * FINER for part in (x - half, y - tall, x + half, y + tall)],
               270 - 9 * who.fringe, 270 + 9 * who.fringe, fill=who.hair)  # fmt: skip
    for side in (-1, 1):
        eye = x + turn + side * who.eye_distance
        ellipse(eye - 3, y - 5, eye + 3, y - 1.5, (245, 245, 245))
        ellipse(eye - 1.6 + turn / 4, y - 5, eye + 1.6 + turn / 4, y - 1.5, who.iris)
        line([(eye - 3.5, y - 7.5), (eye + 3.5, y - 7.5)], _scaled(who.hair, 0.8), 1.2)
    line([(x + turn, y - 2), (x + 1.6 * turn, y + who.nose), (x + turn - 1, y + who.nose)], _scaled(who.skin, 0.75), 1)
    shares = np.linspace(-1, 1, 9)
    lips = [(x + turn + share * who.mouth / 2, y + 12 + smile * (0.5 - share**2)) for share in shares]
    line(lips, _scaled((200, 60, 60), 0.5 + who.skin[0] / 510), 1.8)
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    lit = 1 + np.linspace(-1, 1, SIDE)[None, :, None] * rng.normal(0, 0.12)
    return np.clip(np.rint(pixels * lit + rng.normal(0, 2, pixels.shape)), 0, 255).astype(np.uint8)


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Portraits in colour, as PNG files in a folder for each person."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--people", type=click.IntRange(1), default=200, show_default=True, help="To train on.")
@click.option("--held-out", type=click.IntRange(1), default=20, show_default=True, help="People to test on.")
@click.option("--portraits", type=click.IntRange(1), default=10, show_default=True, help="Of each person.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every portrait.")
def generate(out: Path, people: int, held_out: int, portraits: int, seed: int) -> None:
    """Draw portraits into the folders train and test."""
    for part, (name, count) in enumerate((("train", people), ("test", held_out))):
        for place in range(count):
            rng = np.random.default_rng((seed, part, place))
            who = person(rng)
            folder = out / name / f"person-{place:04}"
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(portraits):
                Image.fromarray(portrait(who, rng)).save(folder / f"{number:02}.png")
        click.echo(f"{out / name}: {count * portraits:,} portraits of {count:,} people")


if __name__ == "__main__":
    main()
