"""Data in memory are a corpus like files: the same model comes of them, and they are never taken for names of files."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import seqvae
from seqvae.cache import clear_cache
from seqvae.memory import known
from seqvae.modalities.items import Items
from seqvae.modalities.midi.classes import find
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.writing import to_midi
from seqvae.runs.run import Run
from seqvae.training.corpora import corpora_of
from seqvae.training.run import resume, train
from tests.modalities.images.made import stack
from tests.test_drum_model import groove
from tests.training.small import values, write_corpus

GREY, COLOUR = stack(30, 6, 5), stack(30, 6, 5, 3)
LABELS = np.arange(30) % 3
OF_IMAGES = {"model": {"latent": 3, "widths": "12"}, "train": {"epochs": 1, "batch_size": 8, "threads": 1}}
OF_DRUMS = {
    "data": {"mix": 0, "drop": 0},
    "model": {"latent": 3, "embedding": 4, "encoder_hidden": 5, "decoder_hidden": 6},
    "train": {"epochs": 1, "threads": 1, "batch_size": 16},
}
FEW: Any = {"importance_samples": 2, "prior_samples": 2}


def songs() -> list[Any]:
    return [to_midi([groove(4, seed=seed)], DrumNotation(find("gm"))) for seed in range(6)]


def assert_same_run(run: Run, other: Run) -> None:
    """The same items, learned from and held out, and the same weights at the end."""
    for name in other.report:
        assert {**run.report[name], "sources": [], "key": ""} == {**other.report[name], "sources": [], "key": ""}
    weights, others = run.weights(run.steps()[-1]), other.weights(other.steps()[-1])
    assert weights.keys() == others.keys()
    assert all(torch.equal(weight, others[name]) for name, weight in weights.items())


def test_sentences_in_memory_train_the_model_of_their_file(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    sentences = corpus.read_text().splitlines()
    of_file = train("text", corpus, tmp_path / "file", values(), device="cpu")
    for name, data in (
        ("list", sentences),
        ("lines", (f"{line}\n" for line in sentences)),
        ("tuple", tuple(sentences)),
    ):
        run = train("text", Items(data), tmp_path / name, values(), device="cpu")
        assert_same_run(run, of_file)
        assert run.settings["sources"] == []
        assert run.report["train"]["sources"] == ["data in memory"]
    held_out = train("text", Items(sentences[:40]), tmp_path / "run", values(), Items(sentences[40:]), device="cpu")
    assert [held_out.report[part]["items"] for part in ("train", "valid")] == [40, 20]


def test_images_in_memory_train_the_model_of_their_file(tmp_path: Path) -> None:
    for name, images in (("grey", GREY), ("colour", COLOUR)):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=LABELS)
        of_file = train("images", tmp_path / f"{name}.npz", tmp_path / name, OF_IMAGES, device="cpu")
        (expected,) = corpora_of(of_file.path)
        forms: list[Any] = [
            (images, LABELS), (images, LABELS.tolist()), [images, list(map(str, LABELS))], Items(images, LABELS),
            Items([Image.fromarray(image) for image in images], LABELS), (torch.from_numpy(images), LABELS),
        ]  # fmt: skip
        for place, data in enumerate(forms[:2] + forms[3:]):
            run = train("images", data, tmp_path / f"{name}{place}", OF_IMAGES, device="cpu")
            assert_same_run(run, of_file)
            (found,) = corpora_of(run.path)
            assert found.label_names == expected.label_names == ["0", "1", "2"]
            assert found.labels is not None
            assert np.array_equal(found.labels, expected.labels)
    channel_first = train("images", torch.from_numpy(GREY[:, None]), tmp_path / "torch", OF_IMAGES, device="cpu")
    assert seqvae.load(channel_first.path, "cpu").modality.shape == (6, 5, 1)
    bare = train("images", GREY, tmp_path / "bare", OF_IMAGES, GREY[:4], device="cpu")
    assert [bare.report[part]["items"] for part in ("train", "valid")] == [30, 4]
    assert corpora_of(bare.path)[0].labels is None


def test_images_of_several_sizes_in_memory_are_resized_where_that_is_asked_for(tmp_path: Path) -> None:
    mixed = [GREY[0], COLOUR[1], stack(1, 9, 7)[0]]
    with pytest.raises(ValueError, match=r"item 2 is 9 x 7 and item 0 6 x 5 \(height x width\); set data\.size to"):
        train("images", mixed, tmp_path / "run", OF_IMAGES, device="cpu")
    run = train("images", mixed, tmp_path / "run", {**OF_IMAGES, "data": {"size": "4,3"}}, device="cpu")
    assert seqvae.load(run.path, "cpu").modality.shape == (4, 3, 3)


def test_pieces_in_memory_train_the_model_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    for place, song in enumerate(songs()):
        song.write(str(tmp_path / "songs" / f"{place}.mid"))
    of_files = train("drums", tmp_path / "songs", tmp_path / "files", OF_DRUMS, device="cpu")
    for name, data in (("list", songs()), ("items", Items(iter(songs())))):
        assert_same_run(train("drums", data, tmp_path / name, OF_DRUMS, device="cpu"), of_files)
    alone = train("drums", songs()[0], tmp_path / "alone", OF_DRUMS, device="cpu")
    assert [alone.report[part]["items"] for part in ("train", "valid")] == [1, 1]  # of three that overlap


def test_a_run_of_data_in_memory_resumes_from_the_cache_or_asks_for_the_data_again(tmp_path: Path) -> None:
    sentences = write_corpus(tmp_path / "corpus.txt").read_text().splitlines()
    whole = train("text", Items(sentences), tmp_path / "whole", values(epochs=3), device="cpu")
    out, longer = tmp_path / "run", {"train": {"epochs": 3}}
    train("text", Items(sentences), out, values(epochs=1), device="cpu")
    resume(out, {"train": {"epochs": 2}}, device="cpu")
    clear_cache()
    with pytest.raises(ValueError, match="was trained on data in memory, which the cache no longer holds; give them"):
        resume(out, longer, device="cpu")
    with pytest.raises(ValueError, match="data in memory changed since the run began"):
        resume(out, longer, device="cpu", sources=Items(sentences[1:]))
    assert_same_run(resume(out, longer, device="cpu", sources=Items(sentences)), whole)


def test_a_run_resumes_with_files_that_were_moved(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    train("text", corpus, tmp_path / "run", values(epochs=1), device="cpu")
    moved = corpus.rename(tmp_path / "moved.txt")
    with pytest.raises(ValueError, match=r"corpus\.txt"):
        resume(tmp_path / "run", {"train": {"epochs": 2}}, device="cpu")
    run = resume(tmp_path / "run", {"train": {"epochs": 2}}, device="cpu", sources=moved)
    assert run.steps()[-1] == 8


def test_validation_data_in_memory_beside_files_are_those_that_a_resumed_run_goes_on_with(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    run = train("text", corpus, tmp_path / "run", values(epochs=1), Items(["a cat", "the dog"]), device="cpu")
    assert [len(part) for part in corpora_of(run.path)] == [60, 2]
    resume(run.path, {"train": {"epochs": 2}}, device="cpu")
    clear_cache()
    with pytest.raises(ValueError, match=r"sources=\.\.\.\), and valid=\.\.\. where there were any"):
        resume(run.path, {"train": {"epochs": 3}}, device="cpu")
    resume(run.path, {"train": {"epochs": 3}}, device="cpu", sources=corpus, valid=Items(["a cat", "the dog"]))


def test_a_model_is_evaluated_on_data_in_memory_as_on_their_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=GREY, labels=LABELS)
    run = train("images", GREY, tmp_path / "run", OF_IMAGES, device="cpu")
    model = seqvae.load(run.path, "cpu")
    expected = model.evaluate(tmp_path / "images.npz", **FEW)
    assert model.evaluate((GREY, LABELS), **FEW) == expected
    assert expected["neighbour_accuracy"] is not None
    assert model.evaluate(GREY, **FEW)["neighbour_accuracy"] is None


@pytest.mark.parametrize("data", ["mistyped.txt", ["mistyped.txt"], ["the cat sat", "a dog"], "", ["x" * 5000], "a\0b"])
def test_a_str_that_names_no_file_is_never_trained_on(data: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no file or folder .*; a str names one, and data that are in memory are"):
        train("text", data, tmp_path / "run", values(), device="cpu")
    assert not (tmp_path / "run").exists()


def test_names_are_told_from_data(tmp_path: Path) -> None:
    here = tmp_path / "a.txt"
    here.write_text("a\n")
    for names in (str(here), here, [str(here)], (here,), iter([here]), np.array([str(here)]), tmp_path.glob("*.txt")):
        assert known(names) == [here]
    assert known(()) == known([]) == []
    for data in (GREY, [GREY[0]], songs()[:1], songs()[0], itertools.repeat(GREY[0], 2), [here, GREY[0]]):
        assert isinstance(known(data), Items)
    labelled = known((GREY, LABELS))
    assert isinstance(labelled, Items)
    assert labelled.items is GREY
    assert labelled.labels is LABELS
    for pair in ((GREY[0], GREY[1]), (songs()[0], songs()[1])):
        unlabelled = known(pair)
        assert isinstance(unlabelled, Items)
        assert unlabelled.labels is None


@pytest.mark.parametrize(
    ("modality", "data", "sentence"),
    [
        ("text", Items(["a cat", 3]), "item 1: an int is no text; give a str"),
        ("text", Items(["two\nlines"]), r"item 0 \('two\\nlines'\) has several lines; split it, or set data\.blank"),
        ("text", Items(["", " "]), "there is no text among 2 items; give at least one sentence"),
        ("text", Items([]), "there is no text among 0 items"),
        ("text", Items(["a\0b"]), r"memory/sentences\.txt looks like a binary file \(NUL byte at line 1, column 2\)"),
        ("text", Items(["\ud800"]), r"utf-8 cannot hold the character '\\ud800'"),
        ("text", Items({"a": 1}), "a dict is no list of sentences"),
        ("text", Items(["a"], ["b"]), "labels of sentences are kept with data.labels=last-column, not none"),
        ("text", GREY, "item 0: a ndarray is no text"),
        ("images", [GREY[0], "a.png"], "item 1: a str is no image; give an array"),
        ("images", (GREY, LABELS[:7]), r"labels of shape \(7,\) do not fit 30 images; give one whole number or word"),
        ("images", Items(GREY, np.eye(30)), r"labels of shape \(30, 30\) do not fit 30 images"),
        ("images", GREY.astype(np.int64), "the array holds int64; give uint8"),
        ("images", GREY[0], r"the array is 6 x 5; give images as \(count, height, width\)"),
        ("images", np.moveaxis(COLOUR, 3, 1), r"the array is 30 x 3 x 6 x 5; give images as \(count, height, width\)"),
        ("images", Items([]), "there are no images; give at least one"),
        ("images", 7, "item 0: an int is no image"),
        ("drums", [Path(__file__), groove(2)], "item 0: a PosixPath is no PrettyMIDI; give PrettyMIDI objects alone"),
        ("drums", Items([]), "there are no pieces; give at least one PrettyMIDI object"),
        ("drums", Items([groove(2)]), "item 0: a Clip is no PrettyMIDI"),
    ],
)  # fmt: skip
def test_what_is_nothing_of_the_modality_is_refused_in_one_sentence(
    modality: str, data: Any, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        train(modality, data, tmp_path / "run", device="cpu")
    assert "\n" not in str(error.value)
    assert "seqvae-" not in str(error.value)
