"""The styles of the demo grooves: a page of drum patterns for each, as a drummer would jot them down.

A pattern is one bar of 4/4, of 16 steps or, in triplets, of 12. Its signs: X accent, x hit, g ghost note, o open hat;
and what a piece may leave out, play, or play now and then: + a hit, ? a ghost note, % an open hat in place of a closed.
Fills are written in letters: s snare, h m l high, mid and low tom, k kick, g ghost note.
"""

from dataclasses import dataclass

KICK, STICK, SNARE, CLAP, CLOSED, OPEN, CRASH, RIDE = 36, 37, 38, 39, 42, 46, 49, 51
LOW, MID, HIGH = 45, 47, 50


@dataclass(frozen=True)
class Row:
    """What one drum plays: a piece picks one of `patterns`; "|" parts those that go over two bars.

    In pieces that change their colour half-way, `second` is played in place of `pitch` from there on.
    """

    pitch: int
    patterns: tuple[str, ...]
    second: int | None = None


@dataclass(frozen=True)
class Feel:
    """How a style is played by hand: of `swing` and of what else a piece has of its own, it picks its share."""

    swing: tuple[float, float] = (0.0, 0.0)  # how late every second step is, in steps: the least and the most
    steps: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # how late each step of a beat is besides, in steps
    snare: float = 0.0  # how late snare, stick and clap are, in seconds
    cymbals: float = 0.0  # how late hats, rides and crashes are, in seconds


@dataclass(frozen=True)
class Style:
    """The tempos of a style in quarters a minute, its rows, its fills (the end of a bar), how often crashes come."""

    bpm: tuple[int, int]
    rows: tuple[Row, ...]
    fills: tuple[str, ...]
    crash: float = 1.0
    swing: float = 0.0  # how late every second step is, in steps
    late: float = 0.006  # deviation of the timing, in seconds


BACKBEAT = "....X.......X..."
LOOSE_BACKBEAT = "....X..?.?..X..?"
FOUR_TO_THE_FLOOR = "X...X...X...X..."
TOM_FILLS = ("hhmmll", "sshhmmll", "sssshhmmllll", "sshm", "s.ss.shhm.ll", "shml")

