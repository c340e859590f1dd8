"""Critics of two clusters of codes, and draws that they accept; critics kept in a run, used, and refused."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import seqvae
from seqvae import choosing, constraints, fitting
from seqvae.constraints import Constrained, Constraints, Examples, kept_constraints, train_critics
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.priors import Mixture, StandardNormal
from seqvae.noise import Noise
from tests.training.small import BRIEF, values, write_corpus

SPREAD = 0.3
NAMES = {"label": ("left", "right")}


def clusters(items: int, seed: int, labelled: bool = True) -> Examples:
    """Codes of two units around (-2, 0), which is left, and (2, 0)."""
    labels = torch.arange(items) % 2
    z = SPREAD * torch.randn(items, 2, generator=torch.Generator().manual_seed(seed))
    z[:, 0] += 4.0 * labels - 2.0
    own = labels if labelled else torch.full_like(labels, -1)
    return Examples(DiagonalGaussian(z, torch.full_like(z, math.log(1e-3))), own.unsqueeze(1))


def mixture() -> Mixture:
    """The density of the clusters."""
    means = torch.tensor([[-2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    factors = SPREAD * torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    return Mixture(torch.full((2,), 0.5, dtype=torch.float64).log(), means, factors)


@pytest.fixture(scope="module")
def found() -> Constraints:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constraints, "STEPS", 200)
        return train_critics(clusters(600, 0), clusters(200, 1), NAMES)


def drawn(found: Constraints, where: dict[str, str], prior: Any = None, n: int = 100) -> torch.Tensor:
    return Constrained(prior or StandardNormal(2), found, where).codes(Noise(3, torch.arange(n)))


def test_the_critics_read_the_sides_and_tell_codes_from_draws(found: Constraints) -> None:
    assert found.right["label"] > 0.99
    assert found.real > 0.85


@pytest.mark.parametrize(("side", "sign"), [("right", 1.0), ("left", -1.0)])
def test_draws_of_the_normal_end_in_the_cluster_that_is_asked_for(side: str, sign: float, found: Constraints) -> None:
    z = drawn(found, {"label": side})
    centre = torch.tensor([2.0 * sign, 0.0], dtype=torch.float64)
    assert float(((z - centre).norm(dim=1) < 4 * SPREAD).double().mean()) > 0.95
    assert float((found.critics.lack(z, found.wanted({"label": side})) == 0).double().mean()) > 0.95


def test_draws_of_a_prior_that_fits_stay_about_where_they_are_and_as_spread(found: Constraints) -> None:
    z = drawn(found, {"label": "right"}, mixture(), 400)
    assert torch.allclose(z.mean(0), torch.tensor([2.0, 0.0]).double(), atol=0.25)
    assert ((z.std(0) > 0.3 * SPREAD) & (z.std(0) < 1.2 * SPREAD)).all()


def test_a_code_is_the_same_whatever_is_drawn_beside_it(found: Constraints) -> None:
    together = drawn(found, {"label": "left"}, n=12)
    assert torch.allclose(together[:5], drawn(found, {"label": "left"}, n=5), atol=1e-12)
    one = Constrained(StandardNormal(2), found, {"label": "left"}).codes(Noise(3, torch.tensor([7])))
    assert torch.allclose(one[0], together[7], atol=1e-12)


def test_other_draws_are_tried_where_no_accepted_code_was_reached(
    found: Constraints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqvae.core.constraints.STEPS", 1)
    monkeypatch.setattr(constraints, "CANDIDATES", 1)
    shares = []
    for tries in (0, 30):
        monkeypatch.setattr(constraints, "TRIES", tries)
        lack = found.critics.lack(drawn(found, {"label": "right"}), {0: 1})
        shares.append(float((lack == 0).double().mean()))
    assert shares[0] < 0.4
    assert shares[1] > shares[0] + 0.3


def test_the_same_seed_gives_the_same_critics_and_leaves_the_global_generator_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constraints, "STEPS", 3)
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    twice = [train_critics(clusters(40, 0), clusters(20, 1), NAMES, seed=4) for _ in range(2)]
    assert torch.equal(torch.rand(2), expected)
    weights = [one.critics.state_dict() for one in twice]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_codes_that_are_moved_have_no_density(found: Constraints) -> None:
    with pytest.raises(ValueError, match="have no density; take the prior itself"):
        Constrained(StandardNormal(2), found, {"label": "left"}).log_prob(torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"label": "rigt"}, "label=rigt cannot be asked for; label can be left, right. Did you mean 'right'?"),
        (
            {"lable": "left"},
            "samples cannot be chosen by 'lable' here, but by label; give a value of that, such as label=left. Did you "
            "mean 'label'?",
        ),
        ({}, "where={} names no attribute; give a value by name, such as {'label': 'left'}"),
        ("left", "where='left' names no attribute; give a value by name, such as {'label': 'left'}"),
    ],
)
def test_what_nobody_can_judge_is_refused_with_the_nearest(where: Any, message: str, found: Constraints) -> None:
    with pytest.raises(ValueError) as error:
        found.wanted(where)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (clusters(40, 0, labelled=False), "the items have no label, so that there is nothing to choose; give data"),
        (clusters(1, 0), "the items have the label 'left' alone, so that there is nothing to choose; give data"),
    ],
)
def test_labels_that_say_nothing_are_refused(examples: Examples, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_critics(examples, clusters(20, 1), NAMES)


# Kept in a run ---------------------------------------------------------------------------------------------------


def labelled(path: Path, lines: int = 90) -> Path:
    """Sentences with the label of their first word, the cat's or another."""
    sentences = write_corpus(path, lines).read_text(encoding="utf-8").splitlines()
    lined = (f"{line}\t{'the' if line.startswith('the') else 'other'}\n" for line in sentences)
    path.write_text("".join(lined), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("constraints")
    settings = {**BRIEF, "data": {**BRIEF["data"], "labels": "last-column"}}
    seqvae.train("text", labelled(folder / "corpus.txt"), folder / "run", settings)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constraints, "STEPS", 20)
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_samples_with_a_label_are_decoded_from_codes_that_are_moved_to_it(run: Path) -> None:
    before = seqvae.load(run).sample(5, seed=1)
    found = seqvae.fit_constraints(run)
    assert found.names == {"label": ("other", "the")}
    model = seqvae.load(run)
    moved = Constrained(model.prior, found, {"label": "the"}).codes(Noise(1, torch.arange(5)))
    assert seqvae.where(model, {"label": "the"}).sample(5, seed=1) == model.decode(moved, temperature=1.0, seed=1)
    assert model.sample(5, seed=1) == before
    aims = Constrained(model.prior, found, {"label": "the"}).codes(Noise(0, torch.arange(1)))
    assert seqvae.where(model, {"label": "the"}).vary("the cat sees a dog", n=1, distance=1.0) == model.decode(aims)


