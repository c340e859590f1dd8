"""Settings of the whole test run: checked shapes, one thread, one seed, a cache of its own."""

import gc
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

# Before torch is imported, and inherited by the processes that tests start: small models are slower on two threads.
os.environ["OMP_NUM_THREADS"] = "1"

import hypothesis
import pytest
import torch

from tests.shapes import check_shapes

# Before seqvae is imported: a module that is already loaded would go unchecked.
check_shapes(["seqvae.noise", "seqvae.core", "seqvae.nets", "seqvae.evaluation"])

torch.set_num_threads(1)
hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
CORPORA = ("gmd", "karaoke", "midi-edge", "mnist", "pop909", "ptb")  # that tests read


def pytest_configure(config: pytest.Config) -> None:
    """Point the cache at an empty folder, for doctests and started processes too."""
    patch, folder = pytest.MonkeyPatch(), tempfile.TemporaryDirectory(prefix="seqvae-cache-")
    patch.setenv("SEQVAE_CACHE", folder.name)
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without the garbage collector, which would go over thousands of them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # they stay to the end
        gc.enable()


@pytest.fixture(autouse=True)
def _seed() -> None:
    # torch.manual_seed would format a stack trace for each kind of device that is not in use yet.
    torch.default_generator.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of corpora that are not part of the repository: $SEQVAE_SHARED, else ../shared/data."""
    folder = Path(os.environ.get("SEQVAE_SHARED") or ROOT.parent / "shared" / "data")
    missing = [name for name in CORPORA if not (folder / name).is_dir()]
    if missing:  # nothing is to be written there, as a download into a folder that does not exist would
        pytest.skip(f"no corpora: {folder} has no {', '.join(missing)}; set SEQVAE_SHARED to the folder that has them")
    return folder
