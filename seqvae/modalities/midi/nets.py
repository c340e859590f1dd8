"""Encoders and decoders of steps: sets of drum classes, hits with velocity and time, events of melodies and trios."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from seqvae.modalities.midi.classes import MOST_COMBINED
from seqvae.modalities.midi.settings import DrumModel, GrooveModel
from seqvae.modalities.midi.voice_settings import MelodyModel, TrioModel
from seqvae.nets.given import GivenBeside
from seqvae.nets.likelihoods import Bernoulli, Categorical
from seqvae.nets.nade import NADE
from seqvae.nets.parts import PartsInput, PartsLikelihood
from seqvae.nets.played import Combinations, PlayedErrors, PlayedLikelihood, PlayedSteps, Reading
from seqvae.nets.readings import on_the_grid
from seqvae.nets.sequences import SequenceNets, draw_uniform, sequence_nets
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot, Position, bits_of_labels, step_input


@dataclass(frozen=True)
class Bars:
    """The bars of a window: how long each kind is, in steps, how many there are, and the steps of a quarter."""

    lengths: Sequence[int]
    count: int
    steps_per_quarter: int

    def position(self, size: int) -> Position:
        """What says where a step stands. Bars of several lengths are counted in quarters."""
        if len(self.lengths) == 1:
            return Position(self.lengths[0], self.count, size)
        quarter = self.steps_per_quarter
        return Position(quarter, -(-self.count * max(self.lengths) // quarter), size)

    def segment(self, model: SequenceModel) -> int:
        """The steps of a bar where a segment is a bar, else 0. Raises ValueError for bars of several lengths."""
        if not model.by_segments or model.segment_steps:
            return 0
        lengths = set(self.lengths)
        if len(lengths) > 1:
            raise ValueError(
                f"model.{model.by_segments} works bar by bar, and the bars that were read have "
                f"{' or '.join(map(str, sorted(lengths)))} steps; read one metre, such as data.meter=4/4, or set "
                "model.segment_steps"
            )
        return lengths.pop() if lengths else 0


def melody_nets(model: MelodyModel, outcomes: int, bars: Bars, chords: int = 0) -> SequenceNets:
    """Encoder (None without latent units) and decoder of steps that are one of so many outcomes.

    Weights are drawn from torch's global generator. Without an embedding both read one-hot steps (MusicVAE). With
    `chords` a step has one of so many chords beside its outcome, which both read, one-hot, and the decoder never says.
    """

    def label() -> tuple[nn.Module, int]:
        return _labels(outcomes, model.embedding)

    def read() -> tuple[nn.Module, int]:
        if not chords:
            return label()
        together = PartsInput([label(), (OneHot(chords), chords)])
        return together, together.width

    def likelihood() -> Categorical | GivenBeside:
        said = Categorical(model.output_features, outcomes, model.output_bias)
        return GivenBeside(said, chords) if chords else said

    def position() -> Position | None:
        return bars.position(model.position) if model.position else None

    encoder, decoder = sequence_nets(
        model, read, likelihood, label, position, model.tied_embeddings, segment=bars.segment(model)
    )
    draw_uniform(encoder, decoder, model.initial_range)
    return encoder, decoder


def trio_nets(model: TrioModel, outcomes: int, classes: int, bars: Bars) -> SequenceNets:
    """Encoder (None without latent units) and decoder of steps (3,): two of so many outcomes, and a set of classes.

    Weights are drawn from torch's global generator. Without an embedding both read one-hot steps (MusicVAE).
    """

    def voice() -> tuple[nn.Module, int]:
        return _labels(outcomes, model.embedding)

    def drums() -> tuple[nn.Module, int]:
        return step_input(classes, True, model.embedding, model.shared_classes, True)

    def read() -> tuple[nn.Module, int]:
        together = PartsInput([voice(), voice(), drums()])
        return together, together.width

    def likelihood() -> PartsLikelihood:
        features = bits_of_labels(classes) if model.shared_classes else None
        voices = [Categorical(model.output_features, outcomes, model.output_bias) for _ in range(2)]
        kit = Categorical(model.output_features, 1 << classes, model.output_bias, features)
        return PartsLikelihood([*voices, kit], model.state_features if model.part_decoders else 0)

    def position() -> Position | None:
        return bars.position(model.position) if model.position else None

    read_back = [voice, voice, drums] if model.part_decoders else read
    encoder, decoder = sequence_nets(model, read, likelihood, read_back, position, segment=bars.segment(model))
    draw_uniform(encoder, decoder, model.initial_range)
    return encoder, decoder


def _labels(outcomes: int, embedding: int) -> tuple[nn.Module, int]:
    """What reads one of so many outcomes, and the size of what it gives: one-hot where there is no embedding."""
    return (nn.Embedding(outcomes, embedding), embedding) if embedding else (OneHot(outcomes), outcomes)


def drum_nets(model: DrumModel, classes: int, combined: bool, bars: Bars) -> SequenceNets:
    """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

    `combined`: a step is one of the combinations of classes, else each class is hit or not.

    Raises ValueError for NADE where steps are combinations, and for tied embeddings where no weight could be shared.
    """
    if model.tied_embeddings and (not combined or model.shared_classes):
        other = "model.shared_classes=true" if combined else "steps whose classes are each hit or not"
        raise ValueError(
            f"model.tied_embeddings=true is not possible with {other}; it is for steps that are combinations of "
            "classes, with an embedding and an output weight of their own; leave one of them out"
        )
    if combined and model.step_likelihood == "nade":
        raise ValueError(
            "model.step_likelihood=nade is for steps whose classes are each hit or not, and here a step is one of the "
            f"combinations of {classes} classes; set data.steps=classes, or leave model.step_likelihood out"
        )

    def read(one_hot: bool) -> tuple[nn.Module, int]:
        return step_input(classes, combined, model.embedding, model.shared_classes, one_hot)

    def likelihood() -> Categorical | Bernoulli | NADE:
        if not combined and model.step_likelihood == "nade":
            return NADE(model.output_features, classes, model.nade_hidden, model.output_bias)
        if not combined:
            return Bernoulli(model.output_features, classes, model.output_bias)
        features = bits_of_labels(classes) if model.shared_classes else None
        return Categorical(model.output_features, 1 << classes, model.output_bias, features)

    def position() -> Position | None:
        return bars.position(model.position) if model.position else None

    encoder, decoder = sequence_nets(
        model, lambda: read(False), likelihood, lambda: read(True), position, model.tied_embeddings,
        segment=bars.segment(model),
    )  # fmt: skip
    draw_uniform(encoder, decoder, model.initial_range)
    return encoder, decoder


def groove_nets(
    model: GrooveModel, classes: int, most_places: int, bars: Bars, reads: Reading | None = None
) -> SequenceNets:
    """Encoder (None without latent units) and decoder of steps (C, 2): velocities, and places up to `most_places`.

    Weights are drawn from torch's global generator. Without an embedding both read the numbers themselves (GrooVAE).
    `reads` is what the encoder reads of steps where that is not all; what the decoder reads of its own, all or their
    hits, is the model's.

    Raises ValueError for combinations of too many classes.
    """
    if model.step_likelihood == "combinations" and classes > MOST_COMBINED:
        raise ValueError(
            f"model.step_likelihood=combinations takes up to {MOST_COMBINED} classes, and data.classes has {classes}; "
            "choose bernoulli or nade, or another class map"
        )

    own = on_the_grid if model.decoder_reads == "hits" else None

    def read(reads: Reading | None) -> tuple[nn.Module, int]:
        numbers = PlayedSteps(classes, most_places, reads)
        if not model.embedding:
            return numbers, numbers.width
        return nn.Sequential(numbers, nn.Linear(numbers.width, model.embedding)), model.embedding

    def likelihood() -> PlayedLikelihood | PlayedErrors:
        features, bias = model.output_features, model.output_bias
        hits: Combinations | Bernoulli | NADE
        if model.step_likelihood == "combinations":
            hits = Combinations(features, classes, bias)
        elif model.step_likelihood == "nade":
            hits = NADE(features, classes, model.nade_hidden, bias)
        else:
            hits = Bernoulli(features, classes, bias)
        if model.feel == "squares":
            return PlayedErrors(hits, features, classes, most_places, bias)
        return PlayedLikelihood(hits, features, classes, most_places, bias, model.components)

    def position() -> Position | None:
        return bars.position(model.position) if model.position else None

    encoder, decoder = sequence_nets(
        model, lambda: read(reads), likelihood, lambda: read(own), position, segment=bars.segment(model)
    )
    draw_uniform(encoder, decoder, model.initial_range)
    return encoder, decoder
