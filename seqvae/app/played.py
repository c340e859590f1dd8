"""A model as the page plays it: what it is, and what is asked of it, each a form that is answered by one."""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from seqvae.app.items import AnyForm, Face, Form, face_of
from seqvae.attributes import shift
from seqvae.codes import Codes, codes_of_items
from seqvae.core import latent
from seqvae.core.latent import shift_at
from seqvae.core.posterior import DiagonalGaussian
from seqvae.generate import Decoding, moved, prior_codes
from seqvae.modalities.midi.modality import MidiModality
from seqvae.model import Model

MOST_CODES, MOST_UNITS, MOST_STEPS, MOST_SIDE = 1024, 4096, 64, 16
MOST_BEAM = 16

Unit: TypeAlias = Annotated[float, Field(ge=-1e6, le=1e6)]
Code: TypeAlias = Annotated[list[Unit], Field(min_length=1, max_length=MOST_UNITS)]


class HowForm(Form):
    """How codes become items: at temperature 0 what is most probable, else drawn; or by beam search, of text."""

    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    beam: Annotated[int, Field(ge=1, le=MOST_BEAM)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0

    @property
    def decoding(self) -> Decoding:
        """The same for the library. Raises ValueError for a beam together with a temperature."""
        return Decoding(temperature=self.temperature, beam=self.beam)


class EncodeForm(Form):
    """An item, whose code is asked for."""

    item: AnyForm


class DecodeForm(HowForm):
    """Codes, whose items are asked for."""

    codes: Annotated[list[Code], Field(min_length=1, max_length=MOST_CODES)]


class SampleForm(HowForm):
    """New items of the prior."""

    count: Annotated[int, Field(ge=1, le=MOST_CODES)] = 8


class BetweenForm(HowForm):
    """Items between two codes, both ends counted."""

    a: Code
    b: Code
    steps: Annotated[int, Field(ge=2, le=MOST_STEPS)] = 8
    mode: Literal["slerp", "lerp"] = "slerp"


class AtForm(HowForm):
    """The item at a share of the way between two codes: 0 is the first, 1 the second."""

    a: Code
    b: Code
    share: Annotated[float, Field(ge=0, le=1)]
    mode: Literal["slerp", "lerp"] = "slerp"


class PaletteForm(HowForm):
    """A square of items between four codes: top left, top right, bottom left, bottom right."""

    corners: Annotated[list[Code], Field(min_length=4, max_length=4)]
    size: Annotated[int, Field(ge=2, le=MOST_SIDE)] = 11
    mode: Literal["slerp", "lerp"] = "slerp"


class VaryForm(HowForm):
    """Variations of a code, at a distance from it: 0 is itself, 1 anything."""

    code: Code
    count: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 4
    distance: Annotated[float, Field(ge=0, le=1)] = 0.4


class MoveForm(Form):
    """A code, and attributes that are added to it, each times a strength."""

    code: Code
    strengths: Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=64)]


class FileForm(Form):
    """Items one after another, whose MIDI or sound is asked for."""

    items: Annotated[list[AnyForm], Field(min_length=1, max_length=MOST_STEPS)]
    format: Literal["mid", "wav"] = "mid"


class CodeForm(Form):
    """A code."""

    code: Code


class MadeForm(Form):
    """Items, and the codes that they were made of."""

    codes: list[Code]
    items: list[AnyForm]


