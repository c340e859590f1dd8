"""The tree in the README is the tree of the repository: nothing is missing in it, and nothing in it is gone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILT = {"build", "dist", "runs"}  # at the root
# Described, not listed.
OPEN = {
    "data", "docs/pictures", "tests/benchmarks", "tests/contract", "tests/golden", "tests/old_runs", "tests/scripts",
    "seqvae/models",
}  # fmt: skip


def readme_tree() -> str:
    """The code block of README.md that has a line for seqvae/."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (tree,) = [block for block in blocks if re.search(r"^seqvae/$", block, re.M)]
    return tree


def named_paths(tree: str) -> Iterator[str]:
    """The paths that a tree names: an entry with its ending, a folder's with a slash, listed files without theirs.

    >>> list(named_paths("a/       words, b.c\\n    d e\\n    f/    more\\n        g\\nMakefile  words\\npy.typed"))
    ['a/', 'a/d', 'a/e', 'a/f/', 'a/f/g', 'Makefile', 'py.typed']
    """
    folders: list[str] = []
    for line in filter(None, tree.splitlines()):
        depth = (len(line) - len(line.lstrip())) // 4
        name, _, description = line.strip().partition("  ")
        above = "".join(folders[:depth])
        if description or name.endswith("/") or "." in name:
            folders[depth:] = [name]
            yield above + name
        else:
            yield from (above + listed for listed in name.split())


def expected_paths(folder: Path, mirrored: Path) -> set[str]:
    """What the tree has to name of a folder: its folders with a slash, its files without their endings.

    Hidden and built ones are left out, and in tests/ what mirrors the package.
    """
    names = {path.name + "/" if path.is_dir() else path.stem for path in folder.iterdir() if path.name[0] not in "._"}
    if folder == ROOT:
        return {name for name in names if name.rstrip("/") not in BUILT and not name.endswith(".egg-info/")}
    if folder == ROOT / "tests":
        own = {name for name in names if not name.startswith("test_") and name != "conftest"}
        return {name for name in own if not (mirrored / name).is_dir()}
    return names


PATHS = list(named_paths(readme_tree()))
FOLDERS = ["", *(path for path in PATHS if path.endswith("/") and path.rstrip("/") not in OPEN)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tree_names_all_that_is_in_a_folder_and_nothing_else(folder: str) -> None:
    named = [path.removeprefix(folder) for path in PATHS if path.startswith(folder) and path != folder]
    here = [name for name in named if "/" not in name.rstrip("/")]
    stems = {name if name.endswith("/") else Path(name).stem for name in here if not name.startswith("_")}
    assert stems == expected_paths(ROOT / folder, ROOT / "seqvae")
    assert len(here) == len(set(here))


@pytest.mark.parametrize("path", [path for path in PATHS if "." in path or path.endswith("/")])
def test_a_name_of_the_tree_with_its_ending_exists(path: str) -> None:
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_every_folder_of_the_package_is_a_line_of_the_tree() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() + "/" for path in (ROOT / "seqvae").rglob("*.py")}
    assert folders <= set(PATHS)
