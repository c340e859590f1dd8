"""Tasks of grooves on the command line: a quantised piece comes back played, and wrong words are answered."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import Result

import seqvae as package
from seqvae import pictures
from seqvae.modalities.midi.performance import Performance
from tests.cli.midi_runs import made
from tests.cli.test_groove import SET, performance, save
from tests.modalities.midi.smf import hits, midi


@pytest.fixture(scope="module")
def trained(seqvae: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """played/, a flat piece of its hits, and a run of each task, of a few steps."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "played").mkdir()
    pieces = [performance(4, number) for number in range(4)]
    for number, piece in enumerate(pieces):
        save(folder / "played" / f"{number}.mid", piece)
    flat = np.where(pieces[0].played[..., :1] > 0, [80, 0], 0).astype(np.int8)
    save(folder / "flat.mid", Performance(flat, bpm=97.0, kit=8))
    for task in (("humanize",), ("infill", "--added", "snare")):
        result = seqvae("train", "groove", folder / "played", "--out", folder / task[0], "--task", *task, *SET)
        assert result.exit_code == 0, result.stderr
    return folder


def notes(path: Path) -> list[tuple[float, int, int]]:
    """The step, pitch and velocity of each note, and whether it is on its step is what is left."""
    song = pretty_midi.PrettyMIDI(str(path))
    found = [(song.time_to_tick(note.start) / 120, note.pitch, note.velocity) for note in song.instruments[0].notes]
    return sorted(found, key=lambda note: (round(note[0]), note[1]))


def test_a_flat_piece_comes_back_with_its_hits_velocities_and_times(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path
) -> None:
    (line,) = made(
        seqvae("reconstruct", trained / "humanize", trained / "flat.mid", "--temperature", 1, "--out", tmp_path)
    )
    assert ": 4 bars of 4/4, 97 bpm, " in line
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".wav", ".png"}
    before, after = notes(trained / "flat.mid"), notes(tmp_path / "001.mid")
    assert {note[2] for note in before} == {80}
    assert [(round(step), pitch) for step, pitch, _ in after] == [(round(step), pitch) for step, pitch, _ in before]
    assert len({velocity for _, _, velocity in after}) > 10
    assert len({round(step % 1, 3) for step, _, _ in after}) > 10


def test_python_humanizes_as_the_command_does(trained: Path) -> None:
    model = package.load(trained / "humanize")
    (again,) = model.reconstruct(str(trained / "flat.mid"))
    assert sum(len(one.notes) for one in again.instruments) == len(notes(trained / "flat.mid"))
    with pytest.raises(ValueError, match=r"^codes stand where an item is needed; give the item, or decode the codes$"):
        model.reconstruct([model.encode([str(trained / "flat.mid")])])


def test_a_run_keeps_its_task(seqvae: Callable[..., Result], trained: Path, refused: Callable[..., None]) -> None:
    refused(
        seqvae("train", "groove", trained / "played", "--out", trained / "tap", "--task", "tap",
               "--from", trained / "humanize", *SET),
        f"--from keeps the model and encoding of {trained / 'humanize'}, but --task would change from "
        "humanize to tap; leave --task out, or train without --from",
    )  # fmt: skip
    assert package.load(trained / "infill").config.data.added == "snare"


def test_wrong_tasks_and_classes_are_answered_in_one_sentence(
    seqvae: Callable[..., Result], trained: Path, refused: Callable[..., None]
) -> None:
    train = ("train", "groove", trained / "played", "--out", trained / "wrong")
    refused(
        seqvae(*train, "--task", "infill"),
        "--task infill adds a class of drums, and nothing says which one; name it, such as --added 'closed hat'. See "
        "'seqvae train groove --help'.",
    )
    refused(
        seqvae(*train, "--task", "infill", "--added", "ried"),
        "--added ried is no class of --classes gm; choose kick, snare, closed hat, open hat, low tom, mid tom, high "
        "tom, crash, ride. Did you mean 'ride'? See 'seqvae train groove --help'.",
    )
    assert not (trained / "wrong").exists()


