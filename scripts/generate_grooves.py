"""The demo grooves: drum patterns of named styles, composed by rules as MIDI, and a judge of which style a file is in.

A style is a page of patterns (groove_styles.py): some for each drum, of which every piece picks one and keeps it. Where
fills and crashes come, and how hands are early or late, is the same for all, unless pieces are played by hand: then
each has its swing, a snare and cymbals that are behind or ahead of the beat, and a touch. The shuffle is in triplets:
on a grid of 4 steps a quarter they go to the nearest step, on one of 12 to their own.

    python scripts/generate_grooves.py --help
"""

import functools
import itertools
import math
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from composing import BAR, QUARTER, files_of, midi_of, read_midi, write_corpus
from generate_sentences import OneSentenceErrors
from groove_styles import CLAP, CLOSED, CRASH, FEELS, HIGH, KICK, LOW, MID, OPEN, RIDE, SNARE, STICK, STYLES, Style

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

NOTE = QUARTER // 8

VELOCITIES = {"X": 112, "x": 90, "g": 44, "+": 84, "?": 40, "o": 96, "%": 88}
CHANCES = {"+": 0.3, "?": 0.4, "%": 0.3}  # in a bar, of what is played now and then
SETTLED = {"+": ".x+", "?": ".g?", "%": "xo%"}  # what a piece may make of it: leave out, play, or play now and then
OF_LIMB = {SNARE: "snare", STICK: "snare", CLAP: "snare"} | dict.fromkeys((CLOSED, OPEN, RIDE, CRASH), "cymbals")
OF_LETTER = {"k": KICK, "s": SNARE, "g": SNARE, "l": LOW, "m": MID, "h": HIGH}  # of a fill


@dataclass(frozen=True)
class Hit:
    """A drum hit: its tick, General MIDI pitch and velocity."""

    tick: int
    pitch: int
    velocity: int


