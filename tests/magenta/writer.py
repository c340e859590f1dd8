"""Checkpoints in TensorFlow's format, written by the letter of the format: a test gives what is to stand in them."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

KINDS = {"float32": 1, "int64": 9, "float64": 2}


def crc32c(content: bytes) -> int:
    """Bit by bit."""
    state = 0xFFFFFFFF
    for byte in content:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def masked(content: bytes) -> bytes:
    """The checksum of some bytes as files hold it."""
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def message(fields: Sequence[tuple[int, int | bytes]], fixed: Sequence[int] = ()) -> bytes:
    """A protocol buffer; the fields `fixed` are numbers of 32 bits."""
    found = b""
    for number, value in fields:
        if number in fixed:
            found += varint(number << 3 | 5) + struct.pack("<I", value)
        elif isinstance(value, int):
            found += varint(number << 3) + varint(value)
        else:
            found += varint(number << 3 | 2) + varint(len(value)) + value
    return found


def entry(kind: int, shape: Sequence[int], offset: int, size: int, crc: bytes, shard: int = 0) -> bytes:
    """What an index says of a variable."""
    axes = b"".join(message([(2, message([(1, axis)]))]) for axis in shape)
    fields = [(1, kind), (2, axes), (3, shard), (4, offset), (5, size), (6, struct.unpack("<I", crc)[0])]
    return message([field for field in fields if field[1] or field[0] == 2], fixed=[6])


HEADER = message([(1, 1), (3, message([(1, 1)]))])  # one shard, little endian


def block(entries: Sequence[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    """A block with its trailer; keys share their beginnings with the ones before, but for every sixteenth."""
    content, last, restarts = b"", b"", []
    for place, (key, value) in enumerate(entries):
        shared = 0
        if place % 16 == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    content += b"".join(struct.pack("<I", place) for place in restarts or [0]) + struct.pack("<I", len(restarts) or 1)
    return content + bytes([kind]) + masked(content + bytes([kind]))


def handle(offset: int, size: int) -> bytes:
    """Where a block stands."""
    return varint(offset) + varint(size)


def table(entries: Sequence[tuple[bytes, bytes]], in_a_block: int = 5, kind: int = 0) -> bytes:
    """A table of sorted keys, of so many keys a block."""
    content, index = b"", []
    for first in range(0, len(entries), in_a_block):
        part = entries[first : first + in_a_block]
        whole = block(part, kind)
        index.append((part[-1][0], handle(len(content), len(whole) - 5)))
        content += whole
    places = b""
    for whole in (block([]), block(index)):
        places += handle(len(content), len(whole) - 5)
        content += whole
    return content + places.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write(folder: Path, variables: Mapping[str, np.ndarray], prefix: str = "model.ckpt-7") -> Path:
    """A checkpoint of one shard; the prefix of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    content, entries = b"", [(b"", HEADER)]
    for name in sorted(variables):
        values = variables[name].tobytes()
        kind = KINDS[variables[name].dtype.name]
        entries.append((name.encode(), entry(kind, variables[name].shape, len(content), len(values), masked(values))))
        content += values
    (folder / f"{prefix}.data-00000-of-00001").write_bytes(content)
    (folder / f"{prefix}.index").write_bytes(table(entries))
    return folder / prefix
