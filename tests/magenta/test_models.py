"""Imported models of drums and melodies against what TensorFlow gave for the same weights and inputs."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqvae
from seqvae.magenta.bundle import Bundle
from seqvae.magenta.families import family_of
from seqvae.magenta.places import find_checkpoint
from seqvae.magenta.runs import import_magenta
from seqvae.modalities.midi.classes import MAPS
from seqvae.model import Model
from seqvae.nets.lstm import LSTMRecurrence
from seqvae.nets.nade import NADE
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.magenta import models, writer
from tests.magenta.agreement import TOLERANCE, check_outputs, check_posterior, stored
from tests.magenta.models import FAMILIES, FIXTURE

families = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The model of a family, imported once."""

    @cache
    def of(family: str) -> Model:
        folder = tmp_path_factory.mktemp(family)
        import_magenta(FIXTURE / family, folder / "run")
        return Model.load(folder / "run", device="cpu")

    return of


def batch_of(family: str, of: str = "x") -> Batch:
    """What TensorFlow's encoder read (x), or what its decoder was to give (y), as our steps."""
    values = stored(FIXTURE / family)
    if "mel" in family:
        x = values[of].argmax(-1)
    elif of == "x":
        hits = values["x"][..., :9].long()  # the tenth number is 1 for silence
        x = hits if family.startswith("nade") else (hits << torch.arange(9)).sum(-1)
    else:
        x = values["y"].long() if family.startswith("nade") else values["y"].argmax(-1)
    return Batch(x, values["lengths"].long(), torch.arange(len(x)))


@families
def test_posterior_and_divergence_are_tensorflows(family: str, imported: Any) -> None:
    check_posterior(imported(family).vae.posterior(batch_of(family)), stored(FIXTURE / family))


@families
def test_teacher_forced_logits_are_tensorflows(family: str, imported: Any) -> None:
    values, batch, decoder = stored(FIXTURE / family), batch_of(family, "y"), imported(family).vae.decoder
    check_outputs(decoder, values["z"], batch, decoder.likelihood.projection, values["logits"][batch.mask])


@families
def test_reconstructions_are_scored_as_tensorflow_does(family: str, imported: Any) -> None:
    values = stored(FIXTURE / family)
    loss = -imported(family).vae.decoder.log_prob(values["z"], batch_of(family, "y"))
    assert torch.allclose(loss, values["r_loss"], rtol=TOLERANCE, atol=0)


def test_nade_scores_each_step_as_tensorflow_does(imported: Any) -> None:
    values, own = stored(FIXTURE / "nade-drums_reduced"), imported("nade-drums_reduced").vae.decoder.likelihood
    likelihood = NADE(16, 9, 7)  # of TensorFlow's biases, which stand in the hidden state
    with torch.no_grad():
        likelihood.projection.weight.copy_(torch.eye(16))
        likelihood.projection.bias.zero_()
        likelihood.reading.copy_(own.reading)
        likelihood.scoring.copy_(own.scoring)
    h, x = values["logits"].flatten(0, 1), values["y"].flatten(0, 1).long()
    p = torch.where(x.bool(), values["nade_cond"], 1 - values["nade_cond"])  # TensorFlow's, of what each class is
    assert torch.allclose(likelihood.log_prob(h, x), p.log().sum(1), rtol=0, atol=TOLERANCE)
    # Magenta adds a millionth to each probability before its logarithm, so that its own do not sum to one
    added = (p + 1e-6).log().sum(1) - p.log().sum(1)
    assert torch.allclose(likelihood.log_prob(h, x) + added, values["nade_logprob"], rtol=0, atol=TOLERANCE)
    assert torch.equal(likelihood.mode(h), values["nade_argmax"].long())


@families
def test_units_that_fill_up_a_layer_stay_at_zero_in_training(family: str, imported: Any) -> None:
    model = imported(family)
    recurrence: LSTMRecurrence = model.vae.decoder.recurrence
    second = {"cat-drums_small": 10, "nade-drums_reduced": 12, "cat-mel_3layer_enc2": 11}[family]
    filled = recurrence.lstm.hidden_size - second
    parameters = dict(model.vae.named_parameters())
    for weight in parameters.values():
        weight.requires_grad_()
    try:
        batch = batch_of(family)
        terms = model.vae(batch, Noise(0, batch.keys))
        loss = terms.kl.sum() - terms.log_px.sum()
        gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    finally:
        for weight in parameters.values():
            weight.requires_grad_(False)
    last = gradients["decoder.recurrence.lstm.weight_ih_l1"].unflatten(0, (4, -1))
    rows = last.any(2).any(0)
    assert rows.tolist() == [True] * (len(rows) - filled) + [False] * filled


@families
def test_an_imported_run_is_one_like_others(family: str, imported: Any, tmp_path: Path) -> None:
    model = imported(family)
    samples = model.in_windows().sample(3, seed=1)
    assert [len(windows) for windows in samples] == [1, 1, 1]
    codes = model.encode(samples)
    assert codes.mean.shape == (3, 8)
    model.save(tmp_path / "copy")
    copy = Model.load(tmp_path / "copy", device="cpu")
    assert np.array_equal(copy.encode(samples).mean, codes.mean)
    assert model.run is not None
    assert model.run.used_step == {"cat-drums_small": 1, "nade-drums_reduced": 0, "cat-mel_3layer_enc2": 0}[family]


