"""The Python API as notebooks write it: words that stand alone, and what errors call them."""

import inspect
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqvae
from seqvae.generate import Decoding
from seqvae.model import Model
from seqvae.runs.run import Run
from seqvae.training import run as training
from seqvae.training.run import train
from tests.training.small import values, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def source(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that tests read."""
    return train("text", corpus, tmp_path_factory.mktemp("notebook") / "run", values(learning_rate=0.02), device="cpu")


def test_a_temperature_is_named_alone_or_beside_a_decoding(source: Run) -> None:
    model = Model.load(source.path, "cpu")
    warm = Decoding(temperature=1.5)
    item, other = "the cat sees a dog", "a small bird"
    z = model.encode(item).mean
    pairs: list[tuple[Any, Any]] = [
        (model.sample(6, temperature=1.5, seed=2), model.sample(6, warm, seed=2)),
        (model.decode(z, temperature=1.5), model.decode(z, warm)),
        (model.reconstruct(item, temperature=1.5), model.reconstruct(item, warm)),
        (model.interpolate(item, other, 5, temperature=1.5), model.interpolate(item, other, 5, decoding=warm)),
        (model.palette([item, other] * 2, 3, temperature=1.5), model.palette([item, other] * 2, 3, decoding=warm)),
        (model.vary(item, temperature=1.5), model.vary(item, decoding=warm)),
        (model.sample(6, Decoding(top_k=2), temperature=1.5), model.sample(6, Decoding(1.5, top_k=2))),
    ]
    for named, expected in pairs:
        assert named == expected
    assert model.sample(6, temperature=0.0) == model.sample(6, Decoding()) != model.sample(6, temperature=1.5)
    with pytest.raises(ValueError, match=r"is not possible; give 0 .greedy. or more"):
        model.sample(1, temperature=-1)


def test_a_key_of_a_use_is_named_as_it_was_written(source: Run) -> None:
    model = Model.load(source.path, "cpu")
    with pytest.raises(ValueError, match=r"^max_length=3 is not possible with .*, which depends on max_length=20"):
        model.using({"max_length": 3})
    with pytest.raises(ValueError, match=r"^no configuration key 'encodin'; .* Did you mean 'encoding'"):
        model.using({"encodin": "latin-1"})


def test_one_source_and_one_item_may_be_given_bare(corpus: Path, source: Run, tmp_path: Path) -> None:
    run = train("text", str(corpus), tmp_path / "run", values(epochs=1), valid=corpus, device="cpu")
    assert [run.report[name]["items"] for name in ("train", "valid")] == [60, 60]
    model = Model.load(source.path, "cpu")
    found = model.evaluate(str(corpus), importance_samples=2, prior_samples=3)
    assert found == model.evaluate([corpus], importance_samples=2, prior_samples=3)
    assert (found["importance_samples"], found["samples"], found["items"]) == (2, 3, 60)
    for action in (model.encode, model.reconstruct):
        assert len(getattr(action("the cat"), "mean", action("the cat"))) == 1
    assert model.reconstruct("the cat") == model.reconstruct(["the cat"])
    assert torch.equal(model.encode(np.array(["the cat", "a dog"])).mean, model.encode(["the cat", "a dog"]).mean)
    with pytest.raises(ValueError, match="a dict is no list of sentences; give a list of those that you mean"):
        model.encode({"text": "the cat"})
    with pytest.raises(ValueError, match="item 1: an int is no text; give a str"):
        model.encode(["the cat", 7])


def test_codes_of_every_real_type_are_decoded_alike(source: Run) -> None:
    model = Model.load(source.path, "cpu")
    q = model.encode(["the cat sees a dog", "a small bird"])
    expected = model.decode(q.mean)
    codes = q.mean.numpy()
    for given in (codes.astype(">f8"), codes.astype(np.longdouble), codes.astype(">f4"), codes.tolist(), codes[:, ::1]):
        assert model.decode(given) == expected
    assert model.decode(q) == expected
    for wrong in ("the cat", [["a", "b", "c"]]):
        with pytest.raises(ValueError, match=r"is no table of codes; give a tensor or an array \(N, Z\)"):
            model.decode(wrong)


def test_numbers_of_any_library_are_whole_numbers(source: Run) -> None:
    model = Model.load(source.path, "cpu")
    for n, seed in ((np.int64(3), np.int64(7)), (np.uint8(3), np.int32(7)), (torch.tensor(3), torch.tensor(7))):
        assert model.sample(n, temperature=1, seed=seed) == model.sample(3, temperature=1, seed=7)  # type: ignore[arg-type]
        assert model.vary("the cat", n, seed=seed) == model.vary("the cat", 3, seed=7)  # type: ignore[arg-type]
        walk = model.interpolate("the cat", "a dog", n)  # type: ignore[arg-type]
        assert walk == model.interpolate("the cat", "a dog", 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda model: model.sample(2.5), "n=2.5 is not possible; give a whole number"),
        (lambda model: model.sample("2"), "n='2' is not possible; give a whole number"),
        (lambda model: model.sample(2, seed=1.5), "seed=1.5 is not possible; give a whole number"),
        (lambda model: model.sample(2, seed="a"), "seed='a' is not possible; give a whole number"),
        (lambda model: model.sample(2, temperature="hot"), "temperature='hot' is not possible; give a number"),
        (lambda model: model.vary("a", 2.5), "n=2.5 is not possible; give a whole number"),
        (lambda model: model.vary("a", distance="far"), "distance='far' is not possible; give a number"),
        (lambda model: model.interpolate("a", "b", 2.5), "steps=2.5 is not possible; give a whole number"),
        (lambda model: model.interpolate("a", "b", -4), "-4 steps are too few; an interpolation counts both ends"),
        (lambda model: model.palette(["a"] * 4, "2"), "size='2' is not possible; give a whole number"),
        (lambda model: model.palette("a"), "1 corners are not possible; give four"),
        (
            lambda model: model.decode(0),
            r"codes of shape \(1,\) do not fit this model; give \(N, 3\), one row for each",
        ),
        (lambda model: model.decode(None), r"codes of shape \(1,\) do not fit this model"),
        (lambda model: model.decode(torch.tensor(0.0)), r"codes of shape \(1,\) do not fit this model"),
        (lambda model: model.using(None), "None is no table of values by name; give a dict"),
        (lambda model: model.using([1]), r"\[1\] is no table of values by name; give a dict"),
        (lambda model: model.using({3: 4}), "no configuration key '3'; there are"),
        (lambda model: model.picture(["a"], "ring"), "no arrangement 'ring'; there are set, path, grid"),
        (lambda model: model.write(["a"], __file__), "is a file; give a folder"),
        (lambda model: model.of_split("test", __file__), "sentences are not split by file"),
    ],
)
def test_what_is_not_possible_is_one_sentence(call: Any, sentence: str, source: Run) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        call(Model.load(source.path, "cpu"))
    assert "\n" not in str(error.value)


def test_values_of_a_training_are_a_table(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    for wrong in (["latent"], "latent=3"):
        with pytest.raises(ValueError, match="is no table of values by name; give a dict"):
            train("text", corpus, tmp_path / "run", wrong)  # type: ignore[arg-type]


def test_a_training_is_shown_where_somebody_looks_or_asks(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(name: str, verbose: bool | None) -> str:
        run = seqvae.train("text", corpus, tmp_path / name, values(epochs=1), device="cpu", verbose=verbose)
        seqvae.resume(run.path, {"train": {"epochs": 2}}, "cpu", verbose=verbose)
        out, err = capsys.readouterr()
        assert out == ""
        return err

    assert shown("unasked", None) == shown("refused", False) == ""
    asked = shown("asked", True)
    assert "60 items" in asked
    assert asked.count("\ntrained to step") == 2
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert shown("notebook", None).count("trained to step") == 2
    assert shown("quiet notebook", False) == ""


@pytest.mark.parametrize("name", ["train", "resume"])
def test_calls_from_python_take_all_that_a_training_takes(name: str) -> None:
    own, inner = (inspect.signature(getattr(module, name)).parameters for module in (seqvae, training))
    assert own.keys() - inner.keys() == {"verbose"}
    assert inner.keys() <= own.keys()
    assert all(own[key].default == inner[key].default for key in inner)


@pytest.mark.parametrize("call", [seqvae.train, train])
def test_a_keyword_that_is_none_is_refused_before_anything_is_read(call: Any, tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"got an unexpected keyword argument 'overwite'; beside .* recipe, overwrite, "
    ):
        call("text", "nothing.txt", tmp_path / "run", overwite=True)
    assert not list(tmp_path.iterdir())
