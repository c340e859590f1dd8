"""Grooves: bars of MIDI drum tracks to steps of hits with velocity and time, and back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seqvae.config import Values
from seqvae.modalities.base import Figures, Report, Words
from seqvae.modalities.measuring import Measures
from seqvae.modalities.midi import feel, rhythm, settings
from seqvae.modalities.midi.kit import KitModality
from seqvae.modalities.midi.measures import OF_PERFORMANCES
from seqvae.modalities.midi.performance import MOST_PLACES, PLACES, Performance
from seqvae.modalities.midi.performance_notation import PerformanceNotation
from seqvae.modalities.midi.performance_part import PerformancePart
from seqvae.modalities.midi.settings import GrooveData, GrooveModel

if TYPE_CHECKING:
    from torch import Tensor

    from seqvae.nets.played import Reading
    from seqvae.nets.sequences import SequenceNets
    from seqvae.types import StepType

ADDING = ("tap", "infill")  # tasks whose encoder reads fewer hits than the decoder says
TAPPED = "closed hat"  # the class on which a rhythm is tapped; of maps without it the first one


class Groove(KitModality):
    """The groove modality: an item is a Performance of at most one window, its array the performance itself.

    What the encoder reads of it is `data.task`'s; the decoder always says all of it (Gillick et al. 2019, section 3).
    Two steps agree where they have the same hits; how far apart their velocities and times are is a figure of its own.
    """

    name: ClassVar[str] = "groove"
    words: ClassVar[Words] = replace(
        KitModality.words,
        change="hits that only one of two has, and how far others differ in velocity or time, of all that either has",
    )
    data_config: ClassVar[type] = GrooveData
    model_config: ClassVar[type] = GrooveModel
    item_type: ClassVar[type[Performance]] = Performance
    defaults: ClassVar[Mapping[str, Values]] = settings.GROOVE_DEFAULTS
    sample_units: ClassVar[Mapping[str, str]] = rhythm.units("hits") | feel.SAMPLE_UNITS
    has_baselines: ClassVar[bool] = True
    data: GrooveData

    @property
    def step_type(self) -> "StepType":
        """Of each class the velocity, 0 without a hit, and the place."""
        from seqvae.types import StepType

        return StepType("int8", (len(self.classes), 2), compared=_hits)

    @property
    def measures(self) -> Measures:
        """What is measured of hits, and of how they are played."""
        return {**super().measures, **OF_PERFORMANCES}

    @property
    def holds(self) -> bool:
        """What is humanized keeps its hits."""
        return self.data.task == "humanize"

    @property
    def keeps(self) -> bool:
        """What is humanized keeps its hits; of infill all classes stay as they are but the one that is added."""
        return self.data.task in ("humanize", "infill")

    def kept(self, x: np.ndarray) -> np.ndarray:
        """The steps of x; of infill the added class is FREE."""
        if self.data.task != "infill":
            return x
        from seqvae.nets.held import FREE

        known = x.copy()
        known[..., self._judged, 0] = FREE
        return known

    def check_feel(self) -> None:
        """Raises ValueError for a model of flat hits, whose codes know nothing of how a groove is played."""
        if self.data.task == "humanize":
            raise ValueError(
                "the feel of another groove is in codes of velocities and times, and this model reads hits alone "
                "(data.task=humanize); take a model of another task, such as reconstruct"
            )

    @property
    def reads(self) -> "Reading | None":
        """What the encoder reads of steps, None for all of them. Raises ValueError for a class that is not there."""
        from seqvae.nets import readings

        names = self.classes.names
        if self.data.task == "infill" and self.data.added not in names:
            raise ValueError(
                f"data.added={self.data.added} is no class of data.classes={self.data.classes}; choose "
                f"{self.listed_classes}.{self.classes.suggested(self.data.added)}"
            )
        return {
            "reconstruct": None,
            "humanize": readings.on_the_grid,
            "tap": partial(readings.tapped, c=names.index(TAPPED) if TAPPED in names else 0),
            "infill": partial(readings.without, c=names.index(self.data.added) if self.data.added else 0),
        }[self.data.task]

    def fit(self, items: Callable[[], Iterable[Performance]]) -> None:
        """Note the classes, metres, tempo and kit. Raises ValueError before reading for a class that is not there."""
        _ = self.reads
        super().fit(items)

    @property
    def usual_bpm(self) -> float | None:
        """The tempo that figures in ms are of, that of the corpus; None before `fit` or `load`."""
        bpm: float | None = self.learned.get("bpm")
        return bpm

    @property
    def units(self) -> Mapping[str, str]:
        """Those of drums; steps and items are compared by their hits, and what else a hit has is compared apart."""
        return {**super().units, **feel.units(self.usual_bpm)}

    def part(self, data: GrooveData) -> PerformancePart:  # type: ignore[override]  # the settings are its own kind
        """The hits of the drum channel, or of all channels, with velocity and time."""
        return PerformancePart(self.classes, None if data.all_channels else data.drum_channel)

    @property
    def notation(self) -> PerformanceNotation:
        """How performances of its classes are written."""
        return PerformanceNotation(self.classes)

    @property
    def coding(self) -> str:
        """That of grooves."""
        return self.name

    def encode(self, item: Performance, report: Report) -> np.ndarray | None:
        """(T, C, 2) int8, the performance; what it lacks of a window is silence, and places without a hit are 0.

        Raises ValueError for a performance of another grid or class map, longer than a window, or with other numbers
        than velocities and places.
        """
        self.notation.check(item)
        whole = self.whole_window(item, report)
        return None if whole is None else _of_hits(whole.played)

    def decode(self, x: np.ndarray, like: Performance | None = None) -> Performance:
        """The performance of an array, with the length, metre, tempo and kit of `like`.

        Without it the metre is the one that is set, or the most frequent one of that length; the tempo and the kit are
        the typical ones.
        """
        played = _of_hits(x)
        made: Performance = self.new_item(played) if like is None else like.with_steps(played[: len(like)])
        return made

    def nets(self, model: GrooveModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator."""
        from seqvae.modalities.midi.nets import groove_nets

        return groove_nets(model, len(self.classes), MOST_PLACES, self.bars(model), self.reads)

    def metrics(self, truth: Sequence[Performance], guess: Sequence[Performance]) -> dict[str, float | None]:
        """Share of windows whose hits all come back, F1 of hits, and errors of velocity and time.

        Beside these are the errors of a copy on the grid, all of whose hits are as loud as those of all are on average.
        """
        from seqvae.evaluation.reconstruction import exact_match

        one, other = [item.clip for item in truth], [item.clip for item in guess]
        scores = self.hit_figures([clip.hits for clip in one], [clip.hits for clip in other])
        figures = {"exact_match": exact_match(one, other), **scores, **feel.feel_figures(truth, guess, self._judged)}
        if self.data.task in ADDING:
            read = [item.with_steps(self._read(item.played)) for item in truth]
            figures["f1_hits_input"] = feel.f1_of_hits(truth, read)
        if self.data.task == "infill":
            figures["f1_added"] = feel.f1_of_hits(truth, guess, self._judged)
        return figures

    def baseline_metrics(
        self, truth: Sequence[Performance], guess: Sequence[Performance], training: Sequence[np.ndarray]
    ) -> dict[str, float | None]:
        """What `metrics` says of grooves that are made of the training windows that are nearest in what is read.

        Of tasks that add hits these are the neighbours' as well; of the others those that both items have.
        """
        from seqvae.modalities.midi.neighbours import performed

        adds = self.data.task in ADDING
        hits = None if adds else [one.hits & other.hits for one, other in zip(truth, guess, strict=True)]
        made = performed([item.played for item in truth], hits, training, self._read, self._judged)
        near = [item.with_steps(steps) for item, steps in zip(truth, made, strict=True)]
        figures = feel.neighbour_figures(truth, near, self._judged)
        if adds:
            figures["f1_hits_neighbours"] = feel.f1_of_hits(truth, near)
        if self.data.task == "infill":
            figures["f1_added_neighbours"] = feel.f1_of_hits(truth, near, self._judged)
        return figures

    @property
    def _judged(self) -> slice:
        """The classes whose velocities and times are figures: the one that is added, or all."""
        if self.data.task != "infill":
            return slice(None)
        added = self.classes.names.index(self.data.added)
        return slice(added, added + 1)

    def _read(self, played: np.ndarray) -> np.ndarray:
        """What the encoder reads of steps (..., C, 2)."""
        import torch

        return played if self.reads is None else self.reads(torch.from_numpy(np.array(played))).numpy()

    def remarks(self, model: GrooveModel, figures: Figures) -> list[str]:
        """As of all kits; that hits which are kept are no result; and whether there are no nearest training windows."""
        kept = ["Hits are kept (data.task=humanize), so exact_match, F1s of hits and greedy steps are 1 by themselves."]
        of_errors = [
            "Nats are those of hits and squared errors of velocities and times (model.feel=squares): no likelihood."
        ]
        anew = [
            "All classes are played anew in these figures; reconstruct keeps those of its input but for "
            f"{self.data.added} (data.task=infill)."
        ]
        missing = figures.get("timing_error_ms") is not None and figures.get("timing_error_neighbours_ms") is None
        gone = ["The training data are no longer in the cache, so there are no figures of the nearest windows."]
        squares, infill = model.feel == "squares", self.data.task == "infill"
        shared = super().remarks(model, figures)
        return [*shared, *kept * self.holds, *anew * infill, *of_errors * squares, *gone * missing]

    def units_of(self, model: GrooveModel) -> Mapping[str, str]:
        """Those of squared errors, which are no likelihood."""
        return feel.UNITS_OF_SQUARES if model.feel == "squares" else {}

    def nats_of(self, model: GrooveModel) -> str:
        """What the nats are, and that squared errors are none."""
        nats = super().nats_of(model)
        return f"{nats}, squared errors of velocities and times among them" if model.feel == "squares" else nats

    def sample_metrics(self, samples: Sequence[Performance]) -> dict[str, float | None]:
        """How bars repeat, how many hits there are, where they stand, how loud and how far from the grid they are."""
        return rhythm.rhythm_figures([item.clip for item in samples], "hits") | feel.sample_figures(samples)

    def changes(self, item: Performance, other: Performance) -> tuple[float, float]:
        """The hits that stand in one of the two only, and parts of those that differ in velocity or time, of all.

        A hit that is as much louder or later as it can be is changed as a whole.
        """
        _, of = rhythm.changed_hits(item.hits, other.hits)
        steps = max(len(item), len(other))
        a, b = (one.filled(steps).played.astype(np.int64) for one in (item, other))
        apart = (np.abs(a - b) / (127, PLACES)).max(2)
        return float(np.where((a[..., 0] > 0) == (b[..., 0] > 0), apart, 1.0).sum()), of

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Windows, steps, classes and metres, and the task where it is not to reconstruct."""
        task = f"{self.data.task} {self.data.added}".strip()
        facts = self.class_facts(lengths, f"each hit or not, with velocity and one of {PLACES} places")
        return facts if task == "reconstruct" else [*facts, ("task", task)]


def _of_hits(played: np.ndarray) -> np.ndarray:
    """(T, C, 2) int8: the numbers of hits, 0 where there is none."""
    return np.where(played[..., :1] > 0, played, 0).astype(np.int8)


def _hits(steps: "Tensor") -> "Tensor":
    """(B, T, C): where a class is hit."""
    return steps[..., 0] > 0
