"""Imported groove models against what TensorFlow gave for the same weights and inputs, and what their encoders read."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from seqvae.magenta.bundle import Bundle
from seqvae.magenta.places import find_checkpoint
from seqvae.magenta.runs import import_magenta
from seqvae.modalities.midi.performance import Performance
from seqvae.model import Model
from seqvae.nets.played import PlayedErrors
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.magenta import models, writer
from tests.magenta.agreement import TOLERANCE, check_outputs, check_posterior, stored

FOLDER = models.FIXTURE / "groovae"
LARGEST = torch.tensor([127.0, -60.0])  # velocities and places; GrooVAE's offsets are early where ours are late


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model whose encoder reads all of a groove."""
    run = tmp_path_factory.mktemp("groove") / "run"
    import_magenta(FOLDER, run, task="reconstruct")
    return Model.load(run, device="cpu")


def batch_of(name: str) -> Batch:
    """Steps of GrooVAE as ours; their velocities and offsets are no whole numbers of ours."""
    values = stored(FOLDER)
    hits, velocities, offsets = values[name].chunk(3, 2)
    assert torch.equal(hits > 0, velocities > 0)
    return Batch(torch.stack([velocities, offsets], 3) * LARGEST, values["lengths"].long(), torch.arange(3))


def outputs_of(likelihood: PlayedErrors, h: Tensor) -> Tensor:
    """The logits of hits, then velocities and offsets as they are said, in GrooVAE's order."""
    velocities, places = likelihood.means(h.flatten(0, -2)).unflatten(0, h.shape[:-1]).unbind(-1)
    return torch.cat([likelihood.hits.projection(h), velocities, -places], -1)


def test_posterior_and_divergence_are_tensorflows(imported: Model) -> None:
    check_posterior(imported.vae.posterior(batch_of("x")), stored(FOLDER))


def test_teacher_forced_outputs_are_tensorflows(imported: Model) -> None:
    values, batch, decoder = stored(FOLDER), batch_of("y"), imported.vae.decoder
    logits, velocities, offsets = values["logits"][batch.mask].chunk(3, 1)
    expected = torch.cat([logits, velocities.sigmoid(), offsets.tanh()], 1)
    check_outputs(decoder, values["z"], batch, partial(outputs_of, decoder.likelihood), expected)


def test_reconstructions_are_scored_as_tensorflow_does(imported: Model) -> None:
    values = stored(FOLDER)
    loss = -imported.vae.decoder.log_prob(values["z"], batch_of("y"))
    assert torch.allclose(loss, values["r_loss"], rtol=TOLERANCE, atol=0)


def performance(seed: int = 0) -> Performance:
    """Two bars, in which some steps have no hit and others several."""
    random = np.random.default_rng(seed)
    hit = random.random((32, 9, 1)) < 0.25
    numbers = np.stack([random.integers(low, high, (32, 9)) for low, high in ((1, 128), (-60, 61))], 2)
    return Performance(np.where(hit, numbers, 0).astype(np.int8))


def read_by_magenta(item: Performance, task: str) -> np.ndarray:
    """(32, 27): what GrooVAE's encoder reads of a performance, as its converter says."""
    velocities = item.velocities / 127
    hits, offsets = item.hits.astype(float), item.played[..., 1] / -60
    if task == "humanize":
        velocities, offsets = np.zeros((2, 32, 9))
    if task == "infill":
        hits[:, 2] = velocities[:, 2] = offsets[:, 2] = 0
    if task == "tap":
        steps, loudest = np.arange(32), velocities.argmax(1)
        taps = np.zeros((2, 32, 9))
        taps[0, :, 3], taps[1, :, 3] = hits[steps, loudest], offsets[steps, loudest]
        (hits, offsets), velocities = taps, np.zeros((32, 9))
    return np.concatenate([hits, velocities, offsets], 1)


@pytest.mark.parametrize("task", ["reconstruct", "humanize", "tap", "infill"])
def test_an_encoder_reads_what_that_of_its_task_reads_in_magenta(task: str, tmp_path: Path) -> None:
    import_magenta(FOLDER, tmp_path / "run", task=task, added="closed hat" if task == "infill" else "")
    bundle = Bundle(find_checkpoint(FOLDER))
    variables = {name: bundle.read(name) for name in bundle.shapes}
    codes = Model.load(tmp_path / "run", device="cpu").encode([performance()])
    expected = models.mean_of(variables, read_by_magenta(performance(), task))
    assert np.abs(np.asarray(codes)[0] - expected).max() < TOLERANCE


