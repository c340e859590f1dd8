"""A fourth modality in one file: taps, whose steps are no integers but a hit and its distance from the beat.

A file of taps holds an item a line: for each step `.` or the distance of a hit from its beat, in steps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqvae.config import key
from seqvae.evaluation.reconstruction import exact_match
from seqvae.modalities.base import Arrangement, File, Modality, Report, Words, Written
from seqvae.modalities.measuring import Measure, Measures
from seqvae.nets.draws import Choice
from seqvae.nets.sequences import sequence_nets
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.types import StepType

SPREAD = 0.05  # of a hit about its beat, in steps
Item = tuple[float | None, ...]


@dataclass(frozen=True)
class TapData:
    """How files of taps are read and written."""

    steps: int = key(8, "steps of an item", least=1)
    silence: str = key(".", "what stands for no tap", use="reading")
    ending: str = key("taps", "ending of the files that are written", use="writing")


class TapInput(nn.Linear):
    """Steps (..., 2) as vectors (..., E), in the precision of the model."""

    def __init__(self, embedding: int) -> None:
        super().__init__(2, embedding)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The vectors of steps."""
        return super().forward(x.to(self.weight.dtype))


class TapLikelihood(nn.Module):
    """A hit by a Bernoulli distribution and, where there is one, its offset by a Gaussian of a fixed scale."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden, 2)

    def log_prob(self, h: Float[Tensor, "N H"], x: Float[Tensor, "N 2"]) -> Float[Tensor, " N"]:
        """log p(hit) + log p(offset | hit) in nats of each row."""
        logit, mean = self.projection(h).unbind(-1)
        hit, offset = x.to(logit).unbind(-1)
        of_hit = torch.distributions.Bernoulli(logits=logit).log_prob(hit)
        return of_hit + hit * torch.distributions.Normal(mean, SPREAD).log_prob(offset)

    @torch.no_grad()
    def mode(self, h: Float[Tensor, "N H"]) -> Float[Tensor, "N 2"]:
        """The more probable of hit and silence, and the mean offset."""
        logit, mean = self.projection(h).unbind(-1)
        hit = (logit > 0).to(mean)
        return torch.stack([hit, hit * mean], -1).float()

    @torch.no_grad()
    def draw(self, h: Float[Tensor, "N H"], noise: Noise, choice: Choice) -> Float[Tensor, "N 2"]:
        """A hit or silence, and an offset."""
        if choice.greedy:
            return self.mode(h)
        logit, mean = self.projection(h).unbind(-1)
        hit = (noise.uniform("hit", 1).squeeze(1) < (logit / choice.temperature).sigmoid()).to(mean)
        offset = mean + SPREAD * choice.temperature * noise.normal("offset", 1).squeeze(1).to(mean)
        return torch.stack([hit, hit * offset], -1).float()


class Taps(Modality):
    """An item is a tuple with the offset of each tap and None for each silence, its array (T, 2) float32."""

    name: ClassVar[str] = "taps"
    data_config: ClassVar[type] = TapData
    model_config: ClassVar[type] = SequenceModel
    words = Words(
        "a file of taps, or FILE#INDEX, a line of it, counted from 0", items="lines", item="line", steps="taps"
    )
    units: ClassVar[Mapping[str, str]] = {"hits_right": "share of steps"}
    least_steps: ClassVar[int] = 3
    measures: ClassVar[Measures] = {"taps": Measure("taps", lambda item: float(sum(o is not None for o in item)))}
    has_pixels: ClassVar[bool] = True

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Item]:
        for source in sources:
            for path in self.files_of(source):
                for line in path.read_text().splitlines():
                    words = line.split()
                    if len(words) == self.data.steps:
                        yield tuple(None if word == self.data.silence else float(word) for word in words)
                    else:
                        report.count("lines of another length, left out")

    def fit(self, items: Callable[[], Iterable[Item]]) -> None:
        self.learned = {"items": sum(1 for _ in items())}

    @property
    def step_type(self) -> StepType:
        return StepType("float32", (2,), tolerance=SPREAD)

    @property
    def max_steps(self) -> int:
        steps: int = self.data.steps
        return steps

    def encode(self, item: Item, report: Report) -> np.ndarray:
        return np.array([(0.0, 0.0) if offset is None else (1.0, offset) for offset in item], np.float32)

    def decode(self, x: np.ndarray, like: Item | None = None) -> Item:
        return tuple(float(offset) if hit else None for hit, offset in x)

    def write(
        self, pieces: Sequence[Sequence[Item]], arrangement: Arrangement = "set", originals: Sequence[Any] = (),
        names: Sequence[str] = (),
    ) -> list[Written]:  # fmt: skip
        def line(item: Item) -> bytes:
            return " ".join(self.data.silence if o is None else f"{o:.3f}" for o in item).encode() + b"\n"

        return [
            Written([File(f"{name}.{self.data.ending}", partial(line, item))], f"{len(item)} steps")
            for name, (item,) in zip(names or [f"{place:03}" for place in range(len(pieces))], pieces, strict=True)
        ]

    def pixels(self, item: Item) -> np.ndarray:
        levels = [0 if offset is None else 255 for offset in item]
        return np.array(levels, np.uint8).reshape(1, -1, 1)

    def nets(self, model: SequenceModel) -> tuple[nn.Module | None, nn.Module]:
        def read() -> tuple[nn.Module, int]:
            return TapInput(model.embedding), model.embedding

        return sequence_nets(model, read, lambda: TapLikelihood(model.output_features), read)

    def metrics(self, truth: Sequence[Item], guess: Sequence[Item]) -> dict[str, float | None]:
        pairs = [(a, b) for x, y in zip(truth, guess, strict=True) for a, b in zip(x, y, strict=True)]
        right = sum((a is None) == (b is None) for a, b in pairs)
        return {"exact_match": exact_match(truth, guess), "hits_right": right / len(pairs)}
