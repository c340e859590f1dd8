"""The configuration keys of all that is made of MIDI files, of drums and grooves, and of their models."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqvae.config import Values, few, key
from seqvae.modalities.midi import classes
from seqvae.modalities.midi.grid import GRIDS
from seqvae.modalities.midi.meters import Meter, parse_meter, steps_per_bar
from seqvae.modalities.midi.notes import DRUM_CHANNEL
from seqvae.nets.sizes import MOST_UNITS, OF_DECODER, SequenceModel

FORMATS = ("mid", "wav", "png")
LEAST_STEPS = 400  # of a folder of few files, whose epochs are short
FEW_ITEMS = 500  # windows, such as those of a few songs
# Of 1, 0.7, 0.5 and 0.3 the temperature at which samples repeat their bars most nearly as often as the data do (see
# BENCHMARKS.md); at 0 more of them are equal.
SAMPLING_TEMPERATURE = 0.3
# 48 bits of free KL and a beta of 0.2 are MusicVAE's: codes keep grooves apart, and the prior can be sampled. Weights
# shared by classes, positions and windows that borrow from others make the most of a folder of some hundred files.
DEFAULTS: Mapping[str, Values] = {
    "data": {"mix": 0.3, "drop": 0.1},
    "model": {
        "latent": 64, "embedding": 96, "shared_classes": True, "position": 32, "decoder_layers": 2, "scale": "softplus",
        "initial_state": "dense", "code_initial_scale": 0.01, "word_dropout": 0.1,
    },
    "objective": {"beta": 0.2, "schedule": "constant", "free_nats_total": 33.271},
    "train": {
        "epochs": 30, "batch_size": 64, "optimizer": "adamw", "weight_decay": 0.01, "learning_rate": 2e-3,
        "warmup_steps": 100, "cosine": True, "clip": 1.0, "decay_patience": 0, "validate_steps": 200,
    },
}  # fmt: skip
MODEL: Values = {name: value for name, value in DEFAULTS["model"].items() if name != "shared_classes"}
GROOVE_DEFAULTS: Mapping[str, Values] = {**DEFAULTS, "model": {**MODEL, "components": 4}}
SUITED_TO_FEW: Mapping[str, Values] = {"train": {"warmup_steps": 50, "validate_steps": 100}}


@dataclass(frozen=True)
class MidiData:
    """How MIDI files are read, laid on a grid, cut into windows and split, and how pieces are written."""

    steps_per_quarter: int = key(4, "the grid: 4, 8, 12 or 24 steps a quarter")
    bars: int = key(2, "bars of a window", least=1)
    hop: int = key(1, "bars from the start of one window to that of the next", least=1, use="training")
    meter: str = key(
        "",
        "read only bars of this metre, such as 4/4, and make samples in it; empty: all metres, and samples in the most "
        "frequent one",
        use=("reading", "making"),
        metavar="BEATS/UNIT",
        help_of={
            "choosing": "read only bars of this metre, such as 4/4; empty: those of all metres that the model knows",
            "making": "metre of what is made, such as 4/4; empty: the one most met in training",
        },
    )
    assume_meter: str = key(
        "",
        "take all pieces for music in this metre from their start on, such as 4/4, whatever they say; empty: for what "
        "they say",
        use="reading",
        metavar="BEATS/UNIT",
    )
    unique: bool = key(False, "drop windows that stand in the corpus before", use="training")
    split_csv: str = key(
        "",
        "a CSV file that says which split each file is of, such as the Groove MIDI Dataset's info.csv",
        use="splitting",
        metavar="FILE",
    )
    split_column: str = key(
        "split", "the column of that file with train, valid and test", use="training", metavar="NAME"
    )
    valid_share: float = key(0.05, "share of the files held out for validation", least=0, below=1, use="training")
    test_share: float = key(0.05, "share of the files held out for testing", least=0, below=1, use="training")
    split_seed: int = key(0, "seed of the choice of held-out files", least=0, below=2**63, use="training")
    bpm: float | None = key(
        None,
        "tempo of what is written; none: the input's, or the usual one",
        least=4,
        most=1000,
        use="writing",
        metavar="BPM|none",
    )
    loop: bool = key(
        False, "a WAV lasts for exactly its bars, and what rings on at the end does so at the start", use="writing"
    )
    formats: str = key(
        ",".join(FORMATS), "files that are written: some of mid, wav and png", use="writing", metavar="NAME,..."
    )

    def __post_init__(self) -> None:
        if self.steps_per_quarter not in GRIDS:
            raise ValueError(
                f"data.steps_per_quarter={self.steps_per_quarter} is not possible; choose {few(map(str, GRIDS))}"
            )
        for meter in (self.only_meter, self.assumed_meter):
            if meter is not None:
                steps_per_bar(meter, self.steps_per_quarter)
        if min(self.valid_share, self.test_share) < 0 or self.valid_share + self.test_share >= 1:
            raise ValueError(
                f"shares of {self.valid_share} for validation and {self.test_share} for testing; neither may be "
                "negative, and something must be left for training"
            )
        for word in self.written_formats:
            if word not in FORMATS:
                raise ValueError(
                    f"data.formats={self.formats} is not possible; choose among {', '.join(FORMATS)}, with commas "
                    "between them"
                )
        keep_place(self, "split_csv")

    @property
    def only_meter(self) -> Meter | None:
        """The only metre that is read or made; None for all. Raises ValueError when it is no metre."""
        return _meter("meter", self.meter)

    @property
    def assumed_meter(self) -> Meter | None:
        """The metre that all pieces are taken for; None for their own. Raises ValueError when it is no metre."""
        return _meter("assume_meter", self.assume_meter)

    @property
    def written_formats(self) -> tuple[str, ...]:
        """The endings of the files that are written, in order."""
        return tuple(dict.fromkeys(word.strip().lower() for word in self.formats.split(",")))


def _meter(name: str, word: str) -> Meter | None:
    """The metre that a key names; None where it is empty. Raises ValueError when it is no metre."""
    meter = parse_meter(word) if word else None
    if word and meter is None:
        raise ValueError(f"data.{name}={word} is not possible; write beats/unit, such as 4/4 or 6/8")
    return meter


@dataclass(frozen=True)
class KitData(MidiData):
    """How the drums of MIDI files are read, and how windows of them are changed in training."""

    classes: str = key(
        "gm",
        "drum classes: gm (General MIDI, 9), roland (9), pitch (63), musicvae (its full map of 61), or a JSON file of "
        "your own",
        metavar="NAME|FILE",
    )
    drum_channel: int = key(
        DRUM_CHANNEL + 1, "the MIDI channel of the drums, counted from 1", least=1, most=16, use="reading"
    )
    all_channels: bool = key(False, "take the notes of all channels for drums", use="reading")
    mix: float = key(
        0.0,
        "share of training windows that take some of their drums from other windows",
        least=0,
        most=1,
        use="training",
    )
    drop: float = key(
        0.0, "share of training windows that lose some of their hits or drums", least=0, most=1, use="training"
    )
    rotate: float = key(
        0.0, "share of training windows that are rotated by some beats", least=0, most=1, use="training"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes not in classes.MAPS:
            keep_place(self, "classes")


@dataclass(frozen=True)
class DrumData(KitData):
    """How the drums of MIDI files are read and turned into steps."""

    steps: Literal["auto", "combinations", "classes"] = key(
        "auto", "a step is one of the combinations of classes (auto: of up to 9), or each class is hit or not"
    )


def keep_place(data: MidiData, name: str) -> None:
    """Make the path of a file whole: a run remembers where it was, whatever folder it is used from."""
    path = getattr(data, name)
    object.__setattr__(data, name, str(Path(path).resolve()) if path and Path(path).exists() else path)


@dataclass(frozen=True)
class MidiModel(SequenceModel):
    """The LSTM encoder and decoder of steps that stand in bars."""

    position: int = key(
        0, "size of the vector for a step's place in the bar and its bar; 0: none", least=0, most=MOST_UNITS
    )


@dataclass(frozen=True)
class DrumModel(MidiModel):
    """The LSTM encoder and decoder of steps that are sets of drum classes."""

    embedding: int = key(
        0,
        "size E of the step embeddings; 0: the encoder reads the classes' bits and a silence bit, the decoder one-hot "
        "steps (MusicVAE)",
        least=0,
        most=MOST_UNITS,
    )
    shared_classes: bool = key(
        False, "sets of classes share weights by their classes, in embeddings and in the output layer"
    )
    step_likelihood: Literal["bernoulli", "nade"] = key(
        "bernoulli",
        "of steps whose classes are each hit or not (data.steps=classes): bernoulli, all of them independent, or nade, "
        "each class given those before it",
        parts=OF_DECODER,
    )
    nade_hidden: int = key(
        128, "hidden units of model.step_likelihood=nade", least=1, most=MOST_UNITS, parts=OF_DECODER
    )


@dataclass(frozen=True)
class GrooveData(KitData):
    """How the drums of MIDI files are read, with the velocity and time of each hit, and what of them is encoded."""

    task: Literal["reconstruct", "humanize", "tap", "infill"] = key(
        "reconstruct",
        "what a model is for, by what its encoder reads: reconstruct, all; humanize, the hits on the grid and all as "
        "loud, which keep their places when they are played; tap, of each step the loudest hit, as a hit of one class; "
        "infill, all but the class of data.added",
    )
    added: str = key(
        "", "of data.task=infill: the class that is added, by its name, such as 'closed hat'", metavar="CLASS"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task == "infill" and not self.added:
            raise ValueError(
                "data.task=infill adds a class of drums, and nothing says which one; name it, such as "
                "data.added='closed hat'"
            )
        if self.added and self.task != "infill":
            raise ValueError(
                f"data.added={self.added} is of data.task=infill, and this is data.task={self.task}; leave it out, or "
                "choose that task"
            )


@dataclass(frozen=True)
class GrooveModel(MidiModel):
    """The LSTM encoder and decoder of steps that are hits with velocity and time."""

    embedding: int = key(
        0,
        "size E of the step embeddings; 0: hit, velocity and offset of each class (GrooVAE)",
        least=0,
        most=MOST_UNITS,
    )
    step_likelihood: Literal["combinations", "bernoulli", "nade"] = key(
        "bernoulli",
        "of the hits of a step: bernoulli, all classes independent; nade, each class after those before it; or "
        "combinations, one of all sets of up to 9 classes",
        parts=OF_DECODER,
    )
    nade_hidden: int = key(
        128, "hidden units of model.step_likelihood=nade", least=1, most=MOST_UNITS, parts=OF_DECODER
    )
    components: int = key(
        1,
        "logistic distributions that velocity and time of a hit are mixtures of (model.feel=logistic)",
        least=1,
        parts=OF_DECODER,
    )
    decoder_reads: Literal["all", "hits"] = key(
        "all",
        "what the decoder reads of its own steps: all, or the hits alone, so that velocity and time follow from the "
        "code and the hits and not from those before",
        parts=OF_DECODER,
    )
    feel: Literal["logistic", "squares"] = key(
        "logistic",
        "of velocity and time: logistic, a density of what there is; or squares, squared errors (GrooVAE), whose nats "
        "are no likelihood",
        parts=OF_DECODER,
    )

    def __post_init__(self) -> None:
        """Raises ValueError for tied embeddings, and as `SequenceModel`."""
        super().__post_init__()
        if self.tied_embeddings:
            raise ValueError(
                "model.tied_embeddings=true is for steps of listed outcomes, such as those of texts and melodies, and "
                "hits with velocity and time are not listed; leave it out"
            )
