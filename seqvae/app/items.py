"""Items of a modality as the page shows and edits them: JSON, one form for each kind.

What comes in has the form checked here, and all else as any item, where it is encoded.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol, TypeAlias, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from seqvae.modalities.base import Modality
from seqvae.modalities.images.images import Images
from seqvae.modalities.images.picture import Picture
from seqvae.modalities.items import Item
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.ensemble import BASS, MELODY, Ensemble
from seqvae.modalities.midi.kit import KitModality
from seqvae.modalities.midi.melody import Melody
from seqvae.modalities.midi.modality import MidiModality
from seqvae.modalities.midi.performance import Performance, nearest_places
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase, without_idle_offs
from seqvae.modalities.midi.trio import Trio
from seqvae.view.audio import sound_of

LOUD = 100  # the velocity of hits that have none of their own
MOST_STEPS, MOST_CLASSES, MOST_CHARACTERS, MOST_PIXELS = 4096, 128, 20_000, 2**22

Velocity: TypeAlias = Annotated[int, Field(ge=0, le=127)]
Step: TypeAlias = Annotated[int, Field(ge=0, le=MOST_STEPS)]
Bpm: TypeAlias = Annotated[float, Field(ge=10, le=400)]


class Form(BaseModel):
    """A JSON object in which nothing is unknown and no number is infinite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, strict=True)


class TextForm(Form):
    """A sentence."""

    kind: Literal["text"] = "text"
    text: Annotated[str, Field(max_length=MOST_CHARACTERS)]


class DrumsForm(Form):
    """Hits on a grid, a row for each class: velocities, 0 where there is no hit, and how late hits are, in steps."""

    kind: Literal["drums"] = "drums"
    velocities: Annotated[
        list[Annotated[list[Velocity], Field(min_length=1, max_length=MOST_STEPS)]], Field(max_length=MOST_CLASSES)
    ]
    lateness: (
        Annotated[
            list[Annotated[list[Annotated[float, Field(ge=-0.5, le=0.5)]], Field(max_length=MOST_STEPS)]],
            Field(max_length=MOST_CLASSES),
        ]
        | None
    ) = None
    bpm: Bpm = 120.0


class NoteForm(Form):
    """A note: the step on which it begins, the one before which it ends, its MIDI pitch."""

    start: Step
    end: Step
    pitch: Annotated[int, Field(ge=0, le=127)]


class MelodyForm(Form):
    """The notes of one voice, none of which sounds while another does, within so many steps."""

    kind: Literal["melody"] = "melody"
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    notes: Annotated[list[NoteForm], Field(max_length=MOST_STEPS)]
    bpm: Bpm = 120.0


class TrioForm(Form):
    """Melody, bass and drums, played together."""

    kind: Literal["trio"] = "trio"
    melody: MelodyForm
    bass: MelodyForm
    drums: DrumsForm
    bpm: Bpm = 120.0


class ImageForm(Form):
    """Pixels, row by row, in base64: one byte each, or three of red, green and blue."""

    kind: Literal["image"] = "image"
    width: Annotated[int, Field(ge=1, le=4096)]
    height: Annotated[int, Field(ge=1, le=4096)]
    channels: Literal[1, 3] = 1
    pixels: Annotated[str, Field(max_length=2 * MOST_PIXELS)]


AnyForm: TypeAlias = Annotated[TextForm | DrumsForm | MelodyForm | TrioForm | ImageForm, Field(discriminator="kind")]


class Face(Protocol):
    """How the items of a modality look from the page."""

    kind: str

    def form_of(self, item: Item) -> Form:
        """An item, that is one window, as JSON."""
        ...

    def item_of(self, form: Any) -> Item:
        """The item of a form of this kind. Raises ValueError for one that does not fit the model."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What the page needs to draw and play items."""
        ...


class TextFace:
    """Sentences."""

    kind = "text"

    def form_of(self, item: str) -> TextForm:
        """A sentence as JSON."""
        return TextForm(text=item)

    def item_of(self, form: TextForm) -> str:
        """The sentence."""
        return form.text

    def facts(self) -> Mapping[str, Any]:
        """Nothing: a sentence is words."""
        return {}


