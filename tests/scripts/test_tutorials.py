"""The tutorials' runner: it replaces what commands and Python print, takes pictures, stops where something fails."""

import importlib.util
from pathlib import Path
from types import ModuleType

import click
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))

PAGE = """# A page

```console
$ echo one; echo two >&2
what stood there
$ echo "a b" \\
    c > made.png
```

```python
from pathlib import Path

x = 6 * 7
print(x, Path("made.png").read_text().strip())
```

```text
what stood there
```

```python
x += 1
```

Words.

```python
print(x)
```

    seqvae train text not-run.txt

![A picture](pictures/a.png "made.png")
"""

RENEWED = """# A page

```console
$ echo one; echo two >&2
one
two
$ echo "a b" \\
    c > made.png
```

```python
from pathlib import Path

x = 6 * 7
print(x, Path("made.png").read_text().strip())
```

```text
42 a b c
```

```python
x += 1
```

Words.

```python
print(x)
```

```text
43
```

    seqvae train text not-run.txt

![A picture](pictures/a.png "made.png")
"""


@pytest.fixture
def tutorials() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tutorials", ROOT / "scripts" / "tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(folder: Path, text: str) -> Path:
    """A page of docs/ that holds a text."""
    page = folder / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(text, encoding="utf-8")
    return page


def test_a_page_holds_what_its_blocks_print_now_and_their_pictures(tmp_path: Path, tutorials: ModuleType) -> None:
    page = written(tmp_path, PAGE)
    tutorials.renew(page, tmp_path / "work")
    assert page.read_text(encoding="utf-8") == RENEWED
    assert (tmp_path / "docs" / "pictures" / "a.png").read_text(encoding="utf-8") == "a b c\n"
    tutorials.renew(page, tmp_path / "work")
    assert page.read_text(encoding="utf-8") == RENEWED


def test_a_command_that_fails_leaves_the_page_as_it_was(tmp_path: Path, tutorials: ModuleType) -> None:
    text = "```console\n$ echo new\nold\n$ seqvae info nowhere\n```\n"
    page = written(tmp_path, text)
    with pytest.raises(click.ClickException, match="exit code 2 of: seqvae info nowhere"):
        tutorials.renew(page, tmp_path / "work")
    assert page.read_text(encoding="utf-8") == text


def test_a_picture_that_no_command_made_is_named(tmp_path: Path, tutorials: ModuleType) -> None:
    page = written(tmp_path, '![Words](pictures/a.png "runs/gone.png")\n')
    with pytest.raises(click.ClickException, match=r"no command of the page made runs/gone\.png"):
        tutorials.renew(page, tmp_path / "work")


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_each_command_of_a_tutorial_was_run_and_its_pictures_are_there(page: Path, tutorials: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = [match[2] for match in tutorials.BLOCK.finditer(text) if match[1] == "console"]
    silent = ("head", ">")  # a command whose output goes into a file prints nothing
    bare = [block for block in blocks if all(line.startswith("$ ") for line in block.splitlines())]
    assert blocks
    assert not [block for block in bare if not any(word in block for word in silent)]
    for picture in tutorials.PICTURE.finditer(text):
        assert (page.parent / picture["target"]).is_file(), picture["target"]
