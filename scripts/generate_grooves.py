"""The demo grooves: drum patterns of named styles, composed by rules as MIDI, and a judge of which style a file is in.

A style is a page of patterns (groove_styles.py): some for each drum, of which every piece picks one and keeps it. Where
fills and crashes come, and how hands are early or late, is the same for all. The shuffle is in triplets: on a grid of 4
steps a quarter they go to the nearest step, on one of 12 to their own.

    python scripts/generate_grooves.py --help
"""

import csv
import functools
import io
import itertools
import math
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from generate_sentences import OneSentenceErrors
from groove_styles import CLAP, CLOSED, CRASH, HIGH, KICK, LOW, MID, OPEN, RIDE, SNARE, STICK, STYLES, Style

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

QUARTER = 480  # ticks
BAR = 4 * QUARTER
NOTE = QUARTER // 8

VELOCITIES = {"X": 112, "x": 90, "g": 44, "+": 84, "?": 40, "o": 96, "%": 88}
CHANCES = {"+": 0.3, "?": 0.4, "%": 0.3}  # in a bar, of what is played now and then
SETTLED = {"+": ".x+", "?": ".g?", "%": "xo%"}  # what a piece may make of it: leave out, play, or play now and then
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


def compose(style: str, rng: random.Random) -> tuple[list[Hit], int, int]:
    """The hits of a piece as they would be played, its bars (8 to 16, in phrases of four) and its tempo."""
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
    return _played(hits, page, bpm, rng), bars, bpm


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


def to_midi(hits: list[Hit], bars: int, bpm: int) -> "PrettyMIDI":
    """The hits as one drum track of so many bars of 4/4."""
    from pretty_midi import ControlChange, Instrument, Note, PrettyMIDI, TimeSignature

    midi = PrettyMIDI(resolution=QUARTER, initial_tempo=bpm)
    midi.time_signature_changes.append(TimeSignature(4, 4, 0.0))
    midi.tick_to_time(bars * BAR)  # makes the table of ticks, without which times are rounded
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
    from pretty_midi import PrettyMIDI

    try:
        midi = PrettyMIDI(str(path))
    except (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not read as MIDI ({error}); give MIDI files.") from None
    scale = QUARTER / midi.resolution
    notes = (note for instrument in midi.instruments if instrument.is_drum for note in instrument.notes)
    return [Hit(round(midi.time_to_tick(note.start) * scale), note.pitch, note.velocity) for note in notes]


def split_of(number: int, files: int) -> str:
    """A tenth of a style's pieces, at least one of three, to each of valid and test; numbers count from 1."""
    tenth = max(round(files / 10), files >= 3)
    return "test" if number <= tenth else "valid" if number <= 2 * tenth else "train"


def _write(path: Path, content: bytes) -> None:
    """Write a file that takes its name only when it is whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _write_midi(path: Path, hits: list[Hit], bars: int, bpm: int) -> None:
    content = io.BytesIO()
    to_midi(hits, bars, bpm).write(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content.getvalue())


@click.group(cls=OneSentenceErrors)
def main() -> None:
    """Drum grooves of named styles: compose them, or name the styles of MIDI files."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--files", type=click.IntRange(len(STYLES)), default=320, show_default=True, help="Pieces, all styles.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every piece.")
def generate(out: Path, files: int, seed: int) -> None:
    """Compose pieces of 8 to 16 bars of 4/4 into OUT/grooves, a folder for each style.

    OUT/grooves/info.csv names the style, tempo and split (train, valid, test) of each. OUT/clips holds two plain bars
    of each style, such as rock.mid: ends for interpolations, not meant for training.
    """
    grooves = out / "grooves"
    counts = {style: files // len(STYLES) + (place < files % len(STYLES)) for place, style in enumerate(STYLES)}
    names = {style: [f"{style}/{style}-{number:03d}.mid" for number in range(1, counts[style] + 1)] for style in STYLES}
    wanted = set(itertools.chain(*names.values()))
    for path in sorted(grooves.rglob("*.mid")):
        # A piece left over from another run may be in another split than its like.
        if path.relative_to(grooves).as_posix() not in wanted:
            raise ValueError(f"{path} is left from another run; delete it or choose another --out.")
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["midi_filename", "style", "bpm", "time_signature", "split"])
    for style, paths in names.items():
        for number, name in enumerate(paths, 1):
            hits, bars, bpm = compose(style, random.Random(f"{seed}/{style}/{number}"))
            _write_midi(grooves / name, hits, bars, bpm)
            rows.writerow([name, style, bpm, "4-4", split_of(number, len(paths))])
        _write_midi(out / "clips" / f"{style}.mid", plain(style), 2, sum(STYLES[style].bpm) // 2)
        click.echo(f"{grooves / style}: {len(paths)} pieces")
    _write(grooves / "info.csv", table.getvalue().encode())
    click.echo(f"{grooves / 'info.csv'}: {files} pieces of {len(STYLES)} styles")


@main.command()
@click.argument("paths", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True, metavar="FILE...")
def check(paths: tuple[Path, ...]) -> None:
    """Print the style that each MIDI file is most likely in, of all files below a folder."""
    files = [file for path in paths for file in (sorted(path.rglob("*.mid")) if path.is_dir() else [path])]
    if not files:
        raise ValueError(
            f"there is no .mid file in {', '.join(map(str, paths))}; give MIDI files, or a folder of them."
        )
    for file in files:
        try:
            style = style_of(hits_of(file))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        click.echo(f"{file}: {style}")


if __name__ == "__main__":
    main()
