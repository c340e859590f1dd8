"""The commands on melodies to chords: what is read of them, what is made to which, and what is refused."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import Result

import seqvae as package
from seqvae.config import parse_overrides
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.cli.midi_runs import TINY, made, options, trained, workplace
from tests.kill_and_resume import differences
from tests.modalities.midi.smf import midi
from tests.modalities.midi.tunes import Played, track, words
from tests.training.objectives import stopped_after

TRIADS = ((48, 52, 55), (43, 47, 50), (45, 48, 52), (41, 45, 48))  # C, G, Am, F
NAMES = ("C", "G", "Am", "F")
LINE = " bars of 4/4, 120 bpm, "


def song(path: Path, bars: int, first: int = 0, accompanied: bool = True) -> Path:
    """So many bars of a melody, each to a chord, in turn from one of the four on."""
    random = np.random.default_rng(first)
    lead: list[Played] = [(2 * n, 2 * n + 2, int(random.integers(65, 80))) for n in range(8 * bars)]
    piano = [(16 * n, 16 * n + 16, pitch) for n in range(bars) for pitch in TRIADS[(first + n) % 4]]
    tracks = [track(lead, "Lead"), *([track(piano, "Piano", channel=1)] if accompanied else [])]
    path.write_bytes(midi(b"", *tracks))
    return path


@pytest.fixture(scope="module")
def chorded(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with songs/ and a run trained on them for three steps, which reads chords."""
    asked = [*options(), "--voice", "Lead", "--chords", "tracks"]
    folder = tmp_path_factory.mktemp("chorded")
    return trained(seqvae, folder, "melody", "songs", lambda path, number: song(path, 5, number), asked)


