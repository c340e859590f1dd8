"""The Python API with pieces that are longer than one code: windows are cut, morphed and put together again."""

import itertools
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from pretty_midi import Instrument, Note, PrettyMIDI

from seqvae import generate
from seqvae.build import build_vae
from seqvae.core.latent import slerp
from seqvae.modalities.base import Report
from seqvae.modalities.midi import reading, score
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.drums import DrumData, Drums
from seqvae.modalities.midi.midi_objects import from_midi
from seqvae.modalities.midi.score import score_of
from seqvae.modalities.midi.writing import midi_bytes, to_midi
from seqvae.model import Model
from seqvae.settings import build_config

SIZES = {"latent": 5, "encoder_hidden": 7, "decoder_hidden": 11, "embedding": 3}


@cache
def model(**data: object) -> Model:
    """An untrained model that knows 4/4 and 3/4, in double precision."""
    config = build_config(
        "drums", Drums.data_config, Drums.model_config, {"data": dict(data), "model": SIZES, "train": {"seed": 3}}
    )
    drums = Drums(config.data)
    drums.fit(lambda: [groove(2), groove(2), groove(2, meter=(3, 4))])
    vae = build_vae(config, drums).double()
    with torch.no_grad():  # an untrained model would say the same whatever the code
        for parameter in vae.parameters():
            parameter.mul_(4.0)
    return Model(config, drums, vae)


def groove(bars: int, seed: int = 0, meter: tuple[int, int] = (4, 4), bpm: float = 100.0) -> Clip:
    """A clip of so many bars with a hit on its last step, so that no bar at its end is silent."""
    steps = bars * 16 * meter[0] // meter[1]
    hits = np.random.default_rng([seed, bars]).random((steps, 9)) < 0.3
    hits[-1, 0] = True
    return Clip(hits, meter, 4, bpm, 8)


def piece(*clips: Clip) -> PrettyMIDI:
    return to_midi(clips, DrumNotation(model().modality.classes))


def hits_of(midi: PrettyMIDI) -> np.ndarray:
    """The hits of a whole piece up to its last bar line, (T, 9)."""
    bar = 60 / midi.get_tempo_changes()[1][0] / 4
    steps = round(midi.get_end_time() / bar)
    hits = np.zeros((steps, 9), bool)
    for bars in score_of(Drums(DrumData()).source, from_midi(midi), "the piece").stretches:
        found = bars.cut(0, bars.bars).hits
        hits[: len(found)] = found
    return hits


def codes(clip: Clip) -> torch.Tensor:
    return model().encode([clip]).mean[0]


def decoded(z: torch.Tensor, steps: int) -> np.ndarray:
    (x,) = generate.decode(model().vae, z.unsqueeze(0), generate.Length(steps, None))
    return (x[:, None] >> np.arange(9) & 1).astype(bool)


def test_a_song_is_encoded_window_by_window() -> None:
    a, b, c = groove(2, 1), groove(2, 2), groove(2, 3)
    q = model().encode([piece(a, b), piece(c)])
    assert q.mean.shape == (3, 5)
    assert torch.allclose(q.mean, torch.stack([codes(clip) for clip in (a, b, c)]))


def test_a_song_is_reconstructed_with_its_length_tempo_metre_and_kit() -> None:
    a, b, rest = groove(2, 1, bpm=93), groove(2, 2, bpm=93), groove(1, 4, bpm=93)
    (made,) = model().reconstruct([piece(a, b, rest)])
    assert isinstance(made, PrettyMIDI)
    expected = [decoded(codes(a), 32), decoded(codes(b), 32), decoded(codes(rest), 32)[:16]]
    assert np.array_equal(hits_of(made), np.concatenate(expected))
    assert made.get_tempo_changes()[1] == pytest.approx([93], abs=1e-3)
    assert (made.time_signature_changes[0].numerator, made.time_signature_changes[0].denominator) == (4, 4)
    assert [(one.is_drum, one.program) for one in made.instruments] == [(True, 8)]


