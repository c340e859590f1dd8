"""`seqvae train MODALITY`: data files to a run folder."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal, get_args, get_origin

import click

from seqvae.cli.errors import WORDS
from seqvae.cli.lazy import ModalityGroup
from seqvae.cli.options import (
    PATH,
    data_argument,
    device_option,
    given_values,
    key_options,
    recipe_option,
    set_option,
)
from seqvae.config import Values, options, parse_overrides
from seqvae.meanings import key_for, plain
from seqvae.modalities.base import Modality
from seqvae.recipes import read_recipe
from seqvae.settings import Objective, Train

if TYPE_CHECKING:
    from seqvae.cli.progress import Watcher

HELP = """Train a model of {modality} on the files DATA and write it into the run folder --out.

The configuration is made of defaults, over them a recipe, over it options, over these --set."""
ALIASED_TRAIN_KEYS = ("epochs", "seed", "precision", "tensorboard", "overfit_batch")


class _TrainCommand(click.Command):
    """A command whose help page closes with the configuration keys that have no option of their own."""

    data = "DATA"  # of the example
    sections: Mapping[str, type] = {}
    defaults: Mapping[str, Values] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises UsageError for an option that does not exist, with the configuration key that it means."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            keys = [key for section, cls in self.sections.items() for key in options(section, cls)]
            name = plain(error.option_name)
            found = next((key for key in keys if key.partition(".")[2] == name), key_for(name, keys))
            if found is None:
                raise
            message = f"no option {error.option_name}; write --set {found}=VALUE"
            raise click.UsageError(message, ctx) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The keys with their defaults, meaning and choices."""
        rows = []
        for section, cls in self.sections.items():
            for key, (kind, default, text) in options(section, cls, self.defaults).items():
                choices = f" ({', '.join(map(str, get_args(kind)))})" if get_origin(kind) is Literal else ""
                shown = str(default).lower() if default is None or isinstance(default, bool) else default
                rows.append((f"{key}={shown}", text + choices))
        with formatter.section("Configuration keys, for --set and recipes"):
            formatter.write_dl(rows)
        formatter.write_paragraph()
        formatter.write_text(f"Example: seqvae train {ctx.info_name} {self.data} --out runs/mine")


def _make(kind: type[Modality]) -> click.Command:
    """`seqvae train` for one modality."""

    @click.command(kind.name, cls=_TrainCommand, help=HELP.format(modality=kind.name))
    @data_argument
    @click.option("--out", required=True, type=PATH, metavar="RUN", help="The run folder to write.")
    @recipe_option
    @set_option
    @click.option("--valid", multiple=True, type=PATH, metavar="DATA", help="Validation data; else 5 % are held out.")
    @device_option
    @click.option("--resume", is_flag=True, help="Continue the run in --out; nothing else is needed.")
    @click.option("--overwrite", is_flag=True, help="Replace the run in --out.")
    @click.option("--from", "source", type=PATH, metavar="RUN", help="Fine-tune: start from the weights of this run.")
    @click.option("--take", metavar="PART,...", help="Of --from: encoder, posterior, mean, scale, decoder, prior.")
    @click.option(
        "--checkpoint", default="best", show_default=True, metavar="best|last|STEP", help="Of --from: whose weights."
    )
    @click.pass_context
    def command(
        ctx: click.Context,
        data: tuple[Path, ...],
        out: Path,
        recipe: str | None,
        overrides: tuple[str, ...],
        valid: tuple[Path, ...],
        device: str,
        resume: bool,
        overwrite: bool,
        source: Path | None,
        take: str | None,
        checkpoint: str,
    ) -> None:
        if resume and (overwrite or source or take or checkpoint != "best"):
            other = "--overwrite" if overwrite else "--from" if source else "--take" if take else "--checkpoint"
            raise click.UsageError(f"--resume and {other} exclude each other; drop one")
        _check_source(source, take, checkpoint)
        ctx.meta[WORDS] = kind.words
        values = given_values(ctx, read_recipe(recipe, kind.name) if recipe else {}, overrides)
        _show_no_limit(overrides)
        parts = tuple(part.strip() for part in take.split(",")) if take else ()
        from seqvae.training import run as training

        with _watched(kind, out, values) as reporter:
            if resume:
                _check_resumed(kind.name, out, data, valid)
                training.resume(out, values, device, reporter, sources=data, valid=valid)
            else:
                training.train(
                    kind.name, data, out, values, valid, device, overwrite=overwrite, start_from=source, take=parts,
                    reporter=reporter, recipe=recipe, checkpoint=checkpoint,
                )  # fmt: skip

    command.params += key_options("train", Train, kind, ALIASED_TRAIN_KEYS) + key_options(
        "data", kind.data_config, kind
    )
    command.sections = {"model": kind.model_config, "objective": Objective, "train": Train}
    command.defaults, command.data = kind.defaults, kind.words.data
    return command


