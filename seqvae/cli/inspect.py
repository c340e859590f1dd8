"""`seqvae inspect MODALITY`: what reading data gives; nothing is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqvae.cli.lazy import ModalityGroup
from seqvae.cli.options import PATH, data_argument, given_values, key_options, recipe_option
from seqvae.cli.places import check_file_place, spare_files
from seqvae.cli.spoken import advised, spoken
from seqvae.cli.words import held_out_line
from seqvae.config import Values, counted, few, merge, uses_of
from seqvae.modalities.base import OF_RESULTS, Item, Modality
from seqvae.recipes import read_recipe
from seqvae.settings import Config, build_config

if TYPE_CHECKING:
    from seqvae.corpus import Corpus


def _make(kind: type[Modality]) -> click.Command:
    """`seqvae inspect` for one modality."""

    @click.command(
        kind.name,
        help=f"Read and encode the files DATA of {kind.name} as training would, and show what that gives: "
        "counts, lengths, what is dropped and why.",
        epilog=f"Example: seqvae inspect {kind.name} {kind.words.data}",
    )
    @data_argument
    @recipe_option
    @click.pass_context
    def command(ctx: click.Context, data: tuple[Path, ...], recipe: str | None, out: Path | None = None) -> None:
        if not data:
            raise click.UsageError("there are no data; name at least one file")
        if out is not None:
            check_file_place(out)
        values = given_values(ctx, read_recipe(recipe, kind.name) if recipe else {}, ())
        merged = merge(kind.defaults, values)
        config = build_config(kind.name, kind.data_config, kind.model_config, merged)
        from seqvae.training.limits import check_asked

        check_asked(values, kind.data_config)
        modality = kind(config.data)
        if out is not None:
            spare_files((file for source in data for file in modality.files_of(source)), [out], "--out another file")
        from seqvae.memory import readable
        from seqvae.modalities.processes import shared_processes

        with readable(modality, data) as files, shared_processes():
            modality, said = _as_training(config, values, modality, files, recipe is not None)
            _show(modality, files, config.train.seed, said)
            if out is not None:
                _draw(modality, files, out)

    if kind.picture is not Modality.picture and kind.first_shown:
        about = f"Also draw the first {kind.words.items} on a sheet."
        command.params.append(click.Option(["--out"], type=PATH, metavar="FILE.png", help=about))
    read = tuple(name for name, uses in uses_of(kind.data_config).items() if not OF_RESULTS.issuperset(uses))
    command.params += key_options("data", kind.data_config, kind, read)
    return command


def _as_training(
    config: Config, values: Values, modality: Modality, sources: Sequence[Path], is_recipe: bool
) -> tuple[Modality, str | None]:
    """The modality as training would have it, and the sentence that says which defaults it has for few items."""
    from seqvae.training.corpora import fit_modality, read_suited

    splits = modality.of_splits(sources)
    if splits and "train" not in splits:  # of these nothing would be trained on
        fit_modality(modality, sources)
        return modality, None
    _, modality, _, said = read_suited(config, values, modality, sources, is_recipe=is_recipe)
    return modality, said


def _show(modality: Modality, sources: Sequence[Path], seed: int, said: str | None) -> None:
    import numpy as np

    from seqvae.corpus import prepare

    corpus = prepare(modality, sources)
    lengths = corpus.lengths(np.arange(len(corpus)))
    rows = modality.facts(lengths)
    if corpus.steps > len(corpus):
        median, mean = f"{np.median(lengths):,.0f} median", f"{lengths.mean():,.1f} mean"
        rows.append(("steps of an item", f"{lengths.min():,} least, {median}, {mean}, {lengths.max():,} most"))
    if corpus.labels is not None:
        rows.append(("labels", f"{len(corpus.label_names):,} ({few(corpus.label_names)})"))
    if corpus.bytes is not None:
        rows.append(("bytes", f"{corpus.bytes:,} (line ends counted)"))
    for name, value in rows + modality.counts(corpus.report):
        click.echo(f"{name}: {spoken(value)}")
    for line in corpus.report.lines():
        click.echo(spoken(line))
    if said is not None:
        click.echo(advised(said))
    _show_splits(modality, sources, corpus, seed)


def _draw(modality: Modality, sources: Sequence[Path], out: Path) -> None:
    """A picture of the first items, as far as they are as long as the very first one."""
    from seqvae.files import write_atomically
    from seqvae.modalities.base import Report
    from seqvae.view.sheet import png

    pieces: list[list[Item]] = []
    names: list[str] = []
    steps = None
    for named in modality.named(sources, Report()):
        x = modality.encode(named.item, Report())
        steps = steps or (None if x is None else len(x))
        if x is not None and len(x) == steps:
            pieces.append([named.item])
            names.append(Path(named.name).name)
        if len(pieces) == modality.first_shown:
            break
    figure = modality.picture(pieces, names=names)
    if figure is not None:
        click.echo(f"{write_atomically(out, png(figure))}: the first {counted(len(pieces), modality.words.items)}")


def _show_splits(modality: Modality, sources: Sequence[Path], corpus: "Corpus", seed: int) -> None:
    """How training would split the data, and how many items of each split stand in the training data, too."""
    from seqvae.corpus import prepare, repeated
    from seqvae.training.corpora import parts as training_and_validation

    words = modality.split_words(sources)
    if words:
        click.echo(f"splits: {words}")
    corpora = {split: prepare(part, sources) for split, part in modality.of_splits(sources).items()}
    learn_from = corpora.get("train", corpus)
    held_out = held_out_line(len(training_and_validation([learn_from], seed)[1]), len(learn_from))
    for split, found in corpora.items():
        line = f"split {split}: {counted(len(found), 'items')}"
        if split != "train" and "train" in corpora:
            line += f", {repeated(found, corpora['train']):,} of them stand in train, too"
        click.echo(f"{line}, {held_out}" if split == "train" and "valid" not in corpora else line)
    if not corpora:
        click.echo(f"splits: {held_out}")


inspect = ModalityGroup("inspect", "Show what reading data gives. Nothing is trained.", _make)