def test_metres_that_follow_each_other_are_kept() -> None:
    a, b = groove(2, 1), groove(2, 2, meter=(3, 4))
    (made,) = model().reconstruct([piece(a, b)])
    assert [(s.numerator, s.denominator) for s in made.time_signature_changes] == [(4, 4), (3, 4)]
    assert made.get_end_time() == pytest.approx((32 + 24) * 0.15, abs=0.002)


def test_windows_that_are_drawn_differ_in_a_walk_and_a_palette_as_in_a_reconstruction() -> None:
    """Windows of equal codes, too: each meets noise of its own, and the ends are the reconstructions."""
    song, warm = piece(groove(2, 1), groove(2, 1)), {"decoding": generate.Decoding(temperature=1.0), "seed": 3}
    (again,) = map(hits_of, model().reconstruct([song], **warm))
    assert not np.array_equal(again[:32], again[32:64])
    for made in (model().interpolate(song, song, 2, **warm), model().palette([song] * 4, 2, **warm)):
        assert all(np.array_equal(hits_of(one), again) for one in made)
    for one in map(hits_of, model().vary(song, 3, distance=0.1, **warm)):
        assert not np.array_equal(one[:32], one[32:64])


def test_the_ends_of_an_interpolation_are_the_reconstructions() -> None:
    a, b = groove(2, 1), groove(2, 2)
    walk = model().interpolate(piece(a), piece(b), steps=5)
    assert len(walk) == 5
    for made, end in ((walk[0], a), (walk[-1], b)):
        assert np.array_equal(hits_of(made), hits_of(model().reconstruct([piece(end)])[0]))
    middle = decoded(slerp(codes(a), codes(b), 0.5), 32)
    assert np.array_equal(hits_of(walk[2]), middle)


def test_a_path_through_three_has_the_tempo_and_the_kit_of_each_where_it_comes_by() -> None:
    songs = [
        piece(replace(groove(2, seed, bpm=bpm), kit=kit)) for seed, bpm, kit in ((1, 60, 1), (2, 240, 25), (3, 90, 9))
    ]
    walk = model().interpolate(songs, steps=5)
    assert [round(one.get_tempo_changes()[1][0]) for one in walk] == [60, 120, 240, 147, 90]
    assert [one.instruments[0].program for one in walk] == [one.instruments[0].program for one in (
        songs[0], songs[1], songs[1], songs[2], songs[2]
    )]  # fmt: skip
    for place, song in ((0, songs[0]), (2, songs[1]), (4, songs[2])):
        assert np.array_equal(hits_of(walk[place]), hits_of(model().reconstruct([song])[0]))
    with pytest.raises(ValueError, match="a walk between 1 items is not possible; give two or more"):
        model().interpolate(songs[:1])


def test_an_analogy_goes_window_by_window_and_has_the_tempo_of_what_it_is_made_of() -> None:
    a, b, song = groove(2, 1), groove(2, 2), [groove(2, seed, bpm=77.0) for seed in (3, 1)]
    made = model().analogy(piece(a), piece(b), piece(*song), strength=0.5)
    moved = [decoded(codes(own) + 0.5 * (codes(b) - codes(a)), 32) for own in song]
    assert np.array_equal(hits_of(made), np.concatenate(moved))
    assert tempos_of(made)[0] == (0, 77.0)


def test_of_two_songs_the_shorter_one_is_repeated() -> None:
    a, b, c = groove(2, 1), groove(2, 2), groove(2, 3)
    walk = model().interpolate(piece(a), piece(b, c), steps=3)
    assert np.array_equal(hits_of(walk[0]), np.concatenate([decoded(codes(a), 32)] * 2))
    assert np.array_equal(hits_of(walk[2]), np.concatenate([decoded(codes(b), 32), decoded(codes(c), 32)]))
    back = model().interpolate(piece(b, c), piece(a), steps=3)
    assert np.array_equal(hits_of(back[2]), hits_of(walk[0]))


def test_a_short_end_shortens_nothing_on_the_way() -> None:
    short, long = groove(1, 1), groove(2, 2)
    for a, b in ((short, long), (long, short)):
        walk = model().interpolate(piece(a), piece(b), steps=3)
        assert [len(hits_of(one)) for one in walk] == [32, 32, 32]
        assert np.array_equal(hits_of(walk[2 if a is short else 0]), decoded(codes(long), 32))
    square = model().palette([piece(short), piece(short), piece(short), piece(long)], size=2)
    assert np.array_equal(hits_of(square[3]), decoded(codes(long), 32))


