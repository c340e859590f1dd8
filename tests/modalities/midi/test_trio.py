"""Melody, bass and drums of a file that are heard together: which tracks, which windows, and what comes back."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from pretty_midi import PrettyMIDI

from seqvae.data import collate
from seqvae.modalities.base import Report
from seqvae.modalities.midi.ensemble import BASS, DRUMS, MELODY, Ensemble, joined
from seqvae.modalities.midi.ensemble_part import MOST_WAYS, EnsemblePart
from seqvae.modalities.midi.grid import layout
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.phrase import HOLD, OFF
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import score_of
from seqvae.modalities.midi.trio import Trio
from seqvae.modalities.midi.voice_settings import TrioData
from seqvae.modalities.midi.windows import pieces
from seqvae.modalities.midi.writing import midi_bytes
from seqvae.noise import Noise
from tests.modalities.midi.edge_files import outcome
from tests.modalities.midi.smf import hits, midi
from tests.modalities.midi.songs import counts_of, write
from tests.modalities.midi.tunes import song, track

BAR = 16  # steps
KICK, SNARE = 1, 2  # sets of drums


def trio(**settings: object) -> Trio:
    return Trio(TrioData(**settings))  # type: ignore[arg-type]


def line(bars: list[int], pitch: int, name: str = "", channel: int = 0, program: int = 0) -> bytes:
    """A track with a quarter at the beginning of each of these bars."""
    return track([(bar * BAR, bar * BAR + 4, pitch) for bar in bars], name, channel, program)


def beat(bars: list[int]) -> bytes:
    return hits((bar * 1920, 36) for bar in bars)


def band(melody: list[int], bass: list[int], drums: list[int]) -> Notes:
    """A song whose parts play in these bars."""
    return song(line(melody, 72, "Lead"), line(bass, 40, "Low", 1, 33), beat(drums))


def read(folder: Path, **settings: object) -> tuple[list[Ensemble], Report]:
    report = Report()
    return list(trio(**settings).read([folder], report)), report


def cut(notes: Notes, **settings: object) -> list[Ensemble]:
    """A whole piece in windows, one after another."""
    source = trio(**settings).source
    song = score_of(source, notes, "the file").song(source.data, [(4, 4)])
    return list(song.items)


def test_a_step_is_what_melody_bass_and_drums_do() -> None:
    notes = song(
        track([(0, 4, 72), (4, 6, 74), (4, 6, 60)], "Lead", 0, 5),
        track([(2, 8, 40)], "Low", 1, 33),
        hits([(0, 36), (0, 42), (4 * 120, 38)]),
    )
    (item,) = cut(notes, bars=1)
    assert item.events[:9].tolist() == [
        [72, HOLD, 5], [HOLD, HOLD, 0], [HOLD, 40, 0], [HOLD, HOLD, 0], [74, HOLD, SNARE], [HOLD, HOLD, 0],
        [OFF, HOLD, 0], [HOLD, HOLD, 0], [HOLD, OFF, 0],
    ]  # fmt: skip
    assert item.programs == (5, 33, 0)
    x = trio(bars=1).encode(item, Report())
    assert x is not None
    assert (x.dtype, x[:3].tolist()) == (np.dtype("uint16"), [[53, 0, 5], [0, 0, 0], [0, 21, 0]])


def test_of_notes_that_began_before_nothing_is_heard_in_a_part_of_an_ensemble() -> None:
    voices = np.array([60, HOLD, HOLD, OFF, 62]), np.array([HOLD, 40, HOLD, HOLD, OFF])
    whole = Ensemble(joined(*voices, np.array([1, 0, 2, 0, 3])), bpm=90.0, programs=(5, 33, 8))
    part = whole.taken(2, 5)
    assert part.events.T.tolist() == [[HOLD, HOLD, 62], [HOLD, HOLD, HOLD], [2, 0, 3]]
    assert (part.bpm, part.programs) == (90.0, (5, 33, 8))
    assert whole.events[3].tolist() == [OFF, HOLD, 0], "the whole one stays as it is"


def test_every_melody_is_read_with_every_bass_and_the_drums(tmp_path: Path) -> None:
    both = [0, 1]
    content = midi(
        b"",
        line(both, 72, "One", 0, 0), line(both, 74, "Two", 1, 31), line(both, 76, "Strings", 2, 48),
        line(both, 40, "Low", 3, 32), line(both, 43, "Lower", 4, 39), beat(both),
    )  # fmt: skip
    items, report = read(write(tmp_path, {"song.mid": content}), bars=2)
    assert {(i.events[0, MELODY], i.events[0, BASS]) for i in items} == {(72, 40), (72, 43), (74, 40), (74, 43)}
    assert [item.programs for item in items] == [(0, 32, 0), (0, 39, 0), (31, 32, 0), (31, 39, 0)]
    assert all(item.events[::BAR, DRUMS].tolist() == [KICK, KICK] for item in items)
    counts = counts_of(report)
    assert (counts["windows found"], counts["notes found"], counts["notes on the grid"]) == (4, 10, 10)


def test_a_whole_piece_has_the_lines_that_play_in_most_bars_and_all_windows_have_names(tmp_path: Path) -> None:
    content = midi(b"", line([0], 72), line([0, 1, 2], 74, "", 1), line([0, 1, 2], 40, "", 2, 33), beat([0, 1, 2]))
    path = write(tmp_path, {"song.mid": content}) / "song.mid"
    model = trio(bars=1)
    model.fit(lambda: read(tmp_path, bars=1)[0])
    assert [item.events[0, MELODY] for item in model.accept(path)] == [74, 74, 74]
    named = list(model.named([tmp_path], Report()))
    assert [one.name.rpartition("#")[2] for one in named] == ["0", "1", "2", "3", "4", "5"]
    assert [one.item for one in named] == read(tmp_path, bars=1)[0]
    for one in named:
        assert model.find(one.name, Report())[0].item == one.item


def brute_force(playing: list[list[bool]], gap: int) -> list[bool]:
    """Magenta's rule as its converter of trios words it, bar by bar."""
    bars = len(playing[0])
    filled = [[any(part[max(0, j - gap) : min(bars, j + gap) + 1]) for j in range(bars)] for part in playing]
    covered = [all(part[j] for part in filled) for j in range(bars)]
    covered[: gap + 1] = [any(any(part[: gap + 1]) for part in filled)] * len(covered[: gap + 1])
    covered[-gap - 1 :] = [any(any(part[-gap - 1 :]) for part in filled)] * len(covered[-gap - 1 :])
    return covered


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_windows_are_those_in_which_all_parts_play_within_some_bars(gap: int) -> None:
    random = np.random.default_rng(gap)
    for _ in range(20):
        bars = int(random.integers(1, 14))
        playing = random.random((3, bars)) < 0.4
        playing[:, -1] = True
        notes = band(*([int(bar) for bar in np.flatnonzero(part)] for part in playing))
        part = trio(gap_bars=gap).part(TrioData(gap_bars=gap))
        taken = part.take(notes)
        (segment,) = layout(notes, taken.places).segments
        (stretch,) = part.ways(segment, taken)
        expected = brute_force(playing.tolist(), gap)
        assert [bool(bar) for bar in stretch.covered] == expected  # type: ignore[union-attr]


