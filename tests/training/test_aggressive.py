"""The encoder's steps before each of the decoder's, the end of that phase, and runs stopped in and out of it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from seqvae.build import open_run
from seqvae.data import Batches
from seqvae.evaluation.latent import collect_posterior, mutual_information
from seqvae.model import load
from seqvae.runs.run import Run
from seqvae.settings import with_train
from seqvae.training import aggressive
from seqvae.training.aggressive import NOISES, EncoderFirst
from seqvae.training.corpora import corpora_of, parts
from seqvae.training.engine import Engine
from seqvae.training.loop import Interrupted
from seqvae.training.progress import Progress
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import Listener, records, values, write_corpus

SETTINGS = values(
    objective={"aggressive": True, "schedule": "constant"}, epochs=4, batch_size=16, learning_rate=0.02, log_steps=1,
    checkpoint_steps=1000, model={"word_dropout": 0.2},
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {**SETTINGS, "train": {**SETTINGS["train"], "epochs": 1}}
    return train("text", corpus, tmp_path_factory.mktemp("runs") / "alone", settings, device="cpu")


def first(run: Run, accumulate: int = 1, step: int = 3) -> EncoderFirst:
    """The phase of a run, at a step."""
    _, config, _ = open_run(run.path)
    asked = with_train(config, accumulate=accumulate)
    train_part, valid_part = parts(corpora_of(run.path), 0)
    return EncoderFirst(asked, Progress(step=step), Batches(train_part, 8, spread=8), Batches(valid_part, 8))


def test_the_encoder_moves_until_the_loss_of_ten_batches_is_no_less_than_that_of_ten_before(alone: Run) -> None:
    phase, seen, met = first(alone), [], [0.0]
    losses = iter([5.0] * 10 + [4.0] * 10 + [3.0] * 10 + [3.5] * 10 + [0.0] * 99)
    lengths = phase.train.part.corpus.lengths(np.arange(60))

    def move(group: list[np.ndarray], noise: int) -> float:
        seen.append((group, noise))
        # per token the same whatever the batch, as the loss per example is not; every other item is three times as long
        # as it is in the corpus, as one that an n-gram draws can be
        tokens = float(lengths[np.concatenate(group)].sum()) * (3.0 if len(seen) % 2 else 1.0)
        met[0] += tokens
        return next(losses) * tokens / sum(map(len, group))

    group = [np.arange(4)]
    assert phase.settle(group, move, lambda: met[0]) == 40
    assert seen[0][0] is group, "the decoder's batches come first"
    assert [noise for _, noise in seen] == [3 + NOISES * place for place in range(1, 41)]
    drawn = [tuple(batch) for others, _ in seen[1:] for batch in others]
    (of_an_epoch,) = {len(list(phase.train.epoch(0)))}
    assert len(set(drawn[:of_an_epoch])) == of_an_epoch, "a batch is drawn anew before all were met"
    assert sorted(np.concatenate(drawn[:of_an_epoch])) == sorted(np.concatenate(list(phase.train.epoch(0))))


def test_a_loss_that_falls_without_end_is_left_after_a_hundred_steps(alone: Run) -> None:
    losses = iter(0.8**place for place in range(200))
    assert first(alone).settle([np.arange(8)], lambda group, noise: next(losses), iter(range(9999)).__next__) == 100


def test_the_batches_of_the_encoder_are_those_of_the_step_alone(alone: Run) -> None:
    def drawn(step: int, accumulate: int = 1) -> list[list[int]]:
        seen: list[list[int]] = []

        def move(group: list[np.ndarray], noise: int) -> float:
            seen.append(np.concatenate(group).tolist())
            return float(len(seen) > 10)

        first(alone, accumulate, step).settle([np.arange(2)], move, iter(range(9999)).__next__)
        return seen

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert {len(batch) for batch in drawn(3, accumulate=2)[1:]} >= {16}


def test_in_the_phase_encoder_and_decoder_move_apart_and_then_together(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([1.0, 2.0, 1.5, 9.0])
    monkeypatch.setattr(aggressive, "mutual_information", lambda q: next(found))
    moved: list[set[bool]] = []
    step = Engine.step

    def watched(engine: Engine, optimizer: object) -> None:
        names = [name for name, weight in vae.named_parameters() if weight.grad is not None]
        moved.append({name.startswith("decoder.") for name in names})
        step(engine, optimizer)

    monkeypatch.setattr(Engine, "step", watched)
    prepare = Engine.prepare_model

    def prepared(engine: Engine, model: object) -> object:
        nonlocal vae
        vae = model
        return prepare(engine, model)

    vae = None
    monkeypatch.setattr(Engine, "prepare_model", prepared)
    listener = Listener()
    settings = {**SETTINGS, "train": {**SETTINGS["train"], "batch_size": 29}}  # two steps an epoch
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", reporter=listener)
    lines = records(run, "train")
    assert len(lines) == 8
    per_epoch = len(lines) // 4
    taken = [int(line["encoder_steps"]) for line in lines]
    expected: Iterator[set[bool]] = iter(moved)
    for place, count in enumerate(taken):
        in_the_phase = place < 3 * per_epoch
        assert (count >= 20) == in_the_phase, "at least twenty steps are compared"
        assert [next(expected) for _ in range(count)] == [{False}] * count
        assert next(expected) == ({True} if in_the_phase else {False, True})
    assert next(expected, None) is None
    information = [line.get("encoder_first_information_nats") for line in records(run, "validation")]
    assert information == [1.0, 2.0, 1.5, None], "the phase is over for good, and what was patched is asked no more"
    of_the_code = [line["mutual_information_nats"] for line in records(run, "validation") if "code_gain_nats" in line]
    assert of_the_code
    assert not {1.0, 2.0, 1.5} & set(of_the_code), "another estimate, of its own name"
    assert sum("fell from 2.00 to 1.50 nats on the validation data" in line for line in listener.messages) == 1
    assert run.load(run.steps()[-1]).state["encoder_first"] == {"information_nats": 1.5, "is_over": True}


def test_the_phase_goes_by_the_mutual_information_of_the_validation_data(alone: Run) -> None:
    _, valid = parts(corpora_of(alone.path), 0)
    vae = load(alone.path).vae
    best = next(record for record in records(alone, "validation") if record["step"] == alone.best_step())
    batches = Batches(valid, 8)
    q, _ = collect_posterior(vae, map(batches.load, batches.in_order()))
    assert best["encoder_first_information_nats"] == pytest.approx(mutual_information(q), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("scripted", [[1.0, 2.0, 3.0, 4.0], [2.0, 1.0]], ids=["in the phase", "after it"])
def test_a_run_that_was_stopped_ends_in_the_same_bits(
    scripted: list[float], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = len(records(train("text", corpus, tmp_path / "n", SETTINGS, device="cpu"), "train")) // 4
    for name, at in (("alone", 0), ("early", 2), ("late", 2 * steps + 3)):
        found = iter(scripted)
        monkeypatch.setattr(aggressive, "mutual_information", lambda q, found=found: next(found))
        if not at:
            train("text", corpus, tmp_path / name, SETTINGS, device="cpu")
            continue
        with pytest.raises(Interrupted, match=f"after step {at}"):
            train("text", corpus, tmp_path / name, SETTINGS, device="cpu", objective=stopped_after(at))
        resume(tmp_path / name, device="cpu")
        assert differences(tmp_path / "alone", tmp_path / name) == []
    over = [line["encoder_steps"] == 0 for line in records(tmp_path / "alone", "train")]
    assert any(over) == (len(scripted) == 2)
    assert sum(before != after for before, after in pairwise(over)) == (len(scripted) == 2)
