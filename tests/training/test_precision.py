"""`train.precision=auto`: bf16 for text where the device computes it natively, in config.json what it became."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.devices import computes_bf16
from seqvae.recipes import read_recipe
from seqvae.runs.run import Run
from seqvae.training import engine
from seqvae.training.engine import Engine
from seqvae.training.run import resume, train
from tests.modalities.images.made import stack
from tests.training.small import Listener, records, values, write_corpus

SAID = "precision bf16, which this CPU computes natively; set train.precision=fp32 for exact single precision"
Capable = Callable[[bool], None]


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> Capable:
    """Makes this CPU one with, or without, instructions for bf16."""
    return lambda has: monkeypatch.setattr(engine, "computes_bf16", lambda device: has)


def trained(out: Path, listener: Listener | None = None, **of_train: Any) -> Run:
    """A training of a few steps, in the precision that is named or in that of the defaults."""
    asked = values(**{"epochs": 1, "log_steps": 1, "precision": "auto", **of_train})
    return train("text", write_corpus(out.parent / "corpus.txt"), out, asked, device="cpu", reporter=listener)


@pytest.mark.parametrize("has", [True, False])
def test_auto_is_what_the_cpu_computes_natively_and_the_run_says_which(
    has: bool, tmp_path: Path, capable: Capable
) -> None:
    capable(has)
    listener, expected = Listener(), "bf16" if has else "fp32"
    run = trained(tmp_path / "auto", listener)
    assert run.settings["train"]["precision"] == expected
    assert listener.messages.count(SAID) == has
    named, other = (trained(tmp_path / name, precision=name) for name in (expected, "fp32" if has else "bf16"))
    assert records(run) == records(named)
    assert records(run)[0]["loss"] != records(other)[0]["loss"], "the engine computes in it"


def test_auto_is_the_default(tmp_path: Path, capable: Capable) -> None:
    capable(True)
    asked = values(epochs=1)
    del asked["train"]["precision"]
    listener, corpus = Listener(), write_corpus(tmp_path / "corpus.txt")
    run = train("text", corpus, tmp_path / "run", asked, device="cpu", reporter=listener)
    assert run.settings["train"]["precision"] == "bf16"
    assert SAID in listener.messages
    assert not [line for line in listener.messages if "train.precision=" in line and line != SAID], (
        "it does not depend on the data"
    )


def test_a_precision_that_is_asked_for_is_taken_without_a_word(tmp_path: Path, capable: Capable) -> None:
    for has, name in ((True, "fp32"), (False, "bf16")):
        capable(has)
        listener = Listener()
        assert trained(tmp_path / name, listener, precision=name).settings["train"]["precision"] == name
        assert not [line for line in listener.messages if "precision" in line]


def test_auto_is_fp32_for_images(tmp_path: Path, capable: Capable) -> None:
    capable(True)
    np.savez(tmp_path / "images.npz", images=stack(20, 6, 5))
    few = {"model": {"latent": 2, "widths": "12"}, "train": {"epochs": 1, "threads": 1}}
    run = train("images", tmp_path / "images.npz", tmp_path / "run", few, device="cpu")
    assert run.settings["train"]["precision"] == "fp32"


def test_a_run_keeps_its_precision_where_the_cpu_has_another(tmp_path: Path, capable: Capable) -> None:
    capable(True)
    whole = trained(tmp_path / "whole", epochs=3)
    trained(tmp_path / "stopped", epochs=1)
    capable(False)
    listener = Listener()
    run = resume(tmp_path / "stopped", {"train": {"epochs": 3, "precision": "auto"}}, device="cpu", reporter=listener)
    assert run.settings["train"]["precision"] == "bf16"
    assert run.steps()[-1] == whole.steps()[-1]
    weights, expected = (one.weights(one.steps()[-1]) for one in (run, whole))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_another_precision_is_refused_at_a_resume(tmp_path: Path, capable: Capable) -> None:
    capable(True)
    trained(tmp_path / "run")
    with pytest.raises(ValueError, match=r"but train\.precision would change"):
        resume(tmp_path / "run", {"train": {"precision": "fp32"}}, device="cpu")


def test_a_run_of_a_version_without_the_key_is_repeated_in_fp32(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"format": 1, "modality": "text", "train": {"epochs": 3}}')
    assert read_recipe(path, "text")["train"]["precision"] == "fp32"


def test_an_unknown_precision_is_answered_by_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.precision=half is not possible; .*auto, fp32, bf16, fp16"):
        trained(tmp_path / "run", precision="half")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "architecture": "x86_64"}, True),
        ({"amx_bf16": True, "architecture": "x86_64"}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"bf16": True, "sve_bf16": True, "architecture": "aarch64"}, False),
        (None, False),
    ],
)
def test_a_cpu_is_asked_for_its_instructions(
    capabilities: Mapping[str, Any] | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if capabilities is None:  # a version of torch that cannot say
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert computes_bf16(torch.device("cpu")) is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert computes_bf16(torch.device("cpu")) is False


@pytest.mark.parametrize("has", [True, False])
def test_a_gpu_that_only_emulates_bf16_counts_as_without(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or has)
    assert computes_bf16(torch.device("cuda")) is has
    assert computes_bf16(torch.device("mps")) is False


def test_one_process_without_the_instructions_decides_for_all(
    monkeypatch: pytest.MonkeyPatch, capable: Capable
) -> None:
    capable(True)
    assert Engine("cpu", "auto", "bf16").precision == "bf16"
    monkeypatch.setattr(engine, "gather_object", lambda found: [*found, False])
    other = Engine("cpu", "auto", "bf16")
    assert (other.precision, other.chosen) == ("fp32", None)