@pytest.mark.parametrize(
    ("name", "task", "added", "bars"),
    [
        ("groovae_2bar_humanize", "humanize", "", 2),
        ("groovae_2bar_tap_fixed_velocity_note_dropout", "tap", "", 2),
        ("groovae_2bar_add_closed_hh", "infill", "closed hat", 2),
        ("groovae_4bar", "reconstruct", "", 4),
    ],
)
def test_a_published_name_says_the_task_and_the_bars(
    name: str, task: str, added: str, bars: int, tmp_path: Path
) -> None:
    checkpoint = writer.write(tmp_path / "groovae_2bar_humanize" / name, models.variables(27, 27, 27))
    run = import_magenta(checkpoint, tmp_path / "run")
    data = run.settings["data"]
    assert (data["task"], data["added"], data["bars"], data["classes"]) == (task, added, bars, "gm")
    over = import_magenta(checkpoint, tmp_path / "other", bars=1, task="tap", classes="roland")
    data = over.settings["data"]
    assert (data["task"], data["added"], data["bars"], data["classes"]) == ("tap", "", 1, "roland")
    assert Model.load(tmp_path / "other", device="cpu").modality.classes.pitches[4] == (43, 58)


def test_an_imported_groove_is_a_run_like_others(imported: Model, tmp_path: Path) -> None:
    model = imported.config.model
    assert (model.feel, model.step_likelihood, model.decoder_reads) == ("squares", "bernoulli", "all")
    samples = imported.in_windows().sample(3, seed=1)
    codes = imported.encode(samples)
    imported.save(tmp_path / "copy")
    copy = Model.load(tmp_path / "copy", device="cpu")
    assert np.array_equal(copy.encode(samples).mean, codes.mean)
    between = imported.interpolate(samples[0], samples[1], steps=3)
    assert len(between) == 3


def test_taps_and_flat_hits_have_no_velocity_until_it_is_learned(tmp_path: Path) -> None:
    import_magenta(FOLDER, tmp_path / "run", task="humanize")
    vae = Model.load(tmp_path / "run", device="cpu").vae
    weight = vae.encoder.layers[0][0].weight_ih_l0
    assert not weight.unflatten(1, (9, 3))[..., 1].any()
    weight.requires_grad_()
    x = torch.from_numpy(performance().played).unsqueeze(0)
    batch = Batch(x, torch.tensor([32]), torch.arange(1))
    (gradient,) = torch.autograd.grad(vae(batch, Noise(0, batch.keys)).kl.sum(), [weight])
    hits, velocities, places = gradient.unflatten(1, (9, 3)).unbind(2)
    assert torch.allclose(velocities, hits * 64 / 127, atol=1e-6)
    assert not places.any()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, r"neither its shapes nor its name say what its encoder reads; name its task, such as data\.task=humanize"),
        ({"task": "drums"}, r"^task=drums is no task of grooves; choose reconstruct, humanize, tap, infill$"),
        ({"task": "infill"}, r"nothing says which one; name it, such as data\.added='closed hat'"),
        ({"task": "tap", "added": "ride"}, r"data\.added=ride is of data\.task=infill, and this is data\.task=tap"),
        ({"added": "cymbal"}, r"data\.added=cymbal is no class of data\.classes=gm; choose kick"),
        ({"task": "tap", "classes": "pitch"}, r"^classes=pitch is no map of Magenta's grooves; choose gm, roland$"),
    ],
)  # fmt: skip
def test_a_groove_of_no_known_task_is_refused(asked: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        import_magenta(FOLDER, tmp_path / "run", **asked)  # type: ignore[arg-type]  # strings, all of them
    assert not (tmp_path / "run").exists()


def test_a_task_is_refused_where_there_is_no_groove(tmp_path: Path) -> None:
    words = r"^task=tap, classes=gm is of groove models, and .* is one of drums; leave it out$"
    with pytest.raises(ValueError, match=words):
        import_magenta(models.FIXTURE / "cat-drums_small", tmp_path / "run", task="tap", classes="gm")
    assert not (tmp_path / "run").exists()
