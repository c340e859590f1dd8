"""The commands on drums: MIDI files and their windows in, files out; wrong input is one sentence."""

import itertools
import json
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import Result

from seqvae.modalities.base import Report
from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.writing import to_midi, write_midi
from seqvae.model import load
from tests.cli.midi_runs import STEPS, made, options, trained, workplace

SET = options()


def bars(count: int, seed: int, bpm: float = 120.0, meter: tuple[int, int] = (4, 4)) -> Clip:
    """So many bars of hits, with a kick on the last step so that no bar is lost."""
    hits = np.random.default_rng(seed).random((count * STEPS * meter[0] // meter[1], 9)) < 0.2
    hits[-1, 0] = True
    return Clip(hits, meter, 4, bpm)


def save(path: Path, *clips: Clip) -> Path:
    return write_midi(to_midi(clips, DrumNotation(GENERAL_MIDI)), path)


@pytest.fixture(scope="module")
def drums(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with grooves/ and a run trained on them for three steps. Tests work in copies of what they change."""

    def write(path: Path, number: int) -> Path:
        return save(path, bars(3 + number, number, 100.0 + number))

    return trained(seqvae, tmp_path_factory.mktemp("drums"), "drums", "grooves", write, SET)


@pytest.fixture
def place(drums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run and two pieces: five bars at 90 bpm, two bars at 150."""
    workplace(tmp_path, drums / "run", monkeypatch)
    save(Path("five.mid"), bars(5, 11, 90.0))
    save(Path("two.mid"), bars(2, 12, 150.0))
    return tmp_path


def names(folder: Path | str) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("[!.]*"))


def test_sample_writes_midi_sound_and_picture_of_each_into_the_run(seqvae: Callable[..., Result], place: Path) -> None:
    lines = made(seqvae("sample", "run", "-n", 2, "--bpm", 75))
    assert [line.split(":")[0] for line in lines[:2]] == [f"run/sample/00{n}.mid (.wav .png)" for n in (1, 2)]
    assert all(": 2 bars of 4/4, 75 bpm, " in line for line in lines[:2])
    assert lines[2:] == ["run/sample/overview.png: all in one"]
    each = [f"00{n}.{kind}" for n in (1, 2) for kind in ("mid", "png", "wav")]
    assert names("run/sample") == [*each, "overview.png"]
    with wave.open("run/sample/001.wav") as sound:
        assert sound.getnframes() / sound.getframerate() >= 2 * 4 * 60 / 75
    assert Path("run/sample/001.png").read_bytes().startswith(b"\x89PNG")
    midi = pretty_midi.PrettyMIDI("run/sample/001.mid")
    assert midi.get_tempo_changes()[1] == pytest.approx([75.0])
    assert f"{sum(len(part.notes) for part in midi.instruments)} hit" in lines[0]


def test_the_folder_of_the_run_holds_the_latest_result_only(seqvae: Callable[..., Result], place: Path) -> None:
    made(seqvae("sample", "run", "-n", 3))
    Path("run/sample/notes.txt").write_text("mine")
    made(seqvae("sample", "run", "-n", 1, "--formats", "mid"))
    assert names("run/sample") == ["001.mid", "notes.txt"]


def test_a_folder_of_the_user_s_keeps_what_is_in_it(seqvae: Callable[..., Result], place: Path) -> None:
    made(seqvae("sample", "run", "-n", 2, "--formats", "mid,png", "--out", "made/here"))
    made(seqvae("sample", "run", "-n", 1, "--formats", "MID", "--out", "made/here"))
    assert names("made/here") == ["001.mid", "001.png", "002.mid", "002.png", "overview.png"]


def test_a_seed_gives_the_same_bytes(seqvae: Callable[..., Result], place: Path) -> None:
    contents = []
    for folder in ("a", "b"):
        made(seqvae("sample", "run", "-n", 1, "--seed", 5, "--out", folder))
        contents.append([path.read_bytes() for path in sorted(Path(folder).iterdir())])
    assert contents[0] == contents[1]


def test_a_whole_piece_comes_back_with_its_tempo_and_a_window_with_its_length(
    seqvae: Callable[..., Result], place: Path
) -> None:
    lines = made(seqvae("reconstruct", "run", "five.mid", "five.mid#1", "five.mid#4", "two.mid", "--formats", "mid"))
    assert [line.partition(", ")[0].split(": ")[1] for line in lines] == [
        f"{count} of 4/4" for count in ("5 bars", "2 bars", "1 bar", "2 bars")
    ]
    assert [line.rpartition("from ")[2] for line in lines] == ["five.mid", "five.mid#1", "five.mid#4", "two.mid"]
    assert ["90 bpm" in line for line in lines] == [True, True, True, False]
    assert "150 bpm" in lines[3]


def test_a_file_whose_name_holds_a_hash_is_a_file(seqvae: Callable[..., Result], place: Path) -> None:
    shutil.copy("two.mid", "take#2.mid")
    whole = made(seqvae("reconstruct", "run", "take#2.mid", "--formats", "mid", "--out", "a"))
    window = made(seqvae("reconstruct", "run", "take#2.mid#0", "--formats", "mid", "--out", "b"))
    assert whole[0].replace("a/", "b/") == window[0]


def test_an_interpolation_is_also_written_as_a_whole(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("interpolate", "run", "two.mid", "five.mid", "--steps", 3, "--out", "walk")
    lines = made(result)
    assert result.stderr == "two.mid: 1 window, repeated up to 3\n"
    assert [line.split(" ")[0] for line in lines] == [
        *(f"walk/00{n}.mid" for n in (1, 2, 3)), "walk/interpolation.mid",
    ]  # fmt: skip
    tempos = ["150 bpm", "116.2 bpm", "90 bpm", "3 tempos from 150 to 90 bpm"]  # the shorter one is repeated
    for line, bars, tempo in zip(lines, (6, 6, 6, 18), tempos, strict=True):
        assert f": {bars} bars of 4/4, {tempo}, " in line
    assert {"interpolation.mid", "interpolation.wav", "interpolation.png"} <= set(names("walk"))
    seconds = pretty_midi.PrettyMIDI("walk/interpolation.mid").get_end_time()
    assert seconds == pytest.approx(sum(6 * 4 * 60 / bpm for bpm in (150, 116.19, 90)), abs=0.01)


def test_four_corners_make_a_palette(seqvae: Callable[..., Result], place: Path) -> None:
    corners = ("two.mid", "five.mid#0", "five.mid#1", "five.mid#2")
    lines = made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 3, "--formats", "mid"))
    assert len(lines) == 10
    assert lines[-1].startswith("run/interpolate/palette.mid: 18 bars of 4/4, 6 tempos from 150 to 90 bpm, ")


def test_variations_at_distance_0_are_the_reconstruction(seqvae: Callable[..., Result], place: Path) -> None:
    made(seqvae("reconstruct", "run", "two.mid", "--formats", "mid", "--out", "a"))
    made(seqvae("similar", "run", "two.mid", "-n", 2, "--distance", 0, "--formats", "mid", "--out", "b"))
    assert Path("b/001.mid").read_bytes() == Path("b/002.mid").read_bytes() == Path("a/001.mid").read_bytes()
    assert len(made(seqvae("similar", "run", "two.mid", "--formats", "mid"))) == 4


def test_variations_come_with_how_far_they_are_from_the_input(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("similar", "run", "two.mid", "-n", 3, "--temperature", 1, "--formats", "mid", "--out", "a")
    model = load("run").in_windows()
    for number, line in enumerate(made(result), 1):
        share = model.change("two.mid", model.modality.accept(Path(f"a/00{number}.mid")))
        assert share > 0
        assert line.endswith(f" hits, {share:.2f} of the hits changed")
    assert result.stderr.endswith("3 variations, all different\n")
    same = seqvae("similar", "run", "two.mid", "-n", 3, "--distance", 0, "--formats", "mid")
    assert same.stderr.endswith("3 variations, 1 different; for more give --temperature 1, or a larger --distance\n")


def test_an_even_walk_says_what_changes_from_step_to_step(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("interpolate", "run", "two.mid", "five.mid#1", "--steps", 4, "--even", "--formats", "mid")
    assert len(made(result)) == 5
    model = load("run").in_windows()
    walk = model.interpolate("two.mid", model.modality.find("five.mid#1", Report())[0].item, steps=4, even=True)
    changes = [100 * model.change(a, b) for a, b in itertools.pairwise(walk)]
    assert f"steps change {min(changes):.1f} to {max(changes):.1f} % of the hits, at most " in result.stderr
    assert result.stderr.endswith(" (measured: hits that only one of two has, of those that either has)\n")


def test_codes_have_a_row_for_each_window_and_say_which(seqvae: Callable[..., Result], place: Path) -> None:
    result = seqvae("encode", "run", "five.mid", "two.mid#0", "--out", "z.npz")
    assert (result.exit_code, result.stderr) == (0, "4 codes of 4 units written to z.npz\n")
    with np.load("z.npz") as arrays:
        assert arrays["items"].tolist() == ["five.mid#0", "five.mid#2", "five.mid#4", "two.mid#0"]
        one = arrays["mean"][1]
    seqvae("encode", "run", "five.mid#2", "--out", "one.npz")
    with np.load("one.npz") as arrays:
        assert arrays["mean"][0] == pytest.approx(one, abs=1e-6)
    lines = made(seqvae("decode", "run", "z.npz", "--formats", "mid", "--bpm", 200))
    assert len(lines) == 4
    assert all("2 bars of 4/4, 200 bpm" in line for line in lines)


def test_file_stands_for_all_windows_of_a_folder(seqvae: Callable[..., Result], drums: Path, place: Path) -> None:
    result = seqvae("encode", "run", "--file", drums / "grooves", "--out", "z.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("z.npz") as arrays:
        items = arrays["items"].tolist()
    assert items[:3] == [str(drums / "grooves" / name) for name in ("0.mid#0", "0.mid#1", "1.mid#0")]
    assert len(items) == sum(count - 1 for count in range(3, 9))


def test_splits_choose_files_and_their_overlap_is_told(seqvae: Callable[..., Result], drums: Path, place: Path) -> None:
    parts = ["train", "train", "train", "validation", "test", "test"]
    rows = [f"{number}.mid,{part}" for number, part in enumerate(parts)]
    Path("splits.csv").write_text("\n".join(["file,split", *rows]) + "\n")
    chosen = ["--file", drums / "grooves", "--split-csv", "splits.csv"]
    for split, windows in (("train", 2 + 3 + 4), ("valid", 5), ("test", 6 + 7)):
        result = seqvae("encode", "run", *chosen, "--split", split, "--out", "z.npz")
        assert result.stderr.endswith(f"{windows} codes of 4 units written to z.npz\n")
    result = seqvae(
        "evaluate", "run", drums / "grooves", *chosen[2:], "--split", "test", "--importance-samples", 2,
        "--codes", "drawn", "--json", "figures.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(Path("figures.json").read_text())["items"] == 13
    assert result.stdout.startswith(f"run on {drums / 'grooves'} (split test)\n")
    shutil.copytree(drums / "grooves", "more")
    shutil.copy("more/0.mid", "more/3.mid")
    trained = seqvae("train", "drums", "more", "--split-csv", "splits.csv", "--out", "other", *SET)
    assert trained.exit_code == 0, trained.stderr
    assert json.loads(Path("other/data.json").read_text())["valid"]["repeated"] == 2
    line = "  2 of them (100.0%) stand in train, too\n"
    assert line in trained.stderr
    told = seqvae("info", "other").stdout
    assert f"  {line}" in told
    assert "\nnetwork\n" in told


def test_the_table_of_figures_leaves_out_what_does_not_apply(
    seqvae: Callable[..., Result], drums: Path, place: Path
) -> None:
    hits = np.zeros((2 * STEPS, 9), bool)
    hits[::4, 0] = True
    save(Path("kick.mid"), Clip(hits))
    result = seqvae("evaluate", "run", "kick.mid", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    assert "bleu" not in result.stdout
    assert "bits_per_byte" not in result.stdout
    assert "end of sequence" not in result.stdout
    for name in ("tokens", "step_accuracy_greedy", "step_accuracy_free_running", "f1_kick", "exact_match"):
        assert name in result.stdout
    assert "F1 of hits" in result.stdout
    assert "beside 1 window of the data\n" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if "sample_exact_repeats" in line]
    assert "1.0000" in row
    assert json.loads(Path("figures.json").read_text())["bleu"] is None
    assert "kick.mid: hits: 8 found; 8 on the grid\n" in result.stderr


def test_inspect_counts_windows_classes_metres_and_what_is_lost(
    seqvae: Callable[..., Result], drums: Path, place: Path
) -> None:
    assert made(seqvae("inspect", "drums", drums / "grooves", "--hop", 2))[:5] == [
        "items: 15 windows of 2 bars",
        "steps: 480, 4 a quarter",
        "classes: 9 (kick, snare, closed hat, open hat, low tom, mid tom, high tom, crash, ride), a step is one of "
        "512 combinations",
        "metres: 4/4",
        "steps of an item: 32 least, 32 median, 32.0 mean, 32 most",
    ]
    lines = made(seqvae("inspect", "drums", drums / "grooves"))
    assert (lines[5], lines[7]) == ("files: 6 found; 6 read", "windows: 27 found")
    assert lines[6].startswith("hits: ")


def test_training_tells_what_it_read_and_what_to_try_next(
    seqvae: Callable[..., Result], drums: Path, place: Path
) -> None:
    result = seqvae("train", "drums", "five.mid", "two.mid", "--out", "new", *SET)
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0].startswith("train: ")
    assert lines[0].endswith(" steps from five.mid, two.mid")
    assert lines[1].startswith("  files: 2 found; ")
    assert result.stdout.splitlines() == [
        "the model is in new; next:", "  seqvae sample new", "  seqvae interpolate new A.mid B.mid",
        "  seqvae evaluate new DATA",
    ]  # fmt: skip


def test_a_sound_that_would_last_too_long_is_left_out_and_told(seqvae: Callable[..., Result], place: Path) -> None:
    save(Path("long.mid"), bars(24, 3, 4.0))
    result = seqvae("reconstruct", "run", "long.mid", "--formats", "mid,wav")
    assert result.exit_code == 0, result.stderr
    assert names("run/reconstruct") == ["001.mid"]
    assert result.stdout.endswith(", no WAV, which would last 24 minutes, more than 20\n")
    alone = seqvae("reconstruct", "run", "long.mid", "--formats", "wav")
    assert alone.stdout.endswith(", no WAV, which would last 24 minutes, more than 20\n"), "also where no file is left"


def prepare_wrong_input() -> None:
    """Files that no drum model can take."""
    Path("notes.txt").write_text("the dog sees the pie .\n")
    Path("bad.mid").write_bytes(b"MThd and then nothing")
    Path("folder").mkdir()
    shutil.copy("two.mid", "folder/two.mid")
    save(Path("waltz.mid"), bars(4, 1, meter=(3, 4)))
    piano = pretty_midi.PrettyMIDI()
    piano.instruments.append(pretty_midi.Instrument(0))
    piano.instruments[0].notes = [pretty_midi.Note(90, 60, second, second + 0.5) for second in range(4)]
    piano.write("piano.mid")


REFUSED = {
    "reconstruct run notes.txt": "notes.txt is not read: it is no MIDI file (no MThd header); give a MIDI file, or "
    "FILE#INDEX for a window of one",
    "similar run none.mid": "there is no file none.mid; give a MIDI file, or FILE#INDEX for a window of one",
    "reconstruct run five.mid#5": "five.mid has 5 windows, so there is no #5; give five.mid#0 to #4",
    "reconstruct run five.mid#": "'five.mid#' names no window; write FILE#INDEX, counted from 0, such as five.mid#0",
    "reconstruct run folder": "folder is a folder; give one MIDI file of it, or --file folder for all of its windows",
    "reconstruct run piano.mid": "piano.mid has no hits on channel 10 in 1 file; channels with notes: 1 (4); pass "
    "--drum-channel or --all-channels",
    "reconstruct run waltz.mid": "waltz.mid is in 3/4, and this model knows 4/4 only; give a clip in one of these, or "
    "train with that metre",
    "interpolate run two.mid waltz.mid#1": "waltz.mid#1 is in 3/4, and this model knows 4/4 only; give another window, "
    "or train with that metre",
    "encode run --file waltz.mid --out z.npz": "no window of waltz.mid is in a metre that the model knows; give other "
    "files",
    "reconstruct run -": "- stands for the standard input, and this is a model of drums; give a MIDI file of any "
    "length, or FILE#INDEX, a window of one, counted from 0",
    "reconstruct run": "no input; give INPUT (a MIDI file of any length, or FILE#INDEX, a window of one, counted from "
    "0), or --file FILE for all of its items. See 'seqvae reconstruct --help'.",
    "reconstruct run two.mid --split test": "--split chooses among the files of --file; give --file, or leave --split "
    "out. See 'seqvae reconstruct --help'.",
    "evaluate run folder --split-csv x.csv": "--split-csv says which file is of which split; choose one with --split. "
    "See 'seqvae evaluate --help'.",
    "evaluate run folder --split test": "--split test has no file of folder; leave it out. See 'seqvae "
    "evaluate --help'.",
    "evaluate run folder --split test --split-csv x.csv": "there is no file x.csv; give a CSV file with a line for "
    "each MIDI file",
    "interpolate run two.mid": "Missing argument 'B'. See 'seqvae interpolate --help'.",
    "interpolate run --corners two.mid two.mid two.mid": "Option '--corners' requires 4 arguments.",
    "interpolate run --corners two.mid two.mid two.mid --grid 3": "--corners takes four items, A B C D, and an option "
    "stands among them; give four. See 'seqvae interpolate --help'.",
    "interpolate run two.mid --corners a b c d": "--corners takes four items, and 'two.mid' is one more; leave it out. "
    "See 'seqvae interpolate --help'.",
    "interpolate run --steps 3 --corners a b c d": "--steps does not go with --corners; give --grid. See 'seqvae "
    "interpolate --help'.",
    "interpolate run --even --corners a b c d": "--even is for a walk from A to B and does not go with --corners; "
    "leave it out. See 'seqvae interpolate --help'.",
    "interpolate run two.mid five.mid --grid 3": "--grid is the size of the square between --corners A B C D; for A, B "
    "give --steps. See 'seqvae interpolate --help'.",
    "interpolate run --corners a b c d --grid 1": "Invalid value for '--grid': 1 is not in the range x>=2. See 'seqvae "
    "interpolate --help'.",
    "similar run two.mid --distance 2": "Invalid value for '--distance': 2.0 is not in the range 0<=x<=1. See 'seqvae "
    "similar --help'.",
    "sample run --bpm 0": "--bpm 0.0 is not possible; give 4 to 1000. See 'seqvae sample --help'.",
    "sample run --meter 6/8": "this model does not know 6/8; choose 4/4",
    "sample run --formats mp3": "--formats mp3 is not possible; choose among mid, wav, png, with commas between "
    "them. See 'seqvae sample --help'.",
    "sample run --out notes.txt": "notes.txt is a file; give --out a folder",
    "reconstruct run two.mid --encoding latin-1": "--encoding is for text, and this is a model of drums; leave it out. "
    "See 'seqvae reconstruct --help'.",
    "decode run two.mid": "two.mid holds no codes (an .npz file with an array 'mean'); write one with seqvae encode",
    "train drums notes.txt --out new": "nothing of notes.txt can be read: it is no MIDI file (no MThd header) (1, "
    "such as notes.txt); give files of MIDI",
    "train drums piano.mid --out new": "piano.mid has no hits on channel 10 in 1 file; channels with notes: 1 (4); "
    "pass --drum-channel or --all-channels",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    line: str, seqvae: Callable[..., Result], refused: Callable[..., None], place: Path
) -> None:
    prepare_wrong_input()
    before = sorted(place.rglob("*"))
    refused(seqvae(*line.split()), REFUSED[line])
    assert sorted(place.rglob("*")) == before


def test_an_input_is_never_overwritten(
    seqvae: Callable[..., Result], refused: Callable[..., None], place: Path
) -> None:
    made(seqvae("similar", "run", "two.mid", "--formats", "mid"))
    before = {path: path.read_bytes() for path in Path("run/similar").iterdir()}
    for value in ("run/similar/003.mid", "run/similar/003.mid#0"):
        refused(
            seqvae("similar", "run", value),
            "run/similar/003.mid is an input and would be overwritten; give --out another folder",
        )
    made(seqvae("similar", "run", "run/similar/003.mid", "-n", 1, "--formats", "mid"))
    assert Path("run/similar/003.mid").read_bytes() == before[Path("run/similar/003.mid")]


@pytest.mark.parametrize("option", ["--bpm 90", "--formats mid", "--meter 4/4"])
def test_options_for_drums_are_refused_by_a_text_model(
    option: str, seqvae: Callable[..., Result], refused: Callable[..., None], run: Path
) -> None:
    refused(
        seqvae("sample", run, *option.split()),
        f"{option.split()[0]} is for drums, groove, melody and trio, and this is a model of text; leave it out. See "
        "'seqvae sample --help'.",
    )
    refused(
        seqvae("evaluate", run, run.parent / "sentences.txt", "--split", "test"),
        "--split test means nothing, since sentences are not split by file; give a file of those you mean. See 'seqvae "
        "evaluate --help'.",
    )