def _show_no_limit(overrides: Sequence[str]) -> None:
    """That 0 steps are no limit and no end, on stderr, where they are asked for."""
    if parse_overrides(overrides).get("train", {}).get("steps") == "0":
        click.echo("train.steps=0 is no limit of steps: training ends by train.epochs alone", err=True)


def _check_source(source: Path | None, take: str | None, checkpoint: str) -> None:
    """Raises click.UsageError for what chooses of another run's weights, where no run is named."""
    for option, value in (("--take", take or ""), ("--checkpoint", "" if checkpoint == "best" else checkpoint)):
        if value and source is None:
            raise click.UsageError(f"{option} {value} chooses of another run's weights; name that run with --from")


@contextlib.contextmanager
def _watched(kind: type[Modality], out: Path, values: Values) -> "Iterator[Watcher]":
    """A reporter of a training; how to continue one that is stopped, and what to do with one that is done."""
    from seqvae.cli.progress import watcher
    from seqvae.training.loop import Interrupted

    with watcher(kind.words.steps) as reporter:
        try:
            yield reporter
        except Interrupted as stop:
            line = f"seqvae train {kind.name} --resume --out {quote(str(out))}"
            from seqvae.runs.run import Run

            stopped = Run(out)
            found = stopped.last()
            validated = found is not None and found[1].state["best_step"] is not None
            which = "are the best so far and" if validated else "are the last, none being validated yet, and"
            used = f"the weights of step {stopped.best_step():,} {which} can be used"
            raise KeyboardInterrupt(f"{stop}, and {used}; continue with {line}") from stop
    if reporter.is_first:
        if not reporter.has_trained:
            click.echo(_finished_line(out, reporter.first_step, values), err=True)
        _show_next(out, kind)


def _check_resumed(modality: str, out: Path, data: Sequence[Path], valid: Sequence[Path]) -> None:
    """Raises ValueError when the run in `out` is of another modality, or was made from other data than are named."""
    from seqvae.training.corpora import IN_MEMORY
    from seqvae.training.run import settled

    settings = settled(out).settings
    if settings["modality"] != modality:
        raise ValueError(
            f"{out} is a run of {settings['modality']}; write seqvae train {settings['modality']} --resume"
        )
    if settings.get(IN_MEMORY):  # the content is compared, since there is no name that stays
        return
    for name, paths in (("sources", data), ("valid", valid)):
        if paths and [path.resolve() for path in paths] != [Path(own).resolve() for own in settings[name]]:
            raise ValueError(
                f"--resume continues with the run's own data, {', '.join(settings[name]) or 'a held-out share'}, not "
                f"{', '.join(map(str, paths))}; leave the data out, or start a new run with --from {out}"
            )


def _finished_line(out: Path, step: int, values: Values) -> str:
    """That nothing was left to train, and how to go on."""
    from seqvae.runs.run import Run
    from seqvae.training.ending import why_early
    from seqvae.training.progress import Progress
    from seqvae.training.run import resumed_config

    config = resumed_config(Run(out), values)
    last = config.of_each_stage()[-1].train
    found = Run(out).last()
    if found is not None and (why := why_early(last, Progress.of_checkpoint(found[1].state), is_annealed=True)):
        more = f"go on with a new run --from {quote(str(out))}"
        return f"{out} is finished at step {step:,}, since {why}: nothing was left to train; {more}"
    more = f"--epochs above {last.epochs}"
    if last.steps:
        more += f" and --set train.steps above {last.steps}"
    if config.stages:
        more += ", for its last stage"
    return f"{out} is finished at step {step:,}: nothing was left to train; go on with --resume and {more}"


def _show_next(out: Path, kind: type[Modality]) -> None:
    """Where the run is, and what can be done with it."""
    from seqvae.runs.run import Run

    run, (a, b) = quote(str(out)), kind.words.example
    is_plain = Run(out).settings["model"]["posterior"] == "point"  # without a prior to sample from
    lines = [f"plot {run}"] * kind.has_pixels + [f"sample {run}"] * (not is_plain)
    click.echo(f"the model is in {out}; next:")
    for line in (*lines, f"interpolate {run} {a} {b}", f"evaluate {run} DATA"):
        click.echo(f"  seqvae {line}")


train = ModalityGroup("train", "Train a model on files. Write seqvae train MODALITY DATA... --out RUN.", _make)
