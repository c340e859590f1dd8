"""The commands that the README shows are commands of this version."""

import re
import shlex
from pathlib import Path

import click
import pytest

from seqvae import modalities
from seqvae.cli import main
from seqvae.config import options
from seqvae.settings import Objective, Train

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {line.strip().removeprefix("$ ") for line in README.splitlines() if re.match(r"    (\$ )?seqvae ", line)}
    | {code for code in re.findall(r"`(seqvae [^`]+)`", README) if "|" not in code}
)
KEYS = sorted(set(re.findall(r"\b((?:data|model|objective|train)\.[a-z_]+)=", README)))


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
def test_a_command_of_the_readme_exists_with_its_options(line: str) -> None:
    command, rest = find(shlex.split(line))
    parameters = command.get_params(click.Context(command))
    known = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    given = {word for word in rest if re.match(r"--?[a-z]", word)}
    assert given <= known, f"{line}: {sorted(given - known)}"


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("key", KEYS)
def test_a_configuration_key_of_the_readme_exists(key: str) -> None:
    kinds = [modalities.get(name) for name in modalities.REGISTRY]
    section = key.partition(".")[0]
    classes = {
        "data": [kind.data_config for kind in kinds], "model": [kind.model_config for kind in kinds],
        "objective": [Objective], "train": [Train],
    }  # fmt: skip
    assert any(key in options(section, cls) for cls in classes[section])


@pytest.mark.parametrize("name", sorted(set(re.findall(r"--recipe ([a-z0-9-]+)(?![a-z0-9/-])", README))))
def test_a_recipe_of_the_readme_exists(name: str) -> None:
    assert (Path(__file__).resolve().parent.parent / "seqvae" / "recipes" / f"{name}.toml").exists()
