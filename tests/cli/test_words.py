"""Numbers as people read them."""

import pytest

from seqvae.cli.words import counted


@pytest.mark.parametrize(
    ("number", "what", "expected"),
    [
        (1, "items longer than 256 tokens, cut", "1 item longer than 256 tokens, cut"),
        (1200, "unknown tokens", "1,200 unknown tokens"),
        (1, "byte order marks dropped", "1 byte order mark dropped"),
        (0, "active units", "0 active units"),
    ],
)
def test_one_is_singular(number: int, what: str, expected: str) -> None:
    assert counted(number, what) == expected