STYLES = {
    "rock": Style(
        (104, 140),
        (
            Row(KICK, ("X.......X.+..+..", "X.+...x.X.+.....", "X..+..+.x.x...+.", "X..+....X.x...x.")),
            Row(SNARE, (BACKBEAT, BACKBEAT, LOOSE_BACKBEAT, LOOSE_BACKBEAT, "........X..?..?.")),
            Row(CLOSED, ("X.x.X.x.X.x.X.x.", "X.x.X.%.X.x.X.%.", "X.%.X.x.X.%.X.x."), second=RIDE),
        ),
        TOM_FILLS,
    ),
    "funk": Style(
        (92, 112),
        (
            Row(KICK, ("X.x...+...x..x..", "X..x..x...x..+..", "X..+..x..xx...+.", "X..+..x.x..+..x.")),
            Row(SNARE, ("....X..g.g.?X..g", "....X..?.g..X..?", "....X.?g.?.gX...", "....X..g.g.?X.g.")),
            Row(CLOSED, ("XxxxXxxxXxxxXxxx", "X.xxX.x%X.xxX.%.", "XxxxXx%.XxxxXx%.")),
        ),
        ("s.ss.s.s", "g.sg.sss", "ssss", "s.hm.lss"),
        crash=0.5,
    ),
    "house": Style(
        (118, 128),
        (
            Row(KICK, (FOUR_TO_THE_FLOOR,)),
            Row(CLAP, (BACKBEAT, "....X..?....X..+", "....X.......X.?.")),
            Row(OPEN, ("..X...X...X...X.",)),
            Row(CLOSED, ("................", "x..+x..+x..+x..+", "?+.??+.??+.??+.?")),
        ),
        ("s...s...s.s.ssss", "s.s.ssss", "..s.ss.s"),
        crash=0.4,
        late=0.002,
    ),
    "samba": Style(
        (94, 114),
        (
            Row(KICK, ("x..xX..xx..xX..x",)),
            Row(SNARE, ("x.x.xx.x.x.x.xx.", "x.xx.x?xx.x.x.xx", "x.xx?xx.x?xx.x.x", "xgxx?xgxx?xx?xgx")),
            Row(RIDE, ("XxxxXxxxXxxxXxxx", "X?xxX?xxX?xxX?xx")),
            Row(LOW, ("....X.......X...", "....X..+....X.x+")),
        ),
        ("s.ssl.ll", "mmllmmll", "ss.ss.ll"),
        crash=0.3,
    ),
    "shuffle": Style(
        (96, 132),
        (
            Row(KICK, ("X.....X.....", "X.+..+X....+", "X....xX.+..+")),
            Row(SNARE, ("...X.....X..", "?.?X.??.?X.?", "..?X....gX.?")),
            Row(CLOSED, ("X.xX.xX.xX.x", "X.xX.%X.xX.%"), second=RIDE),
        ),
        ("sss", "hhmmll", "shm", "shmmll"),
        crash=0.7,
        late=0.003,
    ),
    "bossa": Style(
        (120, 146),
        (
            Row(KICK, ("X.....x.X.....x.",)),
            Row(STICK, ("X.....x.....x...|....x.....x.....", "....x.....x.....|X.....x.....x...")),
            Row(CLOSED, ("x.x.x.x.x.x.x.x.", "xgxgxgxgxgxgxgxg", "x?x?x?x?x?x?x?x?"), second=RIDE),
            Row(LOW, ("................", "....?.......?.?.")),
        ),
        ("m.l.", "s.m.l.l."),
        crash=0.15,
    ),
    "reggae": Style(
        (68, 84),
        (
            Row(KICK, ("........X.......", "........X..+....", "........X.....+.")),
            Row(STICK, ("........X.......", "........X..?..?.", "...?..?.X.....?.")),
            Row(CLOSED, ("x.X.x.X.x.X.x.X.", "x.X.x.%.x.X.x.%.", "x.X?x.X?x.X?x.X?")),
        ),
        ("s.hs.hml", "shml", "s..s..l."),
        crash=0.6,
        swing=0.15,
    ),
    "disco": Style(
        (110, 126),
        (
            Row(KICK, (FOUR_TO_THE_FLOOR,)),
            Row(SNARE, (BACKBEAT, LOOSE_BACKBEAT, "....X.......X?g?")),
            Row(CLOSED, ("xxoxxxoxxxoxxxox", "x?oxx?oxx?oxx?ox", "x?o?x?o?x?o?x?o?")),
        ),
        ("hhmmllss", "sshhmmll", "ssss"),
    ),
    "hiphop": Style(
        (82, 98),
        (
            Row(KICK, ("X......x..X..+..", "X.x....+..X..+..", "X..+...x.xX...+.", "X..x..+...x...+.")),
            Row(SNARE, (BACKBEAT, "....X..?....X..?", "....X....?..X...")),
            Row(CLOSED, ("x.x.x.x.x.x.x.x.", "x.x?x.xxx.x?x.x.", "x.x.x.%.x.x.x.%.")),
        ),
        ("s.ss", "k.ks.ss.", "...s"),
        crash=0.2,
        swing=0.25,
    ),
    "metal": Style(
        (150, 190),
        (
            Row(KICK, ("xxxxxxxxxxxxxxxx", "x+xxx+xxx+xxx+xx", "x.x+x.x+x.x+x.x+", "xxx+xxx+xxx+xxx+")),
            Row(SNARE, (BACKBEAT, BACKBEAT, "........X.......")),
            Row(CRASH, ("X...X...X...X...", "X.......X.......", "X...+...X...+.+."), second=RIDE),
        ),
        ("sshhmmll", "sssshhhhmmmmllll", "hhmmllll"),
        late=0.003,
    ),
    "country": Style(
        (100, 124),
        (
            Row(KICK, ("X...x...X...x...", "X.....+.X.....+.")),
            Row(SNARE, ("ggXgggXgggXgggXg", "g?Xgg?Xgg?Xgg?X+", "ggXg?gXgggX+?gX+")),
            Row(CLOSED, ("....x.......x...", "....x...?...x...")),
        ),
        ("ssssllll", "s.sss.ml", "hhll"),
        crash=0.3,
    ),
    "breakbeat": Style(
        (160, 174),
        (
            Row(KICK, ("X..+......x.....", "X.x....+..x..+..", "X.+.......xx..+.")),
            Row(SNARE, ("....X..g.g..X..?", "....X..?.g..X..?|....X..g.g....X.", "....X..g.?..X?.g")),
            Row(CLOSED, ("x.x.x.x.x.x.x.x.", "x.x?x.x.x.x?x.%."), second=RIDE),
        ),
        ("s.ss.ss.", "ss.s", "s..s..ss"),
        crash=0.6,
        late=0.003,
    ),
}

# As bands of these styles are said to play: backbeats behind the beat in rock, hip-hop and reggae, hats ahead of it in
# disco, the middle of a samba's beats pulled together, house and breakbeats a little swung, metal on top.
FEELS = {
    "rock": Feel(snare=0.010),
    "funk": Feel(swing=(0.05, 0.2), snare=0.006),
    "house": Feel(swing=(0.0, 0.2)),
    "samba": Feel(steps=(0.0, 0.05, -0.12, -0.2)),
    "shuffle": Feel(snare=0.008),
    "bossa": Feel(steps=(0.0, 0.0, -0.06, -0.06), snare=-0.005),
    "reggae": Feel(swing=(0.1, 0.25), snare=0.014),
    "disco": Feel(cymbals=-0.010),
    "hiphop": Feel(swing=(0.2, 0.33), snare=0.018, cymbals=-0.004),
    "metal": Feel(snare=-0.004, cymbals=-0.006),
    "country": Feel(swing=(0.08, 0.16), snare=-0.004),
    "breakbeat": Feel(swing=(0.05, 0.15), snare=0.004),
}
