"""CRC-32C (Castagnoli), by which TensorFlow checks blocks of tables and tensors; masked as LevelDB keeps it."""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78  # its bits in reverse, since the lowest bit of a byte comes first
_ROW = 2048  # bytes that are taken one after another; so many rows go side by side
_MASK_DELTA = 0xA282EAD8
_WORD = 0xFFFFFFFF


def crc32c(content: bytes | memoryview, before: int = 0) -> int:
    """The checksum of some bytes, or of those that `before` is the checksum of and these.

    >>> hex(crc32c(b"123456789")), hex(crc32c(b"6789", crc32c(b"12345")))
    ('0xe3069283', '0xe3069283')
    """
    state, view = before ^ _WORD, memoryview(content).cast("B")
    for first in range(0, len(view), _ROW * _ROW):
        state = _advance(state, np.frombuffer(view[first : first + _ROW * _ROW], dtype=np.uint8))
    return state ^ _WORD


def masked(crc: int) -> int:
    """The checksum as it is stored: that of a string that holds checksums would be a poor one otherwise."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _WORD


@cache
def _table() -> np.ndarray:
    """(256,) what the lowest byte of a state adds to the state after the next byte."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ _POLYNOMIAL * (table & 1)
    return table


def _advance(state: int, content: np.ndarray) -> int:
    """The state after some bytes: rows of them side by side from the state zero, then one after another.

    The state is linear in what was read, so a state before bytes is as good as the same bits added to the first four.
    """
    if len(content) < 2 * _ROW:
        return _one_by_one(state, content)
    rows = np.zeros(-len(content) % _ROW + len(content), dtype=np.uint8)  # zeros in front change no state of zero
    start = len(rows) - len(content)
    rows[start:] = content
    rows[start : start + 4] ^= np.frombuffer(state.to_bytes(4, "little"), dtype=np.uint8)
    states = np.zeros(len(rows) // _ROW, dtype=np.uint32)
    for column in np.ascontiguousarray(rows.reshape(-1, _ROW).T):
        states = _table()[(states ^ column) & 255] ^ states >> 8
    a, b, c, d = _after_a_row()
    state = 0
    for own in states.tolist():
        state = own ^ a[state & 255] ^ b[state >> 8 & 255] ^ c[state >> 16 & 255] ^ d[state >> 24]
    return state


def _one_by_one(state: int, content: np.ndarray) -> int:
    table = _table().tolist()
    for byte in content.tolist():
        state = table[(state ^ byte) & 255] ^ state >> 8
    return int(state)


@cache
def _after_a_row() -> list[list[int]]:
    """For each byte of a state, by its value, the state that a row of zeros makes of it."""
    values = np.arange(256, dtype=np.uint32)
    states = np.stack([values << 8 * place for place in range(4)])
    for _ in range(_ROW):
        states = _table()[states & 255] ^ states >> 8
    found: list[list[int]] = states.tolist()
    return found
