"""A fourth modality is one file and one line of the registry: every command works on it with no other edit."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import seqvae
from seqvae import modalities
from seqvae.cli import main
from seqvae.cli.results import LATEST

SIZES = ["model.latent=2", "model.embedding=4", "model.encoder_hidden=4", "model.decoder_hidden=8"]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(modalities.REGISTRY, "taps", "tests.fourth:Taps")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def taps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files of eight taps a line, one line too short."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for name, lines in (("a.taps", 30), ("b.taps", 10)):
        rows = np.where(random.random((lines, 8)) < 0.5, random.integers(-4, 5, (lines, 8)) / 16, np.nan)
        text = "\n".join(" ".join("." if np.isnan(x) else str(x) for x in row) for row in rows)
        (folder / name).write_text(text + "\n. . 0.25\n" * (name == "b.taps"))
    return folder


@pytest.fixture
def trained(taps: Path, tmp_path: Path) -> Path:
    out = tmp_path / "run"
    done = run("train", "taps", taps, "--out", out, "--epochs", "2", *(w for s in SIZES for w in ("--set", s)))
    assert done.exit_code == 0, done.output
    assert "next:" in done.stdout
    assert f"seqvae interpolate {out} A B" in done.stdout
    return out


def test_the_help_shows_the_options_that_the_modality_declares(trained: Path) -> None:
    page = run("train", "taps", "--help")
    assert page.exit_code == 0
    assert "Steps of an item (1 or more) [data.steps, default: 8]" in " ".join(page.output.split())
    assert "--silence" in page.output
    assert "--ending" in page.output, "a run keeps what its results are to be"
    assert "--ending" not in run("inspect", "taps", "--help").output, "reading writes no taps"
    page = run("reconstruct", trained, "--help")
    assert "An INPUT: a file of taps, or FILE#INDEX, a line of it, counted from 0." in page.output
    assert "--silence" in page.output
    assert "--ending" in page.output
    assert "--encoding" not in page.output
    refused = run("reconstruct", trained, "x", "--encoding", "utf-8")
    assert refused.exit_code == 2
    assert "--encoding is for text, and this is a model of taps; leave it out" in refused.output
    unused = run("sample", trained, "--silence", "x")
    assert (unused.exit_code, "No such option" in unused.output) == (2, True)


def test_items_are_made_written_and_named_by_file_and_index(trained: Path, taps: Path, tmp_path: Path) -> None:
    sampled = run("sample", trained, "-n", "3", "--ending", "txt")
    assert sampled.exit_code == 0, sampled.output
    assert sampled.stdout.splitlines()[1] == f"{trained / 'sample' / '001.txt'}: 8 steps"
    file = taps / "b.taps"
    made = run("reconstruct", trained, f"{file}#2", file, "--out", tmp_path / "made")
    assert made.exit_code == 0, made.output
    assert f"{file}: 1 line of another length, left out" in made.stderr
    assert f"{tmp_path / 'made' / '000.taps'}: 8 steps, from {file}#2" in made.stdout
    assert len(list((tmp_path / "made").iterdir())) == 11
    walk = run("interpolate", trained, f"{file}#0", f"{file}#1", "--steps", "4", "--out", tmp_path / "walk")
    assert walk.exit_code == 0, walk.output
    lines = [(tmp_path / "walk" / f"{place:03}.taps").read_text().split() for place in range(4)]
    assert all(len(line) == 8 for line in lines)
    refused = run("interpolate", trained, f"{file}#0", f"{file}#10")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{file} has 10 lines, so there is no #10; give {file}#0 to #9" in refused.stderr


def test_the_folder_of_a_run_keeps_the_latest_result_and_what_is_the_user_s(trained: Path, tmp_path: Path) -> None:
    folder = trained / "sample"
    assert run("sample", trained, "-n", "3").exit_code == 0
    (folder / "mine.taps").write_text("kept")
    outside = tmp_path / "outside.taps"
    outside.write_text("kept")
    (folder / "002.taps").unlink()
    (folder / "002.taps").symlink_to(outside)
    noted = json.loads((folder / LATEST).read_text())
    (folder / LATEST).write_text(json.dumps([*noted, "../config.json", "gone.taps", 3]))
    config = (trained / "config.json").read_bytes()
    assert run("sample", trained, "-n", "1").exit_code == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == [LATEST, "000.taps", "002.taps", "mine.taps"]
    assert outside.read_text() == "kept"
    assert (trained / "config.json").read_bytes() == config


def test_codes_go_to_a_file_and_back(trained: Path, taps: Path, tmp_path: Path) -> None:
    codes = tmp_path / "codes.npz"
    assert run("encode", trained, taps / "b.taps", "--out", codes).exit_code == 0
    with np.load(codes) as arrays:
        assert arrays["mean"].shape == (10, 2)
        assert arrays["items"].tolist()[9] == f"{taps / 'b.taps'}#9"
    assert run("decode", trained, codes, "--out", tmp_path / "made").exit_code == 0
    assert run("similar", trained, f"{taps / 'a.taps'}#0", "-n", "2").exit_code == 0


def test_evaluation_has_the_figures_and_the_units_of_the_modality(trained: Path, taps: Path, tmp_path: Path) -> None:
    done = run("evaluate", trained, taps, "--json", tmp_path / "figures.json", "--importance-samples", "3")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["items"] == 40
    assert figures["self_bleu"] is None
    assert 0 <= figures["step_accuracy_greedy"] <= 1
    (line,) = [line for line in done.stdout.splitlines() if "hits_right" in line]
    assert line.rstrip("│ ").endswith("share of steps")
    for command in (("info", trained), ("inspect", "taps", taps), ("plot", trained, "--only", "plane,samples")):
        assert run(*command).exit_code == 0, command


def test_steps_agree_within_their_tolerance_and_keep_their_fractions(trained: Path) -> None:
    model = seqvae.load(trained)
    offsets = (0.25, None, -0.125, None, None, 0.0, None, 0.5)
    (x,) = model.windows(offsets).arrays
    assert x.dtype == np.float32
    assert model.modality.decode(x) == offsets
    assert len(model.using({"ending": "x"}).sample(2)) == 2
    with pytest.raises(ValueError, match="steps=9 is not possible with this model"):
        model.using({"steps": 9})
