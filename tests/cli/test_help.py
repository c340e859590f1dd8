"""Help pages: at once, without torch; unknown names get the nearest known one."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae import __version__, modalities
from seqvae.cli import COMMANDS
from seqvae.config import changed
from seqvae.modalities import REGISTRY
from seqvae.modalities.midi.settings import DrumData

ROOT = Path(__file__).parents[2]
HEAVY = (
    "('torch', 'accelerate', 'sentencepiece', 'rich', 'sacrebleu', 'matplotlib', 'pretty_midi', 'symusic', 'joblib')"
)


LIGHT = (
    "--help", "train text --help", "train drums --help", "train images --help", "sample --help", "inspect text --help",
    "recipes",
)  # fmt: skip


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    # what one of them imports would be there after it, and is shown beside the first that has it
    code = (
        "import contextlib, io, sys\nfrom seqvae.cli import main\n"
        f"for line in {LIGHT}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as page:\n"
        "        main(args=line.split(), standalone_mode=False)\n"
        f"    print(line, len(page.getvalue()) > 100, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{line} True []" for line in LIGHT]


def test_the_version_is_the_package_s(seqvae: Callable[..., Result]) -> None:
    assert seqvae("--version").stdout == f"seqvae, version {__version__}\n"


def test_every_command_has_a_help_page_that_starts_with_one_whole_sentence(seqvae: Callable[..., Result]) -> None:
    page = seqvae("--help").stdout
    for name in COMMANDS:
        (line,) = [line for line in page.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith("."), line
        assert not line.endswith("..."), line
        assert seqvae(name, "--help").exit_code == 0


PAGES = [
    *COMMANDS, *(f"{name} {modality}" for name in ("train", "inspect") for modality in REGISTRY), "data mnist",
    "cache path", "cache clear", *(f"attribute {name}" for name in ("fit", "list", "apply", "remove")),
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_a_help_page_fits_a_terminal_and_leaves_nothing_empty(page: str, seqvae: Callable[..., Result]) -> None:
    result = seqvae(*page.split(), "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: seqvae {page} ")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "default: ]" not in result.stdout
    assert result.stdout.rstrip().rpartition("\n\n")[2].strip().startswith("Example: seqvae ")


@pytest.mark.parametrize("command", ["reconstruct", "interpolate", "similar", "encode"])
def test_the_page_of_a_command_that_takes_items_says_what_they_are_for_each_modality(
    command: str, seqvae: Callable[..., Result]
) -> None:
    page = " ".join(seqvae(command, "--help").stdout.split())
    for name in REGISTRY:
        words = modalities.get(name).words
        more = words.all_of if command in ("reconstruct", "encode") else ""  # the others take single items
        assert f"An INPUT of a model of {name}: {words.input}{more}." in page


def test_the_options_of_a_modality_are_its_data_keys(seqvae: Callable[..., Result]) -> None:
    page = " ".join(seqvae("train", "text", "--help").stdout.split())
    assert "--vocabulary-size INTEGER" in page
    assert "--blank-line-separated / --no-blank-line-separated" in page
    assert "--tokenizer [unigram|bpe|word|word-punct|character]" in page
    assert "[data.max_length, default: 256]" in page
    assert "objective.free_nats_per_dimension=0.0 floor on the batch mean" in page


def test_an_unknown_modality_is_refused_with_those_that_there_are(seqvae: Callable[..., Result]) -> None:
    result = seqvae("train", "txt", "corpus.txt", "--out", "run")
    assert result.exit_code == 2
    assert result.stderr.startswith("no modality 'txt'; there are ")
    assert result.stderr.endswith(" Did you mean 'text'?\n")


def test_a_file_in_the_place_of_the_modality_is_told(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("train", "sentences.txt", "--out", "run")
    assert result.exit_code == 2
    assert result.stderr.startswith("'sentences.txt' stands where the modality belongs; write seqvae train ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["smple"],
            f"no command 'smple'; there are {', '.join(COMMANDS)}. Did you mean 'sample'? See 'seqvae --help'.",
        ),
        (["--versoin"], "No such option '--versoin'. Did you mean '--version'? See 'seqvae --help'."),
        (
            ["train", "text", "a", "--out", "b", "--tokeniser", "word"],
            "No such option '--tokeniser'. Did you mean '--tokenizer'? See 'seqvae train text --help'.",
        ),
        (["train", "text", "a"], "Missing option '--out'. See 'seqvae train text --help'."),
        (["sample"], "Missing argument 'RUN'. See 'seqvae sample --help'."),
        (["train", "--out", "x", "text"], "No such option '--out'. See 'seqvae train --help'."),
    ],
)
def test_a_mistyped_command_line_is_one_sentence(
    arguments: list[str], sentence: str, seqvae: Callable[..., Result], refused: Callable[..., None]
) -> None:
    refused(seqvae(*arguments), sentence)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_launcher_is_the_command_of_its_name(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith(f"Usage: seqvae {name} ")


def test_the_launcher_called_inspect_does_not_hide_the_standard_library_s() -> None:
    code = f"import sys\nsys.path.insert(0, {str(ROOT / 'scripts')!r})\nimport inspect\nprint(inspect.signature(len))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(obj, /)\n"


def test_the_options_of_a_modality_show_range_form_and_default(seqvae: Callable[..., Result]) -> None:
    page = " ".join(seqvae("sample", "--help").stdout.split())
    assert "--bpm BPM|none Drums, groove, melody, trio: tempo of what is written" in page
    assert "or the usual one (4 to 1000) [default: the run's]" in page
    assert "--formats NAME,... " in page
    page = " ".join(seqvae("train", "drums", "--help").stdout.split())
    assert "or the usual one (4 to 1000) [data.bpm, default: none]" in page
    assert "Share of the files held out for validation (0 or more, and less than 1) [data.valid_share, " in page
    assert "--split-csv FILE " in page
    assert "--seed INTEGER Seed of weights, order and noise [train.seed, default: 0]" in page
    assert "--bpm" not in seqvae("inspect", "drums", "--help").stdout


def test_the_metre_means_to_each_command_what_it_does_with_it(seqvae: Callable[..., Result]) -> None:
    texts = {
        "sample": "metre of what is made, such as 4/4; empty: the one most met in training",
        "reconstruct": "read only bars of this metre, such as 4/4; empty: those of all metres that the model knows",
        "train drums": "Read only bars of this metre, such as 4/4, and make samples in it; empty: all metres, and",
    }
    for command, text in texts.items():
        page = " ".join(seqvae(*command.split(), "--help").stdout.split())
        assert text in page, command
        assert not any(other in page for name, other in texts.items() if name != command)


def test_examples_of_help_are_of_the_demo(seqvae: Callable[..., Result]) -> None:
    demo = (ROOT / "scripts" / "demo.py").read_text(encoding="utf-8")
    for page in PAGES:
        example = " ".join(seqvae(*page.split(), "--help").stdout.rpartition("Example: ")[2].split())
        folders = re.findall(r"(?:runs|data)/demo[a-z-]*", example)
        assert all(f'"{folder}"' in demo for folder in folders), example
        assert not re.search(r"\b(?:DATA|INPUT|FILE|A B)\b", example), example


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("train drums a.mid --out new --bpm 0", "--bpm 0.0 is not possible; give 4 to 1000. See 'seqvae train drums "),
        ("train drums a.mid --out new --set data.bpm=0", "data.bpm=0.0 is not possible; give 4 to 1000"),
        (
            "inspect drums a.mid --bars 0",
            "--bars 0 is not possible; give 1 or more. See 'seqvae inspect drums --help'.",
        ),
        ("inspect drums a.mid --meter x/4", "--meter x/4 is not possible; write beats/unit, such as 4/4 or 6/8. See "),
        (
            "train text a.txt --out new --epochs 0",
            "--epochs 0 is not possible; give 1 or more. See 'seqvae train text ",
        ),
    ],
)
def test_a_value_is_refused_by_the_name_that_was_typed(
    arguments: str, sentence: str, seqvae: Callable[..., Result], here: Path
) -> None:
    result = seqvae(*arguments.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence)
    assert not (here / "new").exists()


def test_none_is_a_value_where_the_help_says_so(seqvae: Callable[..., Result], here: Path) -> None:
    assert seqvae("sample", "missing", "--bpm", "none").stderr.startswith("missing is not a run folder")
    assert seqvae("sample", "missing", "--bpm", "fast").stderr.startswith("Invalid value for '--bpm': 'fast' is not")
    assert changed(DrumData(bpm=90.0), {"bpm": "none"}, "data") == DrumData()


def test_the_temperatures_of_the_modalities_are_those_that_help_names(seqvae: Callable[..., Result]) -> None:
    kinds = {name: modalities.get(name) for name in sorted(REGISTRY)}
    named = ", ".join(f"{name} {kind.sampling_temperature:g}" for name, kind in kinds.items())
    assert named == "drums 0.3, groove 0.3, images 0, melody 0.5, text 1, trio 0.5"
    shown = " ".join(seqvae("sample", "--help").stdout.split())
    assert f"[default: (the model's own or the modality's: {named})]" in shown
