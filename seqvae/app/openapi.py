"""The interface in OpenAPI's words, from the forms themselves."""

from functools import cache
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from seqvae import __version__
from seqvae.app.items import Form
from seqvae.app.played import OPERATIONS, FileForm, MadeForm

REFERENCE = "#/components/schemas/{model}"
ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document: what can be asked, by which form, and what answers."""
    forms: set[type[Form]] = {form for before, _, after in OPERATIONS.values() for form in (before, after)} | {
        FileForm,
        MadeForm,
    }
    ordered = sorted(forms, key=lambda form: form.__name__)
    wanted: list[tuple[type[Form], Literal["validation"]]] = [(form, "validation") for form in ordered]
    places, schemas = models_json_schema(wanted, ref_template=REFERENCE)

    def of(form: type[Form]) -> dict[str, Any]:
        return places[form, "validation"]

    paths: dict[str, Any] = {
        "/api/models": {"get": _asked("models", "The models that can be played.", None, _json({"type": "object"}))},
        "/api/openapi.json": {"get": _asked("interface", "This document.", None, _json({"type": "object"}))},
    }
    for name, (form, run, result) in OPERATIONS.items():
        about = (run.__doc__ or "").partition("\n")[0]
        paths[_path(name)] = {"post": _asked(name, about, _json(of(form)), _json(of(result)))}
    sounds = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("audio/midi", "audio/wav")}
    midi = {"audio/midi": {"schema": {"type": "string", "format": "binary"}}}
    paths[_path("file")] = {"post": _asked("file", "Items as a file.", _json(of(FileForm)), sounds)}
    paths[_path("read")] = {"post": _asked("read", "The windows of a MIDI file.", midi, _json(of(MadeForm)))}
    for place, methods in paths.items():
        if "{name}" in place:
            methods["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "seqvae", "version": __version__},
        "paths": paths,
        "components": {"schemas": {**schemas.get("$defs", {}), "Error": ERROR}},
    }


def _path(name: str) -> str:
    return f"/api/models/{{name}}/{name}"


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _asked(name: str, about: str, body: dict[str, Any] | None, result: dict[str, Any]) -> dict[str, Any]:
    refused = {"description": "A sentence.", "content": _json({"$ref": REFERENCE.format(model="Error")})}
    found: dict[str, Any] = {
        "operationId": name,
        "summary": about,
        "responses": {"200": {"description": "Done.", "content": result}, "4XX": refused},
    }
    return found if body is None else {**found, "requestBody": {"required": True, "content": body}}
