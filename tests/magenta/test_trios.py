"""Imported models of trios, and of melodies under a conductor, against what TensorFlow gave for the same weights."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqvae.magenta.bundle import Bundle
from seqvae.magenta.places import find_checkpoint
from seqvae.magenta.runs import import_magenta
from seqvae.model import Model
from seqvae.nets.hierarchy import Hierarchy
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.magenta import models, writer
from tests.magenta.agreement import TOLERANCE, check_outputs, check_posterior, stored

FOLDER = models.FIXTURE / "hierdec-trio"
OUTCOMES = (90, 90, 512)
SEGMENT = 8  # steps of the fixture's conductor


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model of the hierarchical trio."""
    run = tmp_path_factory.mktemp("trio") / "run"
    import_magenta(FOLDER, run, bars=2, segment_steps=SEGMENT)
    return Model.load(run, device="cpu")


def steps_of(one_hot: Tensor) -> Tensor:
    """(B, T, 3): the outcome of each part of steps (B, T, 692)."""
    return torch.stack([part.argmax(-1) for part in one_hot.split(OUTCOMES, -1)], -1)


def batch_of(name: str) -> Batch:
    values = stored(FOLDER)
    return Batch(steps_of(values[name]), values["lengths"].long(), torch.arange(3))


def logits_of(likelihood: Any, h: Tensor) -> Tensor:
    """The logits of all parts side by side."""
    own = [h] * 3 if not likelihood.own else h.split(likelihood.own, -1)
    return torch.cat([part.projection(seen) for part, seen in zip(likelihood.parts, own, strict=True)], -1)


def test_posterior_and_divergence_are_tensorflows(imported: Model) -> None:
    check_posterior(imported.vae.posterior(batch_of("x")), stored(FOLDER))


def test_teacher_forced_logits_are_tensorflows(imported: Model) -> None:
    values, batch, decoder = stored(FOLDER), batch_of("y"), imported.vae.decoder
    expected = values["logits"][batch.mask]
    check_outputs(decoder, values["z"], batch, partial(logits_of, decoder.likelihood), expected)


def test_reconstructions_are_scored_as_tensorflow_does(imported: Model) -> None:
    values = stored(FOLDER)
    loss = -imported.vae.decoder.log_prob(values["z"], batch_of("y"))
    assert torch.allclose(loss, values["r_loss"], rtol=TOLERANCE, atol=0)


def test_an_imported_trio_is_a_run_like_others(imported: Model, tmp_path: Path) -> None:
    data, model = imported.config.data, imported.config.model
    assert (data.bars, data.meter, data.lowest_pitch, data.highest_pitch, data.classes) == (2, "4/4", 21, 108, "gm")
    assert (model.conductor_hidden, model.conductor_layers, model.part_decoders, model.segment_steps) == (9, 2, True, 8)
    samples = imported.in_windows().sample(3, seed=1)
    codes = imported.encode(samples)
    assert codes.mean.shape == (3, 8)
    imported.save(tmp_path / "copy")
    copy = Model.load(tmp_path / "copy", device="cpu")
    assert np.array_equal(copy.encode(samples).mean, codes.mean)
    between = imported.interpolate(samples[0], samples[1], steps=3)
    assert len(between) == 3


def test_units_that_fill_up_a_layer_stay_at_zero_in_training(imported: Model) -> None:
    recurrence = imported.vae.decoder.recurrence
    assert isinstance(recurrence, Hierarchy)
    layers = {
        "conductor": recurrence.conductor,
        **{f"core {i}": own.lstm for i, own in enumerate(recurrence.core.lstms)},
    }
    weights = {name: lstm.weight_ih_l1 for name, lstm in layers.items()}
    for weight in weights.values():
        weight.requires_grad_()
    try:
        batch = batch_of("x")
        loss = -imported.vae(batch, Noise(0, batch.keys)).log_px.sum()
        gradients = torch.autograd.grad(loss, list(weights.values()))
    finally:
        for weight in weights.values():
            weight.requires_grad_(False)
    for gradient in gradients:
        assert gradient.unflatten(0, (4, -1)).any(2).any(0).tolist() == [True] * 7 + [False] * 2


def variables() -> dict[str, np.ndarray]:
    """What stands in the fixture."""
    bundle = Bundle(find_checkpoint(FOLDER))
    return {name: bundle.read(name) for name in bundle.shapes}


def melody_under_a_conductor() -> dict[str, np.ndarray]:
    """The fixture's conductor over its first core decoder alone, named as Magenta's hierdec-mel has them."""
    found = {}
    for name, values in variables().items():
        if name.startswith("core_decoder/core_decoder_0/"):
            found[name.replace("core_decoder_0/", "")] = values
        elif name.endswith("cell_0/lstm_cell/kernel") and name.startswith("encoder/"):
            found[name] = np.concatenate([values[:90], values[692:]])
        elif not name.startswith("core_decoder/"):
            found[name] = values
    return found


