"""The commands that the README and the tutorials show are commands of this version."""

import re
import shlex
from pathlib import Path

import click
import pytest

from seqvae import modalities
from seqvae.cli import main
from seqvae.config import options
from seqvae.settings import Objective, Train

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
COMMANDS = sorted(
    {line.strip().removeprefix("$ ") for line in PAGES.splitlines() if re.match(r"(    |\$ |    \$ )seqvae ", line)}
    | {code for code in re.findall(r"`(seqvae [^`]+)`", PAGES) if "|" not in code}
)
KEYS = sorted(set(re.findall(r"\b((?:data|model|objective|train)\.[a-z_]+)=", PAGES)))


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words after its name."""
    command: click.Command = main
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"no command {rest[0]}"
        command, rest = found, rest[1:]
    return command, rest


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_a_page_exists_with_its_options(line: str) -> None:
    command, rest = find(shlex.split(line))
    parameters = command.get_params(click.Context(command))
    known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= known, f"{line}: {sorted(given - known)}"


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("key", KEYS)
def test_a_configuration_key_of_a_page_exists(key: str) -> None:
    kinds = [modalities.get(name) for name in modalities.REGISTRY]
    section = key.partition(".")[0]
    classes = {
        "data": [kind.data_config for kind in kinds], "model": [kind.model_config for kind in kinds],
        "objective": [Objective], "train": [Train],
    }  # fmt: skip
    assert any(key in options(section, cls) for cls in classes[section])


@pytest.mark.parametrize("name", sorted(set(re.findall(r"--recipe ([a-z0-9-]+)(?![a-z0-9/-])", PAGES))))
def test_a_recipe_of_a_page_exists(name: str) -> None:
    assert (ROOT / "seqvae" / "recipes" / f"{name}.toml").exists()
