"""The cases of the contract: modalities with data and model configurations, and items that they encode without loss."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqvae.modalities.images.picture import Picture
from seqvae.modalities.midi.chords import CHORDS
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.ensemble import Ensemble, joined
from seqvae.modalities.midi.meters import Meter, steps_per_bar
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase, without_idle_offs

SENTENCES = (
    "the cats that sleep did not see the small dog",
    "a dog sees the cat",
    "",
    "will the small dogs see a cat that sleeps and a dog that did not sleep",
    "sleep",
    "the cat sees a small cat",
)
DROPOUT = {"input_dropout": 0.2, "output_dropout": 0.3, "encoder_dropout": 0.25, "word_dropout": 0.3}
SIZES = {"latent": 3, "embedding": 5, "encoder_hidden": 4, "decoder_hidden": 6, **DROPOUT}
DEEP = {"encoder_layers": 2, "decoder_layers": 2, "bidirectional": False}


def grooves(classes: int, meters: Sequence[Meter] = ((4, 4),), grid: int = 4) -> list[Clip]:
    """Six clips with hits at random, of two bars where the metre is 4/4 and nothing else is asked for."""
    random = np.random.default_rng(0)
    bars = 2 if tuple(meters) == ((4, 4),) else 1
    clips = []
    for index in range(6):
        meter = meters[index % len(meters)]
        share = (0.3, 0.1, 0.02)[index % 3]
        hits = random.random((bars * steps_per_bar(meter, grid), classes)) < share
        clips.append(Clip(hits, meter, grid))
    return clips


def performances(classes: int, meters: Sequence[Meter] = ((4, 4),), grid: int = 4) -> list[Performance]:
    """The same six clips, played: each hit of any velocity at any place."""
    random = np.random.default_rng(1)
    played = []
    for clip in grooves(classes, meters, grid):
        numbers = [random.integers(low, high, clip.hits.shape) for low, high in ((1, 128), (-60, 61))]
        steps = np.where(clip.hits[..., None], np.stack(numbers, 2), 0).astype(np.int8)
        played.append(Performance(steps, clip.meter, grid))
    return played


def tunes(meters: Sequence[Meter] = ((4, 4),), grid: int = 4, low: int = 21, high: int = 108) -> list[Phrase]:
    """Six phrases of notes and rests at random, of two bars where the metre is 4/4 and nothing else is asked for."""
    random = np.random.default_rng(0)
    bars = 2 if tuple(meters) == ((4, 4),) else 1
    phrases = []
    for index in range(6):
        meter = meters[index % len(meters)]
        steps = bars * steps_per_bar(meter, grid)
        kinds = random.choice([HOLD, OFF, 0], steps, p=[0.5, 0.2, 0.3])
        events = np.where(kinds, kinds, random.integers(low, high + 1, steps)).astype(np.int16)
        events[:3] = HOLD, low, high  # both ends of the range, whatever is drawn
        phrases.append(Phrase(without_idle_offs(events), meter, grid))
    return phrases


def to_chords(phrases: Sequence[Phrase]) -> list[Phrase]:
    """The phrases, to chords at random that change every four steps; the first and the last label are among them."""
    random = np.random.default_rng(2)
    found = []
    for phrase in phrases:
        chords = random.integers(0, CHORDS, -(-len(phrase) // 4))
        chords[:2] = 0, CHORDS - 1
        found.append(phrase.with_chords(np.repeat(chords, 4)[: len(phrase)]))
    return found


def trios(low: int = 21, high: int = 108, meters: Sequence[Meter] = ((4, 4),)) -> list[Ensemble]:
    """Six ensembles: the melody of a tune, the bass of another one, and a groove of nine classes."""
    phrases, clips = tunes(meters, low=low, high=high), grooves(9, meters)
    sets = [clip.hits @ (1 << np.arange(9)) for clip in clips]
    pairs = zip(phrases, [*phrases[3:], *phrases[:3]], sets, strict=True)  # three apart, so that metres agree
    return [Ensemble(joined(one.events, other.events, drums), one.meter) for one, other, drums in pairs]


DENSE = {"latent": 3, "widths": "8,6", "activation": "tanh"}


def pictures(height: int, width: int, channels: int, black_and_white: bool = False) -> list[Picture]:
    """Six pictures of random levels."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, height, width, channels), dtype=np.uint8)
    if black_and_white:
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    return [Picture(one) for one in pixels]