@pytest.fixture
def place(chorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run, a song of five bars from C on, one of two from Am on, and one without a piano."""
    workplace(tmp_path, chorded / "run", monkeypatch)
    song(Path("five.mid"), 5)
    song(Path("two.mid"), 2, 2)
    song(Path("alone.mid"), 2, accompanied=False)
    Path("drums.mid").write_bytes(midi(b"", track([(0, 4, 36)], "Drums", channel=9)))
    return tmp_path


def symbols(path: str) -> list[tuple[float, str]]:
    """The chord symbols of a file, with the bars at 120 bpm in which they stand."""
    return [(round(one.time / 2, 6), one.text) for one in pretty_midi.PrettyMIDI(path).text_events]


def ends(lines: Sequence[str]) -> list[str]:
    return [line.rpartition(", to ")[2] for line in lines]


def test_inspect_counts_chords_and_says_where_there_is_none(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("inspect", "melody", "five.mid", "--voice", "Lead", "--chords", "tracks"))
    # bars 1 to 5 are C G Am F C, in the four windows of two bars each: C 2, G 2, Am 2, F 2
    assert "chords: Am (25.0%), C (25.0%), F (25.0%), G (25.0%); no chord on 0.0% of the steps" in lines
    lines = made(seqvae("inspect", "melody", "alone.mid", "--chords", "tracks"))
    assert (
        "chords: none on any step, since nothing that makes a triad is played beside the melody, and training refuses "
        "that; give other files, read chord symbols where these have some (--chords symbols), or train without chords "
        "(--chords none)"
    ) in lines
    assert "files: 1 found; 1 read, of which 1 without a chord" in lines
    assert not any(line.startswith("chords") for line in made(seqvae("inspect", "melody", "five.mid")))


def test_training_says_how_many_files_have_no_chord_and_refuses_where_none_has_one(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    asked = ("--voice", "Lead", "--chords", "tracks", *options(), "--out", "new")
    song(Path("other.mid"), 3, accompanied=False)
    refused(
        seqvae("train", "melody", "alone.mid", "other.mid", *asked),
        "--chords tracks finds no chord in alone.mid, other.mid, since nothing that makes a triad is played beside the "
        "melody; give other files, read chord symbols where these have some (--chords symbols), or train without "
        "chords (--chords none). See 'seqvae train melody --help'.",
    )
    assert not Path("new").exists()
    together = ("--valid-share", 0, "--test-share", 0)
    result = seqvae("train", "melody", "five.mid", "alone.mid", "other.mid", *asked, *together)
    assert result.exit_code == 0, result.stderr
    assert "files: 3 found; 3 read, of which 2 without a chord" in map(str.strip, result.stderr.splitlines())
    Path("silent.mid").write_bytes(midi(b"", track([(0, 16, 72), (16, 32, 74)], "Lead"), words((0, "N.C."))))
    refused(
        seqvae("train", "melody", "silent.mid", "--set", "data.chords=symbols", "--out", "newer"),
        "data.chords=symbols finds no chord in silent.mid, since all symbols are N.C.; give other files, or train "
        "without chords (data.chords=none)",
    )


def test_a_model_of_symbols_takes_files_without_any_where_chords_are_asked_for(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None]
) -> None:
    for number in range(3):
        tune = track([(2 * n, 2 * n + 2, 60 + number + n) for n in range(16)], "Lead")
        Path(f"{number}.mid").write_bytes(midi(b"", tune, words((0, "C"), (16, "F"))))
    asked = [*options(), "--voice", "Lead", "--chords", "symbols"]
    made(seqvae("train", "melody", "0.mid", "1.mid", "2.mid", "--out", "marked", *asked))
    refused(
        seqvae("reconstruct", "marked", "alone.mid"),
        "alone.mid has no chord symbols in 1 file; chord symbols are markers, texts or lyrics of a file; training with "
        "data.chords=tracks needs none, and a trained model takes others in their place, such as --chords 'C G'",
    )
    chords = ("--chords", "E B")
    assert ends(made(seqvae("reconstruct", "marked", "alone.mid", *chords, "--formats", "mid"))) == ["E B"]
    walk = made(seqvae("interpolate", "marked", "alone.mid", "0.mid", *chords, "--steps", 2, "--formats", "mid"))
    assert ends(walk[:2]) == ["E B"] * 2
    codes = {}
    for name in ("E B", "Cm Gm"):
        for path in ("alone.mid", "0.mid"):
            made(seqvae("encode", "marked", path, "--chords", name, "--out", "codes.npz"))
            codes[path, name] = np.load("codes.npz")["mean"]
    assert not np.array_equal(codes["alone.mid", "E B"], codes["alone.mid", "Cm Gm"]), "the encoder reads these"
    assert np.array_equal(codes["0.mid", "E B"], codes["0.mid", "Cm Gm"]), "and of other files their own"
    assert "--progression" not in seqvae("inspect", "melody", "--help").stdout
    for command, meaning in (("encode", "chords of input that"), ("sample", "chords of what is made")):
        assert f"--chords SYMBOLS Melody: {meaning}" in " ".join(seqvae(command, "--help").stdout.split())


def test_chords_asked_for_stand_in_where_what_is_played_beside_makes_no_triad(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lead = [(2 * n, 2 * n + 2, 60 + n) for n in range(24)]
    drone = track([(0, 48, 48), (0, 48, 49)], "Drone", channel=1)  # a semitone
    Path("drone.mid").write_bytes(midi(b"", track(lead, "Lead"), drone))
    walk, of_window = (
        ("interpolate", "run", "drone.mid", "alone.mid", "--steps", 2),
        ("reconstruct", "run", "drone.mid#1"),
    )
    for path, own in (("drone.mid", "N.C."), ("alone.mid", "N.C."), ("five.mid", "C G Am F C")):
        result = seqvae("reconstruct", "run", path, "--formats", "mid")
        assert ends(made(result)) == [own]
        assert (f"{path}: read without a chord" in result.stderr.splitlines()) == (own == "N.C.")
        result = seqvae("reconstruct", "run", path, "--chords", "E B F#m", "--formats", "mid")
        assert ends(made(result))[0].startswith("E B")
        lent = f"{path}: read to the chords asked for, having no others"
        assert (lent in result.stderr.splitlines()) == (own == "N.C.")
    result = seqvae(*walk, "--chords", "E B F#m", "--formats", "mid")
    assert ends(made(result)[:2]) == ["E B F#m E"] * 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines() if "asked for" in line] == [*walk[2:4]]
    assert ends(made(seqvae(*of_window, "--chords", "E B F#m", "--formats", "mid"))) == ["B F#m"]
    codes = {}
    for chords in ("E B", "Cm Gm"):
        for path in ("drone.mid", "five.mid"):
            made(seqvae("encode", "run", path, "--chords", chords, "--out", "z.npz"))
            codes[path, chords] = np.load("z.npz")["mean"]
    assert not np.array_equal(codes["drone.mid", "E B"], codes["drone.mid", "Cm Gm"])
    assert np.array_equal(codes["five.mid", "E B"], codes["five.mid", "Cm Gm"])


def test_files_of_a_folder_that_have_no_chords_or_are_lent_some_are_named(
    seqvae: Callable[..., Result], place: Path
) -> None:
    """By the way to them from the folder on; of many the first six."""
    Path("mixed", "more").mkdir(parents=True)
    for name in ("five.mid", "alone.mid"):
        shutil.copy(name, "mixed")
    song(Path("mixed/more/bare.mid"), 3, accompanied=False)
    asked, names = ("--chords", "E B"), "mixed/alone.mid, mixed/more/bare.mid"
    lent = f"2 files read to the chords asked for, having no others: {names}"
    for command in (("reconstruct", "run", "--formats", "mid"), ("encode", "run", "--out", "z.npz")):
        result = seqvae(*command, "--file", Path("mixed").resolve(), *asked)
        assert result.stderr.splitlines()[0] == f"{Path('mixed').resolve()}: {lent}"
        result = seqvae(*command, "--file", "mixed")
        assert result.stderr.splitlines()[0] == f"mixed: 2 files read without a chord: {names}"
    assert f"mixed: {lent}" in seqvae("evaluate", "run", "mixed", *asked, "--importance-samples", 1).stderr.splitlines()
    counted = "files: 3 found; 3 read, of which 2 without a chord"
    lines = made(seqvae("inspect", "melody", "mixed", "--chords", "tracks"))
    assert {counted, f"2 files read without a chord: {names}"} <= set(lines)
    assert not any("without a chord" in line for line in made(seqvae("inspect", "melody", "mixed")))
    shutil.make_archive("packed", "zip", "mixed")
    for number in range(7):
        song(Path(f"mixed/{number}.mid"), 2, number, accompanied=False)
    lines = made(seqvae("inspect", "melody", "mixed", "packed.zip", "--chords", "tracks"))
    assert "11 files read without a chord: " + ", ".join(f"mixed/{n}.mid" for n in range(6)) + ", ..." in lines
    lines = made(seqvae("inspect", "melody", "packed.zip", "--chords", "tracks"))
    assert "2 files read without a chord: packed.zip:alone.mid, packed.zip:more/bare.mid" in lines


def test_of_a_window_without_notes_nothing_but_silence_is_made_and_a_line_says_so(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lead = track([(0, 8, 60), (64, 72, 62)], "Lead")  # in the first and the fifth of five bars
    Path("rests.mid").write_bytes(midi(b"", lead, track([(0, 80, pitch) for pitch in TRIADS[0]], "Piano", channel=1)))
    sentence = "without notes, so that there are none in what is made like it; give another window"
    for window, silent in (("#0", False), ("#1", True), ("#3", False)):
        result = seqvae("reconstruct", "run", f"rests.mid{window}", "--formats", "mid")
        assert ("0 notes" in made(result)[0]) >= silent
        assert result.stderr.splitlines() == [f"rests.mid{window}: {sentence}"] * silent


def test_inspect_names_what_is_no_chord_symbol_among_those_that_are(seqvae: Callable[..., Result], place: Path) -> None:
    marks = words((0, "Verse"), (0, "C"), (16, "G7/B"), (24, "fine"), (24, "F"))
    Path("marks.mid").write_bytes(midi(b"", track([(0, 4, 72), (28, 32, 76)], "Lead"), marks))
    lines = made(seqvae("inspect", "melody", "marks.mid", "--chords", "symbols"))
    assert "chords: C (50.0%), F (25.0%), G (25.0%); no chord on 0.0% of the steps" in lines
    assert "texts: 2 passed over among chord symbols" in lines
    assert "texts passed over among chord symbols: Verse (1), fine (1)" in lines


def test_chords_are_for_melodies_alone(
    seqvae: Callable[..., Result], tmp_path: Path, refused: Callable[..., None]
) -> None:
    (tmp_path / "config.json").write_text('{"modality": "drums"}')
    refused(
        seqvae("sample", tmp_path, "--chords", "C"),
        "--chords is for melody, and this is a model of drums; leave it out. See 'seqvae sample --help'.",
    )


def test_samples_are_to_the_chords_asked_for_or_to_those_most_met(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("sample", "run", "-n", 2, "--chords", "Dm | G C")
    assert ends(made(result)[:2]) == ["Dm G C"] * 2
    assert result.stderr == ""
    assert symbols("run/sample/001.mid") == [(0, "Dm"), (1, "G"), (1.5, "C")]
    assert len(pretty_midi.PrettyMIDI("run/sample/001.mid").instruments) == 1
    result = seqvae("sample", "run", "-n", 1, "--formats", "mid")
    (most,) = ends(made(result))
    assert most in {f"{one} {other}" for one, other in zip(NAMES, (*NAMES[1:], "C"), strict=True)}
    assert result.stderr == f"chords: {most}, those most met in training; ask for others with --chords 'C G'\n"
    assert ends(made(seqvae("sample", "run", "-n", 1, "--chords", "Dm %", "--formats", "mid"))) == ["Dm"]
    result = seqvae("sample", "run", "-n", 1, "--chords", "C G Am F", "--formats", "mid")
    assert result.stderr == "chords: C G, the first 2 of 4 bars, since a window has 2\n"


def test_a_piece_comes_back_to_its_own_chords_or_to_others(seqvae: Callable[..., Result], place: Path) -> None:
    (line,) = made(seqvae("reconstruct", "run", "five.mid", "--formats", "mid"))
    assert line.startswith(f"run/reconstruct/001.mid: 5{LINE}")
    assert symbols("run/reconstruct/001.mid") == [(0, "C"), (1, "G"), (2, "Am"), (3, "F"), (4, "C")]
    (line,) = made(seqvae("reconstruct", "run", "five.mid", "--chords", "E F#m B", "--formats", "mid"))
    assert symbols("run/reconstruct/001.mid") == [(0, "E"), (1, "F#m"), (2, "B"), (3, "E"), (4, "F#m")]
    (line,) = made(seqvae("reconstruct", "run", "five.mid#2", "--beam", 2, "--formats", "mid"))
    assert ends([line]) == ["Am F"]
    shutil.move("run/reconstruct/001.mid", "again.mid")  # whose chords are symbols alone
    (line,) = made(seqvae("reconstruct", "run", "again.mid", "--formats", "mid"))
    assert ends([line]) == ["Am F"]
    assert ends(made(seqvae("reconstruct", "run", "alone.mid", "--formats", "mid"))) == ["N.C."]
    result = seqvae("reconstruct", "run", "five.mid", "--anew")
    assert (result.exit_code, result.stdout) == (2, ""), "chords are not kept, but given"
    sentence = "windows of this one are made as a whole; leave it out. See 'seqvae reconstruct --help'.\n"
    assert result.stderr.endswith(sentence)


def test_walks_and_variations_are_to_the_chords_of_the_first_item(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("interpolate", "run", "two.mid", "five.mid#0", "--steps", 3, "--formats", "mid"))
    assert ends(lines) == ["Am F"] * 3 + ["Am F Am F Am F"]
    lines = made(seqvae("interpolate", "run", "five.mid", "two.mid", "--steps", 2, "--formats", "mid"))
    assert ends(lines[:2]) == ["C G Am F C N.C."] * 2, "silence fills the last bar of six"
    asked = ("--chords", "Bb Eb", "--steps", 2, "--formats", "mid")
    lines = made(seqvae("interpolate", "run", "five.mid", "two.mid", *asked))
    assert ends(lines[:2]) == ["Bb Eb Bb Eb Bb Eb"] * 2
    corners = ("two.mid", "five.mid#0", "five.mid#1", "five.mid#2")
    lines = made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 2, "--formats", "mid"))
    assert ends(lines[:4]) == ["Am F"] * 4
    lines = made(seqvae("similar", "run", "two.mid", "-n", 2, "--temperature", 1, "--formats", "mid"))
    assert [line.rpartition(", to ")[2].split(",")[0] for line in lines[:2]] == ["Am F"] * 2


def test_codes_hold_no_chords(seqvae: Callable[..., Result], place: Path) -> None:
    made(seqvae("encode", "run", "five.mid", "--out", "z.npz"))
    result = seqvae("decode", "run", "z.npz", "--chords", "E A", "--formats", "mid")
    assert ends(made(result)) == ["E A"] * 3
    result = seqvae("decode", "run", "z.npz", "--formats", "mid")
    assert len(made(result)) == 3
    assert "those most met in training" in result.stderr


def test_the_layers_of_a_model_are_shown_with_the_chords_that_they_read(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lines = [line.split() for line in made(seqvae("info", "run"))]
    assert ["encoder.embed.parts.1", "OneHot", "32", "x", "49"] in lines
    assert ["x", "Data", "32", "x", "2"] in lines


def test_figures_are_of_the_melody_alone(seqvae: Callable[..., Result], chorded: Path, place: Path) -> None:
    result = seqvae("evaluate", "run", chorded / "songs", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(Path("figures.json").read_text())
    assert figures["items"] == 6 * 4
    assert figures["tokens"] == figures["items"] * 32
    # after three steps a model knows nothing: each of 90 outcomes costs about ln 90, and a chord would cost ln 49 more
    assert figures["reconstruction_nats"] / 32 == pytest.approx(np.log(90), abs=0.4)
    assert 0 <= figures["step_accuracy_greedy"] < 0.9, "chords that are kept are no steps that come back"
    assert 0 <= figures["sample_chord_tones"] <= 1
    assert 0.1 < figures["data_chord_tones"] < 0.5, "melodies at random, of which 3 of 12 are of their chord"
    assert "chord_tones" in result.stdout


def test_training_that_was_stopped_ends_in_the_bits_of_one_that_was_not(chorded: Path, tmp_path: Path) -> None:
    asked = parse_overrides(
        f"{key}={value}"
        for key, value in {**TINY, "train.steps": 5, "data.voice": "Lead", "data.chords": "tracks"}.items()
    )
    whole = train("melody", [chorded / "songs"], tmp_path / "whole", asked, device="cpu")
    with pytest.raises(Interrupted, match="step 3"):
        train("melody", [chorded / "songs"], tmp_path / "run", asked, device="cpu", objective=stopped_after(3))
    assert differences(whole.path, resume(tmp_path / "run", device="cpu").path) == []


def test_python_has_the_same(chorded: Path, place: Path) -> None:
    model = package.load("run")
    (own,) = model.reconstruct(["five.mid#0"])
    assert [one.text for one in own.text_events] == ["C", "G"]
    asked = model.using({"progression": "Dm G"})
    (sample,) = asked.sample(1)
    assert [one.text for one in sample.text_events] == ["Dm", "G"]
    (again,) = model.reconstruct([sample])
    assert [one.text for one in again.text_events] == ["Dm", "G"], "an object's chords are its texts"
    (decoded,) = asked.reconstruct(model.encode(["five.mid#0"])[0])
    assert [one.text for one in decoded.text_events] == ["Dm", "G"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("sample", "run", "--chords", "C Gx"),
            "--chords C Gx is not possible, since 'Gx' is no chord symbol; write chords such as C, F#m, Bb7, Gdim, "
            "Eaug or N.C., one a bar, or bars of several between bar lines: C G | Am; % is the bar before. See 'seqvae "
            "sample --help'.",
        ),
        (
            ("reconstruct", "run", "five.mid", "--chords", "tracks"),
            "--chords tracks says where chords are read, which training has settled; write chords such as 'C G Am F', "
            "or leave it out for those of the input, or those most met in training. See 'seqvae reconstruct --help'.",
        ),
        (
            ("sample", "run", "--chords", ""),
            "--chords '' asks for nothing; give SYMBOLS, or leave it out. See 'seqvae sample --help'.",
        ),
        (
            ("reconstruct", "run", "five.mid", "--chords", " "),
            "--chords ' ' asks for nothing; give SYMBOLS, or leave it out. See 'seqvae reconstruct --help'.",
        ),
        (
            ("inspect", "melody", "alone.mid", "--chords", "symbols"),
            "alone.mid has no chord symbols in 1 file; chord symbols are markers, texts or lyrics of a file; training "
            "with --chords tracks needs none, and a trained model takes others in their place, such as --chords 'C G'. "
            "See 'seqvae inspect melody --help'.",
        ),
        (
            ("inspect", "melody", "alone.mid", "drums.mid", "--voice", "Lead", "--chords", "symbols"),
            "alone.mid, drums.mid has no chord symbols in 1 file, no notes on a track called Lead in 1 file; tracks "
            "with notes: drums (1); give files with a melody; chord symbols are markers, texts or lyrics of a file; "
            "training with --chords tracks needs none, and a trained model takes others in their place, such as "
            "--chords 'C G'. See 'seqvae inspect melody --help'.",
        ),
        (
            ("train", "melody", "five.mid", "--chords", "guitar", "--out", "new"),
            "Invalid value for '--chords': 'guitar' is not one of 'none', 'tracks', 'symbols'. "
            "See 'seqvae train melody --help'.",
        ),
        (
            ("train", "melody", "five.mid", "--chords", "tracks", "--set", "data.progression=C G", "--out", "new"),
            "data.progression=C G is for what a trained model makes, and training takes none; leave it out, and pass "
            "--chords to commands that use the model, such as sample",
        ),
        (
            ("train", "melody", "five.mid", "--progression", "C G", "--out", "new"),
            "--progression C G is for what a trained model makes, and training takes none; leave it out, and pass "
            "--chords to commands that use the model, such as sample. See 'seqvae train melody --help'.",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    seqvae: Callable[..., Result], place: Path, refused: Callable[..., None], words: tuple[str, ...], sentence: str
) -> None:
    refused(seqvae(*words), sentence)
    assert not Path("new").exists()


def test_a_run_repeats_and_goes_on_though_training_takes_no_chords_of_what_is_made(
    seqvae: Callable[..., Result], place: Path
) -> None:
    """A config.json has the key, empty; that of a model which was asked for chords and saved has them."""
    made(seqvae("train", "melody", "five.mid", "--recipe", "run/config.json", "--out", "again"))
    package.load("run").using({"progression": "C G"}).save("asked")
    made(seqvae("train", "melody", "five.mid", "--from", "asked", "--out", "further", *options(), "--voice", "Lead"))


def test_help_of_training_names_no_chords_of_what_is_made(seqvae: Callable[..., Result]) -> None:
    page = seqvae("train", "melody", "--help").stdout
    assert "--chords" in page
    assert "progression" not in page
