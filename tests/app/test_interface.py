"""The interface under /api: what is asked and answered, refusals as one sentence, and who may ask."""

import base64
import io
import json
import wave
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs pip install 'seqvae[app]'")
pytest.importorskip("pydantic", reason="the page needs pip install 'seqvae[app]'")

from starlette.testclient import TestClient

from seqvae.app.guard import MOST_BYTES
from seqvae.app.http import application
from seqvae.app.played import OPERATIONS, Played
from seqvae.model import load
from seqvae.models import known_models

HERE = "http://localhost:8000"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def played() -> Mapping[str, Played]:
    return {name: Played(name, load(folder, "cpu")) for name, folder in known_models().items()}


@pytest.fixture
def client(played: Mapping[str, Played]) -> Iterator[TestClient]:
    with TestClient(application(played), base_url=HERE) as client:
        yield client


def asked(client: TestClient, model: str, operation: str, **body: Any) -> Any:
    answer = client.post(f"/api/models/{model}/{operation}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, model: str, operation: str, content: bytes | str, status: int = 422) -> str:
    answer = client.post(f"/api/models/{model}/{operation}", content=content, headers=JSON)
    assert answer.status_code == status, answer.text
    error: str = answer.json()["error"]
    assert error
    assert "\n" not in error
    return error


def test_models_say_what_the_page_needs(client: TestClient) -> None:
    found = {model["name"]: model for model in client.get("/api/models").json()["models"]}
    assert list(found) == list(known_models())
    assert (found["digits"]["kind"], found["digits"]["width"], found["digits"]["latent"]) == ("image", 28, 2)
    assert found["sentences"]["kind"] == "text"
    grooves = found["grooves"]
    assert (grooves["steps"], grooves["steps_per_quarter"], grooves["meter"]) == (32, 4, [4, 4])
    assert grooves["classes"][0] == {"name": "kick", "pitch": 36, "sound": "kick"}
    assert "density" in [one["name"] for one in grooves["attributes"]]


@pytest.mark.parametrize("name", list(known_models()))
def test_a_sample_is_what_its_code_decodes_to_and_an_item_encodes(name: str, client: TestClient) -> None:
    made = asked(client, name, "sample", count=3, seed=1)
    assert len(made["items"]) == len(made["codes"]) == 3
    assert asked(client, name, "sample", count=3, seed=1) == made
    assert asked(client, name, "decode", codes=made["codes"])["items"] == made["items"]
    code = asked(client, name, "encode", item=made["items"][0])["code"]
    model = load(known_models()[name], "cpu")
    again = asked(client, name, "decode", codes=[code])["items"][0]
    assert again["kind"] == made["items"][0]["kind"]
    assert len(code) == model.vae.latent


def test_what_is_shown_of_drums_is_what_the_library_samples(played: Mapping[str, Played], client: TestClient) -> None:
    made = asked(client, "grooves", "sample", count=2, temperature=0.5, seed=3)["items"]
    model = played["grooves"].model.in_windows()
    for form, (clip,) in zip(made, model.sample(2, temperature=0.5, seed=3), strict=True):
        assert np.array_equal(np.array(form["velocities"]).T > 0, clip.hits)


def test_a_walk_a_palette_and_a_place_between_agree(client: TestClient) -> None:
    a, b, c, d = asked(client, "grooves", "sample", count=4, seed=2)["codes"]
    walk = asked(client, "grooves", "between", a=a, b=b, steps=5)
    assert [len(walk["items"]), walk["codes"][0], walk["codes"][4]] == [5, a, b]
    middle = asked(client, "grooves", "at", a=a, b=b, share=0.5)
    assert middle["items"][0] == walk["items"][2]
    square = asked(client, "grooves", "palette", corners=[a, b, c, d], size=3)
    assert [square["codes"][place] for place in (0, 2, 6, 8)] == [a, b, c, d]
    assert square["items"][1] == middle["items"][0]
    for code, item in zip(square["codes"], square["items"], strict=True):
        assert asked(client, "grooves", "decode", codes=[code])["items"] == [item]


def test_variations_are_nearer_at_smaller_distances(client: TestClient) -> None:
    (code,) = asked(client, "sentences", "sample", count=1, seed=4)["codes"]
    far = [
        np.linalg.norm(np.array(asked(client, "sentences", "vary", code=code, distance=share)["codes"]) - code, axis=1)
        for share in (0.0, 0.3, 0.9)
    ]
    assert far[0].max() < 1e-5
    assert (far[1] < far[2]).all()


def test_attributes_are_added_to_codes(played: Mapping[str, Played], client: TestClient) -> None:
    made = asked(client, "grooves", "sample", count=8, seed=5)
    hits = []
    for strength in (-3.0, 0.0, 3.0):
        codes = [
            asked(client, "grooves", "move", code=c, strengths={"density": strength})["code"] for c in made["codes"]
        ]
        items = asked(client, "grooves", "decode", codes=codes)["items"]
        hits.append(sum(np.count_nonzero(item["velocities"]) for item in items))
    assert hits[0] < hits[1] < hits[2]
    assert asked(client, "grooves", "move", code=made["codes"][0], strengths={})["code"] == made["codes"][0]
    assert "no attribute 'nope'" in refused(
        client, "grooves", "move", json.dumps({"code": made["codes"][0], "strengths": {"nope": 1}})
    )


def test_midi_goes_out_and_comes_back(client: TestClient) -> None:
    made = asked(client, "grooves", "sample", count=3, seed=6)
    answer = client.post("/api/models/grooves/file", json={"items": made["items"]})
    assert (answer.headers["content-type"], answer.content[:4]) == ("audio/midi", b"MThd")
    back = client.post("/api/models/grooves/read", content=answer.content).json()
    assert [one["velocities"] for one in back["items"]] == [one["velocities"] for one in made["items"]]
    sound = client.post("/api/models/grooves/file", json={"items": made["items"][:1], "format": "wav"})
    assert sound.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(sound.content)) as file:
        assert file.getnframes() / file.getframerate() > 32 * 60 / made["items"][0]["bpm"] / 4


