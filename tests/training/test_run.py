"""Which folders a training may use, what it starts from, and which values it refuses."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from seqvae.build import build_vae, open_run
from seqvae.corpus import prepare
from seqvae.data import Part
from seqvae.modalities.base import Report
from seqvae.model import Model
from seqvae.runs.place import held
from seqvae.runs.run import Run
from seqvae.training import run as training
from seqvae.training.corpora import parts
from seqvae.training.run import resume, settled, train
from tests.training.processes import dies
from tests.training.small import WORDS, records, values, write_corpus
from tests.trees import tree


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def source(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that others start from or must not harm."""
    settings = values(epochs=2, learning_rate=0.02)
    return train("text", [corpus], tmp_path_factory.mktemp("runs") / "source", settings, device="cpu")


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_in_use_is_refused_with_the_two_ways_on(corpus: Path, source: Run) -> None:
    before = contents(source.path)
    with pytest.raises(ValueError, match=r"already holds a run; .*`seqvae.resume`.*`overwrite=True`"):
        train("text", [corpus], source.path, values(), device="cpu")
    assert contents(source.path) == before


def test_overwriting_replaces_the_run_and_keeps_files_that_are_no_part_of_it(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train("text", [corpus], out, values(epochs=3), device="cpu")
    (out / "notes.txt").write_text("mine")
    run = train("text", [corpus], out, values(epochs=1, seed=4), device="cpu", overwrite=True)
    assert len(records(run, "validation")) == 1
    assert max(run.steps()) == 4
    assert run.settings["train"]["seed"] == 4
    assert (out / "notes.txt").read_text() == "mine"
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": ["missing.txt"]}, "missing"),
        ({"values": {"train": {"batch_size": 0}}}, r"train\.batch_size=0 is not possible; give 1 or more"),
        ({"values": {"train": {"seed": -1}}}, r"train\.seed=-1"),
        ({"values": {"train": {"seed": 2**63}}}, r"seed=9223372036854775808 .* 0 or more, and less than 9223372036854"),
        ({"values": {"model": {"tied_embeddings": True, "embedding": 5}}}, "tied_embeddings needs equal sizes"),
        (
            {"values": {"objective": {"free_nats_total": 1.0, "free_nats_per_dimension": 1.0}}},
            "exclude each other",
        ),
        ({"values": {"objective": {"schedule": "cyclical", "cycles": 0}}}, "cycles=0"),
        (
            {"values": {"train": {"precision": "fp16"}}},
            r"^train\.precision=fp16 needs a GPU; give train\.precision=bf16 or fp32 on the CPU$",
        ),
        ({"sources": []}, "there are no data"),
        ({"modality": "drum"}, "no modality 'drum'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_costs_nothing_even_when_overwriting(
    change: dict[str, Any], message: str, corpus: Path, source: Run, tmp_path: Path
) -> None:
    before = contents(source.path)
    given = {"modality": "text", "sources": [corpus], "values": values(), **change}
    for out, overwrite in ((source.path, True), (tmp_path / "new", False)):
        with pytest.raises(ValueError, match=message):
            train(given["modality"], given["sources"], out, given["values"], device="cpu", overwrite=overwrite)
    assert contents(source.path) == before
    assert not (tmp_path / "new").exists()


def test_a_full_disk_while_a_run_is_created_costs_nothing(
    corpus: Path, source: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    before = contents(source.path)
    monkeypatch.setattr("seqvae.runs.run.write_with_manifest", full)
    with pytest.raises(OSError, match="No space left"):
        train("text", [corpus], source.path, values(), device="cpu", overwrite=True)
    assert contents(source.path) == before


def overwrite(corpus: Path, out: Path) -> Run:
    return train("text", [corpus], out, values(epochs=1, seed=4), device="cpu", overwrite=True)


def test_the_old_run_comes_back_when_the_first_checkpoint_of_the_new_one_fails(
    corpus: Path, source: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    shutil.copytree(source.path, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr("seqvae.runs.verified.save_file", full)
        with pytest.raises(OSError, match="No space left"):
            overwrite(corpus, tmp_path / "run")
    assert contents(tmp_path / "run") == contents(source.path)
    overwrite(corpus, tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".*"))


@pytest.mark.parametrize("which", range(1, 11))
def test_death_between_two_runs_leaves_the_old_one(
    which: int, corpus: Path, source: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six parts of the old run are set aside, four of the new one put in their places, then its checkpoint is named."""
    out, rename, seen = tmp_path / "run", Path.rename, list[Path]()
    shutil.copytree(source.path, out)

    def die_after(self: Path, target: Path) -> None:
        rename(self, target)
        seen.append(target)
        if len(seen) == which:
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die_after)
        assert dies(lambda: overwrite(corpus, out)) == 9
        if which > 6:  # dies again, while the old run is put back
            seen.extend([out] * (which - 3))
            assert dies(lambda: settled(out)) == 9
    assert (out / ".replaced-run").is_dir()
    before = tree(out)
    if (out / ".replaced-run" / "checkpoints").exists():  # all of it is there, and read where it is
        model = Model.load(out, "cpu")
        assert model.run is not None
        assert (model.run.settings, model.run.steps()) == (source.settings, source.steps())
    else:
        with pytest.raises(
            ValueError, match=r"is not a run folder \(its replacement was interrupted: train it with `seqvae.re"
        ):
            Model.load(out, "cpu")
    assert tree(out) == before, "reading changes nothing"
    with pytest.raises(ValueError, match="already holds a run"):
        train("text", [corpus], out, values(), device="cpu")
    assert contents(out) == contents(source.path)
    assert Model.load(out, "cpu").run is not None


def test_death_after_the_first_checkpoint_leaves_the_new_run(
    corpus: Path, source: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    shutil.copytree(source.path, out)
    with monkeypatch.context() as patch:
        patch.setattr("seqvae.runs.run.sync_folder", lambda folder: folder.name == "checkpoints" and os._exit(9))
        assert dies(lambda: overwrite(corpus, out)) == 9
    assert (out / ".replaced-run").is_dir()
    run = resume(out, device="cpu")
    assert run.settings["train"]["seed"] == 4
    assert not list(out.rglob(".*"))


def test_a_run_that_another_process_trains_is_left_alone_but_can_be_read(
    corpus: Path, source: Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(source.path, out)
    before = contents(out)
    with held(out):
        for action in (lambda: overwrite(corpus, out), lambda: resume(out, device="cpu")):
            with pytest.raises(ValueError, match="another process is training in"):
                action()
        assert len(Model.load(out, "cpu").sample(2)) == 2
    assert contents(out) == before


def test_a_model_without_training_state_is_not_resumed(corpus: Path, source: Run, tmp_path: Path) -> None:
    Model.load(source.path, "cpu").save(tmp_path / "saved")
    with pytest.raises(ValueError, match=r"a model without training state; start a new run from it with `start_from`"):
        resume(tmp_path / "saved", device="cpu")
    run = train(
        "text", [corpus], tmp_path / "new", {"train": {"epochs": 1}}, device="cpu", start_from=tmp_path / "saved"
    )
    assert run.steps()[-1] > 0


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise AssertionError("read")

    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("seqvae.training.corpora.fit_modality", fail)
    with pytest.raises(OSError, match="Not a directory"):
        train("text", [corpus], tmp_path / "file" / "run", values(), device="cpu")

    def read_only(*arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("seqvae.runs.place.os.open", read_only)
    with pytest.raises(PermissionError):
        train("text", [corpus], tmp_path / "new" / "run", values(), device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("files", [["thesis.tex"], ["config.json"], ["config.json", "manifest.json"], ["modality"]])
def test_a_folder_that_is_not_a_run_is_never_replaced(files: list[str], corpus: Path, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text('{"config.json": "of something else"}')
    before = contents(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"not a run"):
            train("text", [corpus], tmp_path, values(), device="cpu", overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(ValueError, match="is a file; give `out` a folder"):
        train("text", [corpus], tmp_path / "run", values(), device="cpu", overwrite=True)
    assert (tmp_path / "run").read_text() == "x"


def test_a_run_whose_creation_was_cut_off_does_not_block_a_new_one(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / ".writing-run" / "modality").mkdir(parents=True)
    (out / "data.json").write_text("{}")
    with pytest.raises(ValueError, match=r"its creation was interrupted: train again without `seqvae.resume`"):
        resume(out, device="cpu")
    assert train("text", [corpus], out, values(epochs=1), device="cpu").steps() == [0, 4]


def test_a_run_with_nothing_but_its_configuration_is_resumed_from_the_start(
    corpus: Path, source: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = values(epochs=1, learning_rate=0.02)

    def die(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", die)
        with pytest.raises(KeyboardInterrupt):
            train("text", [corpus], tmp_path / "cut", settings, device="cpu", start_from=source.path)
    assert Run(tmp_path / "cut").steps() == []
    with pytest.raises(ValueError, match="holds no checkpoint yet"):
        Model.load(tmp_path / "cut", "cpu")
    whole = train("text", [corpus], tmp_path / "whole", settings, device="cpu", start_from=source.path)
    assert records(resume(tmp_path / "cut", device="cpu")) == records(whole)


def test_fine_tuning_starts_from_the_best_weights_and_keeps_the_tokenizer(source: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("the zebra sees the cat\na dog likes quinoa\nzebra zebra zebra\n" * 5)
    settings = {"train": {"epochs": 1, "learning_rate": 0.0, "batch_size": 4, "threads": 1}}
    run = train("text", [other], tmp_path / "tuned", settings, device="cpu", start_from=source.path)
    best = source.weights(source.best_step())
    for step in run.steps():
        for name, weight in run.weights(step).items():
            assert torch.equal(weight, best[name]), name
    _, config, modality = open_run(run.path)
    assert config.model == open_run(source.path)[1].model
    assert modality.fingerprint() == open_run(source.path)[2].fingerprint()
    report = Report()
    assert modality.decode(modality.encode("the zebra sees", report)) == "the <unk> sees"
    assert run.report["train"]["counts"]["unknown tokens"] == 5 * 5
    assert len(records(run, "validation")) == 1


def test_fine_tuning_refuses_another_model_or_encoding_but_not_other_dropout(
    corpus: Path, source: Run, tmp_path: Path
) -> None:
    for section, key, value in (("model", "latent", 4), ("data", "max_length", 9), ("model", "bidirectional", False)):
        with pytest.raises(
            ValueError, match=rf"`start_from` keeps the model and encoding .*{section}\.{key} would change"
        ):
            train("text", [corpus], tmp_path / "new", {section: {key: value}}, device="cpu", start_from=source.path)
    settings = {"model": {"word_dropout": 0.25}, "train": {"epochs": 1, "threads": 1}}
    run = train("text", [corpus], tmp_path / "new", settings, device="cpu", start_from=source.path)
    assert run.settings["model"]["word_dropout"] == 0.25


def test_a_run_cannot_replace_the_run_that_it_starts_from(corpus: Path, source: Run) -> None:
    before = contents(source.path)
    with pytest.raises(ValueError, match="is the run that `start_from` names; give `out` another folder"):
        train("text", [corpus], source.path, {}, device="cpu", overwrite=True, start_from=source.path)
    assert contents(source.path) == before


@pytest.mark.parametrize("lines", [1, 2, 3, 50])
@pytest.mark.parametrize("seed", range(4))
def test_held_out_items_and_the_others_are_disjoint_and_complete(lines: int, seed: int, tmp_path: Path) -> None:
    kind = training.modalities.get("text")
    modality = kind(kind.data_config(tokenizer="word", vocabulary_size=0))
    modality.fit(lambda: [" ".join(WORDS)])
    corpora = [prepare(modality, [write_corpus(tmp_path / "corpus.txt", lines)])]
    rest, held_out = parts(corpora, seed)
    everything = list(range(lines))
    found = [part.indices(torch.arange(lines).numpy()).tolist() for part in (rest, held_out)]
    assert [len(rest), len(held_out)] == [len(indices) for indices in found]
    if lines == 1:
        assert found == [everything, everything]
    else:
        assert sorted(found[0] + found[1]) == everything
        assert min(map(len, found)) >= 1
    assert isinstance(rest, Part)


def test_separate_validation_data_are_used_whole(corpus: Path, tmp_path: Path) -> None:
    held_out = write_corpus(tmp_path / "valid.txt", 13, seed=5)
    run = train("text", [corpus], tmp_path / "run", values(epochs=1), valid=[held_out], device="cpu")
    assert [run.report[name]["items"] for name in ("train", "valid")] == [60, 13]
    _, config, modality = open_run(run.path)
    vae = build_vae(config, modality)
    assert sum(p.numel() for p in vae.parameters()) == sum(w.numel() for w in run.weights(run.steps()[-1]).values())
    evaluated = Model.load(run.path, "cpu").evaluate([held_out])
    # the same items and the same bound, by another draw of z
    assert evaluated["elbo_nats"] == pytest.approx(records(run, "validation")[0]["elbo_nats"], rel=0.01)


def test_the_largest_seed_trains(corpus: Path, tmp_path: Path) -> None:
    run = train("text", [corpus], tmp_path / "run", values(epochs=1, seed=2**63 - 1), device="cpu")
    assert run.steps() == [0, 4]


def test_a_sentence_names_few_of_many_keys(source: Run) -> None:
    changed = {"model": dict.fromkeys(("latent", "embedding", "encoder_hidden", "decoder_hidden"), 9)}
    changed["train"] = {"seed": 9, "batch_size": 9, "clip": 9.0, "log_steps": 9}
    with pytest.raises(ValueError, match=r"but model\.decoder_hidden, .*, \.\.\. would change") as error:
        resume(source.path, changed, device="cpu")
    assert str(error.value).partition(" would")[0].count(",") == 8 - 1
