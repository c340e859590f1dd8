"""The contract holds for a fourth modality, beside those of the package."""

import pytest

from seqvae import modalities


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth modality, beside those of the package."""
    monkeypatch.setitem(modalities.REGISTRY, "taps", "tests.fourth:Taps")