def test_a_melody_under_a_conductor_is_its_part_of_the_trio(tmp_path: Path) -> None:
    checkpoint = writer.write(tmp_path, melody_under_a_conductor())
    import_magenta(checkpoint, tmp_path / "run", bars=2, segment_steps=SEGMENT)
    model = Model.load(tmp_path / "run", device="cpu")
    values, batch = stored(FOLDER), batch_of("y")
    own = Batch(batch.x[..., 0], batch.lengths, batch.keys)
    decoder = model.vae.decoder
    logits = decoder.likelihood.projection(decoder.hidden(values["z"], own))
    assert torch.allclose(logits[own.mask], values["logits"][..., :90][own.mask], rtol=0, atol=TOLERANCE)
    assert model.config.model.conductor_hidden == 9
    whole = import_magenta(checkpoint, tmp_path / "whole").settings
    assert (whole["modality"], whole["data"]["bars"], whole["model"]["segment_steps"]) == ("melody", 16, 0)


def flat_logits(found: dict[str, np.ndarray], z: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """The logits (T, 692) of a flat decoder of two layers, cell by cell as TensorFlow's are defined."""
    state = np.tanh(z @ found["decoder/z_to_initial_state/kernel"] + found["decoder/z_to_initial_state/bias"])
    c0, h0, c1, h1 = np.split(state, np.cumsum([4, 4, 3]))
    cells, hidden, logits = [c0, c1], [h0, h1], []
    for x_prev in np.concatenate([np.zeros_like(inputs[:1]), inputs[:-1]]):
        x = np.concatenate([x_prev, z])
        for layer in range(2):
            name = f"decoder/multi_rnn_cell/cell_{layer}/lstm_cell"
            gates = np.concatenate([x, hidden[layer]]) @ found[f"{name}/kernel"] + found[f"{name}/bias"]
            i, g, f, o = np.split(gates, 4)
            cells[layer] = cells[layer] / (1 + np.exp(-f - 1)) + np.tanh(g) / (1 + np.exp(-i))
            hidden[layer] = x = np.tanh(cells[layer]) / (1 + np.exp(-o))
        logits.append(x @ found["decoder/output_projection/kernel"] + found["decoder/output_projection/bias"])
    return np.stack(logits)


def test_a_flat_trio_has_one_decoder_for_all_parts(tmp_path: Path) -> None:
    found = models.variables(692, 692, 692)
    run = import_magenta(writer.write(tmp_path, found), tmp_path / "run")
    model = Model.load(tmp_path / "run", device="cpu")
    assert (run.settings["data"]["bars"], model.config.model.part_decoders) == (16, False)
    assert model.config.model.conductor_hidden == 0
    x, z = steps_of(stored(FOLDER)["y"])[:1, :6], torch.tensor([[0.3, -0.8]])
    decoder = model.vae.decoder
    logits = logits_of(decoder.likelihood, decoder.hidden(z, Batch(x, torch.tensor([6]), torch.arange(1))))
    expected = flat_logits(found, z[0].double().numpy(), stored(FOLDER)["y"][0, :6].double().numpy())
    assert np.allclose(logits[0].detach().numpy(), expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("core_decoder/core_decoder_1/decoder/output_projection/bias"), "is missing"),
        (lambda found: found.pop("decoder/hierarchical_level_0/initial_state/bias"), "is missing"),
        (lambda found: found.pop("decoder/hierarchical_level_0/cell_0/lstm_cell/kernel"), "no layers decoder/hier"),
        (
            lambda found: found.pop("core_decoder/core_decoder_2/decoder/multi_rnn_cell/cell_1/lstm_cell/kernel"),
            "decoders of unlike numbers of layers",
        ),
        (
            lambda found: found.update({"decoder/hierarchical_level_1/cell_0/lstm_cell/bias": np.zeros(4, np.float32)}),
            "hierarchical encoder or several conductors",
        ),
        (
            lambda found: found.update(
                {name: np.zeros((8, 36), np.float32) for name in ["decoder/hierarchical_level_0/initial_state/kernel"]}
            ),
            "does not fit together",
        ),
    ],
    ids=["no output layer", "no initial state", "no conductor", "unlike decoders", "two conductors", "another size"],
)
def test_a_trio_that_is_not_whole_is_refused(change: Any, words: str, tmp_path: Path) -> None:
    found = variables()
    change(found)
    with pytest.raises(ValueError, match=words):
        import_magenta(writer.write(tmp_path, found), tmp_path / "run", bars=2, segment_steps=SEGMENT)
    assert not (tmp_path / "run").exists()


def test_steps_of_a_conductor_are_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"segment_steps=8 is of a conductor, and .* has none; leave it out"):
        import_magenta(models.FIXTURE / "cat-drums_small", tmp_path / "run", segment_steps=8)
    assert not (tmp_path / "run").exists()
