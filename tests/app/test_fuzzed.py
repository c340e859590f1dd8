"""Whatever is sent, the interface answers with what was asked or with a sentence, and never with a defect."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the page needs pip install 'seqvae[app]'")
pytest.importorskip("pydantic", reason="the page needs pip install 'seqvae[app]'")

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from seqvae.app.http import application
from seqvae.app.played import OPERATIONS, Played
from seqvae.model import load
from seqvae.models import known_models

MODELS = ("digits", "grooves")
CODE = {"digits": [0.1, -0.2], "grooves": [0.0] * 128}
GRID = {"kind": "drums", "velocities": [[0] * 32] * 9}
WHOLE: dict[str, dict[str, Any]] = {
    "encode": {"item": GRID},
    "decode": {"codes": [CODE["grooves"]], "temperature": 0.5, "seed": 3},
    "sample": {"count": 2, "temperature": 0.1, "seed": 1},
    "between": {"a": CODE["grooves"], "b": CODE["grooves"], "steps": 3, "mode": "lerp"},
    "at": {"a": CODE["grooves"], "b": CODE["grooves"], "share": 0.4},
    "palette": {"corners": [CODE["grooves"]] * 4, "size": 2},
    "vary": {"code": CODE["grooves"], "count": 2, "distance": 0.2},
    "move": {"code": CODE["grooves"], "strengths": {"density": 1.0}},
    "file": {"items": [GRID], "format": "mid"},
}
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([2**63, -(2**64), 1e300, -0.0, 1e-320]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    played = {name: Played(name, load(known_models()[name], "cpu")) for name in MODELS}
    with TestClient(application(played), base_url="http://localhost:1", raise_server_exceptions=False) as client:
        yield client


def check(client: TestClient, model: str, operation: str, content: bytes) -> None:
    answer = client.post(f"/api/models/{model}/{operation}", content=content)
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, (answer.status_code, content[:200])
    if answer.status_code != 200:
        assert isinstance(answer.json()["error"], str)


def test_every_operation_is_tried() -> None:
    assert set(WHOLE) == {*OPERATIONS, "file"}


@pytest.mark.parametrize("operation", list(WHOLE))
@settings(max_examples=40, deadline=None)
@given(model=st.sampled_from(MODELS), value=VALUES, raw=st.binary(max_size=60))
def test_any_json_and_any_bytes(client: TestClient, operation: str, model: str, value: Any, raw: bytes) -> None:
    check(client, model, operation, json.dumps(value).encode())
    check(client, model, operation, raw)
    check(client, model, "read", raw)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all parts of a JSON value, of long lists to the first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [at, *(place for key, part in inner for place in places(part, (*at, key)))] if at or inner else [at]


@pytest.mark.parametrize("operation", list(WHOLE))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), value=VALUES)
def test_a_part_of_a_whole_form_that_is_something_else(
    client: TestClient, operation: str, data: st.DataObject, value: Any
) -> None:
    form = copy.deepcopy(WHOLE[operation])
    *way, last = data.draw(st.sampled_from([place for place in places(form) if place]))
    part: Any = form
    for key in way:
        part = part[key]
    part[last] = value
    check(client, "grooves", operation, json.dumps(form).encode())