def test_the_hits_of_one_piece_are_played_as_another_is(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path
) -> None:
    run, other = trained / "infill", trained / "played" / "2.mid"
    (line,) = made(
        seqvae("reconstruct", run, trained / "flat.mid", "--feel", other, "--temperature", 1, "--out", tmp_path)
    )
    assert ": 4 bars of 4/4, 97 bpm, " in line
    assert line.endswith(f" hits, with the feel of {other}")
    before, after = notes(trained / "flat.mid"), notes(tmp_path / "001.mid")
    assert [(round(step), pitch) for step, pitch, _ in after] == [(round(step), pitch) for step, pitch, _ in before]
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".wav", ".png"}
    model = package.load(run).in_windows()
    (own,), (feel,), (again,) = (
        model.reconstruct([str(trained / "flat.mid")], temperature=1.0, feel=which)
        for which in (str(trained / "flat.mid"), str(other), model.encode([str(other)]))
    )
    assert own != feel, "the code of the other piece is decoded"
    assert feel == again, "its codes stand for it"


def test_a_short_feel_is_repeated(trained: Path) -> None:
    """Four bars are the windows 0 and 2 of a piece; a feel of one window is that of both."""
    model = package.load(trained / "infill").in_windows()
    one = f"{trained / 'played' / '2.mid'}#0"
    (whole,) = model.reconstruct([str(trained / "flat.mid")], feel=one)
    parts = [model.reconstruct([f"{trained / 'flat.mid'}#{n}"], feel=one)[0][0] for n in (0, 2)]
    assert [window.played.tolist() for window in whole] == [window.played.tolist() for window in parts]


def test_a_class_is_added_to_what_stays_as_it_is_played(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path, refused: Callable[..., None]
) -> None:
    run, piece = trained / "infill", trained / "played" / "1.mid"

    def parts(path: Path) -> list[list[tuple[float, int, int]]]:
        found = notes(path)
        return [[note for note in found if (note[1] == 38) == snare] for snare in (False, True)]

    made(seqvae("reconstruct", run, piece, "--temperature", 1, "--formats", "mid", "--out", tmp_path / "kept"))
    (others, own), (kept, added) = parts(piece), parts(tmp_path / "kept" / "001.mid")
    assert kept == others
    assert len(added) > 10
    assert added != own
    anew = ("reconstruct", run, piece, "--temperature", 1, "--formats", "mid", "--anew", "--out", tmp_path / "anew")
    made(seqvae(*anew))
    assert parts(tmp_path / "anew" / "001.mid")[0] != others
    refused(
        seqvae(*anew, "--feel", piece),
        "a feel is that of hits which are kept, and --anew keeps none; leave one of them out. See 'seqvae reconstruct "
        "--help'.",
    )
    model = package.load(run)
    (song,) = model.reconstruct([str(piece)], temperature=1.0)
    song.write(str(tmp_path / "python.mid"))
    assert notes(tmp_path / "python.mid") == notes(tmp_path / "kept" / "001.mid")
    with pytest.raises(ValueError, match=r"^codes stand where an item is needed"):
        model.reconstruct([model.encode([str(piece)])])
    assert len(model.reconstruct([model.encode([str(piece)])], anew=True)) == 1


def test_hits_of_an_input_that_the_grid_loses_are_named(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path
) -> None:
    piece = tmp_path / "flam.mid"
    piece.write_bytes(midi(hits([(0, 36), (480, 42), (490, 42), (1900, 36)])))
    result = seqvae("reconstruct", trained / "infill", piece, "--formats", "mid", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        f"{piece}: hits: 1 lost to the grid",
        f"{piece}: hits lost to the grid: flams closer than 1/12 of a quarter (1)",
    ]


def test_a_humanized_piece_is_made_anew_when_that_is_asked_for(trained: Path) -> None:
    model = package.load(trained / "humanize").in_windows()
    flat = str(trained / "flat.mid")
    (kept,), (anew,) = (model.reconstruct([flat], temperature=1.0, anew=anew) for anew in (False, True))
    (codes,) = model.decode(model.encode([f"{flat}#0"]), temperature=1.0)
    assert [item.hits.tolist() for item in kept] == [item.hits.tolist() for item in model.windows(flat).items]
    assert anew[0].hits.tolist() == codes[0].hits.tolist() != kept[0].hits.tolist()


