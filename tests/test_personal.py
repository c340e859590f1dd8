"""A model of data of one's own: a copy whose prior is a Gaussian of their codes, with sliders along its axes."""

from pathlib import Path

import pytest
import torch

import seqvae
from seqvae.choosing import gaussian_of
from seqvae.core.sliders import principal_axes
from seqvae.noise import Noise
from tests.training.small import BRIEF, values, write_corpus

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("personal")
    seqvae.train("text", write_corpus(folder / "corpus.txt", 60), folder / "run", BRIEF)
    return folder / "run"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "own.txt", 12, seed=3)


def test_the_copy_samples_from_the_codes_of_these_data_and_the_run_stays_as_it_is(
    run: Path, own: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    mine = seqvae.personalise(run, own, tmp_path / "mine")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    codes = seqvae.load(run).encode(own.read_text(encoding="utf-8").splitlines())
    drawn = codes.rsample(Noise(0, torch.arange(12), 1)).double()
    assert torch.allclose(gaussian_of(mine).means[0], drawn.mean(0), atol=1e-6)
    z = gaussian_of(mine).codes(Noise(4, torch.arange(3)))
    assert seqvae.load(tmp_path / "mine").sample(3, seed=4) == mine.decode(z, temperature=1.0, seed=4)


def test_sliders_move_samples_along_the_axes(run: Path, own: Path, tmp_path: Path) -> None:
    mine = seqvae.personalise(run, own, tmp_path / "mine")
    there = seqvae.at_sliders(mine, [2.0, -1.0])
    assert there.prior.kind == "gaussian at sliders"
    z = there.prior.codes(Noise(0, torch.arange(2)))
    axes, mean = principal_axes(gaussian_of(mine)), gaussian_of(mine).means[0]
    along = (z - mean) @ torch.linalg.inv(axes)
    assert torch.allclose(along[:, :2], torch.tensor([2.0, -1.0]).double().expand(2, 2), atol=1e-6)
    assert there.sample(2) == mine.decode(z, temperature=1.0)


def test_what_cannot_be_made_personal_is_refused(run: Path, own: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("the cat sees a dog\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a prior cannot be fitted to 1 code of 3 units; give at least two items"):
        seqvae.personalise(run, tmp_path / "one.txt", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    with pytest.raises(ValueError, match="cannot be made personal without data; give some of your own"):
        seqvae.personalise(run, [], tmp_path / "mine")
    with pytest.raises(ValueError, match=r"run is not empty; give a new or empty folder"):
        seqvae.personalise(run, own, run)
    with pytest.raises(ValueError, match="prior of this model is standard, which has no sliders; make a model of your"):
        seqvae.at_sliders(seqvae.load(run), [1.0])
    lm = tmp_path / "lm"
    seqvae.train("text", own, lm, values(model={"latent": 0}, epochs=1))
    with pytest.raises(ValueError, match=r"lm is a language model .* no code to be made personal"):
        seqvae.personalise(lm, own, tmp_path / "mine")


def test_sliders_that_are_too_many_or_no_numbers_are_refused(run: Path, own: Path, tmp_path: Path) -> None:
    mine = seqvae.personalise(run, own, tmp_path / "mine")
    with pytest.raises(ValueError, match="4 sliders are too many; there are 3"):
        seqvae.at_sliders(mine, [0, 0, 0, 0])
    with pytest.raises(ValueError, match="slider='wide' is not possible; give a number"):
        seqvae.at_sliders(mine, ["wide"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a slider at nan is not possible"):
        seqvae.at_sliders(mine, [float("nan")])
