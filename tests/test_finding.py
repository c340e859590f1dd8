"""An index of a trained model: its rows are those of the model, neighbours those of a sort, stale ones are refused."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqvae
from seqvae import indexing
from seqvae.finding import Index
from seqvae.indexing import write_index
from seqvae.memory import known
from seqvae.modalities.measuring import Measure
from seqvae.model import Model
from seqvae.projector import write_projector
from tests.training.processes import dies
from tests.training.small import BRIEF, values, write_corpus

LINES = 90


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, its corpus and an index of it."""
    folder = tmp_path_factory.mktemp("finding")
    corpus = write_corpus(folder / "corpus.txt", LINES)
    seqvae.train("text", corpus, folder / "run", BRIEF)
    seqvae.index(folder / "run", corpus)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, which tests may change."""
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


@pytest.fixture(scope="module")
def index(trained: Path) -> Index:
    return seqvae.index(trained / "run")


@pytest.fixture(scope="module")
def sentences(trained: Path) -> list[str]:
    return (trained / "corpus.txt").read_text().splitlines()


def codes_of(index: Index) -> np.ndarray:
    return np.asarray(index.codes, np.float64)


def test_its_rows_are_codes_names_and_bounds_of_the_corpus(index: Index, sentences: list[str], trained: Path) -> None:
    assert len(index) == LINES
    assert [index.file.name(place) for place in range(LINES)] == sentences
    codes = index.model.encode(sentences)
    np.testing.assert_allclose(index.codes, codes.mean, atol=1e-6)
    scores = index.model.score(sentences, importance_samples=1)
    np.testing.assert_allclose(index.file.elbo_nats, scores.elbo_nats, rtol=1e-5)
    np.testing.assert_allclose(index.nats_per_step, -scores.elbo_nats / scores.tokens, rtol=1e-5)
    assert index.file.path == trained / "run" / "index" / "index.safetensors"


def test_chunks_and_batches_change_nothing(
    index: Index, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "ITEMS_AT_ONCE", 7)
    monkeypatch.setattr(indexing, "STEPS_OF_BATCH", 20)
    seen: list[tuple[int, int, str]] = []
    other = seqvae.index(
        trained / "run", trained / "corpus.txt", tmp_path / "other", watch=lambda *one: seen.append(one)
    )
    np.testing.assert_allclose(other.codes, index.codes, atol=1e-6)
    np.testing.assert_allclose(other.file.elbo_nats, index.file.elbo_nats, rtol=1e-5)
    assert [seen[0], seen[-1]] == [(7, 0, "codes"), (LINES, 0, "codes")]


def test_the_nearest_are_those_of_a_sort(index: Index, sentences: list[str]) -> None:
    found = index.near(sentences[5], n=4)
    far = np.linalg.norm(codes_of(index) - codes_of(index)[5], axis=1)
    order = np.lexsort((np.arange(LINES), far.round(6)))[:4]
    assert [one.place for one in found] == order.tolist()
    assert [one.name for one in found] == [sentences[place] for place in order]
    assert {one.of for one in found} == {sentences[5]}
    np.testing.assert_allclose([one.value for one in found], far[order], atol=1e-5)


def test_codes_and_arrays_are_asked_as_items_are(index: Index, sentences: list[str]) -> None:
    codes = index.model.encode(sentences[:2])
    expected = index.near(sentences[:2], n=3)
    assert [one.of for one in expected] == [sentences[0]] * 3 + [sentences[1]] * 3
    assert index.near(codes, n=3) == expected
    places = [one.place for one in expected]
    assert [one.place for one in index.near(codes.mean, n=3)] == places
    assert [one.place for one in index.near(codes.mean[0].numpy(), n=3)] == places[:3]
    assert index.near(sentences[0], 2, metric="cosine")[0].value == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="give finite numbers"):
        index.near(torch.full((1, 3), torch.nan))
    with pytest.raises(ValueError, match=f"n={LINES + 1} is not possible: .* has 90 sentences; give 1 to 90"):
        index.near(sentences[0], n=LINES + 1)


def test_outliers_are_those_of_the_largest_cost_and_of_the_largest_distance(index: Index) -> None:
    assert [one.place for one in index.outliers(5)] == np.argsort(-index.nats_per_step, kind="stable")[:5].tolist()
    far = np.sort(np.linalg.norm(codes_of(index)[:, None] - codes_of(index), axis=2), axis=1)[:, 5]
    found = index.outliers(3, by="distance")
    np.testing.assert_allclose([one.value for one in found], np.sort(far)[::-1][:3], rtol=1e-5)
    with pytest.raises(ValueError, match="no outliers by 'loss'; there are elbo, distance"):
        index.outliers(3, by="loss")  # type: ignore[arg-type]


def test_clusters_hold_each_item_once_and_are_named_by_those_nearest_to_their_middle(index: Index) -> None:
    pytest.importorskip("sklearn")
    found = index.clusters(4, seed=1)
    assert sorted(place for one in found for place in one.places.tolist()) == list(range(LINES))
    assert [len(one.places) for one in found] == sorted((len(one.places) for one in found), reverse=True)
    middles = np.stack([codes_of(index)[one.places].mean(0) for one in found])
    for number, one in enumerate(found):
        far = np.linalg.norm(codes_of(index)[one.places, None] - middles, axis=2)
        assert (far.argmin(1) == number).all()
        assert one.central[0].place == one.places[far[:, number].argmin()]
        assert one.central[0].value == pytest.approx(far[:, number].min(), abs=1e-4)
        assert len({shown.name for shown in one.central}) == min(3, len({index.file.name(p) for p in one.places}))
        assert one.labels == {}
    with pytest.raises(ValueError, match="k=91 is not possible"):
        index.clusters(91)


def test_labels_are_what_a_pattern_matches_in_names(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    run, corpus = trained / "run", trained / "corpus.txt"
    labelled = seqvae.index(run, corpus, tmp_path / "labelled", label_by=r"\b(cat|dog)\b")
    labels = [labelled.file.label(place) for place in range(LINES)]
    names = [labelled.file.name(place).split() for place in range(LINES)]
    assert all(label is None or label in words for label, words in zip(labels, names, strict=True))
    assert {None, "cat", "dog"} == set(labels)
    (whole,) = labelled.clusters(1)
    assert whole.labels["cat"] == pytest.approx(labels.count("cat") / LINES)
    with pytest.raises(ValueError, match="label_by=zebra matches no name, such as"):
        seqvae.index(run, corpus, tmp_path / "none", label_by="zebra")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="is no regular expression"):
        seqvae.index(run, corpus, tmp_path / "none", label_by="(")


def test_an_index_of_other_weights_is_refused(run: Path, index: Index) -> None:
    model = seqvae.load(run)
    with torch.no_grad():
        next(iter(model.vae.parameters())).add_(1e-3)
    with pytest.raises(ValueError, match=r"is of other weights than this model's .* make it anew with `seqvae index`"):
        Index(model, index.file)
    assert len(seqvae.index(run)) == LINES  # a copy of the run has the same weights


def test_a_process_that_is_killed_leaves_the_index_that_was_there(run: Path, trained: Path) -> None:
    before = (run / "index" / "index.safetensors").read_bytes()
    model = seqvae.load(run)

    def killed() -> None:
        data = known(trained / "corpus.txt")
        write_index(model, data, run / "index" / "index.safetensors", see=lambda named: os._exit(9))

    assert dies(killed) == 9
    assert (run / "index" / "index.safetensors").read_bytes() == before
    assert [path.name for path in (run / "index").iterdir()] == ["index.safetensors"]


def test_data_in_memory_and_nothing_at_all(run: Path, tmp_path: Path) -> None:
    made = seqvae.index(run, seqvae.Items(["the cat sees a dog", "a bird"]), tmp_path / "memory")
    assert [made.file.name(place) for place in range(2)] == ["the cat sees a dog", "a bird"]
    assert made.items(made.near("a bird", 1)) == [["a bird"]]
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    with pytest.raises(ValueError, match="empty"):
        seqvae.index(run, empty)
    shutil.rmtree(run / "index")
    with pytest.raises(ValueError, match="there is no index"):
        seqvae.index(run)


def test_a_language_model_has_nothing_to_index(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt", 20)
    settings: dict[str, Any] = values(model={"latent": 0}, epochs=1)
    seqvae.train("text", corpus, tmp_path / "run", settings)
    with pytest.raises(ValueError, match=r"is a language model \(model.latent=0\)"):
        seqvae.index(tmp_path / "run", corpus)


def test_the_map_has_the_colour_that_is_asked_for(index: Index, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr("seqvae.pictures.plane_of", lambda *values, **named: drawn.append((*values, named)))
    index.picture()
    index.picture("length", "tsne", seed=2)
    index.picture("cluster", clusters=3)
    np.testing.assert_array_equal(drawn[0][1], index.codes)
    np.testing.assert_array_equal(drawn[0][5]["shade"][0], index.nats_per_step)
    np.testing.assert_array_equal(drawn[1][5]["shade"][0], index.file.steps)
    assert (drawn[1][5]["projection"], drawn[1][5]["seed"]) == ("tsne", 2)
    assert {one[2] for one in drawn} == {f"{len(index)} codes of run"}
    for number, one in enumerate(index.clusters(3)):
        assert (drawn[2][3][one.places] == number).all()
    with pytest.raises(ValueError, match="has no labels"):
        index.picture("label")
    with pytest.raises(ValueError, match="no colour 'blue'; there are label, cluster, elbo, length, word=WORD"):
        index.picture("blue")


def test_a_map_of_some_codes_says_of_how_many_they_are_drawn(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqvae.finding.MOST_SHOWN", 5)
    texts = [text.get_text() for text in index.picture().texts]
    assert any(f"5 codes of run, drawn from {len(index)}" in text for text in texts)


def test_the_map_has_the_colour_of_what_is_measured(
    index: Index, trained: Path, monkeypatch: pytest.MonkeyPatch, sentences: list[str]
) -> None:
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr("seqvae.pictures.plane_of", lambda *values, **named: drawn.append({**named, "given": values}))
    index.picture("word=cat")
    *_, labels, names = drawn[0]["given"]
    assert names == ["not word=cat", "word=cat"]
    assert labels.tolist() == [int("cat" in sentence.split()) for sentence in sentences]
    monkeypatch.setitem(index.model.modality.measures, "as", Measure("letters", lambda text: len(text) or None))
    index.picture("as", seed=3)
    values, name = drawn[1]["shade"]
    assert (name, values.tolist()) == ("as: letters", [len(sentence) for sentence in sentences])
    monkeypatch.setitem(index.model.modality.measures, "none", Measure("nothing", lambda text: None))
    with pytest.raises(ValueError, match=r"nothing: no item of .* has it; take another colour"):
        index.picture("none")


def test_files_are_measured_where_they_were_and_what_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((3, 4, 4), np.uint8)
    for place in range(3):
        images[place, : place + 1] = 255
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "images.npy", images)
    monkeypatch.chdir(tmp_path)
    values = {"model": {"latent": 2, "widths": "3"}, "train": {"epochs": 1, "threads": 1}}
    seqvae.train("images", "data/images.npy", "run", values)
    index = seqvae.index("run", "data/images.npy")
    drawn: list[list[float]] = []
    monkeypatch.setattr(
        "seqvae.pictures.plane_of", lambda *values, shade, **named: drawn.append(np.round(shade[0], 6).tolist())
    )
    index.picture("brightness")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    index.picture("brightness")
    assert drawn == [[0.25, 0.5, 0.75]] * 2
    (tmp_path / "data" / "images.npy").unlink()
    with pytest.raises(ValueError, match=r"data/images.npy.*; the index was made in "):
        index.picture("brightness")


def test_the_labels_of_a_map_are_sorted_as_in_the_plane(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = ["the cat", "a dog", "old news", "the dog", "a cat"]
    path = trained / "few.safetensors"
    index = seqvae.index(trained / "run", seqvae.Items(sentences), path, label_by="^(the|a) ")
    drawn: list[Any] = []
    monkeypatch.setattr("seqvae.pictures.plane_of", lambda *values, **named: drawn.append(values[3:]))
    index.picture("label")
    assert index.file.facts["label_names"] == ["the", "a"]
    assert (drawn[0][0].tolist(), drawn[0][1]) == ([1, 0, -1, 1, 0], ["a", "the"])


def test_umap_keeps_groups_together() -> None:
    pytest.importorskip("umap")
    from seqvae.projections import by_neighbours

    codes = np.random.default_rng(0).standard_normal((24, 5)) * 0.1 + np.repeat([[0.0], [9.0]], 12, axis=0)
    points = by_neighbours(codes, "umap", 3)
    far = np.linalg.norm(points[:, None] - points, axis=2)
    assert far[:12, :12].max() < far[:12, 12:].min()
    assert (points == by_neighbours(codes, "umap", 3)).all()


def test_the_projector_gets_a_row_for_each_item(index: Index, tmp_path: Path) -> None:
    assert [path.name for path in write_projector(index, tmp_path)] == [
        "vectors.tsv", "metadata.tsv", "projector_config.pbtxt"
    ]  # fmt: skip
    vectors = np.loadtxt(tmp_path / "vectors.tsv", delimiter="\t")
    np.testing.assert_allclose(vectors, index.codes, rtol=1e-5)
    head, *lines = (tmp_path / "metadata.tsv").read_text().splitlines()
    assert head.split("\t") == ["name", "nats_per_step", "steps"]
    assert lines[3].split("\t") == [index.file.name(3), f"{index.nats_per_step[3]:.4f}", str(index.file.steps[3])]
    assert len(lines) == LINES
    projector = pytest.importorskip("tensorboard.plugins.projector")
    from google.protobuf import text_format

    settings = projector.ProjectorConfig()
    text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), settings)
    assert settings.embeddings[0].metadata_path == "metadata.tsv"


def test_what_scikit_learn_is_needed_for_says_so(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sklearn.cluster", "sklearn.manifold", "umap"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=r"clusters are found with scikit-learn, .* pip install 'seqvae\[latent\]'"):
        index.clusters(2)
    with pytest.raises(ValueError, match=r"projection=tsne is made with scikit-learn, .* 'seqvae\[latent\]'"):
        index.picture(projection="tsne")
    with pytest.raises(ValueError, match=r"projection=umap is made with umap-learn, .* 'seqvae\[map\]'"):
        index.picture(projection="umap")


def test_t_sne_keeps_groups_together(index: Index) -> None:
    pytest.importorskip("sklearn")
    from seqvae.projections import by_neighbours

    codes = np.random.default_rng(0).standard_normal((24, 5)) * 0.1 + np.repeat([[0.0], [9.0]], 12, axis=0)
    points = by_neighbours(codes, "tsne", 3)
    far = np.linalg.norm(points[:, None] - points, axis=2)
    assert far[:12, :12].max() < far[:12, 12:].min()
    assert (points == by_neighbours(codes, "tsne", 3)).all()
    assert isinstance(index.model, Model)