class MidiFace:
    """What grids of steps have in common."""

    def __init__(self, modality: MidiModality) -> None:
        self.modality = modality

    def facts(self) -> Mapping[str, Any]:
        """The grid, and the tempo that is usual."""
        like = self.modality.decode(np.zeros((self.modality.max_steps, *self.modality.step_type.shape), np.int16))
        numerator, denominator = like.meter
        return {
            "steps": self.modality.max_steps,
            "steps_per_quarter": like.steps_per_quarter,
            "meter": [numerator, denominator],
            "bpm": round(like.bpm, 2),
        }

    def check_steps(self, steps: int) -> None:
        """Raises ValueError for more steps than a window has."""
        if steps > self.modality.max_steps:
            raise ValueError(f"{steps} steps are too many; give up to {self.modality.max_steps}, a window of the model")


class DrumsFace(MidiFace):
    """Hits of drum classes, with velocity and lateness where the model knows of them."""

    kind = "drums"
    modality: KitModality

    def form_of(self, item: Clip | Performance) -> DrumsForm:
        """A window as JSON."""
        if isinstance(item, Clip):
            return drums_form(item.hits, item.bpm)
        lateness = item.offsets.T.round(4).tolist()
        return DrumsForm(velocities=item.velocities.T.tolist(), lateness=lateness, bpm=round(item.bpm, 2))

    def item_of(self, form: DrumsForm) -> Clip | Performance:
        """The window of these hits."""
        names = self.modality.classes.names
        if len(form.velocities) != len(names):
            raise ValueError(f"{len(form.velocities)} rows do not fit; give one for each of {', '.join(names)}")
        tables: list[list[Any]] = [form.velocities, *([] if form.lateness is None else [form.lateness])]
        lengths = {len(row) for table in tables for row in table}
        if len(lengths) != 1 or any(len(table) != len(names) for table in tables):
            raise ValueError("the rows of a grid differ in length; give as many steps in each")
        self.check_steps(*lengths)
        velocities = np.array(form.velocities, np.int8).T
        if self.modality.item_type is Clip:
            made = self.modality.new_item(velocities > 0)
        else:
            late = np.zeros(velocities.shape) if form.lateness is None else np.array(form.lateness).T
            places = np.where(velocities > 0, nearest_places(late), 0)
            made = self.modality.new_item(np.stack([velocities, places], 2).astype(np.int8))
        return cast(Clip | Performance, replace(made, bpm=form.bpm, changes=()))

    def facts(self) -> Mapping[str, Any]:
        """The grid, and the classes with what each sounds like."""
        return {
            **super().facts(),
            "classes": kit_facts(self.modality),
            "has_velocities": self.modality.item_type is not Clip,
        }


class MelodyFace(MidiFace):
    """Notes of one voice."""

    kind = "melody"
    modality: Melody

    def form_of(self, item: Phrase) -> MelodyForm:
        """A window as JSON."""
        return melody_form(item)

    def item_of(self, form: MelodyForm) -> Phrase:
        """The window of these notes."""
        self.check_steps(form.steps)
        lowest, highest = self.modality.data.lowest_pitch, self.modality.data.highest_pitch
        events = np.full(form.steps, HOLD, np.int16)
        before = 0
        for note in sorted(form.notes, key=lambda note: note.start):
            if not before <= note.start < note.end <= form.steps:
                raise ValueError(
                    f"a note from step {note.start} to {note.end} does not fit; give notes of at least a step, one "
                    f"after another, up to step {form.steps}"
                )
            if not lowest <= note.pitch <= highest:
                raise ValueError(f"pitch {note.pitch} does not fit; give pitches from {lowest} to {highest}")
            events[note.start] = note.pitch
            if note.end < form.steps:
                events[note.end] = OFF
            before = note.end
        made = self.modality.new_item(without_idle_offs(events))
        return cast(Phrase, replace(made, bpm=form.bpm, changes=()))

    def facts(self) -> Mapping[str, Any]:
        """The grid and the range of pitches."""
        data = self.modality.data
        return {**super().facts(), "lowest_pitch": data.lowest_pitch, "highest_pitch": data.highest_pitch}