def test_a_full_map_has_a_class_for_each_of_its_61_pitches(tmp_path: Path) -> None:
    checkpoint = writer.write(tmp_path, models.nade(61))
    seqvae.import_magenta(checkpoint, tmp_path / "run")
    model = Model.load(tmp_path / "run", device="cpu")
    assert model.config.data.classes == "musicvae"
    pitches = [pitch for (pitch,) in model.modality.classes.pitches]
    assert pitches[:4] == [36, 35, 38, 27]
    assert len(pitches) == 61
    assert sorted(pitches) == sorted({p for c in MAPS["gm"].pitches for p in c} - {22, 26})
    assert model.vae.decoder.likelihood.classes == 61


@pytest.mark.parametrize(("outcomes", "pitches"), [(90, (21, 108)), (130, (0, 127))])
def test_a_melody_is_of_a_piano_or_of_all_of_midi(outcomes: int, pitches: tuple[int, int], tmp_path: Path) -> None:
    checkpoint = writer.write(tmp_path, models.variables(outcomes, outcomes, outcomes))
    run = seqvae.import_magenta(checkpoint, tmp_path / "run")
    assert run.settings["modality"] == "melody"
    data = Model.load(tmp_path / "run", device="cpu").config.data
    assert (data.lowest_pitch, data.highest_pitch) == pitches


def test_layers_of_an_encoder_lie_above_each_other(tmp_path: Path) -> None:
    variables = models.nade()
    random = np.random.default_rng(1)
    for way in ("fw", "bw"):
        name = f"encoder/cell_1/bidirectional_rnn/{way}/multi_rnn_cell/cell_0/lstm_cell"
        variables[f"{name}/kernel"] = random.normal(size=(2 * 5 + 3, 12)).astype(np.float32)
        variables[f"{name}/bias"] = random.normal(size=12).astype(np.float32)
    for name in ("mu", "sigma"):
        variables[f"encoder/{name}/kernel"] = variables[f"encoder/{name}/kernel"][:6]
    seqvae.import_magenta(writer.write(tmp_path, variables), tmp_path / "run")
    vae = Model.load(tmp_path / "run", device="cpu").vae
    x = (torch.rand(2, 32, 9, generator=torch.Generator().manual_seed(0)) < 0.3).long()
    mean = vae.posterior(Batch(x, torch.tensor([32, 32]), torch.arange(2))).mean
    bits = torch.cat([x, (x.sum(2, keepdim=True) == 0).long()], 2).double().numpy()
    expected = np.stack([models.mean_of(variables, one, layers=2) for one in bits])
    assert np.allclose(mean.numpy(), expected, atol=1e-4)


def _hierarchical() -> dict[str, np.ndarray]:
    return {
        "hierarchical_encoder/hierarchical_level_0/cell_0/kernel": np.zeros((2, 8), np.float32),
        **models.nade(),
    }


@pytest.mark.parametrize(
    ("variables", "family"),
    [
        (models.variables(115, 115, 90), "a melody model that reads more"),
        (models.variables(36, 36, 27), "a groove model that reads the hits of a step before it plays them"),
        (_hierarchical(), "a model with a hierarchical encoder or several conductors"),
        (models.variables(8, 1 << 7, 1 << 7), "a model of another family"),
        (models.variables(11, 10, 13, units=3), "a model of another family"),
    ],
    ids=["melody with chords", "hits as controls", "hierarchical", "seven classes", "ten classes"],
)
def test_models_of_other_families_are_refused_by_name(
    variables: dict[str, np.ndarray], family: str, tmp_path: Path
) -> None:
    checkpoint = writer.write(tmp_path, variables)
    with pytest.raises(ValueError, match=rf"{family}.*what can be imported are cat-drums_2bar_small and _big"):
        import_magenta(checkpoint, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_variable_without_a_place_is_named(tmp_path: Path) -> None:
    checkpoint = writer.write(tmp_path, models.nade() | {"decoder/extra/kernel": np.zeros((2, 3), np.float32)})
    with pytest.raises(ValueError, match=r"has the variable decoder/extra/kernel, which has no place"):
        import_magenta(checkpoint, tmp_path / "run")


@pytest.mark.parametrize("missing", sorted(models.nade()))
def test_a_model_that_lacks_a_variable_is_refused(missing: str, tmp_path: Path) -> None:
    variables = models.nade()
    del variables[missing]
    with pytest.raises(ValueError, match=r"model\.ckpt-7\.index (is|has|does) .*; (what can be imported|get the)"):
        import_magenta(writer.write(tmp_path, variables), tmp_path / "run")


@pytest.mark.parametrize("wrong", [name for name in sorted(models.nade()) if name.endswith("kernel")])
def test_shapes_that_do_not_fit_together_are_refused(wrong: str, tmp_path: Path) -> None:
    variables = models.nade()
    variables[wrong] = np.concatenate([variables[wrong]] * 2)
    with pytest.raises(ValueError, match=r"does not fit together|is a model of another family"):
        import_magenta(writer.write(tmp_path, variables), tmp_path / "run")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    variables = models.nade()
    variables["encoder/mu/bias"][1] = np.nan
    with pytest.raises(ValueError, match=r"to_mean.bias in .* are not finite"):
        import_magenta(writer.write(tmp_path, variables), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("stored_step", "step"), [(np.array(7), 7), (np.array(np.inf), 0), (np.array(-3), 0)])
def test_a_step_that_is_none_counts_as_zero(stored_step: np.ndarray, step: int, tmp_path: Path) -> None:
    checkpoint = writer.write(tmp_path, models.nade() | {"global_step": stored_step})
    assert import_magenta(checkpoint, tmp_path / "run").used_step == step


def test_what_an_optimizer_keeps_is_no_part_of_the_model() -> None:
    found = family_of(Bundle(find_checkpoint(FIXTURE / "cat-drums_small")))
    assert not any("Adam" in name for name in found.shapes)
