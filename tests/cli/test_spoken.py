"""Texts of the library name settings; on the command line they name the options that stand for them."""

import ast
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seqvae.cli.options import given_values, key_options, set_option, split_option, spoken_as
from seqvae.cli.spoken import sentence_as_typed, spoken
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.melody import Melody
from seqvae.settings import Train

LIBRARY = Path(__file__).resolve().parents[2] / "seqvae"
SPEAKING = sorted(path for folder in ("modalities", "magenta") for path in (LIBRARY / folder).rglob("*.py"))


def told(text: str, *typed: str, is_error: bool = False, kind: type[Drums] | type[Melody] = Drums) -> str:
    """What a command with the options of a modality's data, `--split` and `--anew` says of a text."""

    @click.command("try")
    @set_option
    @split_option
    @click.option("--anew", is_flag=True, callback=spoken_as("anew"))
    @click.pass_context
    def command(ctx: click.Context, overrides: tuple[str, ...], split: str | None, anew: bool) -> None:
        given_values(ctx, {}, overrides)
        click.echo(sentence_as_typed(text) if is_error else spoken(text))

    command.params += key_options("data", kind.data_config, kind) + key_options("train", Train, kind, ("epochs",))
    result = CliRunner().invoke(command, typed)
    assert result.exit_code == 0, result.output
    return result.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pass data.bars=1, or give longer files", "pass --bars 1, or give longer files"),
        ("pass another data.meter", "pass another --meter"),
        ("a grid of 8: data.steps_per_quarter", "a grid of 8: --steps-per-quarter"),
        ("data.drum_channel or data.all_channels=true", "--drum-channel or --all-channels"),
        ("data.loop=False, data.loop", "--no-loop, --loop"),
        ("model.latent=8 and train.seed=3", "model.latent=8 and train.seed=3"),  # no options of this command
        ("train.epochs=3; its own train.epochs", "--epochs 3; its own train.epochs"),  # that of a stage, in its recipe
        ("Did you mean 'data.bars'?", "Did you mean 'data.bars'?"),  # of a key that was typed
        ("my_data.bars=1, data.bars.mid, old-data.bars", "my_data.bars=1, data.bars.mid, old-data.bars"),
        ("bars=1, split=test and anew=True", "bars=1, split=test and anew=True"),
    ],
)
def test_an_option_is_named_in_the_place_of_the_setting_it_stands_for(text: str, said: str) -> None:
    assert spoken(text) == text, "Python has no options"
    assert told(text) == said


def test_what_was_typed_is_spoken_of_as_it_was_and_the_page_that_lists_it_is_named() -> None:
    page = ". See 'try --help'."
    sentence = "data.bars=3 is too long; pass data.hop=1"
    assert told(sentence, "--bars", "3", is_error=True) == f"--bars 3 is too long; pass --hop 1{page}"
    assert told(sentence, is_error=True) == "--bars 3 is too long; pass --hop 1"
    assert told(sentence, "--set", "data.bars=3", is_error=True) == "data.bars=3 is too long; pass --hop 1"
    assert told(sentence, "--bars", "3") == "--bars 3 is too long; pass --hop 1"
    assert told("data.loop=False is odd", "--no-loop", is_error=True) == f"--no-loop is odd{page}"
    assert told("split=test has none; leave it out", "--split", "test", is_error=True) == (
        f"--split test has none; leave it out{page}"
    )
    assert told("anew=True keeps none", "--anew", is_error=True) == f"--anew keeps none{page}"


def test_a_setting_that_training_does_not_take_is_named_by_the_option_of_commands_that_do() -> None:
    asked = "data.progression=C G is refused; pass data.progression='C G' to another"
    assert told("such as data.progression='C G'", kind=Melody) == "such as --chords 'C G'"
    assert told(asked, "--set", "data.progression=C G", kind=Melody) == asked


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_the_library_speaks_of_no_option(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    assert [text for text in texts if re.search(r"(?<!\w)--[a-z]", text)] == []
