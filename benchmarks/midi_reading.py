"""Files a second from MIDI to windows on a grid, the start of the processes and the interpreter included.

    python benchmarks/midi_reading.py path/to/gmd --copies 10 --processes 2

The copies are real files in a temporary folder; without a path they are those of the demo's grooves. Says CPU-seconds
too, which other work on the machine disturbs less than the clock.
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
READ = """
import sys
from pathlib import Path
import numpy
from seqvae.modalities.base import Report
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.settings import DrumData

report = Report()
clips = Drums(DrumData(meter="4/4")).source.read([Path(sys.argv[1])], report, processes=int(sys.argv[2]))
windows = numpy.stack([clip.hits for clip in clips])
print(report.of("read", "files"), len(windows), int(windows.sum()))
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
def main(corpus: Path | None, copies: int, processes: int, repeats: int) -> None:
    """Time reading CORPUS so many times over in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as composed:
        if corpus is None:
            subprocess.run([sys.executable, COMPOSER, "generate", "--out", composed], check=True, capture_output=True)
            corpus = Path(composed) / "grooves"
        files = copy_corpus(corpus, copies, Path(folder))
        for _ in range(repeats):
            before, start = os.times(), time.perf_counter()
            command = [sys.executable, "-c", READ, folder, str(processes)]
            read, windows, hits = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            seconds, after = time.perf_counter() - start, os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            assert int(read) == files
            print(
                f"{files} files, {windows} windows, {hits} hits in {seconds:.2f} s: {files / seconds:.0f} files/s; "
                f"{cpu:.2f} CPU-seconds: {files / cpu:.0f} files a CPU-second"
            )


if __name__ == "__main__":
    main()
