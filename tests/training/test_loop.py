"""What the loop does with batches, losses that are not finite, and the best weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seqvae import data, modalities
from seqvae.build import build_vae
from seqvae.core.vae import Terms
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import active_units, collect_posterior
from seqvae.evaluation.likelihood import elbo, perplexity
from seqvae.model import Model
from seqvae.runs.run import Run
from seqvae.settings import Objective, Train, build_config
from seqvae.training import engine, loop, validator
from seqvae.training.corpora import fit_modality
from seqvae.training.finite import FiniteCheck
from seqvae.training.log import MetricsLog
from seqvae.training.run import train
from seqvae.training.validation import SEED, validate
from tests.training.objectives import spoiled_at
from tests.training.small import assert_close, records, values, write_corpus

DROPOUT = {"word_dropout": 0.3, "input_dropout": 0.2, "output_dropout": 0.1, "encoder_dropout": 0.1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


class Halved(Batches):
    """Each batch as two of unequal size."""

    def epoch(self, epoch: int) -> Iterator[np.ndarray]:
        for indices in super().epoch(epoch):
            yield indices[:5]
            yield indices[5:]


@pytest.mark.parametrize(
    "objective",
    [{"free_nats_per_dimension": 0.02}, {"free_nats_total": 0.06}, {}],
    ids=["free nats per dimension", "free nats in total", "no free nats"],
)
def test_accumulated_batches_are_one_large_batch(
    objective: dict[str, float], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = {**objective, "schedule": "constant"}
    settings = values(model=DROPOUT, objective=objective, epochs=2, log_steps=1, learning_rate=0.01)
    large = train("text", [corpus], tmp_path / "large", settings, device="cpu")
    monkeypatch.setattr(loop, "Batches", Halved)
    settings["train"]["accumulate"] = 2
    halves = train("text", [corpus], tmp_path / "halves", settings, device="cpu")
    expected = records(large)
    assert len(expected) >= 8
    assert_close(records(halves), expected, 1e-5)
    # the floor binds for some units, or the test would show nothing
    if objective.get("free_nats_per_dimension"):
        plain = [-record["elbo_nats"] for record in expected if record["event"] == "train"]
        assert all(record["loss"] > nats + 1e-3 for record, nats in zip(records(large, "train"), plain, strict=True))


def test_validation_gives_the_figures_of_the_evaluation(corpus: Path) -> None:
    kind = modalities.get("text")
    config = build_config("text", kind.data_config, kind.model_config, values())
    modality = kind(config.data)
    fit_modality(modality, [corpus])
    vae = build_vae(config, modality).double()
    with torch.no_grad():
        vae.to_mean.weight.mul_(5.0)
        vae.to_scale.weight.mul_(5.0)
    batches = Batches(Part(prepare(modality, [corpus])), 7)
    loaded = [batches.load(indices) for indices in batches.in_order()]
    figures = validate(vae, loaded, torch.zeros(1, dtype=torch.float64), lambda sums: sums)
    bound = elbo(vae, loaded, SEED)
    q, _ = collect_posterior(vae, loaded)
    assert figures["elbo_nats"] == pytest.approx(bound.mean_elbo_nats, rel=1e-12)
    assert figures["reconstruction_nats"] == pytest.approx(bound.mean_reconstruction_nats, rel=1e-12)
    assert figures["kl_nats"] == pytest.approx(bound.mean_kl_nats, rel=1e-12)
    assert figures["perplexity_bound"] == pytest.approx(perplexity(-bound.elbo_nats, bound.tokens), rel=1e-12)
    assert figures["active_units"] == active_units(q.mean) >= 1
    for beta, bound_shown in ((0.01, True), (0.0, False)):  # of an autoencoder the bound says nothing
        weighed = validate(vae, loaded, torch.zeros(1, dtype=torch.float64), lambda sums: sums, Objective(beta=beta))
        assert (weighed["perplexity_bound"] == figures["perplexity_bound"]) is bound_shown
        assert (weighed["perplexity_bound"] is None) is not bound_shown


def test_the_variance_of_active_units_is_the_unbiased_one() -> None:
    class Fixed(torch.nn.Module):
        latent = 2
        decoder, has_points = SimpleNamespace(has_steps=True), False

        def forward(self, batch: Any, noise: Any, dropout: bool, draws: Any) -> Any:
            mean = torch.tensor([[0.08, 0.06], [-0.08, -0.06]])  # variances 0.0128 and 0.0072; 0.0064 if biased
            return Terms(torch.zeros(2), torch.zeros(2, 2), mean, mean)

    batch = data.collate([np.array([1, 0]), np.array([0])], [0, 1])
    figures = validate(Fixed(), [batch], torch.zeros(1, dtype=torch.float64), lambda sums: sums)
    assert figures["active_units"] == 1


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(corpus: Path, tmp_path: Path) -> None:
    settings = values(epochs=3, checkpoint_steps=2)
    with pytest.raises(ValueError, match=r"the loss is not finite at step 6 \(epoch 2, items \d+, ") as failure:
        train("text", [corpus], tmp_path / "run", settings, device="cpu", objective=spoiled_at(6))
    assert "learning_rate (now 0.001)" in str(failure.value)
    found = Run(tmp_path / "run").last()
    assert found is not None
    assert found[0] == 4
    assert all(weight.isfinite().all() for weight in found[1].weights.values())


@pytest.mark.parametrize("writing", ["checkpoint_steps", "log_steps", "validate_steps"])
def test_where_looking_at_values_takes_time_they_are_looked_at_before_anything_is_written(
    writing: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WITHOUT_WAITING", ())
    settings = values(**{"checkpoint_steps": 100, "log_steps": 100, "validate_steps": 100, writing: 3})
    with pytest.raises(ValueError, match=r"the loss is not finite at step 2 \(epoch 1"):
        train("text", [corpus], tmp_path / "run", settings, device="cpu", objective=spoiled_at(2))
    run = Run(tmp_path / "run")
    assert run.steps() == [0]
    assert records(run) == []


def test_weights_that_overflow_are_never_written(corpus: Path, tmp_path: Path) -> None:
    settings = values(epochs=2, checkpoint_steps=1, optimizer="sgd", learning_rate=1e39, clip=0.0)
    with pytest.raises(ValueError, match=r"not finite .* lower train\.learning_rate"):
        train("text", [corpus], tmp_path / "run", settings, device="cpu")
    run = Run(tmp_path / "run")
    for step in run.steps():
        assert all(weight.isfinite().all() for weight in run.weights(step).values())
    assert Model.load(run.path, "cpu").sample(2)


def test_steps_that_are_checked_together_name_the_first_bad_one() -> None:
    config = Train(learning_rate=0.25)
    check = FiniteCheck(config)
    one, nan = torch.tensor(1.0), torch.tensor(float("nan"))
    check.note(1, 1, np.array([3]), one, one)
    check.check()
    for step, loss, norm in ((2, one, one), (3, one, nan), (4, nan, nan)):
        check.note(step, 2, np.array([10 * step, 5]), loss, norm)
    with pytest.raises(ValueError, match=r"the gradient is not finite at step 3 \(epoch 2, items 30, 5\); .*now 0\.25"):
        check.check()
    check.check()


def test_a_validation_loss_that_is_not_finite_stops_the_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"elbo_nats": float("nan"), "kl_nats": 1.0, "active_units": 1}
    monkeypatch.setattr(validator, "validate", lambda *arguments: figures)
    with pytest.raises(ValueError, match="validation loss is not finite after step 4"):
        train("text", [corpus], tmp_path / "run", values(), device="cpu")
    assert Run(tmp_path / "run").steps() == [0]


def test_the_best_checkpoint_outlives_the_last_two_and_is_the_one_that_is_loaded(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = iter([-5.0, -3.0, -4.0, -3.0, -4.5, -3.5])  # by beta = 1; the best comes after the second epoch
    monkeypatch.setattr(
        validator, "validate", lambda *arguments: {"elbo_nats": next(bounds), "kl_nats": 1.0, "active_units": 1}
    )
    run = train("text", [corpus], tmp_path / "run", values(epochs=6, checkpoint_steps=3), device="cpu")
    assert run.steps() == [8, 21, 24]
    assert run.best_step() == 8
    loaded = dict(Model.load(run.path, "cpu").vae.named_parameters())
    for name, weight in run.weights(8).items():
        assert torch.equal(loaded[name], weight)
    assert not all(torch.equal(loaded[name], weight) for name, weight in run.weights(24).items())


def test_lines_of_the_log_are_comparable_although_their_batches_are_of_other_lengths(tmp_path: Path) -> None:
    """Of nothing learned each token costs about the same, so a line's bound is its mean length by that."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(["the cat sees"] * 40 + ["the cat sees the dog and a bird sings in a tree"] * 40))
    settings = values(epochs=1, log_steps=1, learning_rate=0.0, batch_size=8, length_spread=1, model={"latent": 0})
    run = train("text", [corpus], tmp_path / "run", settings, corpus, device="cpu")
    found = records(run, "train")
    plain = np.array([-record["elbo_nats"] for record in found])
    even = np.array([-record["elbo_nats_at_mean_length"] for record in found])
    assert plain.std() > 10 * even.std()
    # the mean of 4 and 13 tokens is 8.5, at which the plain mean over all lines is as well
    assert even.mean() == pytest.approx(plain.mean(), rel=0.05)
    for record in found:
        tokens = 4 if -record["elbo_nats"] < plain.mean() else 13
        assert record["elbo_nats_at_mean_length"] == pytest.approx(record["elbo_nats"] / tokens * 8.5, rel=1e-6)