def tempos_of(midi: PrettyMIDI) -> list[tuple[int, float]]:
    return [(tick, round(bpm, 3)) for tick, bpm in from_midi(midi).tempos]


def test_tempos_go_from_those_of_one_end_to_those_of_the_other() -> None:
    a, b = replace(groove(2, 1, bpm=60.0), changes=((4, 90.0), (5, 80.0))), groove(2, 2, bpm=240.0)
    walk = model().interpolate(piece(a), piece(b), steps=3)
    assert tempos_of(walk[0]) == [(0, 60.0), (4 * 480, 90.0), (5 * 480, 80.0)]
    assert tempos_of(walk[1]) == [(0, 120.0), (4 * 480, 146.969), (5 * 480, 138.564)]
    assert tempos_of(walk[2]) == [(0, 240.0)]
    assert [tempos_of(one) for one in model().using({"bpm": 75.0}).interpolate(piece(a), piece(b), steps=2)] == [
        [(0, 75.0)]
    ] * 2
    for kept in (*model().reconstruct([piece(a)]), *model().vary(piece(a), n=1)):
        assert tempos_of(kept) == tempos_of(walk[0])
    repeated = model().interpolate(piece(b), piece(a, a), steps=2)[0]
    assert tempos_of(repeated) == [(0, 240.0)]


def test_the_tempos_of_a_palette_are_those_of_its_corners_and_between() -> None:
    corners = [piece(groove(2, seed, bpm=bpm)) for seed, bpm in enumerate((40.0, 160.0, 90.0, 90.0))]
    found = [tempos_of(cell)[0][1] for cell in model().palette(corners, size=3)]
    assert found == [40.0, 80.0, 160.0, 60.0, 84.853, 120.0, 90.0, 90.0, 90.0]


def test_the_kit_is_that_of_the_nearer_end() -> None:
    a, b = groove(1, 1), replace(groove(1, 2), kit=25)
    walk = model().interpolate(piece(a), piece(b), steps=4)
    assert [one.instruments[0].program for one in walk] == [8, 8, 25, 25]


def test_nothing_leads_from_one_metre_to_another() -> None:
    """The last item would be no reconstruction: its code, which stands for bars of one length, in bars of another."""
    four, three = (piece(groove(2, seed, meter=meter)) for seed, meter in ((1, (4, 4)), (2, (3, 4))))
    for walk in (lambda: model().interpolate(three, four), lambda: model().palette([three, three, three, four])):
        with pytest.raises(ValueError, match=r"^nothing leads from 3/4 to 4/4, since what is made has one metre"):
            walk()


def test_windows_in_a_metre_that_the_model_does_not_know_are_counted() -> None:
    report = Report()
    assert model().modality.encode(groove(2, 1, meter=(7, 8)), report) is None
    assert report.counts == {"windows": {"in 7/8, which the model does not know, left out": 1}}


def test_the_corners_of_a_palette_are_the_reconstructions() -> None:
    corners = [groove(2, seed) for seed in range(4)]
    square = model().palette([piece(corner) for corner in corners], size=3)
    assert len(square) == 9
    for cell, corner in zip((0, 2, 6, 8), corners, strict=True):
        assert np.array_equal(hits_of(square[cell]), decoded(codes(corner), 32))
    left, right = (slerp(codes(corners[i]), codes(corners[i + 2]), 0.5) for i in (0, 1))
    assert np.array_equal(hits_of(square[4]), decoded(slerp(left, right, 0.5), 32))
    with pytest.raises(ValueError, match="3 corners are not possible; give four"):
        model().palette([piece(corner) for corner in corners[:3]])


