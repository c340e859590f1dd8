"""Short English for a model to learn from: lines of WordNet's examples and definitions, in three parts.

FOLDER holds examples.txt and glosses.txt of WordNet 3.0, a line each. Of a line the text up to the first semicolon is
kept, without what stands in brackets; lines with figures, and those of fewer than two or more than fourteen words, are
left out, and so are lines that came before, and those with a word that is rare among all that are left. The lines stand
in the order of WordNet's senses, so that every fortieth is a sample: one for validation, one for the test, the others
for training.

    python scripts/wordnet_lines.py data/wordnet --out data/wordnet-lines
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from seqvae.modalities.text.symbols import splitter

FILES = ("examples.txt", "glosses.txt")
WORDS = range(2, 15)
RARE = 6  # a word of lines with others must stand in as many
HELD_OUT_OF = 40
PLACES = {0: "test", HELD_OUT_OF // 2: "valid"}  # of each forty lines; the others are for training


def cleaned(line: str) -> str | None:
    """A line without brackets and what follows its first part; None where it is left out.

    >>> cleaned("an instrument (usually driven by a computer) for drawing graphs; not a plotter")
    'an instrument for drawing graphs'
    >>> cleaned("French writer (1694-1778)"), cleaned("born in 1694"), cleaned("fog")
    ('French writer', None, None)
    """
    line = re.sub(r"\([^()]*\)", " ", line).partition(";")[0]
    line = re.sub(r"\s+([,.:!?])", r"\1", " ".join(line.split()))
    return None if len(line.split()) not in WORDS or re.search(r"[0-9()\[\]]", line) else line


def kept(lines: Iterable[str]) -> Iterator[str]:
    """The cleaned lines, each once."""
    seen = set()
    for line in lines:
        found = cleaned(line)
        if found is not None and found not in seen:
            seen.add(found)
            yield found


def frequent(files: Sequence[Sequence[str]], rare: int) -> list[list[str]]:
    """The lines of each file all of whose words, and punctuation marks, are in at least so many lines of all files."""
    split = splitter("word-punct")
    counts = Counter(word for lines in files for line in lines for word in set(split(line)))
    return [[line for line in lines if all(counts[word] >= rare for word in split(line))] for lines in files]


def parts(files: Iterable[Iterable[str]], rare: int = RARE) -> dict[str, list[str]]:
    """Lines for training, validation and test, of each file as many in proportion; a line is in one part alone."""
    seen: set[str] = set()
    new: list[list[str]] = []
    for lines in files:
        new.append([line for line in kept(lines) if line not in seen])
        seen.update(new[-1])
    found: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for lines in frequent(new, rare):
        for place, line in enumerate(lines):
            found[PLACES.get(place % HELD_OUT_OF, "train")].append(line)
    return found


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the parts.")
def main(folder: Path, out: Path) -> None:
    """Write train.txt, valid.txt and test.txt of the lines in FOLDER."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise click.UsageError(f"{folder} has no {' and no '.join(missing)}; give a folder with {' and '.join(FILES)}")
    found = parts((folder / name).read_text(encoding="utf-8").splitlines() for name in FILES)
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in found.items():
        (out / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        click.echo(f"{out / f'{name}.txt'}: {len(lines):,} lines")


if __name__ == "__main__":
    main()