@pytest.mark.parametrize("lines", [1, 2, 3])
@pytest.mark.parametrize("by", ["examples", "tokens"])
def test_a_corpus_smaller_than_a_batch_trains(lines: int, by: str, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt", lines)
    run = train("text", [corpus], tmp_path / "run", values(epochs=2, batch_size=512, batch_by=by), device="cpu")
    assert run.steps()[-1] == 2
    assert len(records(run, "validation")) == 2


def test_a_corpus_of_many_windows_trains_on_every_item(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "WINDOW_ITEMS", 11)
    seen: list[np.ndarray] = []
    encoded = Batches.encoded
    monkeypatch.setattr(Batches, "encoded", lambda self, indices: seen.append(indices) or encoded(self, indices))
    run = train("text", [corpus], tmp_path / "run", values(epochs=1, batch_size=4, log_steps=100), device="cpu")
    steps = records(run, "train")[0]["step"]
    trained = np.concatenate(seen[:steps])
    validated = np.concatenate(seen[steps:])[: 60 - len(trained)]  # before anything is looked at once more
    assert sorted([*trained, *validated]) == list(range(60))
    assert len(validated) >= 1


def test_the_gradient_norm_in_the_metrics_is_that_before_clipping(corpus: Path, tmp_path: Path) -> None:
    free = train("text", [corpus], tmp_path / "free", values(epochs=1, log_steps=1, clip=0.0), device="cpu")
    tight = train("text", [corpus], tmp_path / "tight", values(epochs=1, log_steps=1, clip=1e-3), device="cpu")
    assert records(free)[0]["gradient_norm"] == pytest.approx(records(tight)[0]["gradient_norm"], rel=1e-6)


def test_one_process_can_train_in_one_precision_and_then_in_another(corpus: Path, tmp_path: Path) -> None:
    single = train("text", [corpus], tmp_path / "single", values(epochs=1), device="cpu")
    half = train("text", [corpus], tmp_path / "half", values(epochs=1, precision="bf16"), device="cpu")
    first, second = (records(run, "validation")[0]["elbo_nats"] for run in (single, half))
    assert first == pytest.approx(second, rel=0.01)
    assert first != second


def test_the_number_of_threads_is_put_back(corpus: Path, tmp_path: Path) -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(
        usual + 1
    )  # of which training uses one less: more would wait for each other on a busy machine
    try:
        train("text", [corpus], tmp_path / "run", values(steps=1, threads=usual), device="cpu")
        assert torch.get_num_threads() == usual + 1
    finally:
        torch.set_num_threads(usual)


def test_the_log_never_grows_on_resume_and_writes_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, 0, False)
    log.write({"event": "train", "step": 1, "loss": 2.5})
    size = log.size()
    log.write({"event": "train", "step": 2, "loss": float("inf")})
    log.close()
    assert json.loads(path.read_text().splitlines()[1]) == {"event": "train", "step": 2, "loss": None}
    MetricsLog(path, size, False).close()
    assert path.read_text() == '{"event": "train", "step": 1, "loss": 2.5}\n'
    MetricsLog(path, 10_000, False).close()
    assert path.stat().st_size == size


