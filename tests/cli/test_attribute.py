"""`seqvae attribute fit`, `list`, `apply` and `remove`."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

import seqvae as package
from seqvae.attributes import keep_attributes
from seqvae.sheets import swept
from tests.cli.midi_runs import made, options, trained, workplace
from tests.cli.test_drums import bars, save

Call = Callable[..., Result]
Refused = Callable[[Result, str], None]
HAVING = {"word=sees": 12, "word=cook": 8}  # of the 24 sentences
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def fitted(run: Path, seqvae: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run with two attributes."""
    folder = Path(shutil.copytree(run, tmp_path_factory.mktemp("fitted") / "run"))
    for name, having in HAVING.items():
        result = seqvae("attribute", "fit", folder, name)
        assert result.exit_code == 0, result.stderr
        first, following = result.stdout.splitlines()
        assert re.fullmatch(
            rf"{folder}: {name}, fitted to 24 sentences \({having} have it\), "
            r"held-out balanced accuracy [\d.]+%, strength [\d.]+ flips \d+%",
            first,
        )
        assert following == f"next: seqvae attribute apply {folder} 'a sentence' --add {name}"
    return folder


@pytest.fixture
def own(fitted: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(fitted, tmp_path / "own"))


SENTENCE = "the cook sees the pie ."


def test_the_list_is_a_table_and_says_what_can_be_measured(fitted: Path, seqvae: Call) -> None:
    result = seqvae("attribute", "list", fitted)
    head, *rows = result.stdout.splitlines()
    assert re.split("  +", head)[:4] == ["name", "fitted to", "along", "items"]
    assert [re.split("  +", row)[:4] for row in rows] == [
        [name, name, "means", f"24 ({having} have it)"] for name, having in HAVING.items()
    ]
    assert result.stderr.splitlines() == [
        "can be measured: length: words",
        "can be measured: word=WORD: whether a word is in it",
        "can be measured: pattern=REGEX: whether a regular expression is found in it",
        f"next: seqvae attribute fit {fitted} NAME",
    ]


def test_strengths_far_from_all_data_are_told(fitted: Path, seqvae: Call) -> None:
    usual = package.load(fitted).attributes["word=sees"].strength
    far = seqvae("attribute", "apply", fitted, SENTENCE, "--add", "word=sees=-50", "--add", "word=cook=6")
    assert far.exit_code == 0
    assert far.stderr == (
        "word=sees=-50 is more than 6 deviations of the codes of the data, where hardly any code of data is; give "
        f"less, such as word=sees={-usual:g}\n"
    )
    sweep = ("attribute", "apply", fitted, SENTENCE, "--add", "word=sees", "--sweep")
    assert seqvae(*sweep, "-6.5:0:2").stderr.startswith("word=sees=-6.5 is more than 6 deviations ")
    assert seqvae(*sweep, "-6:6:2").stderr == ""


def test_the_run_says_which_it_has(fitted: Path, run: Path, seqvae: Call) -> None:
    assert "  attributes: word=sees, word=cook\n" in seqvae("info", fitted).stdout
    assert "attributes" not in seqvae("info", run).stdout


def test_a_run_without_any_says_so_and_where_there_are_some(run: Path, own: Path, seqvae: Call) -> None:
    assert seqvae("attribute", "list", run).stdout.startswith(f"{run}: no attribute yet of the checkpoint of step ")
    model = package.load(own)
    assert model.run is not None
    other = next(step for step in model.run.steps() if step != model.run.used_step)
    shown = seqvae("attribute", "list", own, "--checkpoint", other).stdout.strip()
    assert shown.endswith(f"; that of step {model.run.used_step} has some (--checkpoint {model.run.used_step})")


def test_what_is_added_is_what_python_adds(fitted: Path, seqvae: Call) -> None:
    model = package.load(fitted)
    for words, strengths, orthogonal in (
        (["--add", "word=sees"], {"word=sees": None}, False),
        (["--add", "word=sees=-2.5", "--add", "word=cook"], {"word=sees": -2.5, "word=cook": None}, False),
        (["--add", "word=sees=4", "--orthogonal"], {"word=sees": 4}, True),
    ):
        (expected,) = package.add_attributes(model, SENTENCE, strengths, orthogonal)
        assert seqvae("attribute", "apply", fitted, SENTENCE, *words).stdout == f"{expected}\n"


