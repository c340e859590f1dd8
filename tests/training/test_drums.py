"""Training on MIDI: files are held out whole, windows are varied, and a stopped run ends in the same bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqvae.build import open_run
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.modalities.base import Report
from seqvae.modalities.midi.classes import GENERAL_MIDI
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drum_notation import DrumNotation
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.settings import DrumData, DrumModel
from seqvae.modalities.midi.writing import to_midi, write_midi
from seqvae.model import load
from seqvae.noise import Noise
from seqvae.runs.run import Run
from seqvae.settings import build_config
from seqvae.training.run import resume, train
from tests.training.small import records

VARIED = {"mix": 0.6, "drop": 0.5, "rotate": 0.4}
SIZES = {"latent": 3, "embedding": 5, "encoder_hidden": 7, "decoder_hidden": 8, "position": 2, "shared_classes": True}


def values(data: dict[str, Any] | None = None, **train: Any) -> dict[str, Any]:
    return {
        "data": VARIED if data is None else data,
        "model": SIZES,
        "objective": {"sampling_schedule": "exponential", "sampling_rate": 0.9},
        "train": {
            "epochs": 9,
            "batch_size": 6,
            "threads": 1,
            "log_steps": 2,
            "checkpoint_steps": 3,
            "cosine": False,
            **train,
        },
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten files of four bars, three windows each."""
    place = tmp_path_factory.mktemp("midi")
    random = np.random.default_rng(0)
    for number in range(10):
        hits = random.random((64, 9)) < 0.2
        hits[-1, 0] = True
        write_midi(to_midi([Clip(hits, bpm=90 + number)], DrumNotation(GENERAL_MIDI)), place / f"{number}.mid")
    return place


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eight steps without a stop."""
    return train("drums", folder, tmp_path_factory.mktemp("runs") / "whole", values(steps=8), device="cpu")


def test_an_n_gram_draws_windows_of_combinations(whole: Run, folder: Path, tmp_path: Path) -> None:
    drawn = train("drums", folder, tmp_path / "drawn", values(steps=8, ngram_share=1.0), device="cpu")
    ends = [list(run.weights(8).values()) for run in (whole, drawn)]
    assert not all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_an_n_gram_of_classes_that_are_hit_or_not_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ValueError, match=r"^train\.ngram_share does not go with drums, whose steps are no single lab"):
        train("drums", folder, out, values({"steps": "classes"}, steps=8, ngram_share=1.0), device="cpu")
    assert not out.exists()


def test_a_stopped_run_of_varied_windows_ends_in_the_same_bits(whole: Run, folder: Path, tmp_path: Path) -> None:
    train("drums", folder, tmp_path / "run", values(steps=5), device="cpu")
    stopped = resume(tmp_path / "run", {"train": {"steps": 8}}, device="cpu")
    for name, weight in whole.weights(8).items():
        assert torch.equal(stopped.weights(8)[name], weight), name
    last = [record for record in records(whole, "validation") if record["step"] == 8]
    assert [record for record in records(stopped, "validation") if record["step"] == 8] == last
    assert load(tmp_path / "run").sample(1)[0].get_end_time() > 0


def test_windows_are_varied_in_training_alone(folder: Path, whole: Run, tmp_path: Path) -> None:
    plain = train("drums", folder, tmp_path / "plain", values({}, steps=8), device="cpu")
    assert plain.report["train"]["key"] == whole.report["train"]["key"], "both read the same encoded corpus"
    name = "decoder.recurrence.lstm.weight_hh_l0"
    assert not torch.equal(plain.weights(8)[name], whole.weights(8)[name])
    _, _, modality = open_run(whole.path)
    split = modality.of_split("train", [folder])
    assert split is not None
    batches = Batches(Part(prepare(split, [folder])), 6, seed=1)
    indices = np.array([3, 0, 11])
    varied = [batches.varied(indices, step).x for step in (0, 0, 1)]
    assert torch.equal(varied[0], varied[1])
    assert not torch.equal(varied[0], varied[2])
    assert not torch.equal(varied[0], batches.load(indices).x)
    assert torch.equal(batches.varied(indices[1:2], 0).x[0], varied[0][1])


def test_partners_of_held_out_items_come_from_their_own_part(folder: Path, whole: Run) -> None:
    _, _, modality = open_run(whole.path)
    corpus = prepare(modality, [folder])
    rest, held_out = Part(corpus, 0.3, False, 5), Part(corpus, 0.3, True, 5)
    assert len(rest) + len(held_out) == len(corpus) == 30
    everything = np.arange(30)
    assert not (rest.holds(everything) & held_out.holds(everything)).any()
    keys = torch.from_numpy(rest.indices(everything))
    partners = Batches(rest, 4)._partners(Noise(0, keys, 3)).keys
    assert rest.holds(partners.numpy()).all()
    assert (partners != keys).any()


def test_files_are_held_out_whole(folder: Path, whole: Run) -> None:
    assert {name: part["items"] for name, part in whole.report.items()} == {"train": 27, "valid": 3}
    _, config, modality = open_run(whole.path)
    assert config.data.valid_share == 0.05
    tempos = {}
    for split in ("train", "valid"):
        own = modality.of_split(split, [folder])
        assert own is not None
        tempos[split] = [round(clip.bpm) for clip in own.read([folder], Report())]
    assert len(set(tempos["train"])) == 9
    assert len(set(tempos["valid"])) == 1
    assert not set(tempos["train"]) & set(tempos["valid"])
    assert modality.of_split("test", [folder]) is None, "5 % of ten files round to none"


def test_of_a_single_file_a_part_is_held_out_that_no_other_window_overlaps(folder: Path, tmp_path: Path) -> None:
    run = train("drums", folder / "0.mid", tmp_path / "run", values(steps=2), device="cpu")
    assert {name: part["items"] for name, part in run.report.items()} == {"train": 1, "valid": 1}
    assert run.report["train"]["splits"].startswith("too few files have windows to hold one out: validation is on ")
    assert run.report["valid"]["repeated"] == 0
    resumed = resume(run.path, {"train": {"steps": 3}}, device="cpu")
    assert resumed.steps()[-1] == 3
    _, _, modality = open_run(run.path)
    halves = [modality.of_split(split, [folder / "0.mid"]) for split in ("train", "valid")]
    hits = [clip.hits for half in halves if half for clip in half.read([folder / "0.mid"], Report())]
    (whole,) = load(run.path).in_windows().windows(folder / "0.mid").items[:1]
    assert len(hits) == 2
    assert any(np.array_equal(whole.hits, half) for half in hits), "the first two bars are one, the last two the other"


def test_files_held_out_for_testing_are_never_trained_on_without_a_validation_part(
    folder: Path, tmp_path: Path
) -> None:
    shares = {"valid_share": 0.0, "test_share": 0.3}
    run = train("drums", folder, tmp_path / "shares", values(shares, steps=1), device="cpu")
    assert {name: part["items"] for name, part in run.report.items()} == {"train": 21}
    table = tmp_path / "info.csv"
    table.write_text("file,split\n0.mid,train\n1.mid,train\n2.mid,test\n")
    run = train("drums", folder, tmp_path / "table", values({"split_csv": str(table)}, steps=1), device="cpu")
    assert {name: part["items"] for name, part in run.report.items()} == {"train": 6}


def test_files_that_are_all_held_out_are_refused(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "info.csv"
    for split in ("valid", "test"):
        table.write_text(f"file,split\n0.mid,{split}\n1.mid,{split}\n")
        with pytest.raises(ValueError, match=r"^the split 'train' has none of the files of .*; give files to train on"):
            train("drums", folder, tmp_path / "run", values({"split_csv": str(table)}, steps=1), device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["mix", "drop", "rotate"])
def test_a_share_of_windows_is_at_most_all_of_them(name: str) -> None:
    assert getattr(build_config("drums", DrumData, DrumModel, {"data": {name: 1.0}}).data, name) == 1.0
    with pytest.raises(ValueError, match=rf"^data.{name}=1.005 is not possible; give 0 to 1$"):
        build_config("drums", DrumData, DrumModel, {"data": {name: 1.005}})


def test_a_model_goes_on_with_files_that_are_read_otherwise(folder: Path, whole: Run, tmp_path: Path) -> None:
    changed = {"data": {"hop": 2, "mix": 0.0, "valid_share": 0.2}, "train": {"steps": 1, "threads": 1}}
    run = train("drums", folder, tmp_path / "more", changed, device="cpu", start_from=whole.path)
    assert {name: part["items"] for name, part in run.report.items()} == {"train": 16, "valid": 4}
    with pytest.raises(ValueError, match=r"keeps the model and encoding of .*, but data.bars would change"):
        train("drums", folder, tmp_path / "other", {"data": {"bars": 1}}, device="cpu", start_from=whole.path)


def test_a_small_folder_is_trained_for_more_epochs_unless_their_number_is_given(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drums, "least_steps", 7)
    settings = {"model": SIZES, "train": {"batch_size": 14, "threads": 1}}
    monkeypatch.setitem(Drums.defaults["train"], "epochs", 3)
    run = train("drums", folder, tmp_path / "run", settings, device="cpu")
    assert run.settings["train"]["epochs"] == 4, "27 windows are two steps an epoch"
    assert run.steps()[-1] == 8
    given = {**settings, "train": {**settings["train"], "epochs": 2}}
    run = train("drums", folder, tmp_path / "given", given, device="cpu")
    assert run.steps()[-1] == 4


def test_drums_have_defaults_of_their_own_under_what_is_given(folder: Path, tmp_path: Path) -> None:
    run = train("drums", folder, tmp_path / "run", {"train": {"steps": 1, "clip": 2.0}, "model": SIZES}, device="cpu")
    _, config, _ = open_run(run.path)
    assert (config.objective.beta, config.train.batch_size, config.train.clip) == (0.2, 64, 2.0)
