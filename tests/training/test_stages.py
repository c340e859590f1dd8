"""Runs of several stages."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from seqvae.build import build_vae, load_weights, open_run, weights_of
from seqvae.core.vae import is_of
from seqvae.modalities.text.sentences import Text
from seqvae.runs.run import Run
from seqvae.settings import Config, Stage, build_config, plain_sections
from seqvae.training import stages
from seqvae.training.limits import check_lengths, check_values
from seqvae.training.loop import Interrupted
from seqvae.training.progress import Progress
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences, stop_at_a_random_moment
from tests.training.objectives import after_step, stopped_after
from tests.training.processes import dies
from tests.training.small import Listener, records, values, write_corpus

DROPOUT = {"word_dropout": 0.2, "input_dropout": 0.1}
# An autoencoder for 7 steps of 2 epochs, whose decoder is then thrown away; one that stops early; and one of an epoch.
STAGES: list[dict[str, Any]] = [
    {"objective": {"beta": 0.0, "schedule": "constant"}, "train": {"steps": 7}},
    {
        "keep": ["encoder", "posterior"],
        "train": {"batch_size": 10, "stop_patience": 1, "optimizer": "sgd", "learning_rate": 2.0},
    },
    {"keep": ["decoder"], "objective": {"anneal_steps": 3}, "train": {"epochs": 1, "accumulate": 2}},
]  # fmt: skip
SETTINGS = values(
    model=DROPOUT, objective={"anneal_epochs": 2.0, "free_nats_per_dimension": 0.02}, epochs=9, batch_size=16,
    learning_rate=0.02, warmup_steps=3, cosine=True, log_steps=1, checkpoint_steps=3, decay_patience=1,
) | {"stages": STAGES}  # fmt: skip


def config_of(**sections: Any) -> Config:
    return build_config("text", Text.data_config, Text.model_config, sections)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """SETTINGS, never stopped."""
    return train("text", corpus, tmp_path_factory.mktemp("runs") / "alone", SETTINGS, device="cpu")


def test_each_stage_has_the_sections_of_the_run_with_its_own_keys_over_them() -> None:
    config = config_of(**SETTINGS)
    found = config.of_each_stage()
    assert [stage.objective.beta for stage in found] == [0.0, 1.0, 1.0]
    assert [stage.train.steps for stage in found] == [7, 0, 0]
    assert [stage.train.optimizer for stage in found] == ["adam", "sgd", "adam"]
    assert {stage.train.learning_rate for stage in found} == {0.02, 2.0}
    assert config.stages[1].keep == ("encoder", "posterior")
    assert json.loads(json.dumps(config.to_dict()))["stages"] == STAGES
    assert config_of(**plain_sections(json.loads(json.dumps(config.to_dict())))) == config
    plain = config_of(train={"steps": 3})
    assert "stages" not in plain.to_dict()
    assert plain.of_each_stage() == [plain]
    assert config_of(stages=[{"train": {"steps": "4"}}]).stages == (Stage(train={"steps": 4}),)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"0": "x"}, r"^stages=\{'0': 'x'\} is not possible; they are \[\[stages\]\] tables of a recipe"),
        ("ab", r"^stages=ab is not possible"),
        ([{"model": {"latent": 3}}], r"^stage 1 has no section 'model'; there are objective, train, keep$"),
        ([{}, {"train": {"seed": 3}}], r"^train\.seed is of the whole run; take it out of stage 2$"),
        ([{"train": 3}], r"^train=3 of stage 1 is not possible; write train\.name=value$"),
        ([{"train": {"step": 3}}], r"^no configuration key 'train\.step'; .* Did you mean 'train\.steps'\?$"),
        ([{"train": {"epochs": 0}}], r"^train\.epochs=0 is not possible; give 1 or more$"),
        (
            [{"keep": "encoder"}],
            r'^keep=encoder of stage 1 is not possible; give a list, such as keep = \["enc',
        ),
        ([{}, {"keep": ["coder"]}], r"^no part 'coder' of the weights for stage 2 to keep; there are encoder, "),
        ([{}, {"objective": {"importance_samples": 3, "free_nats_total": 1}}], r"does not go with .*free_nats_total"),
    ],
)
def test_stages_that_are_not_possible_are_refused(tables: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_values(config_of(stages=tables))


def test_stages_follow_one_another_in_one_run(alone: Run) -> None:
    lines = records(alone, "train")
    steps = {stage: [line["step"] for line in lines if line["stage"] == stage] for stage in (1, 2, 3)}
    assert [step for part in steps.values() for step in part] == list(range(1, lines[-1]["step"] + 1))
    assert steps[1] == list(range(1, 8))
    assert len(steps[3]) == 2  # 57 items in 4 batches of 16, two of which make a step
    first = {stage: next(line for line in lines if line["stage"] == stage) for stage in steps}
    validations = records(alone, "validation")
    last = [[line for line in validations if line["stage"] == stage][-1] for stage in steps]
    assert [line["step"] for line in last] == [part[-1] for part in steps.values()]
    assert not last[1]["best"], "the second stage does not stop early"
    assert last[1]["epoch"] < 2 + 9
    assert [line["beta"] for line in lines if line["stage"] == 1] == [0.0] * 7
    assert first[2]["epoch"] > 2.0  # the rest of the second epoch is left out
    # beta and warm-up begin again: the line of a step holds what the next one has
    assert first[2]["beta"] == pytest.approx((first[2]["epoch"] - 2) / 2)
    assert first[3]["beta"] == pytest.approx(1 / 3)
    assert first[2]["learning_rate"] == pytest.approx(2.0 * 2 / 3, rel=0.1)
    assert alone.best_step() == steps[3][-1], "the best weights are those of the last stage"


THREE_STEPS = values(model=DROPOUT, steps=3, learning_rate=0.1)


@pytest.fixture(scope="module")
def three_steps(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("text", corpus, tmp_path_factory.mktemp("runs") / "three", THREE_STEPS, device="cpu")


@pytest.mark.parametrize(
    ("keep", "plan"),
    [
        (None, "keeps encoder, posterior, decoder, draws nothing anew"),
        (["encoder", "posterior"], "keeps encoder, posterior, draws decoder anew"),
        (["decoder", "mean"], "keeps mean, decoder, draws encoder, scale anew"),
        ([], "keeps nothing, draws encoder, posterior, decoder anew"),
    ],
)
def test_a_stage_begins_with_the_parts_that_it_keeps_and_draws_the_others_by_seed_and_stage(
    keep: list[str] | None, plan: str, corpus: Path, three_steps: Run, tmp_path: Path
) -> None:
    still: dict[str, Any] = {"train": {"learning_rate": 0.0, "steps": 1}} | ({} if keep is None else {"keep": keep})
    listener = Listener()
    settings = THREE_STEPS | {"stages": [{}, still]}
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", reporter=listener)
    _, config, modality = open_run(run.path)
    drawn, kept, found = weights_of(build_vae(config, modality, 1)), three_steps.weights(3), run.weights(4)
    for name, weight in found.items():
        source = kept if keep is None or is_of(name, keep) else drawn
        assert torch.equal(weight, source[name]), name
    first = weights_of(build_vae(config, modality))
    assert not torch.equal(first["encoder.embed.weight"], drawn["encoder.embed.weight"])
    assert f"stage 2 of 2 {plan}, and starts from the last weights before it, of step 3" in listener.messages


def test_the_last_weights_of_each_stage_stay_and_can_be_started_from(alone: Run, corpus: Path, tmp_path: Path) -> None:
    lines = records(alone, "train")
    first, second = ([line["step"] for line in lines if line["stage"] == stage][-1] for stage in (1, 2))
    assert first == 7
    assert alone.listed_steps().startswith(f"{first} (end of stage 1), ")
    assert f", {second} (end of stage 2), " in alone.listed_steps()
    listener = Listener()
    before = train("text", corpus, tmp_path / "before", SETTINGS | {"stages": STAGES[:1]}, device="cpu")
    same = train("text", corpus, tmp_path / "same", SETTINGS | {"stages": STAGES[:2]}, device="cpu", reporter=listener)
    for name, weight in before.weights(first).items():
        assert torch.equal(alone.weights(first)[name], weight), name
        assert torch.equal(same.weights(first)[name], weight), name
    assert f"stage 1 of 2 ended at step {first}; its weights stay as checkpoint {first}" in listener.messages
    assert sum("ended at" in words for words in listener.messages) == 1, "the end of the run is said by itself"
    assert same.steps()[0] == first
    begin: dict[str, Any] = {"device": "cpu", "start_from": alone.path, "checkpoint": first, "take": ["encoder"]}
    still = {"train": {"steps": 1, "learning_rate": 0.0, "decay_patience": 0}, "stages": []}
    other = train("text", corpus, tmp_path / "other", still, **begin)
    assert torch.equal(other.weights(1)["encoder.embed.weight"], before.weights(first)["encoder.embed.weight"])


def test_the_steps_of_all_stages_are_announced(corpus: Path, tmp_path: Path) -> None:
    announced = []

    class Steps(Listener):
        def started(self, total_steps: int, step: int, nats: str) -> None:
            announced.append(total_steps)

    tables = [{"train": {"steps": 3}}, {"train": {"epochs": 1}}, {"train": {"accumulate": 3}}]
    settings = values(epochs=2, batch_size=16) | {"stages": tables}
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", reporter=Steps())
    assert announced == [3 + 4 + 2 * 2] == [run.steps()[-1]]


@pytest.mark.parametrize("step", [7, 8, -1])
def test_a_run_that_was_stopped_in_any_stage_ends_in_the_same_bits(
    step: int, corpus: Path, alone: Run, tmp_path: Path
) -> None:
    step = step if step > 0 else alone.steps()[-1] + step
    with pytest.raises(Interrupted, match=f"step {step}"):
        train("text", corpus, tmp_path / "run", SETTINGS, device="cpu", objective=stopped_after(step))
    assert differences(alone.path, resume(tmp_path / "run", device="cpu").path) == []


@pytest.mark.parametrize("step", [5, 8])
def test_a_run_that_died_in_any_stage_ends_in_the_same_bits(
    step: int, corpus: Path, alone: Run, tmp_path: Path
) -> None:
    objective = after_step(step, lambda: os._exit(9))
    out = tmp_path / "run"
    assert dies(lambda: train("text", corpus, out, SETTINGS, device="cpu", objective=objective)) == 9
    assert differences(alone.path, resume(out, device="cpu").path) == []


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("moment", ["before the checkpoint", "after the checkpoint", "in the next"])
def test_a_run_that_died_between_two_stages_ends_in_the_same_bits(
    moment: str, stage: int, corpus: Path, alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(Listener):
        def message(self, text: str) -> None:
            if text.startswith(f"stage {stage + 1} of 3"):
                os._exit(9)

    def load_or_die(*arguments: Any) -> None:
        if arguments[3] == [["decoder"], ["encoder", "mean", "scale"]][stage - 1]:
            os._exit(9)
        load_weights(*arguments)

    def note_or_die(progress: Progress) -> None:
        if progress.stage == stage - 1:
            os._exit(9)
        note(progress)

    out, note = tmp_path / "run", Progress.note_end_of_stage
    with monkeypatch.context() as patch:
        if moment.startswith("before"):
            patch.setattr(Progress, "note_end_of_stage", note_or_die)
        elif moment.startswith("after"):
            patch.setattr(stages, "load_weights", load_or_die)
        reporter = Dying() if moment.startswith("in") else None
        assert dies(lambda: train("text", corpus, out, SETTINGS, device="cpu", reporter=reporter)) == 9
    newest = Run(out).last()
    assert newest is not None
    assert newest[1].state.get("stage", 0) == stage - 1
    assert len(newest[1].state.get("stage_ends", [])) == stage - moment.startswith("before")
    run = resume(out, device="cpu")
    assert differences(alone.path, run.path) == []
    assert run.steps() == alone.steps()


@pytest.mark.parametrize("own", [{}, {"epochs": 1}, {"epochs": 9, "steps": 4}])
def test_a_finished_run_of_stages_goes_on_in_its_last(own: dict[str, int], corpus: Path, tmp_path: Path) -> None:
    settings = values(epochs=1, batch_size=16) | {"stages": [{"train": {"steps": 2}}, {"train": own}]}
    run = train("text", corpus, tmp_path / "run", settings, device="cpu")
    assert run.steps()[-1] == 2 + 4
    assert resume(run.path, settings, device="cpu").steps()[-1] == 2 + 4, "the run's own values ask for no more"
    longer = {"train": {"epochs": 2, "steps": 0}}
    assert resume(run.path, longer, device="cpu").steps()[-1] == 2 + 8
    with pytest.raises(ValueError, match="but stages would change"):
        resume(run.path, {"stages": [{}]}, device="cpu")


def test_what_is_asked_for_when_an_early_stage_goes_on_is_for_the_last(corpus: Path, tmp_path: Path) -> None:
    settings = values(epochs=1, batch_size=16) | {"stages": [{}, {}]}
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match="step 3"):
        train("text", corpus, out, settings, device="cpu", objective=stopped_after(3))
    run = resume(out, {"train": {"epochs": 2}}, device="cpu")
    stages_of_steps = [line["stage"] for line in records(run, "validation")]
    assert stages_of_steps == [1, 2, 2]
    settings["stages"] = [{}, {"train": {"epochs": 2}}]
    other = train("text", corpus, tmp_path / "other", settings, device="cpu")
    assert run.steps() == other.steps()
    found, wanted = run.weights(12), other.weights(12)
    assert all(torch.equal(weight, wanted[name]) for name, weight in found.items())


@pytest.mark.parametrize(("name", "lengths"), [("epochs", (3, 2)), ("steps", (0, 7))])
def test_a_length_that_every_stage_overrides_is_refused(
    name: str, lengths: tuple[int, int], corpus: Path, tmp_path: Path
) -> None:
    tables: list[dict[str, Any]] = [{"train": {name: length}} for length in lengths]
    message = rf"^train\.{name}=4 changes nothing, since every stage has its own train\.{name} \({lengths[0]}, "
    with pytest.raises(ValueError, match=message):
        train("text", corpus, tmp_path / "run", {"train": {name: 4}, "stages": tables}, device="cpu")
    assert not (tmp_path / "run" / "config.json").exists()
    check_lengths({"train": {name: 4}, "stages": [*tables, {}]})
    check_lengths({"train": {name: 4}})


@pytest.mark.slow
def test_killed_at_random_moments_a_run_of_stages_ends_in_the_same_bits(
    corpus: Path, alone: Run, tmp_path: Path
) -> None:
    settings = {"sources": [str(corpus)], "valid": [], "values": SETTINGS, "out": str(tmp_path / "run")}
    rng = random.Random(0)
    seconds = json.loads(alone.metrics_path.read_text().splitlines()[-2])["seconds"]
    for _ in range(3):
        stop_at_a_random_moment(settings, rng, seconds / 3)
    assert differences(alone.path, resume(tmp_path / "run", device="cpu").path) == []
