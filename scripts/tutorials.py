"""Run the tutorials in docs/: every command and every block of Python, and put in place what they print and draw.

Called by `make docs`. A page is Markdown in which three things are live:

- a block ```console: each line that starts with `$ ` is run by the shell, in a folder of its own for the page;
- a block ```python: run in one interpreter a page; a block ```text right after it holds what it prints;
- a picture with a title, `![words](pictures/a.png "runs/plane/plot/plane.png")`: copied from the path in the title.

What commands print replaces what stood there, long output cut in the middle. MNIST is downloaded, unless its four files
are in the folder's data/mnist already.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WORK = ROOT / "runs" / "tutorials"
LONGEST, SHOWN = 64, 12  # lines of output that are shown whole; else so many at the start and at the end
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
PICTURE = re.compile(r'!\[[^\]]*\]\((?P<target>[^\s)]+) "(?P<source>[^"]+)"\)')


def shortened(text: str) -> str:
    """The text without trailing spaces, its middle left out where it is long.

    >>> shortened("1 \\n\\n2\\n")
    '1\\n\\n2\\n'
    >>> shortened("\\n".join(map(str, range(100)))).split()[11:14]
    ['11', '...', '88']
    """
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    if len(lines) > LONGEST:
        lines = [*lines[:SHOWN], "...", *lines[-SHOWN:]]
    return "".join(line + "\n" for line in lines)


def run_command(command: str, folder: Path) -> str:
    """What a command prints, on either stream. Raises ClickException when it fails."""
    click.secho(f"$ {command}", bold=True)
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    start = "seqvae() { " + f'"{sys.executable}" -m seqvae "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; '
    done = subprocess.run(
        ["bash", "-c", start + command],
        cwd=folder, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    click.echo(shortened(done.stdout), nl=False)
    if done.returncode:
        raise click.ClickException(f"exit code {done.returncode} of: {command}")
    return done.stdout


def commands_of(block: str) -> Iterator[str]:
    """The commands of a console block; a line that ends in a backslash goes on in the next.

    >>> list(commands_of("$ seqvae sample \\\\\\n    runs/a\\nprinted\\n$ ls\\n"))
    ['seqvae sample \\\\\\n    runs/a', 'ls']
    """
    for match in re.finditer(r"^\$ ((?:.*\\\n)*.*)$", block, re.M):
        yield match[1]


def run_console(block: str, folder: Path) -> str:
    """A console block anew: its commands, each with what it prints now."""
    return "".join(f"$ {command}\n{shortened(run_command(command, folder))}" for command in commands_of(block))


def run_python(block: str, names: dict[str, Any], folder: Path) -> str:
    """What a block of Python prints; `names` are those of the page's interpreter."""
    click.echo(block)
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        exec(compile(block, "<page>", "exec"), names)
    return printed.getvalue()


def renewed(page: str, folder: Path) -> str:
    """A page with what its commands and its Python print when they are run in `folder` now."""
    names: dict[str, Any] = {"__name__": "__main__"}

    def again(match: re.Match[str]) -> str:
        kind, block, _ = match.groups()
        if kind == "console":
            return f"```console\n{run_console(block, folder)}```\n"
        printed = run_python(block, names, folder)
        return f"```python\n{block}```\n" + (f"\n```text\n{shortened(printed)}```\n" if printed else "")

    return BLOCK.sub(again, page)


def take_pictures(page: str, folder: Path, docs: Path) -> None:
    """Copy each picture of a page from where its commands left it. Raises ClickException where one is missing."""
    for picture in PICTURE.finditer(page):
        source, target = folder / picture["source"], docs / picture["target"]
        if not source.is_file():
            raise click.ClickException(f"no command of the page made {picture['source']}")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)


def renew(path: Path, work: Path) -> None:
    """Run a page in a fresh folder, which keeps its data/mnist, and write what came out into the page."""
    folder = work / path.stem
    if (folder / "runs").exists():
        shutil.rmtree(folder / "runs")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "scripts", folder / "scripts", dirs_exist_ok=True)
    page = renewed(path.read_text(encoding="utf-8"), folder)
    take_pictures(page, folder, path.parent)
    path.write_text(page, encoding="utf-8", newline="\n")


@click.command()
@click.argument("pages", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--work", type=click.Path(path_type=Path), default=WORK, help="Folder of the runs; by default runs/tutorials."
)
def main(pages: tuple[Path, ...], work: Path) -> None:
    """Run the tutorials (by default all of docs/) and put in place what they print and draw."""
    for path in pages or sorted(DOCS.glob("*.md")):
        click.secho(f"== {path.name}", bold=True)
        renew(path, work.resolve())


if __name__ == "__main__":
    main()
