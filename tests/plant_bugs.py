"""Plant one bug at a time in a copy of the package and its benchmarks and see whether the tests catch it.

    python tests/plant_bugs.py            all bugs; a line for each, exit code 1 when one escapes
    python tests/plant_bugs.py padding    those whose name holds a word
    python tests/plant_bugs.py --part 2/8 the second of eight parts, each of about as many, in one process
    python tests/plant_bugs.py --list

The bugs stand in planted_bugs.toml. A bug counts as caught when a test fails; tests that cannot be collected or do not
exist are an error of this script, and so is a text to be replaced that does not occur exactly once. All tests that are
named there must pass on an unchanged copy. Each copy is tested in a fork of this process, which has the large packages
loaded already; so it runs where processes can fork (Linux, macOS).
"""

import contextlib
import gc
import importlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = 2
PRELOADED = ("numpy", "torch", "jaxtyping", "beartype.claw", "hypothesis", "sentencepiece", "sacrebleu")


@dataclass(frozen=True)
class Bug:
    """A text of one file, what it is replaced by, and the tests that have to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_bugs() -> list[Bug]:
    """The bugs of planted_bugs.toml."""
    table = tomllib.loads((ROOT / "tests" / "planted_bugs.toml").read_text(encoding="utf-8"))
    return [Bug(**{**bug, "tests": tuple(table["tests"][bug["tests"]])}) for bug in table["bug"]]


def planted(bug: Bug) -> str:
    """The file's source with the bug in it. Raises ValueError when the place is not found exactly once."""
    source = (ROOT / bug.file).read_text(encoding="utf-8")
    count = source.count(bug.old)
    if count != 1:
        raise ValueError(f"'{bug.name}': {bug.file} holds {bug.old!r} {count} times, not once; mend planted_bugs.toml")
    return source.replace(bug.old, bug.new)


def run_tests(bug: Bug | None, tests: Sequence[str]) -> tuple[int, str, float]:
    """Exit code, output and seconds of pytest on a copy with the bug or an unchanged one. For a process of its own."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="planted-bug-") as name:
        folder = Path(name) / "tree"
        for part in ("seqvae", "tests", "benchmarks"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("setup.cfg", "BENCHMARKS.md"):  # the latter is read by a test
            shutil.copy(ROOT / name, folder)
        if bug is not None:
            (folder / bug.file).write_text(planted(bug), encoding="utf-8")
        os.chdir(folder)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            # a folder of its own for what tests write: pytest empties the one that all share while others use it
            own = ["--basetemp", str(folder.parent / "written"), "-p", "no:cacheprovider"]
            code = pytest.main(["-x", "-q", "--tb=line", "--assert=plain", *own, *tests])
        os.chdir(ROOT)
        return int(code), output.getvalue(), time.monotonic() - started


def verdict(code: int, output: str) -> str:
    """`caught`, `ESCAPED`, or what went wrong."""
    if code in (0, 1):
        return "caught" if code else "ESCAPED"
    return f"BROKEN, pytest exits {code}: {output[-500:]}"


def part_of(bugs: Sequence[Bug], part: int, parts: int) -> list[Bug]:
    """One of so many parts, from 1 on, of about the same size; bugs of the same tests stand side by side."""
    ordered = sorted(bugs, key=lambda bug: bug.tests)
    return ordered[len(bugs) * (part - 1) // parts : len(bugs) * part // parts]


def chosen(words: Sequence[str]) -> list[Bug]:
    """The bugs of a part, or those whose names hold one of the words, or all."""
    if words and words[0] == "--part":
        part, parts = map(int, words[1].split("/"))
        return part_of(read_bugs(), part, parts)
    return [bug for bug in read_bugs() if not words or any(word in bug.name for word in words)]


def main(words: Sequence[str]) -> int:
    """Plant the bugs that are `chosen`; 1 when one escapes, else 0."""
    bugs = chosen(words)
    if not bugs:
        print(f"no bug's name holds {' or '.join(words)}; --list shows the names")
        return 2
    for bug in bugs:
        planted(bug)
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # else each fork looks through, and so copies, all objects of the large packages
    started = time.monotonic()
    paths = sorted({bug.tests[0] for bug in bugs})
    processes = 1 if "--part" in words else PROCESSES  # parts are run side by side
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        unchanged = pool.apply_async(run_tests, (None, paths))
        runs = [pool.apply_async(run_tests, (bug, bug.tests)) for bug in bugs]
        verdicts = []
        for bug, run in zip(bugs, runs, strict=True):
            code, output, seconds = run.get()
            verdicts.append(verdict(code, output))
            print(f"{verdicts[-1]:8} {seconds:4.1f} s  {bug.name}", flush=True)
        code, output, _ = unchanged.get()
    print(f"{verdicts.count('caught')} of {len(bugs)} caught in {time.monotonic() - started:.0f} s")
    if code != 0:
        print(f"The unchanged copy fails: {output[-2000:]}")
    return int(code != 0 or verdicts.count("caught") < len(bugs))


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(bug.name for bug in read_bugs()))
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
