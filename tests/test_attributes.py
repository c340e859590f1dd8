"""Attribute vectors: closed forms, exactness of leaving others alone, the strength that flips, what a run keeps."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqvae
from seqvae import adding, attributes
from seqvae.adding import Flips, flips, moved_windows
from seqvae.attribute_fitting import remove_attribute
from seqvae.attributes import Attribute, leaving_alone, shift
from seqvae.codes import Windows
from seqvae.modalities.items import Report
from tests.training.small import BRIEF, values, write_corpus

pytest.importorskip("sklearn")

STEP = np.array([3.0, 0.0, -4.0])  # of length 5


def made(name: str, vector: Sequence[float], normal: Sequence[float], strength: float = 1.0) -> Attribute:
    """An attribute of this vector and this normal."""
    return Attribute(
        name, "words", "", False, "means", 9, 1.0, 1.0, 0.0, 0.0, strength, 1.0,
        torch.tensor(vector, dtype=torch.float64), torch.tensor(normal, dtype=torch.float64),
    )  # fmt: skip


def classes(items: int = 60) -> tuple[torch.Tensor, np.ndarray]:
    """Codes of which every third one is a step away, beside what is independent of that."""
    random = np.random.default_rng(0)
    has = (np.arange(items) % 3 == 0).astype(float)
    aside = np.stack([np.zeros(items), random.normal(size=items), np.zeros(items)], 1)
    return torch.from_numpy(2.0 + has[:, None] * STEP + aside), has


# Fitting -------------------------------------------------------------------------------------------------------


def test_the_vector_of_classes_is_the_difference_of_their_means_as_long_as_codes_vary_along_it() -> None:
    codes, has = classes()
    found = attributes.fit(codes, has, False)
    fitted = np.setdiff1d(np.arange(60), found.held_out_rows)
    z, y = codes.numpy()[fitted], has[fitted]
    difference = z[y == 1].mean(0) - z[y == 0].mean(0)
    assert difference[[0, 2]] == pytest.approx(STEP[[0, 2]])
    unit = difference / np.linalg.norm(difference)
    assert found.deviation == pytest.approx((z @ unit).std())
    assert found.vector == pytest.approx(unit * found.deviation)
    assert found.held_out == 1.0
    assert found.threshold == 0.0


def test_the_separator_ignores_what_is_independent_and_points_to_those_that_have_it() -> None:
    codes, has = classes()
    found = attributes.fit(codes, has, False, "separator")
    # units are weighed by how much they vary: 3 / 3^2 and -4 / 4^2 are as 0.8 and -0.6
    assert found.vector / found.deviation == pytest.approx([0.8, 0.0, -0.6], abs=0.04)
    scores = codes.numpy() @ found.normal + found.bias
    assert ((scores > 0) == (has > 0)).all()
    assert found.vector / np.linalg.norm(found.vector) == pytest.approx(found.normal / np.linalg.norm(found.normal))


def test_of_a_number_the_score_predicts_it_and_the_vector_is_what_codes_do_with_it() -> None:
    numbers = np.random.default_rng(0).normal(5.0, 2.0, 80)
    codes = torch.from_numpy(1.0 + numbers[:, None] * STEP)
    found = attributes.fit(codes, numbers, True)
    fitted = np.setdiff1d(np.arange(80), found.held_out_rows)
    assert codes.numpy() @ found.normal + found.bias == pytest.approx(numbers, abs=0.02)
    assert found.held_out == pytest.approx(1.0, abs=1e-4)
    assert found.deviation == pytest.approx(5 * numbers[fitted].std())
    assert found.vector == pytest.approx(STEP / 5 * found.deviation)
    assert found.threshold == np.median(numbers[fitted])


def test_held_out_figures_are_of_items_that_were_not_fitted_to() -> None:
    random = np.random.default_rng(1)
    codes, has = torch.from_numpy(random.normal(size=(40, 30))), random.integers(0, 2, 40).astype(float)
    found = attributes.fit(codes, has, False)
    scores = codes.numpy() @ found.normal + found.bias
    held = np.zeros(40, bool)
    held[found.held_out_rows] = True
    right = (scores > 0) == (has > 0)
    assert right[~held].mean() > 0.95  # thirty units tell any thirty items apart
    assert found.held_out == pytest.approx(np.mean([right[held & (has == side)].mean() for side in (0, 1)]))
    assert [held[has == side].sum() for side in (0, 1)] == [round(0.2 * (has == side).sum()) for side in (0, 1)]


def test_another_seed_holds_out_others() -> None:
    codes, has = classes()
    rows = [attributes.fit(codes, has, False, seed=seed).held_out_rows.tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


@pytest.mark.parametrize(
    ("numbers", "is_number", "sentence"),
    [
        ([1.0] * 5, False, "all of them have it, or it is so for all 5 items, so nothing changes with it"),
        ([0.0] * 5, False, "none of them have it, or it is so for all 5 items, so nothing changes with it"),
        ([3.5] * 5, True, "it is 3.5 for all 5 items, so nothing changes with it; give other data"),
        ([1.0, 0, 0, 0, 0], False, "1 item in the smaller class, and one part is held out; give at least 2"),
        ([1.0, 2.0], True, "2 items have a number, and one part is held out; give at least 3"),
        ([], False, "0 items in the smaller class"),
    ],
)
def test_what_nothing_can_be_fitted_to_is_refused(numbers: list[float], is_number: bool, sentence: str) -> None:
    codes = torch.from_numpy(np.random.default_rng(0).normal(size=(len(numbers), 3)))
    with pytest.raises(ValueError, match=f"^{sentence}"):
        attributes.fit(codes, np.array(numbers), is_number)


def test_codes_that_are_all_the_same_have_no_direction() -> None:
    with pytest.raises(ValueError, match=r"^all 6 codes are the same, so there is no direction"):
        attributes.fit(torch.ones(6, 3), np.array([0.0, 1, 0, 1, 0, 1]), False)


def test_without_scikit_learn_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.linear_model", None)
    with pytest.raises(ValueError, match=r"^attribute vectors are fitted with scikit-learn, .* 'seqvae\[latent\]'$"):
        attributes.check_installed()


# Several at once -----------------------------------------------------------------------------------------------


def test_a_vector_that_leaves_others_alone_moves_no_other_score_and_its_own_as_before() -> None:
    random = np.random.default_rng(0)
    one, *others = (made(str(place), *random.normal(size=(2, 5)).tolist()) for place in range(4))
    one = replace(one, normal=one.vector + 0.3 * one.normal)  # so that it moves its own score
    left = leaving_alone(one, others)
    assert [float(other.normal @ left) for other in others] == pytest.approx([0, 0, 0], abs=1e-12)
    assert float(one.normal @ left) == pytest.approx(float(one.normal @ one.vector), rel=1e-12)
    assert torch.equal(leaving_alone(one, []), one.vector)


def test_the_projection_of_a_vector_is_the_one_of_the_closed_form() -> None:
    one, other = made("a", [1, 1, 0], [1, 0, 0]), made("b", [0, 1, 0], [0, 2, 0])
    assert leaving_alone(one, [other]).tolist() == [1, 0, 0]
    assert leaving_alone(one, [other, made("c", [0, 1, 0], [0, 5, 0])]).tolist() == [1, 0, 0]  # twice the same


def test_what_nothing_is_left_of_is_refused() -> None:
    one, other = made("long", [1, 0.01, 0], [1, 0, 0]), made("dense", [1, 0, 0], [3, 0, 0])
    with pytest.raises(ValueError, match=r"^nothing is left of long that leaves dense alone, since codes hardly tell"):
        leaving_alone(one, [other])


def test_a_shift_is_the_sum_of_vectors_times_strengths() -> None:
    both = {"a": made("a", [1, 1, 0], [1, 0, 0]), "b": made("b", [0, 1, 2], [0, 1, 0])}
    assert shift(both, {"a": 2.0, "b": -1.0}).tolist() == [2, 1, -2]
    assert shift(both, {"a": 2.0}, orthogonal=True).tolist() == [2, 0, 0]
    with pytest.raises(ValueError, match=r"^a strength of nan for a is not possible; give a number, such as 1$"):
        shift(both, {"a": float("nan")})
    with pytest.raises(ValueError, match=r"^no attribute 'density'; there are a, dense\. Did you mean 'dense'\?$"):
        shift({"a": both["a"], "dense": both["b"]}, {"density": 1.0})
    with pytest.raises(ValueError, match=r"^no attribute 'a'; there are none yet; fit it with seqvae attribute fit, "):
        shift({}, {"a": 1.0})


# The strength that flips ---------------------------------------------------------------------------------------


def points(*places: float) -> list[Windows]:
    """An item at each of these places of a line."""
    return [Windows([place], [], Report(), [""]) for place in places]


def where(groups: Sequence[Windows]) -> np.ndarray:
    """A judge: what lies to the right of 0 has the attribute."""
    return np.array([group.items[0] + (0.0 if group.shift is None else float(group.shift[0])) for group in groups])


def test_the_strength_is_the_least_that_takes_enough_items_across() -> None:
    right = points(0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.9, 2.1)
    vector = torch.tensor([1.0])
    assert flips(where, right, vector) == Flips(1.0, 0.9)
    assert flips(where, right, 0.5 * vector) == Flips(2.0, 0.9)
    assert flips(where, [*right, *points(-1.1, -1.1)], vector) == Flips(1.25, 0.95)  # both sides weigh as much
    assert flips(where, [*right, *points(0.0, float("nan"))], vector) == Flips(1.0, 0.9)  # those are on no side


def test_where_never_enough_flip_it_is_the_strength_at_which_most_do() -> None:
    def far_is_lost(groups: Sequence[Windows]) -> np.ndarray:
        found = where(groups)
        return np.where(found < -1.5, np.nan, found)  # too far away it is nothing at all

    assert flips(far_is_lost, points(0.1, 0.3, 2.0, 2.2), torch.tensor([1.0])) == Flips(0.5, 0.5)
    assert flips(where, [], torch.tensor([1.0])).share == 0.0
    assert adding.STRENGTHS[0] == 0.25


# A run ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attributes")
    seqvae.train("text", write_corpus(folder / "corpus.txt", 90), folder / "run", BRIEF)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


SENTENCES = ["the cat sees a dog", "not today", "the small bird finds a red cat and the dog"]


def test_a_measured_attribute_is_fitted_to_the_training_data_and_kept(run: Path) -> None:
    found = seqvae.fit_attribute(run, "length")
    model = seqvae.load(run)
    (kept,) = model.attributes.values()
    assert (kept.name, kept.source, kept.measure, kept.is_number, kept.items) == (
        "length",
        "length",
        "length",
        True,
        90,
    )
    assert torch.equal(kept.vector, found.vector)
    assert torch.equal(kept.normal, found.normal)
    assert (kept.strength, kept.flipped, kept.held_out) == (found.strength, found.flipped, found.held_out)
    assert "length: 3 units, held-out R2" in repr(kept)


def test_adding_is_decoding_codes_that_are_moved(run: Path) -> None:
    seqvae.fit_attribute(run, "length")
    seqvae.fit_attribute(run, "word=cat")
    model = seqvae.load(run)
    length, cat = model.attributes["length"], model.attributes["word=cat"]
    codes = model.encode(SENTENCES)
    moved = model.decode(codes + 1.5 * length.vector)
    assert seqvae.add_attributes(model, SENTENCES, {"length": 1.5}) == moved
    assert seqvae.add_attributes(model, SENTENCES, {"length": 0.0}) == model.reconstruct(SENTENCES)
    both = model.decode(codes + length.strength * length.vector - 2 * cat.vector)
    assert seqvae.add_attributes(model, SENTENCES, {"length": None, "word=cat": -2}) == both
    assert seqvae.add_attributes(model, SENTENCES, "length") == model.decode(codes + length.strength * length.vector)
    (far,) = moved_windows(model, [model.windows(SENTENCES[0])], {"length": 9.0}, orthogonal=True)
    change = model.encode([far]).mean[0].double() - codes.mean[0].double()
    assert cat.scores((codes.mean[0] + change)[None]) == pytest.approx(cat.scores(codes.mean[:1]).numpy(), abs=1e-5)
    assert model.interpolate(SENTENCES[0], far, steps=3)[0] == model.reconstruct(SENTENCES[0])[0]


def test_what_has_a_word_or_lacks_it_is_on_either_side_and_a_number_on_that_of_its_threshold(run: Path) -> None:
    model = seqvae.load(run)
    groups = [model.windows(text) for text in SENTENCES]
    made = [sentence for (sentence,) in model.in_windows().reconstruct(groups)]
    for name, threshold in (("word=the", 0.0), ("word=zebra", 0.0), ("length", 4.0)):
        measure = model.modality.measure(name)
        expected = [measure.of(one) > (threshold or 0.5) for one in made]
        found = adding.judge_of(model, measure, threshold)(groups)
        assert found.all()
        assert (found > 0).tolist() == expected


def test_two_sets_labels_and_codes_are_examples_as_well(run: Path, tmp_path: Path) -> None:
    model = seqvae.load(run)
    texts = [f"the {'cat' if place % 2 else 'dog'} sees {'a' if place % 3 else 'the'} bird" for place in range(30)]
    cats, dogs = ([text for text in texts if animal in text] for animal in ("cat", "dog"))
    files = [tmp_path / "cats.txt", tmp_path / "dogs.txt"]
    for file, lines in zip(files, (cats, dogs), strict=True):
        file.write_text("".join(f"{line}\n" for line in lines))
    of_files = seqvae.fit_attribute(model, "cat", files[0], against=files[1])
    of_items = seqvae.fit_attribute(model, "cat", seqvae.Items(cats), against=seqvae.Items(dogs))
    assert (of_files.source, of_files.measure, of_files.items) == ("two sets", "", 30)
    assert torch.equal(of_files.vector, of_items.vector)
    labels = ["cat" if "cat" in text else "dog" for text in texts]
    of_labels = seqvae.fit_attribute(model, "cat", texts, labels)
    of_codes = seqvae.fit_attribute(model, "cat", model.encode(texts).mean.numpy(), labels)
    assert of_codes.vector.numpy() == pytest.approx(of_labels.vector.numpy(), rel=1e-5)
    of_numbers = seqvae.fit_attribute(model, "cats", texts, [float(len(text)) for text in texts])
    assert (of_labels.is_number, of_numbers.is_number) == (False, True)
    assert list(model.attributes) == ["cat", "cats"]


def test_the_label_of_data_is_an_attribute_against_all_others_or_one(tmp_path: Path) -> None:
    lines = [f"the {who} sees the pie\t{who}" for who in ("cat", "dog", "girl") for _ in range(12)]
    (tmp_path / "labelled.txt").write_text("".join(f"{line}\n" for line in lines))
    settings: dict[str, Any] = values(epochs=1)
    settings["data"] |= {"labels": "last-column", "max_length": 20}
    seqvae.train("text", tmp_path / "labelled.txt", tmp_path / "run", settings)
    of_all = seqvae.fit_attribute(tmp_path / "run", "label=cat")
    of_one = seqvae.fit_attribute(tmp_path / "run", "cat or dog", of="label=cat/dog")
    assert (of_all.source, of_all.items) == ("label cat", 36)
    assert (of_one.source, of_one.items) == ("label cat against dog", 24)
    with pytest.raises(ValueError, match=r"^no item has the label 'cta'; there are cat, dog, girl\. Did you mean 'cat"):
        seqvae.fit_attribute(tmp_path / "run", "label=cta")


def test_taken_away_the_run_is_as_it_was(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    seqvae.fit_attribute(run, "length")
    seqvae.fit_attribute(run, "word=cat")
    remove_attribute(run, "length")
    assert list(seqvae.load(run).attributes) == ["word=cat"]
    with pytest.raises(ValueError, match=r"^no attribute 'length'; there are word=cat"):
        remove_attribute(run, "length")
    remove_attribute(run, "word=cat")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_they_go_with_a_prior_and_with_a_saved_copy(run: Path, tmp_path: Path) -> None:
    seqvae.fit_prior(run, kind="gaussian")
    found = seqvae.fit_attribute(run, "length")
    model = seqvae.load(run)
    assert model.prior.kind == "gaussian"
    model.save(tmp_path / "copy")
    assert torch.equal(seqvae.load(tmp_path / "copy").attributes["length"].vector, found.vector)
    seqvae.fit_prior(run, kind="standard")
    assert list(seqvae.load(run).attributes) == ["length"]


def test_they_are_those_of_one_checkpoint_and_a_training_that_goes_on_leaves_them_behind(run: Path) -> None:
    model = seqvae.load(run, checkpoint="last")
    seqvae.fit_attribute(model, "length")
    assert model.run is not None
    first, last = model.run.steps()[0], model.run.steps()[-1]
    assert list(seqvae.load(run, checkpoint=last).attributes) == ["length"]
    assert not seqvae.load(run, checkpoint=first).attributes
    seqvae.resume(run, {"train": {"epochs": 3}})
    assert not seqvae.load(run, checkpoint="last").attributes
    assert {file.parent for file in run.rglob("attributes.*")} <= {file.parent for file in run.rglob("weights.*")}


@pytest.mark.parametrize("what", ["values", "vectors", "units"])
def test_damaged_ones_are_refused(run: Path, what: str) -> None:
    found = seqvae.fit_attribute(run, "length")
    model = seqvae.load(run)
    assert model.run is not None
    folder = next(run.rglob("attributes.json")).parent
    if what == "vectors":
        (folder / "attributes.safetensors").write_bytes(b"nothing")
        with pytest.raises(ValueError, match="is damaged"):
            _ = seqvae.load(run).attributes
        return
    if what == "values":
        model.run.save_beside(
            model.run.used_step, "attributes", {"attributes": [{"name": "length"}]}, {"vector.0": found.vector}
        )
    else:
        attributes.keep_attributes(model.run, {"length": replace(found, vector=torch.ones(7))})
    with pytest.raises(ValueError, match=r"^the attributes in .* were not written by this version of seqvae"):
        _ = seqvae.load(run).attributes


def test_what_cannot_be_fitted_is_refused(run: Path) -> None:
    for arguments, sentence in (
        (("lenght",), r"nothing called 'lenght' is measured of sentences of text; there are .* Did you mean 'length'"),
        (("word=zebra",), r"word=zebra \(word=zebra\): none of them have it"),
        (("label=cat",), "no label is known of these sentences; give data that have labels, a measure, or two sets"),
        (("  ",), "an attribute needs a name"),
        (("cat", ["a cat", "a dog"], ["cat"]), "there are 1 value for 2 items; give one for each"),
        (("cta", ["a cat", "a dog"], ["cat", "dog"]), r"no item has the label 'cta', .* Did you mean 'cat'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            seqvae.fit_attribute(run, *arguments)
    with pytest.raises(
        ValueError, match=r"^along=mean is not possible; give means, separator, neighbours, or Neighbours\(...\)$"
    ):
        seqvae.fit_attribute(run, "length", along="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"against goes with the sources of the items that have it"):
        seqvae.fit_attribute(run, "cat", against=seqvae.Items(["a dog"]))


def test_a_language_model_has_no_code(tmp_path: Path) -> None:
    settings = values({"latent": 0}, epochs=1)
    seqvae.train("text", write_corpus(tmp_path / "corpus.txt"), tmp_path / "run", settings)
    with pytest.raises(ValueError, match=r"run is a language model \(model.latent=0\): it has no code to add"):
        seqvae.fit_attribute(tmp_path / "run", "length")
