"""What a grid loses: each kind by hand, other grids against counting cells, and what the report says."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from seqvae.corpus import prepare
from seqvae.modalities.base import Report
from seqvae.modalities.midi.classes import GENERAL_MIDI, ROLAND
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.grid import GRIDS, layout
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.losses import Losses
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.settings import DrumData
from tests.modalities.midi.smf import hits, midi
from tests.modalities.midi.songs import BAR, read, song, source_of, write


def notes_of(rng: np.random.Generator, quarter: int) -> Notes:
    """Sixty hits of three classes within four bars, many of them on one step."""
    tick = np.sort(rng.integers(0, 16 * quarter, 60) // rng.integers(1, 20) * rng.integers(1, 3))
    return Notes(quarter, tick, rng.choice([35, 36, 38, 42], 60), np.full(60, 99), np.full(60, 9))


def cells(notes: Notes, grid: int, bars: list[tuple[int, int]], own: int) -> tuple[int, int]:
    """The notes of these bars on the own grid, and the places of another grid that they share."""
    table, half = GENERAL_MIDI.table, Fraction(1, 2)
    places = [Fraction(int(tick), notes.ticks_per_quarter) for tick in notes.tick]
    inside = [any(first <= (place * own + half) // (4 * own) < last for first, last in bars) for place in places]
    voices = table[notes.pitch].tolist()
    found = [
        ((place * grid + half) // 1, voice) for place, voice, takes in zip(places, voices, inside, strict=True) if takes
    ]
    return len(found), len(set(found))


@pytest.mark.parametrize("own", GRIDS)
def test_what_each_grid_loses_is_what_counting_its_cells_gives(own: int) -> None:
    rng, losses = np.random.default_rng(0), Losses()
    total, expected = 0, dict.fromkeys(GRIDS, 0)
    for file in range(40):
        notes = notes_of(rng, int(rng.choice([96, 120, 480])))
        if file > 36:  # hits of one class at one time, in files of their own
            notes = Notes(480, *(np.array([value]) for value in (0, 36, 99, 9)))
        taken = DrumPart(GENERAL_MIDI).take(notes)
        (segment,) = layout(notes, taken.places, own).segments
        bars = [(0, segment.bars)] if file % 2 else [(0, 1), (2, 3)]
        losses.take(segment, taken.voices, bars)
        total += cells(notes, own, bars, own)[0]
        for grid in GRIDS:
            count, places = cells(notes, grid, bars, own)
            expected[grid] += count - places
    losses.flush()
    assert losses.notes == total
    assert dict(losses.lost) == expected
    assert losses.kinds.total() == expected[own]
    assert min(expected.values()) > 0


def test_a_lost_hit_is_named_by_its_distance_from_the_one_before(tmp_path: Path) -> None:
    struck = [(0, 35), (0, 36), (480, 38), (480, 38), (960, 38), (960 + 39, 38), (BAR, 42), (BAR + 59, 42)]
    struck += [(BAR + 480 - 50, 38), (BAR + 480 + 20, 38), (BAR + 960 - 10, 42), (BAR + 960 + 30, 42)]
    write(tmp_path, {"a.mid": midi(hits(struck))})
    _, counts = read(tmp_path)
    assert {name: count for name, count in counts.items() if "lost" in name} == {
        "hits lost to the grid: at once with another pitch of their class": 1,
        "hits lost to the grid: at once with their own pitch": 1,
        "hits lost to the grid: flams closer than 1/12 of a quarter": 1,
        "hits lost to the grid: 32nds": 2,
        "hits lost to the grid: triplets of sixteenths": 1,
    }


def test_the_report_says_which_grid_would_lose_fewer_and_what_is_played_in_triplets(tmp_path: Path) -> None:
    struck = [(0, 36), (59, 36), (480, 38), (640, 38), (800, 38), (BAR, 36), (BAR + 15, 36), (BAR + 1000, 36)]
    write(tmp_path, {"a.mid": midi(hits(struck)), "b.mid": song(2)})
    report = Report()
    list(source_of().read([tmp_path], report))
    assert report.lines()[-2:] == [
        "lost to the grid: 20.0 % of the hits at 4 steps a quarter; 8 would lose 10.0 %, 12 10.0 %, 24 0.0 %: "
        "data.steps_per_quarter",
        "nearer to a triplet than to a step: 20.0 % of the hits; 12 and 24 steps a quarter hold both",
    ]
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    finest, plain = Report(), Report()
    list(source_of(steps_per_quarter=24).read([tmp_path / "a.mid"], finest))
    list(source_of().read([tmp_path / "b.mid"], plain))
    assert (finest.remarks, plain.remarks) == ([], [])


def test_hits_on_one_tick_are_lost_to_every_grid(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": midi(hits([(0, 35), (0, 36), (BAR, 36)]))})
    report = Report()
    list(source_of().read([tmp_path], report))
    assert report.remarks == ["lost to the grid: 33.3 % of the hits at 4 steps a quarter; no other grid loses fewer"]


def test_a_corpus_without_this_account_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "data", {"a.mid": midi(hits([(0, 36), (59, 36), (BAR, 36)]))})
    drums = Drums(DrumData())
    corpus = prepare(drums, [tmp_path / "data"])
    meta = json.loads((corpus.folder / "corpus.json").read_text())
    meta["report"]["counts"]["hits"]["lost to the grid"] = 1
    del meta["report"]["remarks"]
    (corpus.folder / "corpus.json").write_text(json.dumps(meta | {"format": 2}))
    again = prepare(drums, [tmp_path / "data"])
    assert again.report == corpus.report
    assert again.report.remarks


def test_other_grids_lose_of_the_groove_dataset_what_was_foretold(shared_data: Path) -> None:
    foretold, source = Report(), [shared_data / "gmd"]
    list(source_of(bars=1, classes=ROLAND).read(source, foretold))
    shares = {4: "6.9", 8: "2.8", 12: "1.5", 24: "0.4"}
    assert ", ".join(f"{grid} {shares[grid]} %" for grid in GRIDS[2:]) in foretold.remarks[0]
    for grid in GRIDS[1:3]:
        report = Report()
        list(source_of(bars=1, classes=ROLAND, steps_per_quarter=grid).read(source, report))
        lost, kept = report.of("lost to the grid", "hits"), report.of("on the grid", "hits")
        assert f"{100 * lost / (lost + kept):.1f}" == shares[grid]
