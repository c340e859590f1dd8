"""The demo grooves: each style's rules as a musician knows them, the files, and the judge of styles."""

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import CliRunner, Result

from seqvae.modalities.midi.parser import parse
from tests.scripts.loaded import refused, script

script("generate_sentences")
script("composing")
styles = script("groove_styles")
grooves = script("generate_grooves")

STYLES = styles.STYLES
KICK, SNARE, CLAP, STICK = styles.KICK, styles.SNARE, styles.CLAP, styles.STICK
CLOSED, OPEN, CRASH, RIDE = styles.CLOSED, styles.OPEN, styles.CRASH, styles.RIDE
LOW, MID, HIGH = styles.LOW, styles.MID, styles.HIGH
BAR, QUARTER = grooves.BAR, grooves.QUARTER
SIXTEENTH = QUARTER // 4


def run(*arguments: object) -> Result:
    """The outcome of one call of the script."""
    return CliRunner().invoke(grooves.main, [str(argument) for argument in arguments])


def pieces(style: str, count: int = 25) -> list[tuple[list, int, int]]:
    """Pieces of a style: hits, bars, tempo."""
    return [grooves.compose(style, random.Random(f"test/{style}/{number}")) for number in range(count)]


def grid(hits: list, pitch: int, bars: int, steps: int = 16) -> np.ndarray:
    """(bars, steps) bool: where a pitch is hit."""
    result = np.zeros((bars, steps), dtype=bool)
    for hit in hits:
        bar, step = divmod(round(hit.tick * steps / BAR), steps)
        if hit.pitch == pitch and bar < bars:
            result[bar, step] = True
    return result


def in_the_groove(bars: int) -> list[int]:
    """The bars that no fill can touch: all but each fourth."""
    return [bar for bar in range(bars) if bar % 4 != 3]


def test_patterns_are_bars_of_16_steps_or_12_in_known_signs():
    assert len(STYLES) == 12
    for style in STYLES.values():
        lengths = {len(bar) for row in style.rows for pattern in row.patterns for bar in pattern.split("|")}
        assert lengths in ({16}, {12})
        signs = {sign for row in style.rows for pattern in row.patterns for sign in pattern}
        assert signs <= set(grooves.VELOCITIES) | {".", "|"}
        assert all(len(fill) <= min(lengths) and set(fill) <= set(grooves.OF_LETTER) | {"."} for fill in style.fills)


@pytest.mark.parametrize("style", ["house", "disco"])
def test_four_to_the_floor_has_a_kick_on_every_quarter(style: str):
    for hits, bars, _ in pieces(style):
        assert grid(hits, KICK, bars)[:, ::4].all()
        assert not np.delete(grid(hits, KICK, bars), [0, 4, 8, 12], axis=1).any()


@pytest.mark.parametrize(
    ("style", "pitch"),
    [("funk", SNARE), ("house", CLAP), ("disco", SNARE), ("hiphop", SNARE), ("breakbeat", SNARE)],
)
def test_the_backbeat_is_on_two_and_four(style: str, pitch: int):
    hit = np.concatenate([grid(hits, pitch, bars)[in_the_groove(bars)] for hits, bars, _ in pieces(style)])
    assert hit[:, 4].all()
    assert hit[:, 12].mean() > 0.6  # some patterns of funk and breakbeat push the second one
    assert not hit[:, 0].any()


def test_rock_is_a_backbeat_or_half_time():
    for hits, bars, _ in pieces("rock", 60):
        snare = grid([hit for hit in hits if hit.velocity > 70], SNARE, bars)[in_the_groove(bars)]
        assert set(map(tuple, (bar.nonzero()[0].tolist() for bar in snare))) in ({(4, 12)}, {(8,)})


def test_reggae_drops_the_one():
    for hits, bars, _ in pieces("reggae"):
        kick = grid(hits, KICK, bars)[in_the_groove(bars)]
        assert kick[:, 8].all()
        assert not kick[:, :8].any()


def test_the_bossa_stick_plays_five_strokes_in_two_bars():
    for hits, bars, _ in pieces("bossa"):
        stick = grid(hits, STICK, bars)[:2].sum(axis=1).tolist()
        assert stick in ([3, 2], [2, 3])


def test_the_surdo_of_the_samba_answers_on_two_and_four():
    for hits, bars, _ in pieces("samba"):
        low = grid(hits, LOW, bars)[in_the_groove(bars)]
        assert low[:, [4, 12]].all()
        assert not low[:, [0, 8]].any()


def test_the_shuffle_leaves_out_the_second_triplet():
    for hits, bars, _ in pieces("shuffle"):
        hands = [hit for hit in hits if hit.pitch in (CLOSED, RIDE)]
        assert not any(grid(hands, pitch, bars, 12)[:, 1::3].any() for pitch in (CLOSED, RIDE))
        # On 16ths the triplets go to the nearest step: 2/3 of a beat to the fourth of four.
        assert not any(grid(hands, pitch, bars)[:, 1::2][:, ::2].any() for pitch in (CLOSED, RIDE))
        played = grid(hits, CLOSED, bars) | grid(hits, RIDE, bars) | grid(hits, OPEN, bars)
        assert played[in_the_groove(bars)][:, 3::4].all()


