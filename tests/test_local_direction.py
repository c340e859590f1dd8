"""Directions between nearest examples: closed forms, what is kept, what a run keeps of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import seqvae
from seqvae import adding, attributes
from seqvae.adding import moved_windows
from seqvae.attribute_fitting import _local, _reader
from seqvae.attributes import leaving_alone, shift
from seqvae.codes import codes_of_items
from seqvae.core.posterior import DiagonalGaussian
from seqvae.local_direction import LocalDirection, Neighbours
from tests.test_attributes import SENTENCES, made
from tests.training.small import BRIEF, write_corpus

pytest.importorskip("sklearn")

CORNERS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 2.0], [10.0, 3.0], [0.0, 7.0]])
HAS = torch.tensor([False, False, True, True, True])


def between(count: int = 1, normals: object = (), offsets: object = ()) -> LocalDirection:
    """Examples at corners: without it at x = 0 and 10, with it somewhere above."""
    table = torch.tensor(normals, dtype=torch.float64).reshape(-1, 2)
    return LocalDirection(CORNERS, HAS, table, torch.tensor(offsets, dtype=torch.float64), count)


def test_it_goes_from_the_nearest_without_to_the_nearest_with_it() -> None:
    z = torch.tensor([[1.0, 1.0], [9.0, 0.0]])
    assert between().at(z).tolist() == [[0.0, 2.0], [0.0, 3.0]]
    assert between(count=2).at(z).tolist() == [[-5.0, 4.5], [0.0, 2.5]]
    whole = CORNERS[HAS].double().mean(0) - CORNERS[~HAS].double().mean(0)
    assert torch.allclose(between(count=9).at(z), whole.expand(2, 2))


def test_examples_that_agree_in_what_is_kept_come_first_and_others_where_there_are_too_few() -> None:
    z = torch.tensor([[9.0, 0.0], [6.0, 5.0], [6.0, -1.0]])
    kept = between(normals=[[0.0, 1.0]], offsets=[-2.5])  # above 2.5, as the last two corners with it are
    # no example without it lies above 2.5: the nearest of those below stands in for it
    assert kept.at(z).tolist() == [[-10.0, 2.0], [0.0, 3.0], [-10.0, 2.0]]
    assert between().at(z).tolist() == [[0.0, 3.0], [0.0, 3.0], [0.0, 3.0]]


def test_nearest_examples_vote() -> None:
    z = torch.tensor([[10.0, 2.0], [0.0, 5.0], [0.0, -1.0]])
    assert between().has_at(z).tolist() == [1.0, 1.0, -1.0]
    assert between(count=3).has_at(z) == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_it_is_added_by_a_strength_and_with_fixed_vectors() -> None:
    z = torch.tensor([[1.0, 1.0], [9.0, 0.0]], dtype=torch.float64)
    near = replace(made("near", [1, 0], [0, 1]), along="neighbours", local=between())
    both = {"near": near, "fixed": made("fixed", [1, 0], [1, 0])}
    found = shift(both, {"near": -2.0, "fixed": 3.0})
    assert not isinstance(found, torch.Tensor)
    assert found(z).tolist() == [[3.0, -4.0], [3.0, -6.0]]
    other = made("other", [0, 1], [1, 1])
    aside = leaving_alone(near, [other])
    assert not isinstance(aside, torch.Tensor)
    assert aside(z) @ other.normal == pytest.approx([0, 0], abs=1e-12)
    assert aside(z) @ near.normal == pytest.approx(near.local.at(z) @ near.normal)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="nothing is left of near that leaves fixed alone"):
        leaving_alone(near, [made("fixed", [0, 1], [0, 1])])(z)  # type: ignore[operator]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("near")
    seqvae.train("text", write_corpus(folder / "corpus.txt", 90), folder / "run", BRIEF)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_run_keeps_examples_that_were_fitted_to_and_adds_by_them(run: Path) -> None:
    seqvae.fit_attribute(run, "length")
    found = seqvae.fit_attribute(run, "word=cat", along=Neighbours(keep=["length"], count=3))
    model = seqvae.load(run)
    kept = model.attributes["word=cat"]
    assert (kept.along, kept.kept, kept.strength, kept.flipped) == (
        "neighbours", ("length",), found.strength, found.flipped,
    )  # fmt: skip
    assert kept.local is not None
    assert found.local is not None
    assert len(kept.local.codes) == 72  # of 90, a fifth is held out
    codes = model.encode(SENTENCES)
    z = codes.mean.double()
    assert torch.equal(kept.local.at(z), found.local.at(z))
    length = model.attributes["length"]
    for row, code in enumerate(z):
        sides = kept.local.codes.double() @ length.normal + length.bias > length.threshold
        alike = sides == bool(length.scores(code[None])[0] > length.threshold)
        mean = [kept.local.codes[alike & (kept.local.has == side)].double() for side in (True, False)]
        nearest = [one[(one - code).norm(dim=1).argsort()[:3]].mean(0) for one in mean]
        assert torch.allclose(kept.local.at(z)[row], nearest[0] - nearest[1])
    moved = model.decode(z + 1.5 * kept.local.at(z))
    assert seqvae.add_attributes(model, SENTENCES, {"word=cat": 1.5}) == moved
    (twice,) = moved_windows(
        model, moved_windows(model, [model.windows(SENTENCES[0])], {"length": 1.0}), {"word=cat": 1.0}
    )
    by = model.encode([twice]).mean[0].double() - z[0]
    assert torch.allclose(by, length.vector + kept.local.at(z)[0], atol=1e-5)


def test_neighbours_are_of_two_classes_and_what_is_kept_is_another_attribute_of_the_run(run: Path) -> None:
    for name, keep, sentence in (
        ("length", (), r"^length \(length\) is a number, and neighbours are of two classes: what has it, and what has"),
        ("word=cat", ("word=cat",), "^word=cat changes, so it cannot be kept; keep others$"),
        ("word=cat", ("size",), "^no attribute 'size'; there are none yet"),
    ):
        with pytest.raises(ValueError, match=sentence):
            seqvae.fit_attribute(run, name, along=Neighbours(keep))
    with pytest.raises(ValueError, match=r"^count=0 neighbours are not possible; give a whole number from 1$"):
        Neighbours(count=0)
    for keep in ("past", 7):
        with pytest.raises(ValueError, match=rf"^keep={keep!r} is no list of names; give one, such as \['past'\]$"):
            Neighbours(keep)  # type: ignore[arg-type]


def test_damaged_examples_are_refused(run: Path) -> None:
    found = seqvae.fit_attribute(run, "word=cat", along="neighbours")
    model = seqvae.load(run)
    assert model.run is not None
    assert found.local is not None
    for wrong in (
        replace(found.local, has=torch.ones(len(found.local.has), dtype=torch.bool)),
        replace(found.local, codes=found.local.codes[:, :1]),
        replace(found.local, offsets=torch.zeros(2)),
    ):
        attributes.keep_attributes(model.run, {"word=cat": replace(found, local=wrong)})
        with pytest.raises(ValueError, match=r"^the attributes in .* were not written by this version of seqvae"):
            _ = seqvae.load(run).attributes


def test_a_vote_judges_where_a_plane_reads_held_out_codes_badly() -> None:
    random = np.random.default_rng(0)
    z = torch.from_numpy(random.normal(size=(200, 2)))
    for sides, better in ((z[:, 0] > 0.5, 0), (z.norm(dim=1) > 1.2, 1)):  # a plane separates them; it does not
        codes, has = codes_of_items(DiagonalGaussian(z, torch.zeros(200, 2)), [["a"]] * 200), sides.numpy()
        found = attributes.fit(z, has.astype(float), False)
        local = _local(codes, has, found, 20, [])
        reader = _reader(codes, has, found, local)
        assert (reader == local.has_at) == better
        assert attributes.balanced(has[found.held_out_rows], reader(z[found.held_out_rows]).numpy() > 0) > 0.7


def test_what_is_not_measured_is_judged_by_codes_of_what_is_made(run: Path) -> None:
    texts = [f"the {'cat' if place % 2 else 'dog'} sees {'a' if place % 3 else 'the'} bird" for place in range(30)]
    labels = ["cat" if "cat" in text else "dog" for text in texts]
    local = seqvae.fit_attribute(run, "cat", texts, labels, along="neighbours").local
    assert local is not None
    model = seqvae.load(run)
    votes = adding.judge_of(model, local.has_at)([model.windows(text) for text in SENTENCES])
    assert votes == pytest.approx(local.has_at(model.encode(model.reconstruct(SENTENCES)).mean).numpy())
    assert adding.judge_of(model, local.has_at)([]).tolist() == []
