"""The colours of classes stay apart for every eye."""

import numpy as np
import pytest

from seqvae.view.sheet import COLOURS, OTHER

# Machado, Oliveira and Fernandes 2009, severity 1: what is left of linear red, green and blue.
EYES = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "without red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "without green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "without blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_CONES = [[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]]
TO_OKLAB = [[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]]


def oklab(colours: tuple[str, ...], eye: str) -> np.ndarray:
    """Lightness 0 to 1 and two axes of colour (Ottosson 2020), as an eye sees them."""
    shares = np.array([[int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)] for colour in colours])
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.array(EYES[eye]).T).clip(0, 1)
    return np.cbrt(seen @ np.array(TO_CONES).T) @ np.array(TO_OKLAB).T


@pytest.mark.parametrize("eye", EYES)
def test_any_two_of_the_ten_colours_and_grey_stay_apart(eye: str) -> None:
    assert len(COLOURS) == 10
    found = oklab(COLOURS, eye)
    distances = np.linalg.norm(found[:, None] - found, axis=2)[np.triu_indices(10, 1)]
    assert distances.min() > (0.2 if eye == "full" else 0.11)
    assert found[:, 0].max() < 0.9  # paper has 1
    grey = np.linalg.norm(found - oklab((OTHER,), eye), axis=1)
    assert grey.min() > 0.06
