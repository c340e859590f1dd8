"""Every benchmark starts and finishes at its smallest size; those without their files say which they need."""

import csv
import os
import random
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import seqvae
from tests.scripts.loaded import SCRIPTS, script
from tests.training.small import values

BENCHMARKS = SCRIPTS.parent / "benchmarks"
runner = script("benchmarks")
NAMES = [path.stem for path in runner.scripts()]
SMALLEST = {name: shlex.split(arguments[0]) for name, arguments in runner.ARGUMENTS.items()}
DRUMS = {"latent": 12, "embedding": 3, "encoder_hidden": 5, "decoder_hidden": 4}


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A benchmark as a process of its own."""
    command = [sys.executable, BENCHMARKS / f"{name}.py", *map(str, arguments)]
    surroundings = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent)}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=surroundings)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sentences of the grammar, train.txt, valid.txt and test.txt, and of the same as two classes."""
    folder = tmp_path_factory.mktemp("sentences")
    generate = [sys.executable, SCRIPTS / "generate_sentences.py", "generate", "--out", folder, "--count", "1200"]
    subprocess.run([*map(str, generate), "--test", "0.2"], check=True, capture_output=True)
    for part in ("train", "valid"):
        lines = (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        for name, is_of in (("positive", str.__ne__), ("negative", str.__eq__)):
            text = "".join(line for line in lines if is_of(line.strip()[-1], "?"))
            (folder / f"{part}.{name}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def text_run(sentences: Path) -> Path:
    """A model of them that learned next to nothing."""
    train, valid = sentences / "train.txt", sentences / "valid.txt"
    return seqvae.train("text", train, sentences / "run", values(steps=2), valid=valid, verbose=False).path


@pytest.fixture(scope="module")
def grooves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Composed grooves with a table as the Groove MIDI Dataset has it, all of one drummer and style."""
    folder = tmp_path_factory.mktemp("grooves")
    compose = [sys.executable, SCRIPTS / "generate_grooves.py", "generate", "--out", folder, "--files", "40"]
    subprocess.run(list(map(str, compose)), check=True, capture_output=True)
    folder /= "grooves"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.mid"))
    random.Random(0).shuffle(names)
    with (folder / "info.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["drummer", "style", "beat_type", "time_signature", "midi_filename", "split"])
        for place, name in enumerate(names):
            split = ("train", "train", "validation", "test")[place % 4]
            table.writerow(["one", "rock", "beat", "4-4", name, split])
    return folder


@pytest.fixture(scope="module")
def drum_run(grooves: Path) -> Path:
    """A model of them that learned next to nothing."""
    given = {"data": {"meter": "4/4"}, "model": DRUMS, "train": {"steps": 2, "threads": 1}}
    return seqvae.train("drums", grooves, grooves.parent / "run", given, verbose=False).path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A folder as `text_defaults.py` reads it, with one of its corpora."""
    rng = random.Random(0)
    (tmp_path / "names").mkdir()
    lines = ("".join(rng.choices("aeiklmnort", k=3)) + "\n" for _ in range(540))
    (tmp_path / "names" / "names.txt").write_text("".join(lines))
    return tmp_path


# Of the benchmarks that need files, what they are given: words, and fixtures in braces.
FILES = {
    "attributes": "text {text_run} {sentences} --items 150 --topics 1",
    "by_position": "{sentences}/test.txt {text_run}",
    "drum_samples": "{drum_run} {grooves} -n 20 --temperatures 1 --split-csv {grooves}/info.csv",
    "even_walks": "{text_run} {sentences}/test.txt --walks 1",
    "groove_histograms": "{grooves}",
    "importance_weighted": "{sentences}/train.txt {sentences}/test.txt --items 2 --samples 2",
    "latent_constraints": "measured {drum_run} -n 2 --names density",
    "personal": "{drum_run} {grooves}",
    "sentiment": "{text_run} {sentences} --items 3 --multiples 1 --examples 1",
    "text_defaults": "{names} --work {names}/work --corpora names --settings defaults --steps 2",
}


def test_each_benchmark_has_a_smallest_size() -> None:
    assert sorted([*SMALLEST, *FILES]) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_without_files_starts_and_finishes(name: str) -> None:
    done = run(name, *SMALLEST[name])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_benchmark_of_files_starts_and_finishes(name: str, request: pytest.FixtureRequest) -> None:
    fixtures = ("sentences", "text_run", "grooves", "drum_run", "names")
    made = {word: request.getfixturevalue(word) for word in fixtures if f"{{{word}}}" in FILES[name]}
    done = run(name, *shlex.split(FILES[name].format(**made)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("name", FILES)
def test_a_benchmark_says_which_files_it_needs(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")
    assert left.value.code == runner.NEEDS_FILES
    assert "arguments are required" in capsys.readouterr().err
