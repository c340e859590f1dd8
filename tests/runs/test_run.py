"""A run folder survives a full disk and damage, and refuses in one sentence what it cannot read."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqvae import modalities
from seqvae.build import build_vae, load_weights, open_run, weights_of
from seqvae.files import write_atomically
from seqvae.model import Model
from seqvae.runs import run as run_module
from seqvae.runs import verified
from seqvae.runs.place import check_free, held
from seqvae.runs.run import Checkpoint, Run
from seqvae.settings import Config, build_config
from seqvae.training.optimizer import named_optimizer_tensors, restore_optimizer

REPORT = {"train": {"items": 2, "steps": 10, "key": "0f", "sources": ["a.txt"], "counts": {}}}
SIZES = {"latent": 3, "embedding": 8, "encoder_hidden": 7, "decoder_hidden": 8}


def text_model(**model: Any) -> tuple[Config, Any]:
    kind = modalities.get("text")
    values = {"data": {"tokenizer": "word", "vocabulary_size": 0}, "model": {**SIZES, **model}}
    config = build_config("text", kind.data_config, kind.model_config, values)
    modality = kind(config.data)
    modality.fit(lambda: ["the cat sees the dog", "a bird sings"])
    return config, modality


def new_run(folder: Path) -> Run:
    config, modality = text_model()
    return Run.create(folder, config.to_dict(), modality, REPORT)


def state_of(step: int, best: int | None = None) -> Checkpoint:
    return Checkpoint(
        {"w": torch.full((2, 3), float(step))}, {"0.step": torch.tensor(float(step))}, {"best_step": best}
    )


def names(run: Run) -> list[str]:
    return sorted(path.relative_to(run.path).as_posix() for path in (run.path / "checkpoints").rglob("*"))


def flip(path: Path) -> None:
    """One bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    state = {"best_step": None, "seconds": 0.1 + 0.2, "sums": [1e-300, 3.0]}
    weights = {"a": torch.randn(3, 5, dtype=torch.float64), "b": torch.randn(2)}
    run.save(7, Checkpoint(weights, {}, state))
    step, found = run.last() or (0, None)
    assert step == 7
    assert found is not None
    assert found.state == state
    assert found.optimizer == {}
    assert all(torch.equal(found.weights[name], weights[name]) for name in weights)


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step, best in ((0, None), (3, 3), (6, 3), (9, 3), (10, 3)):
        run.save(step, state_of(step, best))
    assert run.steps() == [3, 9, 10]
    assert run.best_step() == 3
    run.save(12, state_of(12, 12))
    assert run.steps() == [3, 10, 12], "the checkpoint of step 10 still names step 3"
    run.save(14, state_of(14, 12))
    assert run.steps() == [12, 14]


def test_saving_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save(3, state_of(3))
    run.save(3, Checkpoint({"w": torch.zeros(1)}, {}, {"best_step": 3, "second": True}))
    assert run.steps() == [3]
    assert run.load(3).state == {"best_step": 3, "second": True}
    assert run.load(3).optimizer == {}
    assert names(run) == ["checkpoints/step-00000003"] + [
        f"checkpoints/step-00000003/{name}" for name in ("manifest.json", "state.json", "weights.safetensors")
    ]


