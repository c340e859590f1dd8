"""The configuration keys of drums: how MIDI files are read and turned into steps, and the model of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqvae.config import few, key
from seqvae.modalities.midi import classes
from seqvae.modalities.midi.clip import Meter, steps_per_bar
from seqvae.modalities.midi.grid import GRIDS
from seqvae.nets.sizes import SequenceModel

# What may change when a model goes on with other files.
READING_KEYS = frozenset(
    {"hop", "drum_channel", "all_channels", "unique", "mix", "drop", "rotate", "split_csv", "split_column",
     "valid_share", "test_share", "split_seed"}
)  # fmt: skip
LEAST_STEPS = 800  # of a folder of few files, whose epochs are short
# 48 bits of free KL and a beta of 0.2 are MusicVAE's: codes tell grooves apart, and the prior can be sampled. Weights
# shared by classes, positions and windows that borrow from others make the most of a folder of some hundred files.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
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


@dataclass(frozen=True)
class DrumData:
    """How MIDI files are read and turned into steps."""

    classes: str = key("gm", "drum classes: gm (General MIDI, 9), roland (9), pitch (63), or a JSON file of your own")
    steps: Literal["auto", "combinations", "classes"] = key(
        "auto", "a step is one of the combinations of classes (auto: of up to 9), or each class is hit or not"
    )
    steps_per_quarter: int = key(4, "the grid: 4, 8, 12 or 24 steps a quarter")
    bars: int = key(2, "bars of a window", least=1)
    hop: int = key(1, "bars from the start of one window to that of the next", least=1)
    meter: str = key("", "read this metre only, such as 4/4; empty: whatever the files say")
    drum_channel: int = key(10, "the MIDI channel of the drums, counted from 1", least=1, below=17)
    all_channels: bool = key(False, "take the notes of all channels for drums")
    unique: bool = key(False, "drop windows that stand in the corpus before")
    mix: float = key(0.0, "share of training windows that take some of their drums from other windows", least=0, most=1)
    drop: float = key(0.0, "share of training windows that lose some of their hits or drums", least=0, most=1)
    rotate: float = key(0.0, "share of training windows that are rotated by some beats", least=0, most=1)
    split_csv: str = key("", "a CSV file that tells each file's split, such as the Groove MIDI Dataset's info.csv")
    split_column: str = key("split", "the column of that file with train, valid and test")
    valid_share: float = key(0.05, "share of the files held out for validation", least=0, below=1)
    test_share: float = key(0.05, "share of the files held out for testing", least=0, below=1)
    split_seed: int = key(0, "seed of the choice of held-out files", least=0, below=2**63)

    def __post_init__(self) -> None:
        if self.steps_per_quarter not in GRIDS:
            raise ValueError(
                f"data.steps_per_quarter={self.steps_per_quarter} is not possible; choose {few(map(str, GRIDS))}"
            )
        if self.meter_read is not None:
            steps_per_bar(self.meter_read, self.steps_per_quarter)
        for name in ("split_csv",) + (() if self.classes in classes.MAPS else ("classes",)):
            path = getattr(self, name)  # a run remembers where the file was, whatever folder it is used from
            object.__setattr__(self, name, str(Path(path).resolve()) if path and Path(path).exists() else path)

    @property
    def meter_read(self) -> Meter | None:
        """The only metre that is read; None for all. Raises ValueError when it is no metre."""
        if not self.meter:
            return None
        numerator, _, denominator = self.meter.partition("/")
        try:
            meter = int(numerator), int(denominator)
        except ValueError:
            meter = 0, 0
        if min(meter) < 1 or meter[1] & (meter[1] - 1):
            raise ValueError(f"data.meter={self.meter} is not possible; write beats/unit, such as 4/4 or 6/8")
        return meter


@dataclass(frozen=True)
class DrumModel(SequenceModel):
    """The LSTM encoder and decoder of steps that are sets of drum classes."""

    embedding: int = key(
        0,
        "size E of the step embeddings; 0: the encoder reads the classes' bits and a silence bit, the decoder one-hot "
        "steps (MusicVAE)",
        least=0,
    )
    shared_classes: bool = key(
        False, "sets of classes share weights by their classes, in embeddings and in the output layer"
    )
    position: int = key(0, "size of the vector that tells a step its place in the bar and its bar; 0: none", least=0)
