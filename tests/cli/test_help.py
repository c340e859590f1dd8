"""Help pages: at once, without torch; unknown names get the nearest known one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae import __version__, modalities
from seqvae.cli import COMMANDS
from seqvae.modalities import REGISTRY

ROOT = Path(__file__).parents[2]
HEAVY = (
    "('torch', 'accelerate', 'sentencepiece', 'rich', 'sacrebleu', 'matplotlib', 'pretty_midi', 'symusic', 'joblib')"
)


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "train text --help",
        "train drums --help",
        "train images --help",
        "sample --help",
        "inspect text --help",
        "recipes",
    ],
)
def test_help_imports_nothing_heavy(arguments: str, environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom seqvae.cli import main\n"
        f"main(args={arguments.split()}, standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.strip() == "[]"
    assert len(done.stdout) > 100


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
    "cache path", "cache clear",
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
        assert f"An INPUT of a model of {name}: {words.input}." in page


def test_the_options_of_a_modality_are_its_data_keys(seqvae: Callable[..., Result]) -> None:
    page = " ".join(seqvae("train", "text", "--help").stdout.split())
    assert "--vocabulary-size INTEGER" in page
    assert "--blank-line-separated / --no-blank-line-separated" in page
    assert "--tokenizer [unigram|bpe|word|character]" in page
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
