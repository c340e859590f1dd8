"""What all launchers share: `python scripts/NAME.py ...` is `seqvae NAME ...`, installed or not."""

import os
import sys

# The folder of the launchers leaves the search path before anything else is imported, because one of them bears the
# name of a module of the standard library (inspect). The repository takes its place.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def launch(command: str) -> None:
    """Run a command of seqvae with the arguments of this process."""
    from seqvae.__main__ import run

    run(command)