@dataclass(frozen=True)
class Played:
    """A model by the name that the page calls it; a value that no request changes."""

    name: str
    model: Model

    @cached_property
    def face(self) -> Face:
        """How its items look from the page.

        Raises ValueError for a modality that the page has no place for, and for a model without a code.
        """
        if not self.model.vae.latent:
            raise ValueError(f"{self.name} has no code that could be moved (model.latent=0); give a model that has one")
        return face_of(self.model.modality)

    def facts(self) -> Mapping[str, Any]:
        """What the page needs to show it."""
        model = self.model
        return {
            "name": self.name,
            "modality": model.modality.name,
            "kind": self.face.kind,
            "latent": model.vae.latent,
            "parameters": sum(parameter.numel() for parameter in model.vae.parameters()),
            "temperature": model.modality.sampling_temperature,
            "attributes": [
                {"name": name, "strength": attribute.strength, "about": attribute.in_words}
                for name, attribute in model.attributes.items()
            ],
            **self.face.facts(),
        }

    def encode(self, form: EncodeForm) -> CodeForm:
        """The posterior mean of an item."""
        if form.item.kind != self.face.kind:
            raise ValueError(f"an item of {form.item.kind} does not fit; this model makes {self.face.kind}")
        codes = self.model.encode([self.face.item_of(form.item)])
        if len(codes) != 1:
            raise ValueError(f"the item is cut into {len(codes)} windows; give one that a single code stands for")
        return CodeForm(code=codes.mean[0].tolist())

    def decode(self, form: DecodeForm) -> MadeForm:
        """The items of codes."""
        return self._made(self._table(form.codes), form)

    def sample(self, form: SampleForm) -> MadeForm:
        """Items of codes of the prior."""
        return self._made(prior_codes(self.model.vae, form.count, form.seed, self.model.prior), form)

    def between(self, form: BetweenForm) -> MadeForm:
        """Items on the way between two codes; where outcomes are drawn, all meet the same noise."""
        ends = self._table([form.a, form.b])
        codes = latent.interpolate(ends[0], ends[1], form.steps, form.mode)
        first, last = self._codes(ends)
        items = self.model.in_windows().interpolate(first, last, form.steps, form.mode, form.decoding, form.seed)
        return self._shown(codes, items)

    def at(self, form: AtForm) -> MadeForm:
        """The item at a place between two codes."""
        path = latent.Path(self._table([form.a, form.b]), form.mode)
        return self._made(path.at([form.share]), form)

    def palette(self, form: PaletteForm) -> MadeForm:
        """A square of items; where outcomes are drawn, all meet the same noise."""
        corners = self._table(form.corners)
        sides = (latent.interpolate(corners[side], corners[side + 2], form.size, form.mode) for side in (0, 1))
        rows = [latent.interpolate(a, b, form.size, form.mode) for a, b in zip(*sides, strict=True)]
        items = self.model.in_windows().palette(
            list(self._codes(corners)), form.size, form.mode, form.decoding, form.seed
        )
        return self._shown(torch.cat(rows), items)

    def vary(self, form: VaryForm) -> MadeForm:
        """Items of codes on the arcs from one code towards codes of the prior."""
        (code,) = self._table([form.code])
        towards = prior_codes(self.model.vae, form.count, form.seed, self.model.prior)
        return self._made(moved(code, towards, [form.distance] * form.count), form)

    def move(self, form: MoveForm) -> CodeForm:
        """The code with attributes added to it."""
        code = self._table([form.code])
        strengths = {name: strength for name, strength in form.strengths.items() if strength}
        if strengths:
            code = code + shift_at(shift(self.model.attributes, strengths), code)
        return CodeForm(code=code[0].tolist())

    def file(self, form: FileForm) -> bytes:
        """The bytes of a file of these items, one after another."""
        if not isinstance(self.model.modality, MidiModality):
            raise ValueError(f"{self.face.kind} has no {form.format} file; models of MIDI have")
        windows = [self.face.item_of(item) for item in form.items]
        (written,) = self.model.modality.using({"formats": form.format}).write([windows])
        return written.files[0].content()

    def read(self, content: bytes) -> MadeForm:
        """The windows of a MIDI file, the first of them where they are many, and their codes."""
        if not isinstance(self.model.modality, MidiModality):
            raise ValueError(f"{self.face.kind} is not read from MIDI files; models of MIDI are")
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "the file.mid")
            place.write_bytes(content)
            try:
                windows = self.model.windows(place).items[:MOST_STEPS]
            except ValueError as error:
                raise ValueError(str(error).replace(str(place), "the file")) from None
        codes = self.model.encode(windows).mean
        return self._shown(codes, [[window] for window in windows])

    def _table(self, codes: Sequence[Sequence[float]]) -> Float[Tensor, "N Z"]:
        """Codes as the model takes them. Raises ValueError for a code of another size."""
        units = self.model.vae.latent
        wrong = next((len(code) for code in codes if len(code) != units), None)
        if wrong is not None:
            raise ValueError(f"a code of {wrong} numbers does not fit; give {units}, one for each latent unit")
        return torch.tensor(codes, dtype=self.model.vae.dtype, device=self.model.vae.device)

    def _codes(self, table: Float[Tensor, "N Z"]) -> Codes:
        return codes_of_items(DiagonalGaussian(table, torch.full_like(table, -math.inf)), [[""]] * len(table))

    def _made(self, codes: Float[Tensor, "N Z"], how: HowForm) -> MadeForm:
        return self._shown(codes, self.model.in_windows().decode(codes, how.decoding, how.seed))

    def _shown(self, codes: Float[Tensor, "N Z"], items: Sequence[Sequence[Any]]) -> MadeForm:
        shown = [cast(AnyForm, self.face.form_of(window)) for (window,) in items]
        return MadeForm(codes=codes.tolist(), items=shown)


Operation: TypeAlias = Callable[[Played, Any], Form]
# What the page asks of a model, by name: the form that it sends, and what answers it.
OPERATIONS: Mapping[str, tuple[type[Form], Operation, type[Form]]] = {
    "encode": (EncodeForm, Played.encode, CodeForm),
    "decode": (DecodeForm, Played.decode, MadeForm),
    "sample": (SampleForm, Played.sample, MadeForm),
    "between": (BetweenForm, Played.between, MadeForm),
    "at": (AtForm, Played.at, MadeForm),
    "palette": (PaletteForm, Played.palette, MadeForm),
    "vary": (VaryForm, Played.vary, MadeForm),
    "move": (MoveForm, Played.move, CodeForm),
}