@pytest.mark.parametrize("style", STYLES)
def test_pieces_have_8_to_16_bars_a_tempo_of_the_style_and_no_hit_twice(style: str):
    for hits, bars, bpm in pieces(style, 10):
        assert bars in (8, 12, 16)
        assert STYLES[style].bpm[0] <= bpm <= STYLES[style].bpm[1]
        assert (bars - 1) * BAR <= max(hit.tick for hit in hits) < bars * BAR
        assert all(1 <= hit.velocity <= 127 and hit.tick >= 0 for hit in hits)
        steps = Counter((round(hit.tick / (SIXTEENTH / 3)), hit.pitch) for hit in hits)
        assert max(steps.values()) == 1


@pytest.mark.parametrize("style", STYLES)
def test_the_last_bar_ends_in_a_fill_for_which_the_hands_leave_the_cymbals(style: str):
    for hits, bars, _ in pieces(style, 10):
        last_beat = [hit.pitch for hit in hits if hit.tick > bars * BAR - 3.5 * SIXTEENTH]
        assert not set(last_beat) & {CLOSED, OPEN, RIDE, CRASH}
        assert set(last_beat) & {SNARE, LOW, MID, HIGH}


def test_hands_are_a_few_milliseconds_early_or_late_and_never_on_another_step():
    late = []
    for style, page in STYLES.items():
        for hits, _, bpm in pieces(style, 5):
            step = SIXTEENTH if len(page.rows[0].patterns[0]) == 16 else QUARTER // 3
            for hit in hits:
                swing = page.swing * SIXTEENTH if round(hit.tick / step) % 2 else 0.0
                away = hit.tick - swing - round(hit.tick / step) * step
                late.append(away / QUARTER * 60 / bpm * 1000)
    assert 2 < np.std(late) < 8
    assert np.abs(late).max() < 16


@pytest.mark.parametrize("style", STYLES)
def test_by_hand_a_piece_has_the_same_hits_on_the_same_steps(style: str):
    for seed in "abcdef":
        (plain, *facts), (played, *others) = (
            grooves.compose(style, random.Random(seed), hand) for hand in (False, True)
        )
        assert facts == others
        assert places(played) == places(plain)
        assert [hit.velocity for hit in played] != [hit.velocity for hit in plain]


def places(hits: list) -> list[tuple[int, int]]:
    return sorted((round(hit.tick / SIXTEENTH), hit.pitch) for hit in hits)


def lateness(hits: list, bpm: int, pitch: int) -> np.ndarray:
    """How late the hits of a pitch on even steps are, in seconds."""
    ticks = np.array([hit.tick for hit in hits if hit.pitch == pitch])
    steps = np.round(ticks / SIXTEENTH)
    return ((ticks - steps * SIXTEENTH) / QUARTER * 60 / bpm)[steps % 2 == 0]


def test_by_hand_the_snare_is_behind_the_beat_by_as_much_all_through_a_piece():
    means, within = [], []
    for number in range(40):
        hits, _, bpm = grooves.compose("hiphop", random.Random(number), True)
        late = lateness(hits, bpm, SNARE)
        means.append(late.mean())
        within.append(late.std())
        assert abs(lateness(hits, bpm, KICK).mean()) < 0.002
    assert 0.016 < np.mean(means) < 0.020
    assert 0.003 < np.std(means) < 0.005
    assert 0.0015 < np.mean(within) < 0.0025


def test_by_hand_every_second_step_of_hiphop_swings_and_each_piece_by_its_own_share():
    swings = []
    for number in range(40):
        hits, _, _ = grooves.compose("hiphop", random.Random(number), True)
        away = [
            hit.tick / SIXTEENTH - round(hit.tick / SIXTEENTH)
            for hit in hits
            if hit.pitch == KICK and round(hit.tick / SIXTEENTH) % 2
        ]
        swings.append(np.mean(away) if away else np.nan)
    assert 0.18 < np.nanmin(swings) < 0.24
    assert 0.29 < np.nanmax(swings) < 0.35


def test_fills_are_followed_by_a_crash_on_one_in_rock():
    crashes = [grid(hits, CRASH, bars) for hits, bars, _ in pieces("rock")]
    assert all(crash[0, 0] for crash in crashes)
    assert sum(crash[4::4, 0].sum() for crash in crashes) > 10
    assert not any(crash[:, 1:].any() for crash in crashes)


def test_a_piece_depends_on_its_seed_alone():
    assert grooves.compose("funk", random.Random("a")) == grooves.compose("funk", random.Random("a"))
    assert grooves.compose("funk", random.Random("a")) != grooves.compose("funk", random.Random("b"))