@pytest.mark.parametrize("file", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_previous_checkpoint_and_nothing_else(
    file: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path)
    run.save(3, state_of(3))
    before, written = names(run), []

    def full(path: Path, content: bytes | Callable[[Path], object]) -> Path:
        written.append(write_atomically(path, content))
        if len(written) == file:
            os.truncate(path, path.stat().st_size // 2)
            raise OSError(28, "No space left on device", str(path))
        return path

    for step in (3, 5):
        written.clear()
        with monkeypatch.context() as patch:
            patch.setattr(verified, "write_atomically", full)
            with pytest.raises(OSError, match="No space left"):
                run.save(step, state_of(step))
        assert names(run) == before
        assert run.load(3).weights["w"][0, 0] == 3.0


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_flipped_bit_is_refused_and_the_checkpoint_before_is_the_last(name: str, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step in (3, 5):
        run.save(step, state_of(step))
    flip(tmp_path / "checkpoints" / "step-00000005" / name)
    with pytest.raises(ValueError, match=rf"step-00000005/{name} is damaged .* restore it from a copy"):
        run.load(5)
    found = run.last()
    assert found is not None
    assert found[0] == 3
    (tmp_path / "checkpoints" / "step-00000005" / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing"):
        run.load(5)
    run.save(4, state_of(4))
    assert run.steps() == [3, 4], "what cannot be read and lies in the future goes"


def test_the_best_weights_are_not_guessed_when_the_newest_state_is_damaged(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step, best in ((1, 1), (3, 1), (5, 1)):
        run.save(step, state_of(step, best))
    flip(tmp_path / "checkpoints" / "step-00000005" / "state.json")
    with pytest.raises(
        ValueError, match=r"step-00000005/state\.json is damaged .* the checkpoint before it with `seqvae.resume`"
    ):
        run.best_step()
    told: list[str] = []
    assert (run.last(told.append) or [0])[0] == 3
    assert len(told) == 1
    assert "step-00000005/state.json is damaged" in told[0]
    assert told[0].endswith("skipped, training goes on from the checkpoint of step 3")
    flip(tmp_path / "checkpoints" / "step-00000003" / "manifest.json")
    flip(tmp_path / "checkpoints" / "step-00000001" / "state.json")
    with pytest.raises(ValueError, match=r"step-00000005/state\.json is damaged"):
        run.last()


def test_another_checkpoint_does_not_stand_in_for_the_best(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step in (1, 3, 5):
        run.save(step, state_of(step, 1))
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000001")
    with pytest.raises(ValueError, match=r"step-00000001, the best of this run, is missing"):
        run.best_step()


def rewrite(folder: Path, name: str, content: str) -> None:
    """A file of other content, with the right hash in the manifest."""
    (folder / name).write_text(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[name] = hashlib.sha256(content.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "[1, 2]", "holds a JSON list, not an object"),
        ("config.json", "{", "is not valid JSON"),
        ("config.json", '{"format": 1}', r"was not written by seqvae \(it has no version\)"),
        ("config.json", '{"format": 1, "version": 3}', r"\(it has version=3\)"),
        ("data.json", "7", "holds a JSON int, not an object"),
        ("data.json", '{"train": 3}', r"\(it has train=3\)"),
        ("data.json", '{"train": {"items": 2}}', r"\(it has no steps\)"),
        ("checkpoints/step-00000001/state.json", "[]", "holds a JSON list, not an object"),
        ("checkpoints/step-00000001/state.json", '{"best_step": "one"}', r"\(it has best_step='one'\)"),
    ],
)
def test_json_of_something_else_is_refused_by_its_file(name: str, content: str, message: str, tmp_path: Path) -> None:
    new_run(tmp_path).save(1, state_of(1))
    path = tmp_path / name
    rewrite(path.parent, path.name, content)
    with pytest.raises(ValueError, match=rf"{path.name} .*{message}"):
        (Run(tmp_path).report, Run(tmp_path).best_step())


def test_a_second_process_is_kept_out_and_a_dead_one_keeps_nobody_out(tmp_path: Path) -> None:
    out = tmp_path / "a" / "run"
    code = (
        "import sys; from pathlib import Path; from seqvae.runs.place import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command, root = [sys.executable, "-c", code, str(out)], Path(modalities.__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            ValueError, match=r"another process is training in .*run or fits its prior; wait for it, or take"
        ):
            held(out).__enter__()
        other.kill()
    with held(out):
        assert [path.name for path in out.iterdir()] == [".training"]
    assert list(out.iterdir()) == []
    with pytest.raises(KeyError), held(tmp_path / "b" / "c"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "what the dead process made stays, nothing else"


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    config, modality = text_model()
    vae = build_vae(config, modality)
    weights = {name: weight.clone() for name, weight in weights_of(vae).items()}
    weights["to_mean.weight"][0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"the weights to_mean\.weight in .* are not finite; restore"):
        load_weights(vae, weights, tmp_path)


def test_a_key_that_this_version_does_not_know_is_told_with_its_file(tmp_path: Path) -> None:
    new_run(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings["train"]["sead"] = 1
    rewrite(tmp_path, "config.json", json.dumps(settings))
    with pytest.raises(ValueError, match=r"config\.json does not fit this version") as error:
        open_run(tmp_path)
    assert str(error.value).endswith("(no configuration key 'train.sead'); use version 0.1.0, which wrote it")


def test_a_state_that_cannot_be_read_does_not_stop_the_next_checkpoint(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save(3, state_of(3, 3))
    (tmp_path / "checkpoints" / "step-00000003" / "state.json").write_text("{")
    run.save(5, state_of(5, 3))
    assert run.steps() == [3, 5]


def test_leftovers_of_a_killed_process_are_cleaned_and_strange_folders_are_left(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for name in (".writing-step-00000002", ".replaced-step-00000001", "step-old", "mine"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "state.json").write_text("x")
    run.save(3, state_of(3))
    assert run.steps() == [3]
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["mine", "step-00000003", "step-old"]


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for path, why in ((file, "it is a file"), (tmp_path / "nowhere", "not there"), (foreign, "no config.json")):
        with pytest.raises(ValueError, match=rf"is not a run folder \({why}"):
            Run(path)
    (foreign / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match=r"not a whole run folder \(it has no manifest\.json\)"):
        Model.load(foreign, "cpu")
    (foreign / "manifest.json").write_text("not JSON")
    with pytest.raises(ValueError, match="is not valid JSON"):
        Model.load(foreign, "cpu")


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "FORMAT", 3)
        patch.setattr(run_module, "READABLE", (3,))
        new_run(tmp_path)
    with pytest.raises(ValueError, match=r"has run format 3; this version reads 1 and 2: use the version"):
        Run(tmp_path)


def test_a_configuration_or_tokenizer_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    run = new_run(tmp_path / "one")
    tokenizer = run.path / "modality" / "tokenizer.json"
    content = json.loads(tokenizer.read_text())
    content["symbols"].reverse()
    tokenizer.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"tokenizer\.json is damaged \(its sha256 is not the manifest's\)"):
        open_run(run.path)
    tokenizer.unlink()
    with pytest.raises(ValueError, match=r"tokenizer\.json is missing"):
        open_run(run.path)
    config = new_run(tmp_path / "two").path / "config.json"
    config.write_text(config.read_text().replace('"latent": 3', '"latent": 4'))
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        Run(config.parent)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    config, modality = text_model()
    other = build_vae(text_model(latent=4)[0], modality)
    with pytest.raises(ValueError, match="do not fit its configuration"):
        load_weights(build_vae(config, modality), weights_of(other), tmp_path)


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    config, modality = text_model(tied_embeddings=True)
    vae = build_vae(config, modality)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.normal_()
    run = Run.create(tmp_path, config.to_dict(), modality, {})
    run.save(1, Checkpoint(weights_of(vae), {}, {"best_step": 1}))
    loaded = Model.load(tmp_path, "cpu").vae
    assert loaded.decoder.recurrence.embed.weight is loaded.decoder.likelihood.projection.weight
    for (name, a), (other, b) in zip(vae.named_parameters(), loaded.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(a, b)
    stored = sum(weight.numel() for weight in run.weights(1).values())
    assert stored == sum(parameter.numel() for parameter in vae.parameters())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"weight_decay": 0.1}),
        (torch.optim.AdamW, {}),
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_an_optimizer_goes_on_in_the_same_bits(kind: Any, options: dict[str, float], tmp_path: Path) -> None:
    def steps(net: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor) -> None:
        for x in inputs:
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    inputs, whole, part = torch.randn(9, 4, 3), nn.Linear(3, 2), nn.Linear(3, 2)
    part.load_state_dict(whole.state_dict())
    steps(whole, kind(whole.parameters(), 0.1, **options), inputs)
    first = kind(part.parameters(), 0.1, **options)
    steps(part, first, inputs[:5])
    tensors, groups = named_optimizer_tensors(first, ["weight", "bias"])
    run = new_run(tmp_path)
    run.save(5, Checkpoint(dict(part.named_parameters()), tensors, {"groups": groups}))
    read = run.load(5)
    second = kind(part.parameters(), 0.7, **options)
    restore_optimizer(second, ["weight", "bias"], read.optimizer, read.state["groups"])
    if read.optimizer:
        with pytest.raises(
            ValueError, match=r"the optimizer's \w+\.(weight|bias) fits no weights of the model; restore"
        ):
            restore_optimizer(second, ["bias", "weight"], read.optimizer, read.state["groups"])
    steps(part, second, inputs[5:])
    assert torch.equal(part.weight, whole.weight)
    assert torch.equal(part.bias, whole.bias)


def test_only_free_folders_and_runs_may_be_used(tmp_path: Path) -> None:
    check_free(tmp_path / "nowhere", False)
    check_free(tmp_path, False)
    run = new_run(tmp_path / "run")
    with pytest.raises(ValueError, match="already holds a run"):
        check_free(run.path, False)
    check_free(run.path, True)
    flip(run.path / "config.json")
    check_free(run.path, True)
