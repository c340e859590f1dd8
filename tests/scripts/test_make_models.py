"""Models that come with the package are made of a run: what is shipped, and the commands that a card names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import seqvae
from seqvae.runs.foreign import KINDS
from tests.scripts.loaded import script

models = script("make_models")
SENTENCES = [f"{a} {b} {c}" for a in ("the", "a") for b in ("cat", "dog", "small bird") for c in ("sings", "sleeps")]
SIZES = {"latent": 2, "embedding": 8, "encoder_hidden": 8, "decoder_hidden": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of few sentences with a prior and an attribute."""
    pytest.importorskip("sklearn")
    out = tmp_path_factory.mktemp("made") / "run"
    data = seqvae.Items(SENTENCES * 4)
    values = {"data": {"tokenizer": "word"}, "model": SIZES, "train": {"epochs": 1, "batch_size": 8}}
    seqvae.train("text", data, out, values)
    seqvae.fit_prior(out, data, "gaussian")
    seqvae.fit_attribute(out, "length", data)
    return out


def test_what_was_fitted_is_shipped_with_weights_of_16_bits(run: Path, tmp_path: Path) -> None:
    models.ship(run, tmp_path / "shipped", temperature=0.25)
    shipped, exact = seqvae.load(tmp_path / "shipped"), seqvae.load(run)
    (weights,) = (tmp_path / "shipped").rglob("weights.safetensors")
    assert {weight.dtype for weight in load_file(weights).values()} == {torch.float16}
    z = torch.randn(5, 2, dtype=torch.float64)
    assert torch.equal(shipped.prior.log_prob(z), exact.prior.log_prob(z))
    assert torch.equal(shipped.attributes["length"].vector, exact.attributes["length"].vector)
    assert shipped.modality.sampling_temperature == 0.25
    assert shipped.sample(9) == shipped.sample(9, temperature=0.25) != shipped.sample(9, temperature=1.0)
    shipped.save(tmp_path / "saved")
    assert seqvae.load(tmp_path / "saved").modality.sampling_temperature == 0.25


def test_what_was_not_fitted_is_not_shipped(run: Path, tmp_path: Path) -> None:
    plain = seqvae.train("text", seqvae.Items(SENTENCES), tmp_path / "plain", {"model": SIZES, "train": {"epochs": 1}})
    models.ship(plain.path, tmp_path / "shipped")
    assert not [path for kind in KINDS for path in (tmp_path / "shipped").rglob(f"{kind}.*")]


@pytest.mark.parametrize("name", list(models.MODELS))
def test_a_card_has_every_command_that_makes_its_model(name: str) -> None:
    recipe = models.MODELS[name]
    card = models.card(name, recipe, {"elbo_nats": -2.0}, {"elbo_nats": -2.001})
    lines = [line.strip() for line in card.splitlines() if line.startswith("    ")]
    commands = [line.split()[1:3] for line in lines]
    assert commands[0] == (["scripts/wordnet_lines.py", "wordnet"] if recipe.prepare else ["train", recipe.modality])
    assert commands[-1][0] == "evaluate"
    assert [command for command in commands if command[0] == "fit-prior"] == [["fit-prior", f"runs/{name}"]] * (
        recipe.prior != "standard"
    )
    assert sum(command == ["attribute", "fit"] for command in commands) == len(recipe.attributes)
    assert "| elbo_nats | nats per item | -2.001 | -2 |" in card
