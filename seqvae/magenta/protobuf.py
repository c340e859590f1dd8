"""Messages in the wire format of protocol buffers, as far as a checkpoint's index has them."""

from collections.abc import Iterator

_FIXED = {1: 8, 5: 4}  # bytes of the wire types of a fixed size


def varint(content: bytes, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and the place after it. Raises ValueError where it has no end.

    >>> varint(bytes([0xC0, 0x01, 7]), 0)
    (192, 2)
    """
    number = 0
    for count, byte in enumerate(content[place : place + 10]):
        number |= (byte & 127) << 7 * count
        if byte < 128:
            return number, place + count + 1
    raise ValueError("a number has no end")


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field in order: a number, or the bytes of a text or a message inside.

    Raises ValueError for what is no message.

    >>> list(fields(bytes([0x08, 0x05, 0x12, 0x02, 0x61, 0x62])))
    [(1, 5), (2, b'ab')]
    """
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, place = varint(message, place)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"a field has the unknown kind {kind}")
        if size > len(message) - place:
            raise ValueError("a field is longer than its message")
        content = message[place : place + size]
        place += size
        yield tag >> 3, content if kind == 2 else int.from_bytes(content, "little")


def numbers(message: bytes) -> dict[int, int]:
    """The fields that are numbers; the last of each."""
    return {number: value for number, value in fields(message) if isinstance(value, int)}


def parts(message: bytes, number: int) -> list[bytes]:
    """The fields of a number that are texts or messages, in order."""
    return [value for found, value in fields(message) if found == number and isinstance(value, bytes)]
