"""The cases of the contract, built: modality, model in double precision, encoded items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seqvae import modalities
from seqvae.config import from_dict
from seqvae.core.vae import VAE
from seqvae.data import collate
from seqvae.modalities.base import Report
from seqvae.types import Batch
from tests.contract.cases import CASES

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.modality}: {case.name}")
latent_cases = pytest.mark.parametrize(
    "case", [c for c in CASES if c.model.get("latent") != 0], ids=lambda case: f"{case.modality}: {case.name}"
)


@dataclass(frozen=True)
class Built:
    """A case with its fitted modality, its model in double precision, and its encoded items."""

    modality: Any
    vae: VAE
    arrays: list[np.ndarray]

    def batch(self, rows: Sequence[int] | None = None) -> Batch:
        """The items at `rows`, keyed by their places."""
        rows = range(len(self.arrays)) if rows is None else rows
        return collate([self.arrays[i] for i in rows], [100 + i for i in rows])


@cache
def build(name: str) -> Built:
    """Built once a run; tests may change no parameter."""
    case = next(case for case in CASES if case.name == name)
    cls = modalities.get(case.modality)
    modality = cls(from_dict(cls.data_config, case.data, "data"))
    modality.fit(lambda: iter(case.items))
    arrays = [modality.encode(item, Report()) for item in case.items]
    model = from_dict(cls.model_config, case.model, "model")
    torch.manual_seed(0)
    encoder, decoder = modality.nets(model)
    vae = VAE(encoder, decoder, model.scale, 0.0, model.posterior, model.least_kl_nats, model.batch_norm_scale).double()
    for parameter in vae.parameters():  # what starts at zero would hide what depends on it
        if not parameter.any():
            nn.init.normal_(parameter)
    return Built(modality, vae, arrays)
