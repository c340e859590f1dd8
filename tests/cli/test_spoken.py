"""Texts of the library name settings; on the command line they name the options that stand for them."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seqvae.cli.options import given_values, key_options, set_option, split_option, spoken_as
from seqvae.cli.spoken import advised, sentence_as_typed, spoken
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.melody import Melody
from seqvae.settings import Train

LIBRARY = Path(__file__).resolve().parents[2] / "seqvae"
OF_PYTHON = ("progress.py", "words.py")  # of cli/: in notebooks, too
WHOLE = re.compile(r"`seqvae [^`]*`")  # commands that nothing in Python does
SPEAKING = sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY / "cli" or path.name in OF_PYTHON)


def told(
    text: str, *typed: str, is_error: bool = False, kind: type[Drums] | type[Melody] = Drums,
    speak: Callable[[str], str] = spoken,
) -> str:  # fmt: skip
    """What a command with the options of a modality's data, `--split` and `--anew` says of a text."""

    @click.command("try")
    @set_option
    @split_option
    @click.option("--anew", is_flag=True, callback=spoken_as("anew"))
    @click.pass_context
    def command(ctx: click.Context, overrides: tuple[str, ...], split: str | None, anew: bool) -> None:
        given_values(ctx, {}, overrides)
        click.echo(sentence_as_typed(text) if is_error else speak(text))

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
        ("go on with `seqvae.resume` of a, or `seqvae.resume`", "go on with --resume --out a, or --resume"),
        ("`start_from` a, `valid`, `out` and `overwrite=True`", "--from a, --valid, --out and --overwrite"),
        ("out, valid, overwrite and start_from", "out, valid, overwrite and start_from"),
        ("set model.latent=8; set data.bars=1; set KEY=VALUE", "--set model.latent=8; --bars 1; --set KEY=VALUE"),
        ("set model.latent, such as 8; offset data.bars=1", "set model.latent, such as 8; offset --bars 1"),
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
    of_others = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = [
        WHOLE.sub("", "".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)))
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docstrings | of_others
    ]
    assert [text for text in texts if re.search(r"(?<!\w)--[a-z]", text)] == []


def test_what_is_advised_keeps_the_keys_of_settings() -> None:
    text = "the defaults are data.bars=1; set KEY=VALUE for others, such as set data.bars=2, with `out`"
    said = "the defaults are data.bars=1; --set KEY=VALUE for others, such as --set data.bars=2, with --out"
    assert advised(text) == text
    assert told(text, speak=advised) == said


def test_a_command_without_set_speaks_of_none() -> None:
    @click.command("try")
    def command() -> None:
        click.echo(spoken("set model.latent=8, `out`"))

    assert CliRunner().invoke(command).stdout == "set model.latent=8, --out\n"