def test_the_line_of_the_log_holds_the_bound_of_beta_1_and_the_loss_of_the_beta_of_training(
    corpus: Path, tmp_path: Path
) -> None:
    objective = {"schedule": "constant", "beta": 0.25}
    often = {"log_steps": 2, "validate_steps": 4}  # of four steps, each of which is an epoch
    settings = values(objective=objective, epochs=4, batch_size=70, learning_rate=0.1, **often)
    found = records(train("text", [corpus], tmp_path / "run", settings, device="cpu"), "train")
    assert [record["step"] for record in found] == [2, 4]
    for record in found:
        assert record["kl_nats"] > 0.01
        assert record["elbo_nats"] == pytest.approx(-record["reconstruction_nats"] - record["kl_nats"])
        assert record["loss"] == pytest.approx(record["reconstruction_nats"] + 0.25 * record["kl_nats"], rel=1e-6)


def test_at_a_decay_weights_and_optimizer_go_back_to_the_best(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = iter([-3.0, -4.0])
    monkeypatch.setattr(
        validator, "validate", lambda *_: {"elbo_nats": next(bounds), "kl_nats": 1.0, "active_units": 1}
    )
    settings = values(decay_patience=1, decay_steps=0, decay_to_best=True, validate_steps=2, steps=4)
    run = train("text", [corpus], tmp_path / "run", settings, device="cpu")
    best, last = run.load(2), run.load(4)
    for name in ("weights", "optimizer"):
        found, expected = getattr(last, name), getattr(best, name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name
    assert last.state["rate_factor"] == 0.5
    assert last.state["best_step"] == 2
