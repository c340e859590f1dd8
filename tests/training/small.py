"""A corpus and a model that train in a second, and ways to compare runs."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from seqvae.runs.run import Run
from seqvae.training.log import CLOCK_FIELDS, Silent

WORDS = ("the", "a", "cat", "dog", "bird", "sees", "likes", "finds", "small", "red", "old", "and", "not", "today")
MODEL = {"latent": 3, "embedding": 5, "encoder_hidden": 7, "decoder_hidden": 8}


# What the defaults for few sentences, and the CPU, would change, as it is without them.
PLAIN: dict[str, dict[str, Any]] = {
    "model": {"batch_norm_scale": 0.0, "word_dropout": 0.0},
    "objective": {"anneal_steps": 0},
    "train": {"learning_rate": 1e-3, "cosine": False, "decay_patience": 2, "ngram_share": 0.0, "precision": "fp32"},
}


def write_corpus(path: Path, lines: int = 60, seed: int = 0) -> Path:
    """`lines` sentences of 1 to 9 words."""
    rng = random.Random(seed)
    text = "".join(" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + "\n" for _ in range(lines))
    path.write_text(text, encoding="utf-8")
    return path


def values(
    model: dict[str, Any] | None = None, objective: dict[str, Any] | None = None, **train: Any
) -> dict[str, Any]:
    """The configuration of the small model with some keys changed."""
    return {
        "data": {"tokenizer": "word", "vocabulary_size": 0, "max_length": 20},
        "model": {**PLAIN["model"], **MODEL, **(model or {})},
        "objective": {**PLAIN["objective"], **(objective or {})},
        "train": {**PLAIN["train"], "epochs": 2, "batch_size": 16, "threads": 1, **train},
    }


# Every mechanism that has a state, with log lines, validations and checkpoints at different steps.
EVERYTHING = values(
    model={"word_dropout": 0.3, "input_dropout": 0.2, "output_dropout": 0.1, "encoder_dropout": 0.1},
    objective={
        "schedule": "cyclical", "anneal_epochs": 3.5, "free_nats_per_dimension": 0.05,
        "sampling_schedule": "inverse_sigmoid", "sampling_rate": 8,
    },
    epochs=15, batch_size=48, batch_by="tokens", accumulate=2, learning_rate=1.0, warmup_steps=4, weight_decay=0.01,
    step_decay=0.995, clip=1.0, decay_steps=0, best_by="objective",
    decay_patience=1, decay_to_best=True, stop_patience=3, validate_steps=5, checkpoint_steps=3, log_steps=4,
    ngram_share=0.5,
)  # fmt: skip

_DROPOUT = {"word_dropout": 0.3, "input_dropout": 0.2, "output_dropout": 0.1, "encoder_dropout": 0.1}
_OFTEN = {"epochs": 2, "log_steps": 1, "validate_steps": 3, "optimizer": "sgd", "learning_rate": 0.1, "clip": 0.5}
# 57 training items: batches of 8 leave one, so that a process goes empty; odd ones are shared unevenly.
SETTINGS_OF_TWO = {
    "kernel": values(model=_DROPOUT | {"latent": 2}, **_OFTEN | {"batch_size": 3, "accumulate": 3}),
    "plain": values(model=_DROPOUT, objective={"sampling_rate": 0.3}, **_OFTEN | {"batch_size": 8}),
    "units": values(model=_DROPOUT, objective={"free_nats_per_dimension": 0.02}, **_OFTEN | {"batch_size": 7}),
    "accumulated": values(
        model=_DROPOUT, objective={"free_nats_per_dimension": 0.02},
        **_OFTEN | {"batch_size": 30, "batch_by": "tokens", "accumulate": 3},
    ),
    "total": values(model=_DROPOUT, objective={"free_nats_total": 0.06}, **_OFTEN | {"batch_size": 11}),
    "mmd": values(
        model=_DROPOUT, objective={"mmd": 30.0, "free_nats_per_dimension": 0.02},
        **_OFTEN | {"batch_size": 7, "accumulate": 2},
    ),
    "encoder first": values(
        model=_DROPOUT, objective={"aggressive": True}, **_OFTEN | {"batch_size": 20, "validate_steps": 2}
    ),
    "distance": values(model=_DROPOUT, objective={"target_kl_nats": 0.05}, **_OFTEN | {"batch_size": 7}),
    "controlled": values(
        model=_DROPOUT, objective={"target_kl_nats": 0.02, "target_kl_by": "controller", "schedule": "constant"},
        **_OFTEN | {"batch_size": 7, "accumulate": 2},
    ),
    "weighted": values(
        model=_DROPOUT,
        objective={
            "importance_samples": 6, "first_importance_samples": 1, "kept_samples": 1.5,
            "estimator": "doubly_reparameterized",
        },
        **_OFTEN | {"batch_size": 8},
    ),
}  # fmt: skip
# A few steps, with log lines, validations and checkpoints at different ones.
BRIEF = values(epochs=2, batch_size=20, checkpoint_steps=2, log_steps=3)


def records(run: Run | Path, event: str | None = None) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the readings of the clock."""
    path = run.metrics_path if isinstance(run, Run) else run / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [{k: v for k, v in line.items() if k not in CLOCK_FIELDS} for line in lines]
    return [line for line in kept if event in (None, line["event"])]


def assert_close(found: list[dict[str, Any]], expected: list[dict[str, Any]], relative: float) -> None:
    """The same lines up to rounding: numbers to a relative precision (1e-7 where they are near zero)."""
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    for line, target in zip(found, expected, strict=True):
        for name, value in target.items():
            if isinstance(value, float):
                # a gain is a small difference of many nats in float32
                near = 100 * relative if name == "code_gain_nats" else 1e-7
                assert line[name] == pytest.approx(value, rel=relative, abs=near), (name, target["step"])
            else:
                assert line[name] == value, (name, target["step"])


class Listener(Silent):
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        """Remember."""
        self.messages.append(text)