def test_a_sweep_has_a_result_for_each_strength_of_what_has_none(fitted: Path, seqvae: Call) -> None:
    result = seqvae(
        "attribute", "apply", fitted, SENTENCE, "--add", "word=sees", "--add", "word=cook=1", "--sweep", "-4:4:3"
    )
    model = package.load(fitted)
    expected = [
        package.add_attributes(model, SENTENCE, {"word=sees": strength, "word=cook": 1})[0] for strength in (-4, 0, 4)
    ]
    heads = ["\N{MINUS SIGN}4", " 0", " 4"]
    assert result.stdout.splitlines() == [f"{head}  {text}" for head, text in zip(heads, expected, strict=True)]


def test_a_sweep_of_several_sentences_has_a_table_with_a_part_for_each(
    fitted: Path, seqvae: Call, tmp_path: Path
) -> None:
    words = ("--add", "word=sees", "--sweep", "0:2:2")
    result = seqvae("attribute", "apply", fitted, SENTENCE, "a dog eats .", *words, "--out", tmp_path / "out")
    model = package.load(fitted)
    made_of = [
        package.add_attributes(model, sentence, {"word=sees": strength})[0]
        for sentence in (SENTENCE, "a dog eats .") for strength in (0, 2)
    ]  # fmt: skip
    one, two, three, four = made_of
    assert result.stdout.splitlines() == [
        SENTENCE,
        f"0  {one}",
        f"2  {two}",
        "a dog eats .",
        f"0  {three}",
        f"2  {four}",
    ]
    assert (tmp_path / "out" / "sentences.txt").read_text().splitlines() == made_of
    assert (tmp_path / "out" / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    assert result.stderr.splitlines()[-2:] == [
        f"written to {tmp_path / 'out' / 'sentences.txt'}", f"written to {tmp_path / 'out' / 'sweep.png'}: all in one"
    ]  # fmt: skip


def test_two_sets_are_files(own: Path, seqvae: Call) -> None:
    for name, does in (("with.txt", "sees"), ("without.txt", "eats")):
        lines = [f"the {who} {does} the {what} ." for who in ("cook", "dog") for what in ("pie", "seal", "song")]
        (own.parent / name).write_text("".join(f"{line}\n" for line in lines))
    result = seqvae("attribute", "fit", own, "seeing", own.parent / "with.txt", "--against", own.parent / "without.txt")
    assert result.stdout.startswith(f"{own}: seeing, fitted to 12 sentences (6 have it), held-out balanced accuracy ")
    assert "seeing     two sets   means  12 (6 have it)" in seqvae("attribute", "list", own).stdout


def test_one_is_removed(own: Path, seqvae: Call, refused: Refused) -> None:
    assert seqvae("attribute", "remove", own, "word=sees").stdout == f"{own}: word=sees removed\n"
    refused(
        seqvae("attribute", "remove", own, "word=sees"),
        "no attribute 'word=sees'; there are word=cook. Did you mean 'word=cook'?",
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing is added; give --add NAME, which `seqvae attribute list RUN` lists"),
        (["--add", "word=seas"], "no attribute 'word=seas'; there are word=sees, word=cook. Did you mean 'word=sees'?"),
        (["--add", "word=sees="], "--add word=sees=: '' is no strength; give a number, such as word=sees=1.5"),
        (["--add", "word=sees=nan"], "--add word=sees=nan: 'nan' is no strength; give a number, such as word=sees=1.5"),
        (
            ["--add", "word=cook=much"],
            "--add word=cook=much: 'much' is no strength; give a number, such as word=cook=1.5",
        ),
        (["--add", "word=sees", "--add", "word=sees=1"], "--add word=sees stands there twice; give one strength"),
        (
            ["--add", "word=sees", "--sweep", "1:2"],
            "--sweep 1:2 is not possible; give FROM:TO:STEPS, such as -2:2:5",
        ),
        (
            ["--add", "word=sees", "--sweep", "0:2:1"],
            "--sweep 0:2:1 is not possible; give FROM:TO:STEPS, such as -2:2:5",
        ),
        (
            ["--add", "word=sees", "--sweep", "0:2:99999"],
            "--sweep 0:2:99999 has 99,999 steps; give at most 1,000",
        ),
        (
            ["--add", "word=sees=1", "--sweep", "0:2:3"],
            "--sweep gives strengths, and each --add has one; leave one of them out",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_refused(
    words: list[str], sentence: str, fitted: Path, seqvae: Call, refused: Refused
) -> None:
    about_usage = "" if sentence.startswith(("no attribute", "--add")) else ". See 'seqvae attribute apply --help'."
    refused(seqvae("attribute", "apply", fitted, SENTENCE, *words), f"{sentence}{about_usage}")


def test_what_cannot_be_fitted_is_refused(own: Path, seqvae: Call, refused: Refused) -> None:
    refused(
        seqvae("attribute", "fit", own, "lenght"),
        "nothing called 'lenght' is measured of sentences of text; there are length, word=WORD, pattern=REGEX. Did you "
        "mean 'length'?",
    )
    refused(
        seqvae("attribute", "fit", own, "word=sees", "--split", "test"),
        "--split says how DATA are read; give DATA, or leave it out. See 'seqvae attribute fit --help'.",
    )
    (own.parent / "one.txt").write_text("the cook sees the pie .\n")
    assert (
        seqvae("attribute", "fit", own, "x", own.parent / "one.txt", "--against", own.parent / "one.txt").exit_code == 2
    )


def _write(path: Path, number: int) -> Path:
    return save(path, bars(2, number))


@pytest.fixture(scope="module")
def drums(seqvae: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(seqvae, tmp_path_factory.mktemp("attribute"), "drums", "grooves", _write, options())


def test_drums_are_written_as_files_with_what_is_measured(
    drums: Path, tmp_path: Path, seqvae: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workplace(tmp_path, drums / "run", monkeypatch)
    clip = drums / "grooves" / "0.mid"
    made(seqvae("attribute", "fit", "run", "density", drums / "grooves"))
    lines = made(seqvae("attribute", "apply", "run", clip, "--add", "density", "--out", "one"))
    assert re.search(r"density measured [\d.]+$", lines[0])
    assert list((folder / "one").glob("*.mid"))
    lines = made(
        seqvae("attribute", "apply", "run", f"{clip}#0", "--add", "density", "--sweep", "-1:1:3", "--out", "path")
    )
    assert re.search(r"density -1: density measured [\d.]+$", lines[0])
    assert sorted(path.name for path in (folder / "path").glob("*.mid")) == [
        "001.mid", "002.mid", "003.mid", "sweep.mid"
    ]  # fmt: skip
    run = package.load("run")
    density = run.attributes["density"]
    assert run.run is not None
    assert density.having is None
    keep_attributes(run.run, {"density": replace(density, measure="")})  # of labels or two sets nothing is measured
    lines = made(seqvae("attribute", "apply", "run", clip, "--add", "density", "--out", "two"))
    assert re.search(r"\d hits?$", lines[0])


def test_an_attribute_between_neighbours_names_what_it_keeps(seqvae: Call, own: Path, refused: Refused) -> None:
    before = package.load(own).attributes["word=cook"]
    result = seqvae("attribute", "fit", own, "word=cook", "--along", "neighbours", "--keep", "word=sees")
    assert result.exit_code == 0, result.stderr
    assert f"word=cook: in the place of that which was fitted to word=cook, {before.in_words}\n" in result.stderr
    model = package.load(own)
    _, sweep = swept(model, [model.windows(SENTENCE)], "word=cook", [0, 1])
    assert sweep.note == "added to codes of own, in ways to the other class"
    lines = seqvae("attribute", "list", own).stdout.splitlines()
    assert re.split("  +", lines[-1])[:3] == ["word=cook", "word=cook", "neighbours, keeping word=sees"]
    assert seqvae("attribute", "apply", own, "the cook sings .", "--add", "word=cook=-1").exit_code == 0
    refused(
        seqvae("attribute", "fit", own, "word=the", "--keep", "word=sees"),
        "--keep goes with --along neighbours; give that too, or leave --keep out. See 'seqvae attribute fit --help'.",
    )