def test_a_note_that_is_held_plays_in_all_of_its_bars(tmp_path: Path) -> None:
    every = list(range(9))
    held = track([(0, 9 * BAR - 1, 72)], "Lead")
    content = midi(b"", held, line(every, 40, "Low", 1, 33), beat(every))
    items, _ = read(write(tmp_path, {"song.mid": content}), bars=9)
    assert len(items) == 1
    struck = midi(b"", line([0, 8], 72, "Lead"), line(every, 40, "Low", 1, 33), beat(every))
    with pytest.raises(
        ValueError,
        match=r"no window of 9 bars of .* has melody, bass and drums within 2 bars of each of its bars; pass a smaller",
    ):
        read(write(tmp_path / "struck", {"song.mid": struck}), bars=9)


@pytest.mark.parametrize(
    ("tracks", "lacks", "there"),
    [
        ((line([0], 72, "Lead"), line([0], 40, "Low", 1, 33)), "drums", "1 Lead: melody, program 0 (1), 2 Low: bass, "),
        ((line([0], 72, "Flute", 0, 73), line([0], 40, "Low", 1, 33), beat([0])), "melody", "1 Flute: neither melody "),
        ((line([0], 72, "Lead"), beat([0])), "bass", "1 Lead: melody, program 0 (1), drums (1)"),
        ((beat([0]),), "melody or bass", "drums (1)"),
        (
            (line([0], 72, "Strings", 0, 50),),
            "melody or bass or drums",
            "1 Strings: neither melody nor bass, program 50",
        ),
        (
            (track([(0, 1, 60)], "Both", 0, 5) + track([(0, 1, 62)], "", 0, 60), line([0], 40, "", 1, 33), beat([0])),
            "melody",
            "1 Both: neither melody nor bass, program 5 (2)",
        ),
    ],
    ids=["no drums", "no melody", "no bass", "drums alone", "nothing", "two programs"],
)
def test_what_a_file_lacks_is_named_with_what_its_tracks_have(
    tracks: tuple[bytes, ...], lacks: str, there: str, tmp_path: Path
) -> None:
    path = write(tmp_path, {"song.mid": midi(b"", *tracks)}) / "song.mid"
    with pytest.raises(ValueError) as caught:
        trio(bars=1, meter="4/4").accept(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} has no {lacks} in 1 file; tracks with notes: {there}")
    assert sentence.endswith("; pass one of these as data.melody or data.bass ('track N' or NAME), or give other files")


