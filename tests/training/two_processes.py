"""What each of two processes does; started by torchrun from test_processes.py with a folder as its argument."""

import sys
from pathlib import Path

import pytest
from accelerate import PartialState

from seqvae.runs.run import Run
from seqvae.training.log import MetricsLog
from seqvae.training.loop import Interrupted
from seqvae.training.objective import objective_of
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import SETTINGS_OF_TWO, Listener
from tests.training.test_objective import OBJECTIVES


def refuse_to_write(patch: pytest.MonkeyPatch) -> None:
    """Only the first process writes."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a process that is not the first writes")

    patch.setattr(Run, "save", refuse)
    patch.setattr(Run, "create", refuse)
    patch.setattr(MetricsLog, "__init__", refuse)
    patch.setattr("seqvae.runs.verified.write_atomically", refuse)


def main(folder: Path) -> None:
    """Train, be interrupted, fail; each time together with the other process."""
    state = PartialState(cpu=True)
    assert state.num_processes == 2, f"the world has {state.num_processes} processes, not 2"
    first = state.is_main_process
    corpus = folder / "corpus.txt"
    with pytest.MonkeyPatch.context() as patch:
        if not first:
            refuse_to_write(patch)
        listener = Listener()
        for name, settings in SETTINGS_OF_TWO.items():
            out, objective = folder / f"two-{name}", OBJECTIVES.get(name, objective_of)
            train("text", [corpus], out, settings, device="cpu", reporter=listener, objective=objective)
        assert bool(listener.messages) == first, "only the first process reports"

        signalled = objective_of if first else stopped_after(4)
        with pytest.raises(Interrupted, match="after step 10"):
            train("text", [corpus], folder / "stopped", SETTINGS_OF_TWO["plain"], device="cpu", objective=signalled)
        resume(folder / "stopped", device="cpu")
        state.wait_for_everyone()
        assert differences(folder / "two-plain", folder / "stopped") == []

        with pytest.raises(ValueError, match=r"missing\.txt"):
            train("text", [folder / "missing.txt"], folder / "never", SETTINGS_OF_TWO["plain"], device="cpu")
        with pytest.raises(ValueError, match="already holds a run"):
            train("text", [corpus], folder / "stopped", SETTINGS_OF_TWO["plain"], device="cpu")
    print(f"process {state.process_index} of 2 is done", flush=True)
    state.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