def plain(style: str) -> list[Hit]:
    """Two bars of the first pattern of each row, exactly on the beat, without anything left to chance."""
    hits = []
    for row in STYLES[style].rows:
        bars = row.patterns[0].split("|")
        for bar, pattern in enumerate(itertools.islice(itertools.cycle(bars), 2)):
            for step, sign in enumerate(pattern):
                if sign in "Xxgo%":
                    hits.append(_hit(row.pitch, sign, bar * BAR + step * BAR // len(pattern)))
    return sorted(hits, key=_place)


def compose(style: str, rng: random.Random, by_hand: bool = False) -> tuple[list[Hit], int, int]:
    """The hits of a piece as they would be played, its bars (8 to 16, in phrases of four) and its tempo.

    By hand it is the same piece, played with the feel of its style and of a drummer of its own.
    """
    page = STYLES[style]
    bars = rng.choice((8, 8, 12, 16))
    bpm = rng.randint(*page.bpm)
    rows = [(row, _settled(rng.choice(row.patterns), rng).split("|")) for row in page.rows]
    changes = rng.random() < 0.4
    hits: list[Hit] = []
    crash = rng.random() < page.crash
    for bar in range(bars):
        pattern = [(row.second if row.second and changes and bar >= bars // 2 else row.pitch, choice[bar % len(choice)])
                   for row, choice in rows]  # fmt: skip
        played = _bar(pattern, rng)
        if crash:
            played = [hit for hit in played if hit.tick or hit.pitch not in (CLOSED, OPEN, RIDE, CRASH)]
            played.append(Hit(0, CRASH, 110))
        last_of_phrase = bar % 4 == 3
        filled = last_of_phrase and (bar == bars - 1 or rng.random() < 0.5)
        if filled:
            played = _filled(played, rng.choice(page.fills), len(pattern[0][1]))
        crash = filled and rng.random() < page.crash
        hits += [Hit(bar * BAR + hit.tick, hit.pitch, hit.velocity) for hit in played]
    return (_by_hand(hits, style, bpm, rng) if by_hand else _played(hits, page, bpm, rng)), bars, bpm


def _place(hit: Hit) -> tuple[int, int]:
    return hit.tick, hit.pitch


def _hit(pitch: int, sign: str, tick: int) -> Hit:
    return Hit(tick, OPEN if sign == "o" else pitch, VELOCITIES[sign])


def _settled(pattern: str, rng: random.Random) -> str:
    """The pattern as one piece plays it: most of what may be left out is played always or never."""
    return "".join(rng.choices(SETTLED[sign], (5, 3, 2))[0] if sign in SETTLED else sign for sign in pattern)


def _bar(rows: list[tuple[int, str]], rng: random.Random) -> list[Hit]:
    """One bar of the rows, by pitch and pattern, with what is played in some bars only."""
    hits = []
    for pitch, pattern in rows:
        for step, sign in enumerate(pattern):
            chosen = rng.random() < CHANCES.get(sign, 1.0)
            if sign == "%":
                hits.append(_hit(pitch, "o" if chosen else "x", step * BAR // len(pattern)))
            elif sign != "." and chosen:
                hits.append(_hit(pitch, sign, step * BAR // len(pattern)))
    return hits


def _filled(hits: list[Hit], fill: str, steps: int) -> list[Hit]:
    """A bar of so many steps whose end is a fill: there the kick plays on, and the hands leave the groove."""
    start = (steps - len(fill)) * BAR // steps
    kept = [hit for hit in hits if hit.tick < start or hit.pitch == KICK]
    for step, letter in enumerate(fill):
        if letter != ".":
            velocity = 44 if letter == "g" else 84 + 24 * step // len(fill)
            kept.append(Hit(start + step * BAR // steps, OF_LETTER[letter], velocity))
    return kept


def _played(hits: list[Hit], style: Style, bpm: int, rng: random.Random) -> list[Hit]:
    """The hits as hands play them: swung, a few milliseconds early or late, not all equally loud."""
    ticks_per_second = QUARTER * bpm / 60
    played: dict[tuple[int, int], Hit] = {}
    for hit in sorted(hits, key=_place):
        step, rest = divmod(hit.tick, QUARTER // 4)
        swung = style.swing * QUARTER / 4 if step % 2 and not rest else 0.0
        late = max(-2.5, min(2.5, rng.gauss(0, 1))) * style.late * ticks_per_second
        velocity = max(1, min(127, round(hit.velocity + rng.gauss(0, 5))))
        place = hit.tick, hit.pitch  # a fill may meet the kick of the groove: one hit of the two
        played[place] = Hit(max(0, round(hit.tick + swung + late)), hit.pitch, velocity)
    return sorted(played.values(), key=_place)


def _by_hand(hits: list[Hit], style: str, bpm: int, rng: random.Random) -> list[Hit]:
    """The hits as one drummer plays them, who keeps to a swing, to how late snare and cymbals are, and to a touch."""
    feel, ticks_per_second, step_ticks = FEELS[style], QUARTER * bpm / 60, QUARTER // 4
    swing, touch = rng.uniform(*feel.swing), rng.uniform(0.6, 1.25)
    seconds = {"snare": feel.snare + rng.gauss(0, 0.004), "cymbals": feel.cymbals + rng.gauss(0, 0.003)}
    played: dict[tuple[int, int], Hit] = {}
    for hit in sorted(hits, key=_place):
        step, rest = divmod(hit.tick, step_ticks)
        late = 0.0 if rest else (swing * (step % 2) + feel.steps[step % 4]) * step_ticks
        late += (seconds.get(OF_LIMB.get(hit.pitch, ""), 0.0) + rng.gauss(0, 0.002)) * ticks_per_second
        near = round(hit.tick / step_ticks) * step_ticks - hit.tick  # of triplets: where their step is
        late = max(near - 0.48 * step_ticks, min(near + 0.48 * step_ticks, late))
        velocity = max(1, min(127, round(86 + (hit.velocity - 86) * touch + rng.gauss(0, 3))))
        played[hit.tick, hit.pitch] = Hit(max(0, round(hit.tick + late)), hit.pitch, velocity)
    return sorted(played.values(), key=_place)


def to_midi(hits: list[Hit], bars: int, bpm: int) -> "PrettyMIDI":
    """The hits as one drum track of so many bars of 4/4."""
    from pretty_midi import ControlChange, Instrument, Note

    midi = midi_of(bars, bpm)
    drums = Instrument(program=0, is_drum=True, name="Drums")
    for hit in hits:
        start, end = midi.tick_to_time(hit.tick), midi.tick_to_time(hit.tick + NOTE)
        drums.notes.append(Note(hit.velocity, hit.pitch, start, end))
    # "All notes off" on the last tick: the track is as long as its bars.
    drums.control_changes.append(ControlChange(123, 0, midi.tick_to_time(bars * BAR - 1)))
    midi.instruments.append(drums)
    return midi


# Models write one pitch for each class of drums; what a class holds besides counts as that.
CLASSES = (KICK, SNARE, CLOSED, OPEN, LOW, 48, HIGH, CRASH, RIDE)
SAME = {35: KICK, STICK: SNARE, CLAP: SNARE, 40: SNARE, 44: CLOSED, 41: LOW, 43: LOW, MID: 48, 57: CRASH, 53: RIDE}


def bars_of(hits: list[Hit]) -> dict[int, set[tuple[int, int]]]:
    """For each bar that is not silent, its hits as (16th, class of drums)."""
    bars: dict[int, set[tuple[int, int]]] = {}
    for hit in hits:
        pitch = SAME.get(hit.pitch, hit.pitch)
        bar, step = divmod(round(hit.tick * 16 / BAR), 16)
        if pitch in CLASSES:
            bars.setdefault(bar, set()).add((step, pitch))
    return bars


@functools.cache
def _profiles() -> dict[str, dict[tuple[int, int], float]]:
    """For each style, the share of its bars in which a class of drums is hit on a 16th."""
    profiles = {}
    for style in STYLES:
        pieces = (compose(style, random.Random(f"profile/{style}/{number}"))[0] for number in range(40))
        bars = [bar for piece in pieces for bar in bars_of(piece).values()]
        counts = Counter(hit for bar in bars for hit in bar)
        places = itertools.product(range(16), CLASSES)
        profiles[style] = {place: (counts[place] + 0.5) / (len(bars) + 1) for place in places}
    return profiles


def style_of(hits: list[Hit]) -> str:
    """The style in which these hits are most likely, every hit by itself; ValueError where there are none."""
    bars = bars_of(hits).values()
    if not bars:
        raise ValueError("there are no drums in it; give MIDI files with hits on the drum channel.")

    def log_likelihood(style: str) -> float:
        profile = _profiles()[style].items()
        return sum(math.log(share if place in bar else 1 - share) for bar in bars for place, share in profile)

    return max(STYLES, key=log_likelihood)


def hits_of(path: Path) -> list[Hit]:
    """The drum hits of a MIDI file; ValueError for what is none."""
    midi = read_midi(path)
    scale = QUARTER / midi.resolution
    notes = (note for instrument in midi.instruments if instrument.is_drum for note in instrument.notes)
    return [Hit(round(midi.time_to_tick(note.start) * scale), note.pitch, note.velocity) for note in notes]


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Drum grooves of named styles: compose them, or name the styles of MIDI files."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--files", type=click.IntRange(len(STYLES)), default=320, show_default=True, help="Pieces, all styles.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every piece.")
@click.option("--by-hand", is_flag=True, help="The same pieces, each with the feel of its style and of a drummer.")
def generate(out: Path, files: int, seed: int, by_hand: bool) -> None:
    """Compose pieces of 8 to 16 bars of 4/4 into OUT/grooves, a folder for each style.

    OUT/grooves/info.csv names the style, tempo and split (train, valid, test) of each. OUT/clips holds two plain bars
    of each style, such as rock.mid: ends for interpolations, not meant for training.
    """

    def written(style: str, rng: random.Random) -> tuple["PrettyMIDI", dict[str, int]]:
        hits, bars, bpm = compose(style, rng, by_hand)
        return to_midi(hits, bars, bpm), {"bpm": bpm}

    def written_plain(style: str) -> "PrettyMIDI":
        return to_midi(plain(style), 2, sum(STYLES[style].bpm) // 2)

    write_corpus(out / "grooves", list(STYLES), files, seed, written, written_plain)


@main.command()
@click.argument("paths", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True, metavar="FILE...")
def check(paths: tuple[Path, ...]) -> None:
    """Print the style that each MIDI file is most likely in, of all files below a folder."""
    for file in files_of(paths):
        try:
            style = style_of(hits_of(file))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        click.echo(f"{file}: {style}")


if __name__ == "__main__":
    main()