def test_an_own_image_is_encoded(client: TestClient) -> None:
    pixels = base64.b64encode(bytes(28 * 28)).decode()
    item = {"kind": "image", "width": 28, "height": 28, "channels": 1, "pixels": pixels}
    assert len(asked(client, "digits", "encode", item=item)["code"]) == 2
    for wrong in ({"width": 27}, {"pixels": pixels[:-8]}, {"pixels": "!!"}, {"channels": 3}):
        assert "give" in refused(client, "digits", "encode", json.dumps({"item": {**item, **wrong}}))


@pytest.mark.parametrize(
    ("model", "operation", "content", "words"),
    [
        ("grooves", "sample", '{"count": "3"}', "count is '3'"),
        ("grooves", "sample", '{"count": 0}', "count is 0"),
        ("grooves", "sample", '{"count": 100000}', "count is 100000"),
        ("grooves", "sample", '{"nope": 1}', "nope is 1"),
        ("grooves", "sample", "[", "json"),
        ("grooves", "sample", "[" * 100_000, "recursion limit"),
        ("grooves", "sample", "", "json"),
        ("grooves", "decode", '{"codes": [[1.0]]}', "a code of 1 numbers does not fit; give 128"),
        ("grooves", "decode", '{"codes": []}', "codes"),
        ("digits", "decode", '{"codes": [[NaN, 0]]}', "finite"),
        ("digits", "decode", '{"codes": [[1e400, 0]]}', "codes.0.0"),
        ("digits", "decode", '{"codes": [[0, 0]], "temperature": -1}', "temperature is -1"),
        ("sentences", "decode", '{"codes": [[0]], "beam": 3, "temperature": 1}', "give 64"),
        ("grooves", "encode", '{"item": {"kind": "text", "text": "a"}}', "this model makes drums"),
        ("grooves", "encode", '{"item": {"kind": "drums", "velocities": [[100]]}}', "1 rows do not fit"),
        ("sentences", "file", '{"items": [{"kind": "text", "text": "a"}]}', "has no mid file"),
        ("sentences", "read", "MThd", "is not read from MIDI files"),
        ("grooves", "read", "no MIDI at all", "the file"),
        ("grooves", "read", "", "it is empty"),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_said_in_a_sentence(
    model: str, operation: str, content: str, words: str, client: TestClient
) -> None:
    error = refused(client, model, operation, content)
    assert words.lower() in error.lower()
    assert "/tmp" not in error
    assert "Traceback" not in error
    assert asked(client, model, "sample", count=1)["items"], "the server lives on"


def test_rows_of_a_grid_are_as_long_as_each_other_and_as_a_window(client: TestClient) -> None:
    def grid(rows: list[list[int]], **more: object) -> str:
        return json.dumps({"item": {"kind": "drums", "velocities": rows, **more}})

    assert "differ in length" in refused(client, "grooves", "encode", grid([[0] * 32] * 8 + [[0] * 31]))
    assert "differ in length" in refused(client, "grooves", "encode", grid([[0] * 32] * 9, lateness=[[0.0] * 32] * 8))
    assert "up to 32" in refused(client, "grooves", "encode", grid([[0] * 33] * 9))


def test_unknown_models_and_places_are_named(client: TestClient) -> None:
    assert "there are digits, grooves, sentences" in refused(client, "nope", "sample", "{}", 404)
    assert client.get("/api/nope").json()["error"]
    assert client.get("/nope.js").json()["error"]
    assert client.get("/api/models/grooves/sample").status_code in (404, 405)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", ""])
def test_other_hosts_are_refused(host: str, client: TestClient) -> None:
    answer = client.get("/api/models", headers={"host": host})
    assert answer.status_code == 403
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost:8000.evil.example", "null", "http://localhost:9"]
)
def test_pages_of_others_are_refused(origin: str, client: TestClient) -> None:
    assert client.get("/api/models", headers={"origin": origin}).status_code == 403
    assert client.get("/api/models", headers={"origin": HERE}).status_code == 200


def test_a_token_is_asked_for_under_api_alone(played: Mapping[str, Played]) -> None:
    with TestClient(application(played, ("here",), "secret"), base_url="http://here:1") as client:
        assert client.get("/").status_code == 200
        assert client.get("/api/models").status_code == 401
        assert client.get("/api/models", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/models", headers={"authorization": "Bearer secret"}).status_code == 200


def test_large_requests_are_refused_before_they_are_read(client: TestClient) -> None:
    assert "MB" in refused(client, "grooves", "read", b"x" * (MOST_BYTES + 1), 413)

    def pieces() -> Iterator[bytes]:  # of unknown length
        for _ in range(2 * MOST_BYTES >> 20):
            yield b" " * (1 << 20)

    answer = client.post("/api/models/grooves/sample", content=pieces(), headers=JSON)
    assert (answer.status_code, "MB" in answer.json()["error"]) == (413, True)


def test_nothing_comes_from_outside(client: TestClient) -> None:
    for place in ("/", "/style.css", "/main.js", "/api/models"):
        headers = client.get(place).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers


def test_the_interface_is_described(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    assert set(document["paths"]) >= {f"/api/models/{{name}}/{name}" for name in (*OPERATIONS, "file", "read")}
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in schemas
    assert schemas["DecodeForm"]["additionalProperties"] is False
