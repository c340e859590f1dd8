"""Labels of sentences come from a column or the name of the file; the sentences are as without them."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqvae
from seqvae.corpus import prepare
from seqvae.modalities.items import Items
from seqvae.modalities.text import labels as of_labels
from seqvae.modalities.text.labels import Labelled
from seqvae.modalities.text.sentences import Report, Text
from seqvae.modalities.text.settings import TextData
from tests.training.small import values


def read(sources: list[Path], place: Any) -> tuple[list[str], list[str | None], Report]:
    """The sentences of files, their labels, and what reading gave."""
    text, report = Text(TextData(labels=place)), Report()
    found = list(text.read(sources, report))
    return found, [text.label_of(item) for item in found], report


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))])
def test_a_labelled_sentence_keeps_its_label_in_copies_and_pickles(again: Callable[[Labelled], Labelled]) -> None:
    for label in ("good", None):
        found = again(Labelled("a sentence", label))
        assert (type(found), found, found.label) == (Labelled, "a sentence", label)


def test_a_column_labels_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("a cat\tin two\tanimal\n\na stone\t\n\tempty\nthe dog\tanimal \nrain\tweather\n")
    found, labels, report = read([file], "last-column")
    assert found == ["a cat\tin two", "a stone", "the dog", "rain"]
    assert labels == ["animal", None, "animal", "weather"]
    assert report.lines() == ["1 empty line dropped", "1 line of a label alone dropped"]
    found, labels, _ = read([file], "first-column")
    assert found == ["in two\tanimal", "empty", "animal ", "weather"]
    assert labels == ["a cat", None, "the dog", "rain"]
    assert read([file], "none")[1] == [None] * 5


def test_the_name_of_a_file_labels_all_of_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "train.bad.txt").write_text("a\tb\nc\n")
    (tmp_path / "good.txt").write_text("d\n")
    found, labels, report = read([tmp_path], "file")
    assert (found, labels) == (["d", "a\tb", "c"], ["good", "train.bad", "train.bad"])
    assert report.remarks == []


def test_labels_that_are_missing_single_or_too_many_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("a cat\tx\n\na dog\n")
    with pytest.raises(ValueError, match=r"a\.tsv line 3 has no label, since no tab is in it \('a dog'\); write a tab"):
        read([file], "last-column")
    file.write_text("a cat\tx\na dog\tx\n")
    sentence = "all sentences have one label, 'x', so that labels separate nothing"
    assert read([file], "last-column")[2].remarks == [sentence]
    file.write_text("a cat\t\na dog\t\n")
    assert read([file], "last-column")[2].remarks == ["all sentences have no label, so that labels separate nothing"]
    monkeypatch.setattr(of_labels, "MOST_LABELS", 3)
    file.write_text("".join(f"a cat\t{number}\n" for number in (1, 2, 3, 1, 2, 3)))
    assert len(read([file], "last-column")[0]) == 6
    file.write_text("".join(f"a cat\t{number}\n" for number in (1, 2, 3, 1, 4)))
    with pytest.raises(ValueError, match="more than 3 different labels, such as '4', and so many are hardly labels"):
        read([file], "last-column")
    with pytest.raises(ValueError, match=r"is a column of lines, and data\.blank_line_separated=true reads paragraphs"):
        TextData(labels="last-column", blank_line_separated=True)


def test_labels_go_into_the_corpus_and_change_none_of_its_steps(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("a cat\na stone\na dog\n")
    (tmp_path / "labelled.tsv").write_text("a cat\tx\na stone\t\na dog\tb\n")
    plain = Text(TextData(tokenizer="word"))
    plain.fit(lambda: plain.read([tmp_path / "plain.txt"], Report()))
    labelled = plain.using({"labels": "last-column"})
    without, corpus = prepare(plain, [tmp_path / "plain.txt"]), prepare(labelled, [tmp_path / "labelled.tsv"])
    assert [corpus[place].tolist() for place in range(3)] == [without[place].tolist() for place in range(3)]
    assert without.labels is None
    assert corpus.label_names == ["b", "x"]
    assert corpus.labels is not None
    assert corpus.labels.tolist() == [1, -1, 0]


def test_a_file_of_another_name_has_other_labels(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("a cat\na dog\n")
    text = Text(TextData(tokenizer="word", labels="file"))
    text.fit(lambda: text.read([tmp_path / "good.txt"], Report()))
    assert prepare(text, [tmp_path / "good.txt"]).label_names == ["good"]
    (tmp_path / "good.txt").rename(tmp_path / "bad.txt")
    assert prepare(text, [tmp_path / "bad.txt"]).label_names == ["bad"]


def test_sentences_in_memory_have_labels(tmp_path: Path) -> None:
    settings = values(epochs=1)
    settings["data"] = {**settings.get("data", {}), "labels": "last-column"}
    sentences = [f"the {who} {does}" for who in ("cat", "dog", "bird") for does in ("sees", "eats", "runs", "sings")]
    labels = [sentence.split()[1] for sentence in sentences]
    run = seqvae.train("text", Items(sentences, labels), tmp_path / "run", settings, device="cpu")
    model = seqvae.load(run.path, "cpu")
    assert model.evaluate(Items(sentences, labels), 2, 2)["neighbour_accuracy"] is not None
    with pytest.raises(ValueError, match="there are 2 labels for 12 sentences; give one for each"):
        model.evaluate(Items(sentences, labels[:2]), 2)
    with pytest.raises(
        ValueError, match=r"labels of sentences are kept with data\.labels=last-column, not none; set it"
    ):
        model.using({"labels": "none"}).evaluate(Items(sentences, labels), 2)
    with pytest.raises(ValueError, match=r"the label 'a\\tb' holds a tab or a line end; give labels without"):
        model.evaluate(Items(["one"], np.array(["a\tb"])), 2)
