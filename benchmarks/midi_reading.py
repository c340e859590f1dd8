"""Files a second from MIDI to windows on a grid, the start of the processes and the interpreter included.

    python benchmarks/midi_reading.py path/to/gmd --copies 10 --processes 2
    python benchmarks/midi_reading.py path/to/songs --modality drums --modality groove --modality melody --modality trio

The copies are real files in a temporary folder; without a path they are those of the demo's grooves. Modalities take
turns. Says CPU-seconds too, which other work on the machine disturbs less than the clock.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

COMPOSER = Path(__file__).resolve().parent.parent / "scripts" / "generate_grooves.py"
MODALITIES = ("drums", "groove", "melody", "trio")
READ = """
import sys
from pathlib import Path
from seqvae import modalities
from seqvae.config import from_dict
from seqvae.modalities.base import Report

folder, processes, name = sys.argv[1:]
kind, report = modalities.get(name), Report()
source = kind(from_dict(kind.data_config, {"meter": "4/4", "bars": 2}, "data")).source
windows = sum(1 for _ in source.read([Path(folder)], report, processes=int(processes)))
print(report.of("read", "files"), windows, sum(members["on the grid"] for members in report.counts.values()))
"""


def copy_corpus(corpus: Path, copies: int, folder: Path) -> int:
    """Lay so many copies of a folder of MIDI side by side; the number of files."""
    for copy in range(copies):
        shutil.copytree(corpus, folder / f"{copy:02d}", ignore=shutil.ignore_patterns("*.csv"))
    return sum(path.suffix == ".mid" for path in folder.rglob("*"))


@click.command()
@click.argument("corpus", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--copies", default=10, show_default=True, help="Copies of the corpus to read.")
@click.option("--processes", default=2, show_default=True, help="Processes that share the work.")
@click.option("--repeats", default=3, show_default=True, help="Timings; each is printed.")
@click.option(
    "--modality", "names", type=click.Choice(MODALITIES), multiple=True, default=MODALITIES[:1], show_default=True,
    help="What is read; may be repeated.",
)  # fmt: skip
def main(corpus: Path | None, copies: int, processes: int, repeats: int, names: tuple[str, ...]) -> None:
    """Time reading CORPUS so many times over in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as composed:
        if corpus is None:
            subprocess.run([sys.executable, COMPOSER, "generate", "--out", composed], check=True, capture_output=True)
            corpus = Path(composed) / "grooves"
        files = copy_corpus(corpus, copies, Path(folder))
        for name in names * repeats:
            before, start = os.times(), time.perf_counter()
            command = [sys.executable, "-c", READ, folder, str(processes), name]
            read, windows, notes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            seconds, after = time.perf_counter() - start, os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            print(
                f"{name}: {read} of {files} files, {windows} windows, {notes} notes in {seconds:.2f} s: "
                f"{files / seconds:.0f} files/s; {cpu:.2f} CPU-seconds: {files / cpu:.0f} files a CPU-second"
            )


if __name__ == "__main__":
    main()