def test_variations_go_from_the_reconstruction_to_samples() -> None:
    a, b = groove(2, 1), groove(2, 2)
    same = model().vary(piece(a, b), n=2, distance=0.0)
    assert all(np.array_equal(hits_of(one), hits_of(model().reconstruct([piece(a, b)])[0])) for one in same)
    drawn = generate.prior_codes(model().vae, 3, seed=4)
    far = model().vary(piece(a), n=3, distance=1.0, seed=4)
    for one, z in zip(far, drawn, strict=True):
        assert np.array_equal(hits_of(one), decoded(z, 32))
    near = model().vary(piece(a, b), n=2, distance=0.4, seed=4)
    parts = [decoded(slerp(codes(clip), drawn[1], 0.4), 32) for clip in (a, b)]
    assert np.array_equal(hits_of(near[1]), np.concatenate(parts))
    with pytest.raises(ValueError, match=r"distance=1.5 is not possible; give 0 \(no change\) to 1"):
        model().vary(piece(a), distance=1.5)


def test_variations_are_drawn_until_they_differ_and_a_longer_list_begins_with_them() -> None:
    clip, near = groove(2, 3), 0.005
    towards, length = generate.prior_codes(model().vae, 8, seed=2), generate.Length(32, None)
    once = generate.vary(model().vae, codes(clip), towards, [near] * 8, torch.arange(8), length, seed=2)
    assert len({x.tobytes() for x in once}) < 5, "at one draw each they would not differ"
    item = piece(clip)
    made, (unchanged,) = model().vary(item, n=8, distance=near, seed=2), model().reconstruct([item])
    assert len({hits_of(one).tobytes() for one in (*made, unchanged)}) == 9
    shorter = model().vary(model().windows(item), n=3, distance=near, seed=2)
    assert [hits_of(one).tobytes() for one in shorter] == [hits_of(one).tobytes() for one in made[:3]]
    assert all(0.0 < model().change(item, one) <= 1.0 for one in made)


def test_a_model_that_ignores_its_code_gives_as_many_equal_variations() -> None:
    deaf = deepcopy(model()).in_windows()
    with torch.no_grad():
        for parameter in deaf.vae.decoder.parameters():
            parameter.zero_()
    made = deaf.vary([groove(2, 1)], n=3)
    assert len(made) == 3
    assert all(deaf.change(made[0], one) == 0.0 for one in made)


def test_an_even_walk_has_the_same_ends_and_spreads_what_changes() -> None:
    a, b = piece(groove(2, 3)), piece(groove(2, 4))
    changes = {}
    for even in (False, True):
        walk = model().interpolate(a, b, steps=5, even=even)
        changes[even] = [model().change(one, following) for one, following in itertools.pairwise(walk)]
        for end, of in ((walk[0], a), (walk[-1], b)):
            assert np.array_equal(hits_of(end), hits_of(model().reconstruct([of])[0]))
    assert min(changes[False]) == 0.0
    assert min(changes[True]) > 0.4
    assert np.std(changes[True]) < 0.2 * np.std(changes[False])
    song = model().interpolate(piece(groove(2, 3), groove(2, 5)), b, steps=4, even=True)
    assert [len(hits_of(one)) for one in song] == [64] * 4


def test_the_change_of_a_song_counts_the_hits_of_all_windows() -> None:
    a, b = groove(2, 1), groove(2, 2)
    assert model().change(piece(a, b), piece(a, b)) == 0.0
    both, either = (a.hits & b.hits).sum(), (a.hits | b.hits).sum()
    assert model().change(piece(a, a, b), piece(a, b, b)) == pytest.approx(
        (either - both) / (a.hits.sum() + either + b.hits.sum())
    )
    assert model().change(piece(a, b), piece(a)) == pytest.approx(b.hits.sum() / (a.hits.sum() + b.hits.sum()))
    assert model().change(piece(a), piece(a, b)) == model().change(piece(a, b), piece(a))


def test_samples_are_windows_at_the_typical_tempo() -> None:
    made = model().sample(3, seed=1)
    for one in made:
        assert one.get_end_time() == pytest.approx(32 * 0.15, abs=0.002)
        assert one.get_tempo_changes()[1] == pytest.approx([100], abs=1e-3)
    z = generate.prior_codes(model().vae, 3, seed=1)
    greedy = model().decode(z)
    assert np.array_equal(hits_of(greedy[2]), decoded(z[2], 32))


