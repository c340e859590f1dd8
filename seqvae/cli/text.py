"""What the command line does for text: INPUT is a sentence, results go to the terminal."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqvae.cli.items import tell_counts
from seqvae.cli.named import Made, Named
from seqvae.cli.options import Input, Output
from seqvae.cli.words import counted

if TYPE_CHECKING:
    from seqvae.model import Model


class TextFace:
    """See `items.Face`."""

    wanted = "INPUT, --file FILE, or - to read from the standard input"
    unit = "tokens"
    units: Mapping[str, str] = {}
    no_split = "sentences are not split by file, so that --split means nothing here; give a file of those you mean"
    after_training = ("sample RUN", "interpolate RUN A B", "evaluate RUN DATA")

    def prepare(self, model: "Model", source: Input, output: Output) -> None:
        """Take the encoding; refuse what is for music."""
        source.refuse(("drum_channel", "all_channels", "meter", "split_csv"), "drums", "text")
        output.refuse(("formats", "bpm", "meter"), "drums", "text")
        if source.encoding is not None:
            model.modality.data = replace(model.modality.data, encoding=source.encoding)

    def parse(self, model: "Model", value: str, source: Input) -> list[Named]:
        """A sentence as it stands, or with `-` the lines of the standard input that are not blank."""
        sentences = [value] if value != "-" else list(_standard_input(source.encoding))
        return [Named(sentence, sentence) for sentence in sentences]

    def of_files(self, model: "Model", files: Sequence[Path]) -> list[Named]:
        """The sentences of files."""
        from seqvae.modalities.base import Report

        report = Report()
        sentences = list(model.modality.read(files, report))
        tell_counts(", ".join(map(str, files)), report)
        return [Named(sentence, sentence) for sentence in sentences]

    def tell_losses(self, model: "Model", items: Sequence[Named]) -> None:
        """What the encoding cannot hold of these sentences, such as unknown words, on stderr."""
        from seqvae.modalities.base import Report

        report = Report()
        for sentence in items:
            model.modality.encode(sentence.item, report)
        tell_counts("input", report)

    def rows(self, model: "Model", items: Sequence[Named]) -> list[Named]:
        """The sentences themselves."""
        return list(items)

    def show(self, model: "Model", made: Made, output: Output) -> None:
        """One sentence a line, paragraphs with blank lines between them; also a file where a folder is given."""
        from seqvae.modalities.text.lines import joined

        click.echo(joined(made.items, model.config.data.blank_line_separated), nl=False)
        if output.folder is not None:
            for path in model.modality.write(made.items, output.folder, made.arrangement):
                click.echo(f"written to {path}", err=True)

    def facts(self, modality: Any, lengths: Any) -> list[tuple[str, str]]:
        """Items, steps and the vocabulary."""
        return [
            ("items", f"{len(lengths):,}"),
            ("steps", f"{lengths.sum():,} (end of sequence counted)"),
            ("vocabulary", counted(modality.outcomes, "tokens")),
        ]

    def captions(self, model: "Model", figures: Mapping[str, Any]) -> list[str]:
        """What is counted as a token."""
        return ["Tokens: the end of sequence counts, padding never."]


def _standard_input(encoding: str | None) -> Iterator[str]:
    from seqvae.modalities.base import Report
    from seqvae.modalities.text.lines import decoded_lines

    report = Report()
    for line in decoded_lines(sys.stdin.buffer, "standard input", encoding or sys.stdin.encoding, report):
        if line.strip():
            yield line
        else:
            report.counts["empty lines dropped"] += 1
    tell_counts("standard input", report)


FACE = TextFace()
