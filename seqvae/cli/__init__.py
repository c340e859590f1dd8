"""The command line: parse, make one library call, print. Nothing heavy is imported before a command runs."""

import sys

import click

from seqvae import __version__
from seqvae.cli.errors import outcome_of, show_traceback
from seqvae.cli.lazy import LazyGroup

COMMANDS = {
    "train": "seqvae.cli.train:train",
    "sample": "seqvae.cli.generation:sample",
    "reconstruct": "seqvae.cli.generation:reconstruct",
    "interpolate": "seqvae.cli.generation:interpolate",
    "similar": "seqvae.cli.generation:similar",
    "analogy": "seqvae.cli.analogy:analogy",
    "encode": "seqvae.cli.codes:encode",
    "decode": "seqvae.cli.codes:decode",
    "index": "seqvae.cli.finding:index",
    "near": "seqvae.cli.finding:near",
    "outliers": "seqvae.cli.finding:outliers",
    "clusters": "seqvae.cli.finding:clusters",
    "evaluate": "seqvae.cli.evaluate:evaluate",
    "compare": "seqvae.cli.compare:compare",
    "plot": "seqvae.cli.plot:plot",
    "inspect": "seqvae.cli.inspect:inspect",
    "fit-prior": "seqvae.cli.fit_prior:fit_prior",
    "attribute": "seqvae.cli.attribute:attribute",
    "constrain": "seqvae.cli.constrain:constrain",
    "personalise": "seqvae.cli.personalise:personalise",
    "app": "seqvae.cli.app:app",
    "info": "seqvae.cli.info:info",
    "recipes": "seqvae.cli.recipes:recipes",
    "models": "seqvae.cli.models:models",
    "import-magenta": "seqvae.cli.import_magenta:import_magenta",
    "data": "seqvae.cli.data:data",
    "cache": "seqvae.cli.cache:cache",
}


class _Root(LazyGroup):
    """The outermost group: the one place where errors become sentences and exit codes."""

    places = COMMANDS

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--traceback` may stand anywhere before a `--`."""
        end = args.index("--") if "--" in args else len(args)
        flags = [word for word in args[:end] if word == "--traceback"][:1]
        others = [word for word in args[:end] if word != "--traceback"]
        try:
            return super().parse_args(ctx, flags + others + args[end:])
        except click.UsageError as error:
            raise outcome_of(error) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Whatever goes wrong leaves as one sentence with its exit code."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            outcome = outcome_of(error)
            if outcome is not error and ctx.params["traceback"]:
                show_traceback(error, sys.stderr)
            raise outcome from None


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seqvae")
@click.option("--traceback", is_flag=True, help="Show where an error came from, besides its sentence.")
def main(traceback: bool) -> None:
    """Latent spaces of sequences: train a variational autoencoder, sample, reconstruct, interpolate, evaluate.

    \b
    seqvae train text sentences.txt --out runs/mine
    seqvae sample runs/mine
    seqvae interpolate runs/mine "the first sentence" "the second sentence"
    """