def test_a_clip_and_a_file_are_taken_as_a_midi_object_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    clip = groove(2, 1)
    piece(clip).write(str(tmp_path / "a.mid"))
    expected = model().encode([piece(clip)]).mean
    for given in (clip, tmp_path / "a.mid", str(tmp_path / "a.mid")):
        assert torch.equal(model().encode([given]).mean, expected)


def test_what_is_no_drum_clip_of_the_model_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="an int is no MIDI; give a PrettyMIDI object or the path of a file"):
        model().encode([3])
    with pytest.raises(ValueError, match="is in 7/8, and this model knows 4/4, 3/4 only"):
        model().encode([piece(groove(2, 1, meter=(7, 8)))])
    melody = PrettyMIDI()
    melody.instruments.append(Instrument(0))
    melody.instruments[0].notes.append(Note(90, 60, 0.0, 0.5))
    with pytest.raises(ValueError, match="channel"):
        model().encode([melody])
    with pytest.raises(ValueError, match="a clip of 64 steps"):
        model().encode([groove(4, 1)])
    with pytest.raises(ValueError, match="at 8 a quarter"):
        model().encode([Clip(np.zeros((32, 9), bool), (4, 4), 8)])


def test_an_interpolation_between_two_files_reads_and_encodes_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        (tmp_path / f"{number}.mid").write_bytes(midi_bytes(piece(groove(2, number))))
    calls: Counter[str] = Counter()

    def counted(place: object, name: str) -> None:
        function: Callable[..., object] = getattr(place, name)

        def counting(*arguments: object) -> object:
            calls[name] += 1
            return function(*arguments)

        monkeypatch.setattr(place, name, counting)

    counted(reading, "parse")
    counted(score, "layout")
    counted(Drums, "encode")
    found = [model().modality.find(str(tmp_path / f"{number}.mid"), Report())[0] for number in range(2)]
    ends = [model().windows(named.item) for named in found]
    walk = model().in_windows().interpolate(*ends, steps=3)
    names = [file.name for result in model().modality.write(walk, "path") for file in result.files]
    assert names[-3:] == ["interpolation.mid", "interpolation.wav", "interpolation.png"]
    assert calls == {"parse": 2, "layout": 2, "encode": 2}


def test_items_that_a_model_made_have_a_picture() -> None:
    walk = model().interpolate(groove(1), groove(1, seed=2), steps=3)
    assert len(model().picture(walk, "path").axes) == 3
    assert model().picture(walk[:1]) is not None


def test_one_piece_is_a_list_of_one_and_a_list_of_one_is_one_piece(tmp_path: Path) -> None:
    song = piece(groove(4, seed=1))
    song.write(str(tmp_path / "song.mid"))
    expected = model().encode([song]).mean
    for given in (song, (song,), tmp_path / "song.mid", str(tmp_path / "song.mid"), [[song]]):
        assert torch.equal(model().encode(given).mean, expected)
    (again,) = model().reconstruct(song)
    assert np.array_equal(hits_of(again), hits_of(model().reconstruct([song])[0]))
    for one in (song, [song], tmp_path / "song.mid"):
        assert np.array_equal(hits_of(model().vary(one, n=1)[0]), hits_of(model().vary(song, n=1)[0]))
    with pytest.raises(ValueError, match="a list of 2 items stands where one is needed; give one of them"):
        model().vary([song, song])
    with pytest.raises(ValueError, match="item 1: an int is no MIDI; give a PrettyMIDI object or the path of a file"):
        model().encode([song, 3])


def test_a_file_and_index_is_a_window_as_on_the_command_line(tmp_path: Path) -> None:
    piece(groove(2, seed=1), groove(2, seed=2)).write(str(tmp_path / "song.mid"))
    by_name = model().encode([f"{tmp_path}/song.mid#0", tmp_path / "song.mid#2"]).mean
    assert torch.allclose(by_name, torch.stack([codes(groove(2, seed=1)), codes(groove(2, seed=2))]))
    with pytest.raises(ValueError, match=r"song\.mid has 4 windows, so there is no #4; give .*song\.mid#0 to #3"):
        model().encode(f"{tmp_path}/song.mid#4")