def test_plain_clips_are_two_exact_bars():
    rock = {(hit.tick // SIXTEENTH, hit.pitch) for hit in grooves.plain("rock")}
    assert {step for step, pitch in rock if pitch == SNARE} == {4, 12, 20, 28}
    assert {step for step, pitch in rock if pitch == KICK} == {0, 8, 16, 24}
    assert {step for step, pitch in rock if pitch == CLOSED} == set(range(0, 32, 2))
    for style, page in STYLES.items():
        step = SIXTEENTH if len(page.rows[0].patterns[0]) == 16 else QUARTER // 3
        assert all(hit.tick % step == 0 and hit.tick < 2 * BAR for hit in grooves.plain(style))


def test_files_stand_in_folders_of_their_style_with_a_table_of_splits(tmp_path: Path):
    for folder in ("one", "two"):
        assert run("generate", "--out", tmp_path / folder, "--files", 39, "--seed", 3).exit_code == 0
    with open(tmp_path / "one" / "grooves" / "info.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["midi_filename", "style", "bpm", "time_signature", "split"]
    assert Counter(row["style"] for row in rows) == {style: 4 if i < 3 else 3 for i, style in enumerate(STYLES)}
    assert Counter(row["split"] for row in rows) == {"train": 39 - 24, "valid": 12, "test": 12}
    files = sorted(path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*"))
    listed = [f"grooves/{row['midi_filename']}" for row in rows] + [f"clips/{style}.mid" for style in STYLES]
    assert files == sorted([*listed, "grooves/info.csv"])
    assert all(row["midi_filename"].startswith(f"{row['style']}/") for row in rows)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_files_hold_the_composed_hits_on_the_drum_channel_in_4_4(tmp_path: Path):
    run("generate", "--out", tmp_path, "--files", 12, "--seed", 5)
    hits, bars, bpm = grooves.compose("samba", random.Random("5/samba/1"))
    path = tmp_path / "grooves" / "samba" / "samba-001.mid"
    notes = parse(path.read_bytes(), path)
    written = list(zip(notes.tick.tolist(), notes.pitch.tolist(), notes.velocity.tolist(), strict=True))
    assert written == sorted((hit.tick, hit.pitch, hit.velocity) for hit in hits)
    assert (notes.ticks_per_quarter, notes.meters, set(notes.channel.tolist())) == (480, [(0, 4, 4)], {9})
    assert notes.tempos[0][1] == pytest.approx(bpm, abs=0.001)
    midi = pretty_midi.PrettyMIDI(str(path))
    assert midi.get_end_time() == pytest.approx(bars * 240 / bpm, abs=0.002)
    assert grooves.hits_of(path) == [*hits]


def test_files_by_hand_are_the_same_pieces_with_other_times(tmp_path: Path):
    for folder, flags in (("grid", ()), ("hand", ("--by-hand",))):
        assert run("generate", "--out", tmp_path / folder, "--files", 12, *flags).exit_code == 0
    grid, hand = ((tmp_path / folder / "grooves").rglob("*.mid") for folder in ("grid", "hand"))
    for one, other in zip(sorted(grid), sorted(hand), strict=True):
        assert places(grooves.hits_of(one)) == places(grooves.hits_of(other))
        assert one.read_bytes() != other.read_bytes()


def test_the_judge_names_the_style_of_pieces_and_of_pairs_of_bars():
    right = wrong = 0
    for style in STYLES:
        assert grooves.style_of(grooves.plain(style)) == style
        for hits, bars, _ in pieces(style, 4):
            for bar in range(0, bars, 2):
                pair = [grooves.Hit(hit.tick - bar * BAR, hit.pitch, 1) for hit in hits
                        if bar * BAR - 30 <= hit.tick < (bar + 2) * BAR - 30]  # fmt: skip
                if grooves.style_of(pair) == style:
                    right += 1
                else:
                    wrong += 1
    assert right / (right + wrong) > 0.97


def test_check_prints_the_style_of_each_file(tmp_path: Path):
    run("generate", "--out", tmp_path, "--files", 12)
    result = run("check", tmp_path / "clips", tmp_path / "grooves" / "house" / "house-001.mid")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 13
    assert lines[-1].endswith("house-001.mid: house")
    assert all(line.endswith(f"{style}.mid: {style}") for line, style in zip(lines, sorted(STYLES), strict=False))


def test_bad_input_is_told_in_one_sentence(tmp_path: Path):
    refused(run("generate", "--out", tmp_path, "--files", 3), "--files", "12")
    (tmp_path / "noise.mid").write_bytes(b"MThd no")
    refused(run("check", tmp_path / "noise.mid"), "noise.mid", "is not read as MIDI")
    silent = pretty_midi.PrettyMIDI()
    silent.instruments.append(pretty_midi.Instrument(0, is_drum=False))
    silent.instruments[0].notes.append(pretty_midi.Note(100, 60, 0.0, 1.0))
    silent.write(str(tmp_path / "piano.mid"))
    refused(run("check", tmp_path / "piano.mid"), "piano.mid", "no drums")
    (tmp_path / "empty").mkdir()
    refused(run("check", tmp_path / "empty"), "there is no .mid file", "empty")
    refused(run("check"), "FILE")


def test_pieces_of_another_run_are_not_mixed_in(tmp_path: Path):
    run("generate", "--out", tmp_path, "--files", 24)
    refused(run("generate", "--out", tmp_path, "--files", 12), "bossa-002.mid is left from another run")