def test_of_many_files_it_is_said_how_many_lack_what(tmp_path: Path) -> None:
    no_bass, alone = midi(b"", line([0], 72, "Lead"), beat([0])), midi(b"", beat([0]))
    folder = write(tmp_path, {"a.mid": no_bass, "b.mid": alone, "c.mid": alone})
    with pytest.raises(ValueError, match=r" has no melody or bass in 2 files, no bass in 1 file; tracks with notes: "):
        read(folder, bars=1)


def test_tracks_are_taken_by_name_or_number_whatever_their_programs_are() -> None:
    notes = song(line([0], 72, "Flute", 0, 73), line([0], 60, "Piano", 1), line([0], 40, "Tuba", 2, 58), beat([0]))
    (item,) = cut(notes, bars=1, melody="flute", bass="track 3")
    assert (item.events[0].tolist(), item.programs) == ([72, 40, KICK], (73, 58, 0))
    (low,) = cut(song(line([0], 72, "A", 0, 33), line([0], 40, "B", 1, 33), beat([0])), bars=1, melody="A")
    assert low.events[0].tolist() == [72, 40, KICK], "a bass that is named as the melody is no bass"
    with pytest.raises(
        ValueError, match=r"^data.melody='Low' is data.bass='low' as well; give one of them another track$"
    ):
        TrioData(melody="Low", bass="low")
    with pytest.raises(ValueError, match=r"data.bass='track 0' is not possible"):
        TrioData(bass="track 0")


def test_of_many_lines_a_bounded_number_is_combined() -> None:
    lines = [
        track([(0, 4, 60)], f"{kind}{number}", int(kind == "b"), 0 if kind == "m" else 33)
        for kind, number in itertools.product("mb", range(40))
    ]
    notes = song(*lines, beat([0]))
    part = trio().part(TrioData())
    taken = part.take(notes)
    assert len(taken.ways) == MOST_WAYS
    assert len(taken.places) == 2 * 16 + 1
    assert taken.ways[0] == (0, 16, 32)


def test_all_notes_are_accounted_for(tmp_path: Path) -> None:
    random = np.random.default_rng(3)

    def busy(low: int, high: int) -> list[tuple[float, float, int]]:
        return [(float(at), float(at) + 1.5, int(random.integers(low, high))) for at in random.uniform(0, 220, 120)]

    content = midi(
        b"",
        track(busy(10, 120), "Lead"), track(busy(50, 80), "Other", 1, 12), track(busy(20, 50), "Low", 2, 35),
        hits((int(at), int(random.integers(30, 60))) for at in sorted(random.uniform(0, 220 * 120, 200))),
    )  # fmt: skip
    items, report = read(write(tmp_path, {"song.mid": content}), bars=4)
    counts = counts_of(report)
    total = sum(
        count
        for name, count in counts.items()
        if name.startswith(("notes on", "notes hidden", "notes outside", "notes lost", "notes of"))
    )
    assert total == counts["notes found"] == 560
    assert len(items) == counts["windows found"] == 2 * (14 - 4 + 1)