class TrioFace(MidiFace):
    """Melody, bass and drums; they are played and not edited."""

    kind = "trio"
    modality: Trio

    def form_of(self, item: Ensemble) -> TrioForm:
        """A window as JSON."""
        drums = drums_form(item.hits(len(self.modality.classes)), item.bpm)
        voices = (melody_form(item.voice(part)) for part in (MELODY, BASS))
        melody, bass = voices
        return TrioForm(melody=melody, bass=bass, drums=drums, bpm=round(item.bpm, 2))

    def item_of(self, form: TrioForm) -> Item:
        """Raises ValueError: a trio comes from a MIDI file, or from codes."""
        raise ValueError("a trio is not put together here; hand in a MIDI file, or codes")

    def facts(self) -> Mapping[str, Any]:
        """The grid, and the classes of drums."""
        return {**super().facts(), "classes": kit_facts(self.modality)}


class ImageFace:
    """Pixels."""

    kind = "image"

    def __init__(self, modality: Images) -> None:
        self.modality = modality

    def form_of(self, item: Picture) -> ImageForm:
        """A picture as JSON."""
        height, width, channels = item.pixels.shape
        pixels = base64.b64encode(item.pixels.tobytes()).decode()
        return ImageForm(width=width, height=height, channels=1 if channels == 1 else 3, pixels=pixels)

    def item_of(self, form: ImageForm) -> Picture:
        """The picture of these pixels."""
        shape = (form.height, form.width, form.channels)
        if shape != self.modality.shape:
            height, width, channels = self.modality.shape
            raise ValueError(
                f"an image of {form.width} x {form.height} with {form.channels} channels does not fit; give one of "
                f"{width} x {height} with {channels}"
            )
        try:
            content = base64.b64decode(form.pixels, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("the pixels are no base64; give bytes, row by row, in base64") from None
        if len(content) != form.width * form.height * form.channels:
            raise ValueError(f"{len(content)} bytes are no {form.width} x {form.height} pixels; give one for each")
        return Picture(np.frombuffer(content, np.uint8).reshape(shape))

    def facts(self) -> Mapping[str, Any]:
        """The size."""
        height, width, channels = self.modality.shape
        return {"width": width, "height": height, "channels": channels}


def drums_form(hits: np.ndarray, bpm: float) -> DrumsForm:
    """Hits (T, C) of one velocity as JSON."""
    return DrumsForm(velocities=(hits.T * LOUD).tolist(), bpm=round(bpm, 2))


def melody_form(phrase: Phrase) -> MelodyForm:
    """The notes of a phrase as JSON."""
    notes = [NoteForm(start=start, end=end, pitch=pitch) for start, end, pitch in phrase.notes.tolist()]
    return MelodyForm(steps=len(phrase), notes=notes, bpm=round(phrase.bpm, 2))


def kit_facts(modality: Any) -> list[dict[str, Any]]:
    """The name of each drum class of a modality, and the sound that comes nearest to it."""
    classes = modality.classes
    pairs = zip(classes.names, classes.pitches, strict=True)
    return [{"name": name, "pitch": own[0], "sound": sound_of(own[0])} for name, own in pairs]


FACES: Mapping[str, Callable[[Any], Face]] = {
    "text": lambda modality: TextFace(),
    "drums": DrumsFace,
    "groove": DrumsFace,
    "melody": MelodyFace,
    "trio": TrioFace,
    "images": ImageFace,
}


def face_of(modality: Modality) -> Face:
    """The face of a modality's items. Raises ValueError where the page has none for it."""
    if modality.name not in FACES:
        raise ValueError(f"the page has no place for models of {modality.name}; it has for {', '.join(FACES)}")
    return FACES[modality.name](modality)
