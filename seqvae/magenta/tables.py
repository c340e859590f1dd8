"""Tables of sorted keys as LevelDB keeps them: the form of a checkpoint's index."""

from collections.abc import Iterator

from seqvae.magenta.checksums import crc32c, masked
from seqvae.magenta.places import AGAIN, FORMS, Stored
from seqvae.magenta.protobuf import varint

LARGEST, MOST_ENTRIES, LONGEST_KEY = 1 << 24, 50_000, 1_000  # bytes, entries, bytes: a large model's are a hundredth
_FOOTER, _TRAILER = 48, 5  # bytes; a block's trailer is its kind and its checksum
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_PLAIN, _SNAPPY = 0, 1  # kinds of blocks


def read_table(file: Stored) -> dict[bytes, bytes]:
    """All keys of a table and their values. What it says of sizes is checked before anything is read.

    Raises ValueError for what is no table, for a damaged one, for packed blocks, and for one far too large for a
    checkpoint.
    """
    if file.size > LARGEST:
        raise ValueError(
            f"{file.name} has {file.size:,} bytes, and no index of a checkpoint has more than {LARGEST:,}; {FORMS}"
        )
    footer = file.read(file.size - _FOOTER, _FOOTER) if file.size >= _FOOTER else b""
    if footer[-len(_MAGIC) :] != _MAGIC:
        raise ValueError(f"{file.name} is no index of a checkpoint, or is cut short; {AGAIN}")
    try:
        return _table(file, footer)
    except _Damage as damage:
        raise ValueError(f"{file.name} is damaged ({damage}); {AGAIN}") from None


class _Damage(ValueError):
    """What is wrong with a table, in words."""


def _table(file: Stored, footer: bytes) -> dict[bytes, bytes]:
    table: dict[bytes, bytes] = {}
    last: bytes | None = None
    _, place = _handle(footer, 0)  # that of a block about the table, which checkpoints leave empty
    index, _ = _handle(footer, place)
    for _, content in _entries(_block(file, index)):
        block, _ = _handle(content, 0)
        for key, value in _entries(_block(file, block)):
            if last is not None and key <= last:
                raise _Damage("its keys are not in order")
            if len(table) == MOST_ENTRIES:
                raise _Damage(f"it has more than {MOST_ENTRIES:,} keys")
            table[key] = value
            last = key
    return table


def _number(content: bytes, place: int) -> tuple[int, int]:
    try:
        return varint(content, place)
    except ValueError as error:
        raise _Damage(error) from None


def _handle(content: bytes, place: int) -> tuple[tuple[int, int], int]:
    """The offset and the size of a block, and the place after them."""
    offset, place = _number(content, place)
    size, place = _number(content, place)
    return (offset, size), place


def _block(file: Stored, handle: tuple[int, int]) -> bytes:
    """The content of a block, checked by its checksum. Raises ValueError for a packed one."""
    offset, size = handle
    if offset + size + _TRAILER > file.size:
        raise _Damage(f"a block is to end at byte {offset + size + _TRAILER:,}, and it has {file.size:,} bytes")
    content = file.read(offset, size + _TRAILER)
    kind, stored = content[size], int.from_bytes(content[size + 1 :], "little")
    if masked(crc32c(content[: size + 1])) != stored:
        raise _Damage(f"the checksum of the block at byte {offset:,} is wrong")
    if kind == _SNAPPY:
        raise ValueError(
            f"{file.name} is packed by snappy, which is not read here; save the checkpoint again with TensorFlow's "
            "Saver, which does not pack it"
        )
    if kind != _PLAIN:
        raise _Damage(f"the block at byte {offset:,} is of the unknown kind {kind}")
    return content[:size]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of a block in order; of a key stands there what differs from the beginning of the last one."""
    end = len(block) - 4  # the number of restarts; before it stand their places, of which a reader in order has no need
    end -= 4 * int.from_bytes(block[end:], "little") if end >= 0 else 0
    if end < 0:
        raise _Damage("a block is shorter than its list of restarts")
    place, key = 0, b""
    while place < end:
        shared, place = _number(block, place)
        own, place = _number(block, place)
        size, place = _number(block, place)
        if shared > len(key) or own + size > end - place:
            raise _Damage("an entry is longer than its block")
        if shared + own > LONGEST_KEY:
            raise _Damage(f"a key has {shared + own:,} bytes")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + size]
        place += own + size
