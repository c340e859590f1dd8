"""Files of MIDI to their bytes: whole, whatever their size."""

import hashlib
from pathlib import Path

import numpy as np

from seqvae.files import PIECE, file_hash
from seqvae.modalities.midi.parser import MOST_BYTES
from seqvae.modalities.midi.sources import contents, find
from tests.modalities.midi.songs import write


def test_a_file_is_read_to_its_end_or_to_one_byte_too_many(tmp_path: Path) -> None:
    for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, MOST_BYTES, MOST_BYTES + 1, MOST_BYTES + 9):
        data = np.random.default_rng(0).bytes(size)
        write(tmp_path, {"a.mid": data})
        ((_, content),) = contents(find([tmp_path]))
        assert content == data[: MOST_BYTES + 1], size
        assert file_hash(tmp_path / "a.mid") == hashlib.sha256(data).hexdigest(), size