def taps() -> list[tuple[float | None, ...]]:
    """Six lines of seven taps at random, offsets in sixteenths of a step."""
    random = np.random.default_rng(0)
    offsets, hits = random.integers(-4, 5, (6, 7)) / 16, random.random((6, 7)) < 0.6
    return [
        tuple(float(o) if hit else None for o, hit in zip(*row, strict=True)) for row in zip(offsets, hits, strict=True)
    ]


@dataclass(frozen=True)
class Case:
    """A modality with a data and a model configuration, and items that it encodes without loss."""

    name: str
    modality: str
    items: Sequence[Any]
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("words", "text", SENTENCES, {"tokenizer": "word"}, SIZES),
    Case("characters", "text", SENTENCES, {"tokenizer": "character"}, {**SIZES, **DEEP, "initial_state": "dense"}),
    Case("words, pooled by the mean", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, "pooling": "mean"}),
    Case(
        "combinations, pooled by the maximum",
        "drums",
        grooves(9),
        {"meter": "4/4"},
        {**SIZES, "pooling": "max", "corruption": 0.2},
    ),
    Case(
        "unigram",
        "text",
        SENTENCES,
        {"tokenizer": "unigram", "vocabulary_size": 300},
        {**SIZES, "decoder_hidden": 5, "tied_embeddings": True, "output_bias": False, "initial_range": 0.3},
    ),
    Case("pairs", "text", SENTENCES, {"tokenizer": "bpe", "vocabulary_size": 300}, {**SIZES, "scale": "softplus"}),
    *(
        Case(f"words, encoder's noise: {kind}", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, **noise})
        for kind in ("delete", "replace", "blank")
        if (noise := {"corruption": 0.4, "corruption_kind": kind})
    ),
    Case("words, with normalised means", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, "batch_norm_scale": 0.6}),
    Case("words, with a least divergence", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, "least_kl_nats": 1.5}),
    Case(
        "characters, the code in every layer and at the output",
        "text",
        SENTENCES,
        {"tokenizer": "character"},
        {**SIZES, "decoder_layers": 3, "code_skips": "both", "initial_range": 0.4},
    ),
    Case(
        "words, tied, the code at the output",
        "text",
        SENTENCES,
        {"tokenizer": "word"},
        {**SIZES, "embedding": 9, "code_skips": "output", "tied_embeddings": True},
    ),
    Case(
        "words, tied to projected states, masks of sequences, dropped weights",
        "text",
        SENTENCES,
        {"tokenizer": "word"},
        {
            **SIZES,
            "decoder_layers": 2,
            "embedding": 5,
            "output_projection": 5,
            "tied_embeddings": True,
            "input_dropout": 0.3,
            "locked_dropout": True,
            "weight_dropout": 0.4,
        },
    ),
    Case("language model", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, "latent": 0}),
    Case(
        "combinations", "drums", grooves(9), {"meter": "4/4"}, {**SIZES, "scale": "softplus", "initial_state": "dense"}
    ),
    Case(
        "combinations, MusicVAE's inputs",
        "drums",
        grooves(9),
        {"meter": "4/4"},
        {**SIZES, "embedding": 0, "code_initial_scale": 0.5},
    ),
    Case(
        "combinations, shared classes and positions",
        "drums",
        grooves(9),
        {"meter": "4/4"},
        {**SIZES, **DEEP, "shared_classes": True, "position": 7},
    ),
    Case(
        "metres",
        "drums",
        grooves(9, ((4, 4), (3, 4), (7, 8))),
        {"classes": "roland", "bars": 1},
        {**SIZES, "position": 7},
    ),
    Case("classes", "drums", grooves(63), {"classes": "pitch", "meter": "4/4"}, {**SIZES, "position": 7}),
    Case(
        "classes, bits",
        "drums",
        grooves(9, ((6, 8),), grid=12),
        {"steps": "classes", "meter": "6/8", "bars": 1, "steps_per_quarter": 12},
        {**SIZES, "embedding": 0},
    ),
    Case(
        "classes, each given those before it",
        "drums",
        grooves(9, ((6, 8),)),
        {"steps": "classes", "meter": "6/8", "bars": 1},
        {**SIZES, "embedding": 0, "step_likelihood": "nade", "nade_hidden": 7},
    ),
    Case(
        "classes of pitches, each given those before it, the code at the output",
        "drums",
        grooves(63),
        {"classes": "pitch", "meter": "4/4"},
        {**SIZES, "code_skips": "output", "step_likelihood": "nade", "nade_hidden": 8},
    ),
    Case(
        "combinations, the code in every layer",
        "drums",
        grooves(9),
        {"meter": "4/4"},
        {**SIZES, "decoder_layers": 2, "initial_state": "dense", "code_skips": "layers", "position": 7},
    ),
    Case(
        "grooves", "groove", performances(9), {"meter": "4/4"}, {**SIZES, "scale": "softplus", "initial_state": "dense"}
    ),
    Case(
        "grooves, GrooVAE's inputs, each hit given those before it",
        "groove",
        performances(9),
        {"meter": "4/4"},
        {**SIZES, **DEEP, "embedding": 0, "step_likelihood": "nade", "nade_hidden": 7, "code_initial_scale": 0.5},
    ),
    Case(
        "grooves in several metres, hits as combinations, with positions, the code at the output",
        "groove",
        performances(9, ((4, 4), (3, 4), (7, 8)), grid=8),
        {"bars": 1, "classes": "roland", "steps_per_quarter": 8},
        {**SIZES, "step_likelihood": "combinations", "components": 3, "code_skips": "output", "position": 7},
    ),
    Case(
        "grooves, humanized",
        "groove",
        performances(9),
        {"meter": "4/4", "task": "humanize"},
        {**SIZES, "step_likelihood": "nade", "nade_hidden": 7, "decoder_reads": "hits"},
    ),
    Case(
        "grooves, a class added, by GrooVAE's squared errors",
        "groove",
        performances(9),
        {"meter": "4/4", "task": "infill", "added": "snare"},
        {**SIZES, "embedding": 0, "feel": "squares"},
    ),
    Case("melodies", "melody", tunes(), {"meter": "4/4"}, {**SIZES, "scale": "softplus", "initial_state": "dense"}),
    Case(
        "melodies of all pitches, MusicVAE's inputs",
        "melody",
        tunes(low=0, high=127),
        {"meter": "4/4", "lowest_pitch": 0, "highest_pitch": 127},
        {**SIZES, **DEEP, "embedding": 0, "code_initial_scale": 0.5},
    ),
    Case(
        "melodies in several metres, with positions, the code in every layer",
        "melody",
        tunes(((4, 4), (3, 4), (7, 8)), low=60, high=71),
        {"bars": 1, "lowest_pitch": 60, "highest_pitch": 71},
        {**SIZES, "decoder_layers": 2, "code_skips": "layers", "position": 7},
    ),
    Case(
        "words in segments of a conductor, the code at the output",
        "text",
        SENTENCES,
        {"tokenizer": "word"},
        {**SIZES, "conductor_hidden": 7, "segment_steps": 4, "code_skips": "output", "weight_dropout": 0.3},
    ),
    Case(
        "combinations in the bars of a conductor, with positions",
        "drums",
        grooves(9),
        {"meter": "4/4"},
        {**SIZES, **DEEP, "position": 7, "conductor_hidden": 7, "conductor_layers": 2, "initial_range": 0.5},
    ),
    Case(
        "classes in segments of a conductor, each given those before it",
        "drums",
        grooves(9, ((4, 4), (7, 8))),
        {"steps": "classes", "bars": 1},
        {**SIZES, "embedding": 0, "step_likelihood": "nade", "conductor_hidden": 7, "segment_steps": 5},
    ),
    Case(
        "words in segments that another encoder reads over",
        "text",
        SENTENCES,
        {"tokenizer": "word"},
        {**SIZES, "segment_encoder_hidden": 6, "segment_steps": 4, "pooling": "max", "corruption": 0.3},
    ),
    Case(
        "melodies in bars, with an encoder and a conductor over them, and positions",
        "melody",
        tunes(),
        {"meter": "4/4"},
        {
            **SIZES,
            **DEEP,
            "position": 5,
            "segment_encoder_hidden": 6,
            "conductor_hidden": 7,
            "conductor_reads": "code",
            "initial_range": 0.5,
        },
    ),
    Case(
        "melodies in the bars of a conductor, MusicVAE's inputs",
        "melody",
        tunes(),
        {"meter": "4/4"},
        {**SIZES, "embedding": 0, "conductor_hidden": 7, "initial_state": "dense", "code_initial_scale": 0.5},
    ),
    Case(
        "melodies to chords",
        "melody",
        to_chords(tunes()),
        {"meter": "4/4", "chords": "tracks"},
        {**SIZES, "embedding": 6, "tied_embeddings": True, "decoder_layers": 2, "code_skips": "layers", "position": 7},
    ),
    Case(
        "melodies to chords in several metres, the code at the output",
        "melody",
        to_chords(tunes(((4, 4), (3, 4), (7, 8)), low=60, high=71)),
        {"bars": 1, "lowest_pitch": 60, "highest_pitch": 71, "chords": "symbols"},
        {**SIZES, **DEEP, "code_skips": "output", "corruption": 0.3},
    ),
    Case(
        "melodies to chords in bars, with an encoder and a conductor over them, MusicVAE's inputs",
        "melody",
        to_chords(tunes()),
        {"meter": "4/4", "chords": "tracks"},
        {**SIZES, "embedding": 0, "position": 5, "segment_encoder_hidden": 6, "conductor_hidden": 7},
    ),
    Case(
        "trios in the bars of a conductor, a decoder for each part",
        "trio",
        trios(),
        {"meter": "4/4"},
        {**SIZES, "scale": "softplus", "initial_state": "dense", "conductor_hidden": 7, "shared_classes": True},
    ),
    Case(
        "trios in the bars of two conductors, MusicVAE's inputs",
        "trio",
        trios(),
        {"meter": "4/4", "classes": "roland"},
        {**SIZES, **DEEP, "embedding": 0, "conductor_hidden": 7, "conductor_layers": 2, "code_initial_scale": 0.5},
    ),
    Case(
        "trios in a row, one decoder for all, with positions",
        "trio",
        trios(low=60, high=71, meters=((4, 4), (3, 4), (7, 8))),
        {"bars": 1, "lowest_pitch": 60, "highest_pitch": 71},
        {**SIZES, "part_decoders": False, "position": 7, "initial_range": 0.5},
    ),
    Case(
        "trios in a row, a decoder for each part, the code at the output",
        "trio",
        trios(),
        {"meter": "4/4"},
        {**SIZES, "decoder_layers": 2, "code_skips": "both", "segment_encoder_hidden": 6, "corruption": 0.3},
    ),
    Case("dense", "images", pictures(5, 7, 1), {}, {**DENSE, "corruption": 0.3}),
    Case(
        "convolutional, colours in levels",
        "images",
        pictures(9, 6, 3),
        {},
        {**DENSE, "net": "conv", "channels": "2,4", "dense": 6, "likelihood": "logistic", "scale": "softplus"},
    ),
    Case(
        "Gaussian pixels",
        "images",
        pictures(5, 7, 1),
        {},
        {**DENSE, "likelihood": "gaussian", "corruption": 0.2, "corruption_kind": "gaussian"},
    ),
    Case("Laplace pixels", "images", pictures(4, 5, 3), {}, {**DENSE, "likelihood": "laplace"}),
    Case("binary pixels", "images", pictures(5, 7, 1, True), {"binarise": "dynamic"}, {**DENSE, "activation": "silu"}),
    Case("dense, with normalised means", "images", pictures(5, 7, 1), {}, {**DENSE, "batch_norm_scale": 0.6}),
    Case("dense, with a least divergence", "images", pictures(5, 7, 1), {}, {**DENSE, "least_kl_nats": 0.6}),
    Case("autoencoder", "images", pictures(5, 7, 1), {}, {**DENSE, "posterior": "point"}),
    Case("autoencoder of words", "text", SENTENCES, {"tokenizer": "word"}, {**SIZES, "posterior": "point"}),
    Case("steps that are no integers", "taps", taps(), {"steps": 7}, SIZES),
)