def test_no_bars_that_are_held_out_of_a_song_are_trained_on_in_another_way(tmp_path: Path) -> None:
    bars = list(range(40))
    pitches = [track([(bar * BAR, bar * BAR + 4, 30 + bar) for bar in bars], "", ch, 33 * (ch > 1)) for ch in range(3)]
    folder = write(tmp_path, {"song.mid": midi(b"", *pitches, beat(bars))})
    model = trio(bars=2, valid_share=0.2)
    parts = {}
    for split in ("train", "valid"):
        own = model.of_split(split, [folder])  # type: ignore[arg-type]
        assert own is not None
        windows = list(own.read([folder], Report()))
        parts[split] = {int(event) for item in windows for event in item.events[:, MELODY] if event >= 0}
        assert len(windows) % 2 == 0, "both melodies"
    assert parts["train"]
    assert parts["valid"]
    assert not parts["train"] & parts["valid"]


def ensembles() -> list[Ensemble]:
    """Two windows of a bar with notes over the border between them."""
    random = np.random.default_rng(0)
    voices = np.where(random.random((2, 2 * BAR)) < 0.5, random.integers(40, 90, (2, 2 * BAR)), HOLD)
    voices[:, 0] = 50
    events = joined(voices[0], voices[1], random.integers(0, 512, 2 * BAR))
    return [Ensemble(own, programs=(73, 58, 8)) for own in (events[:BAR], events[BAR:])]


def test_three_tracks_are_written_and_read_back_whatever_their_programs_are(tmp_path: Path) -> None:
    model, items = trio(bars=1, meter="4/4"), ensembles()
    made = model.present(items)
    assert [(one.name, one.program, one.is_drum) for one in made.instruments] == [
        ("Melody", 73, False), ("Bass", 58, False), ("Drums", 8, True),
    ]  # fmt: skip
    for back in (from_midi(made), parse(midi_bytes(made), "song.mid")):
        again = cut(back, bars=1)
        assert [one.events.tolist() for one in again] == [one.events.tolist() for one in items]
        assert {one.programs for one in again} == {(73, 58, 8)}


def test_an_array_comes_back_with_what_it_lacks_from_another_item() -> None:
    model, (one, _) = trio(bars=2, meter="4/4"), ensembles()
    x = model.encode(one, Report())
    assert x is not None
    assert x.shape == (2 * BAR, 3)
    assert x[BAR:, :2].tolist() == [[1, 1]] + [[0, 0]] * (BAR - 1), "what it lacks of a window is silence"
    assert not x[BAR:, DRUMS].any()
    assert model.decode(x, one) == one
    silent = one.with_steps(joined(np.full(BAR, HOLD), np.full(BAR, HOLD), np.zeros(BAR)))
    assert model.decode(x, silent) == silent
    assert model.between(one, silent, 0.6).onsets.sum() == 0
    idle = x.copy()
    idle[:, MELODY] = 1
    assert (model.decode(idle).events[:, MELODY] == HOLD).all()


def test_what_does_not_fit_is_refused() -> None:
    model, (one, _) = trio(bars=1, lowest_pitch=51, meter="4/4"), ensembles()
    with pytest.raises(
        ValueError, match=r"a phrase with pitches from \d+ to \d+ does not fit; give pitches from 51 to"
    ):
        model.encode(one, Report())
    with pytest.raises(ValueError, match=r"sets of drums from 0 to 600 are not those of 9 drum classes"):
        trio().encode(one.with_steps(joined(*[np.full(2, HOLD)] * 2, np.array([0, 600]))), Report())
    with pytest.raises(ValueError, match=r"events of shape \(16, 2\) are no steps of melody, bass and drums"):
        trio().encode(one.with_steps(one.events[:, :2]), Report())
    with pytest.raises(
        ValueError, match=r"data.classes=pitch has 63 classes, and the drums of a trio are combinations"
    ):
        _ = trio(classes="pitch").classes


