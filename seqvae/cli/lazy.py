"""Groups of commands that are imported, or made, when they are asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import click

from seqvae import modalities
from seqvae.config import nearest


class LazyGroup(click.Group):
    """A group whose commands stand in modules, `name -> "module:attribute"`."""

    places: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands in the order of `places`."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of a name. Raises UsageError for an unknown one, with the nearest known one."""
        if cmd_name not in self.places:
            known = ", ".join(self.places)
            raise click.UsageError(f"no command '{cmd_name}'; there are {known}.{nearest(cmd_name, self.places)}", ctx)
        module, _, attribute = self.places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class ModalityGroup(click.Group):
    """A group with one command for each modality of the registry; only the one that is called is imported."""

    def __init__(self, name: str, help: str, make: Callable[[type], click.Command]) -> None:
        super().__init__(
            name, help=help, subcommand_metavar="MODALITY DATA... [OPTIONS]", no_args_is_help=True,
            epilog=f"Example: seqvae {name} text sentences.txt{' --out runs/mine' * (name == 'train')}",
        )  # fmt: skip
        self._make = make

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the modalities."""
        return sorted(modalities.REGISTRY)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of a modality. Raises ValueError for an unknown one, with the nearest known one."""
        if cmd_name.startswith("-"):
            raise click.NoSuchOption(cmd_name, ctx=ctx)
        if cmd_name not in modalities.REGISTRY and Path(cmd_name).exists():
            known = "|".join(self.list_commands(ctx))
            raise click.UsageError(
                f"'{cmd_name}' stands where the modality belongs; write {ctx.command_path} {known} {cmd_name} ...", ctx
            )
        return self._make(modalities.get(cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The modalities by name: importing them all for a help page would be slow."""
        with formatter.section("Modalities"):
            names = self.list_commands(ctx)
            formatter.write_dl([(name, f"options: {ctx.command_path} {name} --help") for name in names])
