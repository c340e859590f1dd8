"""The configuration keys of melodies and trios, and of their models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seqvae.config import Values, key
from seqvae.modalities.midi import classes
from seqvae.modalities.midi.chords import Progression
from seqvae.modalities.midi.settings import DEFAULTS, MODEL, MidiData, MidiModel, keep_place
from seqvae.modalities.midi.voices import track_number
from seqvae.nets.sizes import MOST_UNITS, OF_DECODER

SAMPLING_TEMPERATURE = 0.5
# Those of drums, but for what stands for the other augmentation.
MELODY_DEFAULTS: Mapping[str, Values] = {
    **DEFAULTS,
    "data": {"transpose": 5},
    "model": MODEL,
}
# Sixteen bars of 4/4 under a conductor, with MusicVAE's 256 bits of free KL.
TRIO_DEFAULTS: Mapping[str, Values] = {
    **DEFAULTS,
    "data": {"bars": 16, "hop": 4, "meter": "4/4", "transpose": 5},
    "model": {
        **DEFAULTS["model"], "latent": 256, "encoder_hidden": 256, "decoder_hidden": 192, "decoder_layers": 1,
        "conductor_hidden": 256, "position": 0,
    },
    "objective": {**DEFAULTS["objective"], "free_nats_total": 177.446},
    "train": {**DEFAULTS["train"], "batch_size": 32},
}  # fmt: skip


OF_PROGRESSION = (
    "chords of what is made, such as 'C G Am F', one a bar and repeated, with bar lines for several in a bar and % for "
    "the bar before; also of input that has none of its own; empty: the input's, or those most met in training"
)


@dataclass(frozen=True)
class MelodyData(MidiData):
    """How one voice of MIDI files is read and turned into steps."""

    voice: str = key(
        "highest",
        "the voice that is read: highest or lowest, of all tracks but drums; 'track N', counted from 1; or the name of "
        "a track",
        use="reading",
        metavar="VOICE",
    )
    lowest_pitch: int = key(
        21, "the lowest pitch; 0, with a highest of 127, for MusicVAE's 130 outcomes", least=0, most=127
    )
    highest_pitch: int = key(108, "the highest pitch", least=0, most=127)
    transpose: int = key(
        0,
        "training windows are transposed by up to so many semitones up or down, as far as they stay within the pitches",
        least=0,
        most=127,
        use="training",
    )
    chords: Literal["none", "tracks", "symbols"] = key(
        "none",
        "what a melody is played to, which the model reads and never makes: none; tracks, triads inferred from what is "
        "played beside it; symbols, the chord symbols of markers, texts or lyrics",
    )
    progression: str = key(
        "",
        OF_PROGRESSION,
        help_of={
            "writing": OF_PROGRESSION,
            "reading": "chords of input that has none of its own, such as 'C G Am F', one a bar and repeated",
        },
        use=("reading", "writing"),
        metavar="SYMBOLS",
        flag="chords",
        of_models=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pitches(self.lowest_pitch, self.highest_pitch)
        if self.progression and self.chords == "none":
            raise ValueError(
                f"data.progression={self.progression} is for a model that reads chords, and this one has "
                "data.chords=none; leave it out, or train another one with data.chords=tracks"
            )
        if self.progression.strip().casefold() in ("none", "tracks", "symbols"):
            raise ValueError(
                f"data.progression={self.progression} says where chords are read, which training has settled; write "
                "chords such as 'C G Am F', or leave it out for those of the input, or those most met in training"
            )
        _ = self.asked_progression
        if not self.voice.strip() or track_number(self.voice) == 0:
            raise ValueError(
                f"data.voice={self.voice!r} is not possible; give highest, lowest, 'track N' with N from 1, or the "
                "name of a track"
            )

    @property
    def asked_progression(self) -> Progression | None:
        """The chords of what is made; None where none are asked for. Raises ValueError for what are no chords."""
        return Progression.of(self.progression) if self.progression else None


@dataclass(frozen=True)
class TrioData(MidiData):
    """How melody, bass and drums of MIDI files are read together and turned into steps."""

    melody: str = key(
        "",
        "the tracks that are melodies: 'track N', counted from 1, or a name; empty: those of programs 0 to 31 (pianos "
        "to guitars), each by itself",
        use="reading",
        metavar="VOICE",
    )
    bass: str = key(
        "",
        "the tracks that are basses: 'track N' or a name; empty: those of programs 32 to 39",
        use="reading",
        metavar="VOICE",
    )
    gap_bars: int = key(
        2, "in a window each part plays within so many bars of every bar", least=0, most=1000, use="training"
    )
    classes: str = key("gm", "drum classes: gm (General MIDI, 9), roland (9), or a JSON file", metavar="NAME|FILE")
    lowest_pitch: int = key(21, "the lowest pitch of melody and bass", least=0, most=127)
    highest_pitch: int = key(108, "the highest pitch of melody and bass", least=0, most=127)
    transpose: int = key(
        0,
        "melody and bass of training windows are transposed together by up to so many semitones up or down, as far as "
        "they stay within the pitches",
        least=0,
        most=127,
        use="training",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pitches(self.lowest_pitch, self.highest_pitch)
        for name in ("melody", "bass"):
            if track_number(getattr(self, name)) == 0:
                raise ValueError(
                    f"data.{name}={getattr(self, name)!r} is not possible; give 'track N' with N from 1, or the name "
                    "of a track"
                )
        if self.melody.strip() and self.melody.strip().casefold() == self.bass.strip().casefold():
            raise ValueError(
                f"data.melody={self.melody!r} is data.bass={self.bass!r} as well; give one of them another track"
            )
        if self.classes not in classes.MAPS:
            keep_place(self, "classes")


def _check_pitches(lowest: int, highest: int) -> None:
    if lowest > highest:
        raise ValueError(f"data.lowest_pitch={lowest} is above data.highest_pitch={highest}; give a lower one")


@dataclass(frozen=True)
class TrioModel(MidiModel):
    """The LSTM encoder and decoder of steps that are events of melody and bass and a set of drum classes."""

    embedding: int = key(
        0, "size E of the embedding of each part; 0: one-hot steps (MusicVAE)", least=0, most=MOST_UNITS
    )
    shared_classes: bool = key(
        False, "sets of drum classes share weights by their classes, in embeddings and in the output layer"
    )
    part_decoders: bool = key(
        True,
        "a decoder LSTM for each part, which reads its own part alone (MusicVAE's hierdec-trio); false: one for all "
        "three (flat-trio)",
        parts=OF_DECODER,
    )

    def __post_init__(self) -> None:
        """Raises ValueError for tied embeddings, and as `SequenceModel`."""
        super().__post_init__()
        if self.tied_embeddings:
            raise ValueError(
                "model.tied_embeddings=true is for steps that are one outcome, and these are one of each part; leave "
                "it out"
            )


@dataclass(frozen=True)
class MelodyModel(MidiModel):
    """The LSTM encoder and decoder of steps that are events of one voice."""

    embedding: int = key(0, "size E of the step embeddings; 0: one-hot steps (MusicVAE)", least=0, most=MOST_UNITS)
