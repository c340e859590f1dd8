"""Checkpoints of magenta.js: the same weights as from TensorFlow, plain and quantised, in shards cut anywhere."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.magenta.bundle import Bundle
from seqvae.magenta.manifests import Manifest
from seqvae.magenta.places import find_checkpoint
from seqvae.magenta.runs import import_magenta
from seqvae.model import Model
from tests.magenta import models
from tests.magenta.models import FAMILIES, FIXTURE

MANIFEST = "weights_manifest.json"


def weights_of(family: str) -> dict[str, np.ndarray]:
    """The variables of a fixture, but those of the optimizer, which magenta.js leaves out."""
    found = Bundle(find_checkpoint(FIXTURE / family))
    return {name: found.read(name) for name in found.shapes if "Adam" not in name and "/" in name}


def write(folder: Path, variables: dict[str, np.ndarray], kind: str = "", shard: int = 1000) -> Path:
    """A folder of magenta.js: one group, shards of so many bytes, and quantised where a kind of number is named."""
    folder.mkdir(parents=True)
    content, entries = b"", []
    for name, values in variables.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
        if kind == "float16":
            entry["quantization"] = {"dtype": kind}
            content += values.astype(np.float16).tobytes()
        elif kind:
            least, most = float(values.min()), float(values.max())
            scale = (most - least) / np.iinfo(kind).max or 1.0
            entry["quantization"] = {"dtype": kind, "scale": scale, "min": least}
            content += np.round((values - least) / scale).astype(kind).tobytes()
        else:
            content += values.tobytes()
        entries.append(entry)
    names = []
    for place, first in enumerate(range(0, len(content), shard)):
        names.append(f"group1-shard{place + 1}")
        (folder / names[-1]).write_bytes(content[first : first + shard])
    (folder / MANIFEST).write_text(json.dumps([{"paths": names, "weights": entries}]))
    return folder


@pytest.mark.parametrize("family", [*FAMILIES, "groovae"])
@pytest.mark.parametrize("named", ["folder", "manifest"])
def test_the_same_weights_give_the_same_model(family: str, named: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "js", weights_of(family))
    task = "tap" if family == "groovae" else ""
    import_magenta(folder if named == "folder" else folder / MANIFEST, tmp_path / "run", task=task)
    import_magenta(FIXTURE / family, tmp_path / "other", task=task)
    runs = [Model.load(tmp_path / name, device="cpu") for name in ("run", "other")]
    weights, expected = (dict(model.vae.named_parameters()) for model in runs)
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, expected[name])


@pytest.mark.parametrize(("kind", "levels"), [("uint8", 255), ("uint16", 65535)])
def test_quantised_weights_are_within_half_a_level(kind: str, levels: int, tmp_path: Path) -> None:
    variables = models.nade()
    found = Manifest(write(tmp_path / "js", variables, kind, shard=77) / MANIFEST)
    for name, values in variables.items():
        read = found.read(name)
        assert read.dtype == np.float32
        assert np.abs(read - values).max() <= 0.5001 * np.ptp(values) / levels + 1e-6
    assert found.shapes == {name: values.shape for name, values in variables.items()}


def test_half_precision_is_read_in_single(tmp_path: Path) -> None:
    variables = models.nade()
    found = Manifest(write(tmp_path / "js", variables, "float16") / MANIFEST)
    read = found.read("encoder/mu/kernel")
    assert read.dtype == np.float32
    assert np.array_equal(read, variables["encoder/mu/kernel"].astype(np.float16).astype(np.float32))


def _change(edit: Callable[[Any], object]) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        edit(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return change


def _first(values: dict[str, Any]) -> Callable[[Path], object]:
    return _change(lambda manifest: manifest[0]["weights"][0].update(values))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "group1-shard1").write_bytes(b"1"),
            r"have [\d,]+ bytes, and its weights need",
        ),
        (lambda folder: (folder / "group1-shard2").unlink(), r"names group1-shard2, which is not beside it"),
        (
            _change(lambda manifest: manifest[0]["paths"].append("../song.mid")),
            r"names ../song.mid, which is not",
        ),
        (_first({"shape": [10**12, 10**12]}), r"its weights need [\d,]{25,}"),
        (_first({"shape": [-1]}), r"is damaged, or no manifest of weights; get"),
        (_first({"shape": [1e300]}), r"is damaged, or no manifest of weights; get"),
        (_first({"shape": None}), r"is damaged, or no manifest of weights; get"),
        (_first({"dtype": "string"}), r"is damaged, or no manifest"),
        (_first({"quantization": {"dtype": "uint8"}}), r"is damaged, or no manifest"),
        (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), r"is damaged, or no manifest"),
        (lambda folder: (folder / MANIFEST).write_text('{"a": 1}'), r"is damaged, or no manifest"),
        (lambda folder: (folder / MANIFEST).write_text("[\n{"), r"no manifest of weights \(at line 2\); get"),
        (lambda folder: (folder / MANIFEST).write_bytes(b" " * ((1 << 24) + 1)), r"has more than 16,777,216 bytes"),
    ],
)
def test_what_is_no_whole_checkpoint_is_refused_in_bounded_memory(
    change: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "js", models.nade())
    change(folder)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words) as caught:
            import_magenta(folder, tmp_path / "run")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 1 << 26
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_scale_is_refused_by_the_name_of_what_is_missing(tmp_path: Path) -> None:
    variables = {name: values for name, values in models.nade().items() if "sigma" not in name}
    with pytest.raises(ValueError, match=r"encoder/sigma/kernel is missing"):
        import_magenta(write(tmp_path / "js", variables), tmp_path / "run")
