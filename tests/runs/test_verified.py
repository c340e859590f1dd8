"""Files of a run: whole or not at all, where the system refuses to write on."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seqvae import modalities

WRITES = {
    "bytes": "from pathlib import Path; from seqvae.files import write_atomically as write\n"
    "args = Path(folder) / 'file', b'x' * 9000",
    "tensors": "import torch; from pathlib import Path; from seqvae.runs.verified import write_hashed as write\n"
    "args = Path(folder), 'file', {'w': torch.ones(3000)}",
}


@pytest.mark.parametrize("what", WRITES)
def test_a_limit_on_the_size_of_files_leaves_the_old_content(what: str, tmp_path: Path) -> None:
    """As on a full disk, the write itself fails half-way."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    tried = "try: write(*args)\nexcept OSError as error: print(error.errno)"
    code = f"import sys; folder = sys.argv[1]; {WRITES[what]}\n{tried}"
    root = Path(modalities.__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=root, preexec_fn=limit, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "27"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
