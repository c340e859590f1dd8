"""CRC-32C against published values and a bit-by-bit computation."""

import numpy as np
import pytest

from seqvae.magenta.checksums import crc32c, masked
from tests.magenta import writer


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # this and the next two: RFC 3720, appendix B.4
        (bytes([255] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_the_published_ones(content: bytes, expected: int) -> None:
    assert crc32c(content) == expected == writer.crc32c(content)


@pytest.mark.parametrize("size", [4095, 4096, 4097, 6000, 3 * 2048, 70_001])
def test_checksums_of_many_bytes_are_those_of_one_bit_after_the_other(size: int) -> None:
    content = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    assert crc32c(content) == writer.crc32c(content)
    assert crc32c(content[5000 % size :], crc32c(content[: 5000 % size])) == crc32c(content)


def test_more_bytes_than_go_side_by_side_are_one_row_after_the_other() -> None:
    content = np.random.default_rng(0).integers(0, 256, 2048 * 2048 + 9000, dtype=np.uint8).tobytes()
    assert crc32c(content) == crc32c(content[1234:], crc32c(content[:1234]))


def test_a_stored_checksum_is_masked() -> None:
    assert masked(crc32c(b"a variable")).to_bytes(4, "little") == writer.masked(b"a variable")
