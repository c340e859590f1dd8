"""Drums: bars of MIDI drum tracks to steps of drum classes and back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seqvae.config import Values, counted
from seqvae.modalities.base import Report
from seqvae.modalities.midi import rhythm, settings
from seqvae.modalities.midi.classes import MOST_COMBINED
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.hits import DrumPart
from seqvae.modalities.midi.kit import KitModality
from seqvae.modalities.midi.settings import DrumData, DrumModel

if TYPE_CHECKING:
    from seqvae.nets.sequences import SequenceNets
    from seqvae.types import StepType


class Drums(KitModality):
    """The drum modality: an item is a Clip of at most one window, its array one label or one set of classes a step."""

    name: ClassVar[str] = "drums"
    data_config: ClassVar[type] = DrumData
    model_config: ClassVar[type] = DrumModel
    item_type: ClassVar[type[Clip]] = Clip
    defaults: ClassVar[Mapping[str, Values]] = settings.DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.units("hits")
    data: DrumData

    @property
    def combined(self) -> bool:
        """Whether a step is one of the combinations of classes. Raises ValueError when these are too many."""
        fits = len(self.classes) <= MOST_COMBINED
        if self.data.steps == "combinations" and not fits:
            raise ValueError(
                f"data.steps=combinations takes up to {MOST_COMBINED} classes, and data.classes={self.data.classes} "
                f"has {len(self.classes)}; leave it out, or choose another class map"
            )
        return fits and self.data.steps != "classes"

    @property
    def outcomes(self) -> int:
        """How many different steps there are."""
        return 1 << len(self.classes)

    @property
    def step_type(self) -> "StepType":
        """A label, bit i for class i, or zeros and ones, a number for each class."""
        from seqvae.types import StepType

        return StepType("uint16") if self.combined else StepType("uint8", (len(self.classes),))

    def part(self, data: DrumData) -> DrumPart:  # type: ignore[override]  # the settings are its own kind
        """The hits of the drum channel, or of all channels."""
        return DrumPart(self.classes, None if data.all_channels else data.drum_channel)

    @property
    def notation(self) -> DrumNotation:
        """How clips of its classes are written."""
        return DrumNotation(self.classes)

    @property
    def coding(self) -> bool:
        """Whether steps are combinations."""
        return self.combined

    def encode(self, item: Clip, report: Report) -> np.ndarray | None:
        """(T,) labels, bit i for class i, or (T, C) zeros and ones; what a clip lacks of a window is silence.

        Raises ValueError for a clip of another grid, class map or metre, or longer than a window.
        """
        found, wanted = item.hits.shape[1], len(self.classes)
        if found != wanted:
            raise ValueError(f"a clip with {found} classes does not fit; give clips with {wanted} classes")
        whole = self.whole_window(item, report)
        if whole is None:
            return None
        if not self.combined:
            return whole.hits.astype(np.uint8)
        return (whole.hits @ (1 << np.arange(len(self.classes), dtype=np.int32))).astype(np.uint16)

    def decode(self, x: np.ndarray, like: Clip | None = None) -> Clip:
        """The clip of an array, with the length, metre, tempo and kit of `like`.

        Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the kit are
        the typical ones.
        """
        hits = x.astype(bool) if x.ndim == 2 else (x[:, None] >> np.arange(len(self.classes)) & 1).astype(bool)
        made: Clip = self.new_item(hits) if like is None else like.with_steps(hits[: len(like)])
        return made

    def nets(self, model: DrumModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import drum_nets

        return drum_nets(model, len(self.classes), self.combined, self.bars(model))

    def metrics(self, truth: Sequence[Clip], guess: Sequence[Clip]) -> dict[str, float | None]:
        """Share of exact reconstructions, and F1 of the hits of each class; None where a class is never hit."""
        from seqvae.evaluation.reconstruction import exact_match

        scores = self.hit_figures([clip.hits for clip in truth], [clip.hits for clip in guess])
        return {"exact_match": exact_match(truth, guess), **scores}

    def sample_metrics(self, samples: Sequence[Clip]) -> dict[str, float | None]:
        """How bars repeat, how many hits there are and where they stand."""
        return rhythm.rhythm_figures(samples, "hits")

    def changes(self, item: Clip, other: Clip) -> tuple[float, float]:
        """The hits that stand in one of the two only, of those that stand in either."""
        return rhythm.changed_hits(item.hits, other.hits)

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, classes and metres."""
        kind = f"one of {counted(self.outcomes, 'combinations')}" if self.combined else "each hit or not"
        return self.class_facts(lengths, kind)