def test_figures_are_those_of_each_part() -> None:
    model, (one, _) = trio(bars=1, meter="4/4"), ensembles()
    other = one.with_steps(one.events.copy())
    other.events[0] = [one.events[0, 0] + 1, one.events[0, 1], one.events[0, 2] ^ KICK]
    notes = int((one.events[:, MELODY] >= 0).sum())
    found = model.metrics([one], [other])
    assert found["exact_match"] == 0
    assert found["f1_melody"] == pytest.approx((notes - 1) / notes)
    assert found["f1_bass"] == 1.0
    drums = int(one.hits(9).sum())
    less = int(one.events[0, 2] & KICK)
    assert found["f1_drums"] == pytest.approx(2 * (drums - less) / (2 * drums + (-1 if less else 1)))


def test_clips_of_a_walk_have_the_programs_of_the_nearer_end_and_all_in_one_those_of_the_first() -> None:
    model = trio(bars=1, meter="4/4")
    a, b = (one.with_program(own) for one, own in zip(ensembles(), ((5, 33, 0), (73, 39, 8)), strict=True))
    walk = [model.between(a, b, share) for share in (0.0, 0.4, 0.6, 1.0)]
    assert [one.programs for one in walk] == [a.programs, a.programs, b.programs, b.programs]

    def played(content: bytes) -> list[int]:
        midi = PrettyMIDI(io.BytesIO(content))
        return [track.program for track in midi.instruments]

    written = model.write([[one] for one in walk], "path")
    files = {file.name: file.content for result in written for file in result.files}
    assert [played(files[name]()) for name in ("002.mid", "003.mid")] == [[5, 33, 0], [73, 39, 8]]
    assert played(files["interpolation.mid"]()) == [5, 33, 0]


def test_melody_and_bass_are_transposed_together_and_drums_stay() -> None:
    model = trio(bars=1, transpose=4, meter="4/4")
    x = model.encode(ensembles()[0], Report())
    assert x is not None
    batch = collate([x] * 50, range(50))
    moved = model.augment(batch, lambda: batch, Noise(0, batch.keys))
    assert (moved.x[..., DRUMS] == batch.x[..., DRUMS]).all()
    pitches = batch.x[..., :2] > 1
    shifts = moved.x[..., :2] - batch.x[..., :2]
    assert not shifts[~pitches].any()
    by_row = [shifts[row][pitches[row]].unique().tolist() for row in range(50)]
    assert all(len(own) == 1 for own in by_row)
    assert {own[0] for own in by_row} == set(range(-4, 5))


def survive(notes: Notes) -> int:
    """Check that arrays of a piece, written as MIDI, are read back as they were; how many there are."""
    made = trio(bars=2, lowest_pitch=0, highest_pitch=127)
    source = made.source
    windows = pieces([s for s in score_of(source, notes, "the file").stretches if not s.repeats], 2)
    file = made.present(windows)
    for back in (from_midi(file), parse(midi_bytes(file), "again.mid")):
        read = pieces([s for s in score_of(source, back, "the file").stretches if not s.repeats], 2)
        kept = [(one.meter, made.encode(one, Report()).tolist()) for one in read]  # type: ignore[union-attr]
        whole = [(one.meter, made.encode(one, Report()).tolist()) for one in windows]  # type: ignore[union-attr]
        assert kept == whole[: len(kept)]
        assert not any(one.onsets.any() for one in windows[len(kept) :]), "a file has no bars behind its last note"
    return len(windows)


def test_strange_and_malformed_files_are_read_and_come_back_or_are_refused_in_one_sentence(shared_data: Path) -> None:
    assert outcome(shared_data / "midi-edge", survive) == (266, 118), "the others lack a part"


def test_songs_have_trios_that_come_back(shared_data: Path) -> None:
    files = sorted((shared_data / "karaoke").rglob("*.mid"))[::40]
    if not files:
        pytest.skip("no karaoke: there are no files in it")
    notes = [parse(path.read_bytes(), path) for path in files]
    whole = [own for own in notes if not trio().part(TrioData()).take(own).lacks]
    assert len(whole) == 3
    assert sum(map(survive, whole)) > 50


def test_the_source_says_what_reading_depends_on() -> None:
    source = trio(gap_bars=1, melody="Lead").source
    assert isinstance(source, MidiSource)
    identity, _ = source.identity()
    assert (identity["gap_bars"], identity["melody"]) == (1, "Lead")
    assert isinstance(source.part, EnsemblePart)
