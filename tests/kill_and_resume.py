"""Kill a training at random moments, resume it each time, and compare the end with that of a run left alone.

    python tests/kill_and_resume.py --kills 5 --valid data/valid.txt --set train.epochs=2 data/train.txt

Exit code 0 when weights, optimizer and metrics (readings of the clock aside) are equal bit for bit, 1 when not.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from seqvae.config import parse_overrides  # noqa: E402 - the root has to be on the path
from seqvae.training.log import CLOCK_FIELDS, Silent  # noqa: E402

CLOCK_STATE = ("seconds", "logged_seconds", "metrics_bytes")  # of state.json; the last counts digits of the first
STARTED = "training has started"


class Announcer(Silent):
    """Tells the parent process that the steps begin."""

    def started(self, total_steps: int, step: int, nats: str) -> None:
        """One line."""
        print(STARTED, flush=True)


def work(settings: Mapping[str, Any]) -> None:
    """Train, or go on where a run folder is there."""
    from seqvae.training.loop import Interrupted
    from seqvae.training.run import resume, train

    out = Path(settings["out"])
    try:
        if (out / "config.json").exists():
            resume(out, None, "cpu", Announcer())
        else:
            train("text", settings["sources"], out, settings["values"], settings["valid"], "cpu", reporter=Announcer())
    except Interrupted:
        sys.exit(130)


def start(settings: Mapping[str, Any]) -> subprocess.Popen[str]:
    """A process that trains."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", json.dumps(settings)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def wait_for_start(process: subprocess.Popen[str]) -> None:
    """Return when the steps begin, or when the process has ended."""
    assert process.stdout is not None
    while (line := process.stdout.readline()) and line.strip() != STARTED:
        pass


def finish(settings: Mapping[str, Any]) -> float:
    """Train to the end; the seconds between the first step and the end."""
    process = start(settings)
    wait_for_start(process)
    began = time.monotonic()
    process.communicate()
    if process.returncode:
        raise RuntimeError(f"training ended with exit code {process.returncode}")
    return time.monotonic() - began


def stop_at_a_random_moment(
    settings: Mapping[str, Any], rng: random.Random, seconds: float, number: int = signal.SIGKILL
) -> str:
    """Start the training and send it a signal after a random part of `seconds`; one line that tells about it."""
    process = start(settings)
    wait_for_start(process)
    delay = rng.uniform(0, seconds)
    try:
        process.wait(delay)
        ending = "had ended before"
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        ending = f"exit code {process.wait()}"
    process.communicate()
    checkpoints = sorted(path.name for path in (Path(settings["out"]) / "checkpoints").glob("*"))
    return f"{signal.Signals(number).name} {delay:.2f} s after the start ({ending}); there: {', '.join(checkpoints)}"


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs, readings of the clock aside: nothing when they are equal bit for bit."""
    found = []
    records = [_records(path / "metrics.jsonl") for path in (one, other)]
    if records[0] != records[1]:
        pairs = zip(*records, strict=False)
        place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(map(len, records)))
        found.append(f"metrics.jsonl differs from line {place + 1} on ({len(records[0])} and {len(records[1])} lines)")
    last = [sorted((path / "checkpoints").glob("step-*"))[-1] for path in (one, other)]
    states = [_state(folder) for folder in last]
    best = [
        path / "checkpoints" / f"step-{state['best_step']:08d}"
        for path, state in zip((one, other), states, strict=True)
    ]
    ends = [
        [path / "checkpoints" / f"step-{step:08d}" for path in (one, other)] for step in states[0].get("stage_ends", ())
    ]
    for a, b in (last, best, *ends):
        if a.name != b.name:
            found.append(f"{a.name} stands where {b.name} does in the other run")
            continue
        if _state(a) != _state(b):
            found.append(f"{a.name}/state.json differs")
        for name in ("weights.safetensors", "optimizer.safetensors"):
            if _content(a / name) != _content(b / name):
                found.append(f"{a.name}/{name} differs")
    return found


def _records(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in CLOCK_FIELDS} for line in lines]


def _state(folder: Path) -> dict[str, Any]:
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return {key: value for key, value in state.items() if key not in CLOCK_STATE}


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """The verdict, printed; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="text files to train on")
    parser.add_argument("--valid", nargs="*", default=[], type=Path, help="validation data; else 5 %% are held out")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.NAME=VALUE")
    given = parser.parse_args(arguments)
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="seqvae-kills-") as folder:
        settings = {
            "sources": [str(path.resolve()) for path in given.data],
            "valid": [str(path.resolve()) for path in given.valid],
            "values": parse_overrides(given.overrides),
        }
        alone, killed = ({**settings, "out": f"{folder}/{name}"} for name in ("alone", "killed"))
        seconds = finish(alone)
        print(f"left alone: {seconds:.1f} s of training", flush=True)
        for kill in range(given.kills):
            print(f"kill {kill + 1}: {stop_at_a_random_moment(killed, rng, seconds / given.kills)}", flush=True)
        finish(killed)
        found = differences(Path(alone["out"]), Path(killed["out"]))
    print("\n".join(found) or f"equal bit for bit after {given.kills} kills: weights, optimizer, metrics")
    return 1 if found else 0


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
    else:
        sys.exit(main())