def test_a_folder_is_no_feel(seqvae: Callable[..., Result], trained: Path, refused: Callable[..., None]) -> None:
    played = trained / "played"
    refused(
        seqvae("reconstruct", trained / "infill", trained / "flat.mid", "--feel", played),
        f"{played} is a folder; give one MIDI file of it",
    )
    refused(
        seqvae("reconstruct", trained / "infill", played),
        f"{played} is a folder; give one MIDI file of it, or --file {played} for all of its windows",
    )


def test_a_feel_is_refused_where_there_is_none(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path, refused: Callable[..., None]
) -> None:
    flat, other = trained / "flat.mid", trained / "played" / "2.mid"
    refused(
        seqvae("reconstruct", trained / "humanize", flat, "--feel", other),
        "the feel of another groove is in codes of velocities and times, and this model reads hits alone "
        "(data.task=humanize); take a model of another task, such as reconstruct",
    )
    waltz = save(tmp_path / "waltz.mid", Performance(performance(3, 5).played, (3, 4)))
    result = seqvae("reconstruct", trained / "infill", flat, "--feel", waltz)
    assert result.exit_code == 2
    assert "3/4" in result.stderr.splitlines()[-1]
    drums = trained / "drums"
    assert seqvae("train", "drums", trained / "played", "--out", drums, *SET).exit_code == 0
    refused(
        seqvae("reconstruct", drums, flat, "--anew"),
        "--anew is for models that keep a part of what they read, and all windows of this one are made as a whole; "
        "leave it out. See 'seqvae reconstruct --help'.",
    )
    refused(
        seqvae("reconstruct", drums, flat, "--feel", other),
        "windows of drums have no feel to take from others; leave the feel out",
    )


def test_figures_stand_beside_those_of_the_nearest_windows_while_the_training_data_are_there(
    seqvae: Callable[..., Result], trained: Path, tmp_path: Path
) -> None:
    def figures(name: str) -> dict[str, float | None]:
        result = seqvae("evaluate", trained / "humanize", trained / "played", "--importance-samples", 1,
                        "--json", tmp_path / name)  # fmt: skip
        assert result.exit_code == 0, result.stderr
        told = "The training data are no longer in the cache, so there are no figures of the nearest windows."
        found: dict[str, float | None] = json.loads((tmp_path / name).read_text())
        assert (told in " ".join(result.stdout.split())) == (found["timing_error_neighbours_ms"] is None)
        return found

    before = figures("before.json")
    assert before["f1_hits"] == before["step_accuracy_greedy"] == 1.0
    assert before["timing_error_neighbours_ms"] is not None
    assert before["timing_error_neighbours_ms"] != before["timing_error_quantised_ms"]
    assert seqvae("cache", "clear").exit_code == 0
    after = figures("after.json")
    assert {name for name, value in after.items() if value is None and before[name] is not None} == {
        "timing_error_neighbours_ms", "timing_error_neighbours_16ths", "velocity_error_neighbours",
        "timing_kl_neighbours_nats", "velocity_kl_neighbours_nats",
    }  # fmt: skip
    assert after["timing_error_ms"] == before["timing_error_ms"]


@pytest.mark.parametrize(("feel", "shown"), [("logistic", True), ("squares", False)])
def test_squared_errors_have_no_perplexity(
    feel: str, shown: bool, seqvae: Callable[..., Result], trained: Path, tmp_path: Path
) -> None:
    result = seqvae(
        "train", "groove", trained / "played", "--out", tmp_path / "run", "--set", f"model.feel={feel}", *SET
    )
    assert result.exit_code == 0, result.stderr
    assert ("perplexity at most" in result.stdout + result.stderr) is shown
    result = seqvae("evaluate", tmp_path / "run", trained / "played", "--importance-samples", 1,
                    "--json", tmp_path / "figures.json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert (json.loads((tmp_path / "figures.json").read_text())["perplexity"] is not None) is shown
    assert ("perplexity" in result.stdout) is shown
    assert ("log p(x" in result.stdout) is shown
    assert ("nats and squared errors per item" in " ".join(result.stdout.split())) is not shown
    figure = pictures.losses(tmp_path / "run")
    unit = "nats per item" if shown else "nats and squared errors per item"
    assert figure.axes[0].get_ylabel() == unit