def test_a_saved_copy_has_the_critics_and_a_run_without_says_what_to_do(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run cannot choose .* yet, since .*; train some \(seqvae constrain, "):
        seqvae.where(seqvae.load(run), {"label": "the"})
    seqvae.fit_constraints(run)
    model = seqvae.load(run)
    model.save(tmp_path / "copy")
    copy = seqvae.load(tmp_path / "copy")
    assert seqvae.where(copy, {"label": "other"}).sample(4) == seqvae.where(model, {"label": "other"}).sample(4)


def test_a_training_that_goes_on_is_the_same_with_them(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    seqvae.fit_constraints(run, checkpoint="last")
    ends = [seqvae.resume(folder, {"train": {"epochs": 3}}) for folder in (run, other)]
    weights = [end.weights(end.steps()[-1]) for end in ends]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert {file.parent for file in run.rglob("critics.*")} <= {file.parent for file in run.rglob("weights.*")}


def test_a_prior_and_critics_are_kept_beside_each_other(run: Path) -> None:
    pytest.importorskip("sklearn")
    seqvae.fit_constraints(run)
    seqvae.fit_prior(run, kind="gaussian")
    model = seqvae.load(run)
    assert model.prior.kind == "gaussian"
    assert seqvae.where(model, {"label": "the"}).sample(2)
    seqvae.fit_prior(run, kind="standard")
    assert seqvae.where(seqvae.load(run), {"label": "the"}).sample(2)


def test_damaged_or_foreign_critics_are_named(run: Path) -> None:
    seqvae.fit_constraints(run)
    (file,) = run.rglob("critics.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ValueError, match=r"critics.safetensors is damaged .* restore it from a copy"):
        seqvae.where(seqvae.load(run), {"label": "the"})
    file.write_bytes(whole)
    model = seqvae.load(run)
    assert model.run is not None
    model.run.save_beside(model.run.used_step, "critics", {"names": {"label": ["a"]}}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"the critics in .*run were not written by seqvae; restore .*, or make them"):
        seqvae.where(model, {"label": "the"})


def test_levels_of_what_is_measured_are_learned_beside_labels_and_kept(
    run: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Examples] = []

    def train(training: Examples, held_out: Examples, *others: Any) -> Constraints:
        given.extend([training, held_out])
        return train_critics(training, held_out, *others)

    monkeypatch.setattr(fitting, "train_critics", train)
    seqvae.fit_constraints(run, by=["word=cat", "label", "length"])
    found = kept_constraints(seqvae.load(run).run)
    assert found is not None
    assert dict(found.names) == {
        "word=cat": ("no", "yes"), "label": ("other", "the"), "length": ("low", "middle", "high")
    }  # fmt: skip
    assert dict(found.limits) == {"word=cat": (0.5,), "length": (2.5, 6.5)}
    assert found.in_words("length") == ["low (up to 2.5)", "middle (above 2.5 to 6.5)", "high (above 6.5)"]
    assert found.in_words("label") == ["other", "the"]
    lines = [line.split("\t")[0].split() for line in (trained.parent / "corpus.txt").read_text().splitlines()]
    expected = [["cat" in line, line[0] == "the", (len(line) > 2) + (len(line) > 6)] for line in lines]
    assert sorted(torch.cat([part.values for part in given]).tolist()) == sorted(expected)


def test_the_share_that_measures_as_asked_is_that_of_what_is_made(run: Path) -> None:
    seqvae.fit_constraints(run, by=["label", "length"])
    plain = seqvae.load(run)
    model = seqvae.where(plain, {"length": "low", "label": "the"})
    made = ["a b c", "a b c d", "a b c d e", ""]
    assert choosing.shares_met(model, made) == {"length": 0.25}  # up to 2.5
    assert choosing.shares_met(seqvae.where(plain, {"length": "middle"}), made) == {"length": 0.75}
    assert choosing.shares_met(plain, made) == {}


def test_what_cannot_be_constrained_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no attribute 'labl' to constrain; there are label, length, word=WORD, .*"
                       r"REGEX. Did you mean 'label'\?"):  # fmt: skip
        seqvae.fit_constraints(run, by=["labl"])
    with pytest.raises(ValueError, match=r"'word' lacks its value; give word=WORD, such as word=not"):
        seqvae.fit_constraints(run, by=["word"])
    with pytest.raises(ValueError, match=r"by=\[\] names no attribute; give label, or what is measured of items"):
        seqvae.fit_constraints(run, by=[])
    with pytest.raises(ValueError, match="nowhere is not a run folder"):
        seqvae.fit_constraints(tmp_path / "nowhere")
    corpus = write_corpus(tmp_path / "corpus.txt", 30)
    seqvae.train("text", corpus, tmp_path / "lm", values(model={"latent": 0}, epochs=1))
    with pytest.raises(ValueError, match=r"lm is a language model .* no code for critics to judge"):
        seqvae.fit_constraints(tmp_path / "lm")
    plain = tmp_path / "plain"
    seqvae.train("text", corpus, plain, values(epochs=1))
    with pytest.raises(ValueError, match=r"these sentences have no labels .*; give data that have, or .*: length, "):
        seqvae.fit_constraints(plain)
    with pytest.raises(ValueError, match=r"the items have the word=zebra 'no' alone, so that there is nothing to"):
        seqvae.fit_constraints(plain, by="word=zebra")
    (tmp_path / "same.txt").write_text("the cat sees a dog\n" * 9, encoding="utf-8")
    with pytest.raises(ValueError, match=r"length says nothing of these sentences: all have 5, so that there is noth"):
        seqvae.fit_constraints(plain, tmp_path / "same.txt", by="length")
    (tmp_path / "one.txt").write_text("the cat sees a dog\tthe\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the items have the label 'the' alone"):
        seqvae.fit_constraints(run, tmp_path / "one.txt")
