"""Defaults that suit the data at hand, by how many items there are; and short epochs are validated by steps."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from seqvae.config import Values, counted, merge
from seqvae.corpus import Corpus
from seqvae.data import Part
from seqvae.modalities.base import Modality
from seqvae.settings import LENGTHS, Config, build_config, plain_sections, with_train
from seqvae.training.loop import steps_of

SHORT_EPOCH = 50  # steps; longer ones are validated each
MOST_VALIDATIONS = 40  # of a training whose epochs are short; with more, validation goes by steps
VALIDATIONS = 20  # that it has then
# Keys that say how a code is kept in use.
WAYS: Mapping[str, Sequence[str]] = {
    "model": ("posterior", "batch_norm_scale", "least_kl_nats"),
    "objective": (
        "beta", "free_nats_per_dimension", "free_nats_per_dimension_and_example", "free_nats_total", "target_kl_nats",
        "mmd", "aggressive",
    ),
}  # fmt: skip
IN_SEVERAL_PROCESSES: Values = {"objective": {"free_nats_per_dimension_and_example": 0.25}}


def suited_to_data(config: Config, asked: Values, modality: Modality, corpus: Corpus, processes: int = 1) -> Config:
    """The configuration with the modality's defaults for so many items of such a size.

    Nothing is changed that was asked for. Beside a way of keeping the code in use that was asked for, such as free
    bits, that of the defaults steps back; and where a length was, training has that length.
    """
    if config.stages:
        return config
    suited = {name: dict(keys) for name, keys in modality.suited_to(len(corpus), corpus.bytes or 0).items()}
    if set(LENGTHS) & asked.get("train", {}).keys():
        _leave_out(suited, "train", (*LENGTHS, "stop_patience"))
    if _has_own_way(asked) or not config.model.latent:
        for section, names in WAYS.items():
            _leave_out(suited, section, names)
    elif processes > 1 and suited.get("model", {}).pop("batch_norm_scale", None):  # none of them sees a whole batch
        suited = merge(suited, IN_SEVERAL_PROCESSES)
    if asked.get("objective", {}).get("schedule") == "cyclical":  # which has a length of its own
        _leave_out(suited, "objective", ("anneal_steps", "anneal_epochs"))
    values = merge(merge(plain_sections(config.to_dict()), suited), asked)
    return build_config(modality.name, modality.data_config, modality.model_config, values)


def _has_own_way(asked: Values) -> bool:
    """Whether a way of keeping the code in use was asked for.

    The quadratic discrepancy alone keeps no code in use, so it leaves that of the defaults in place.
    """
    named = {name for section, names in WAYS.items() for name in names if name in asked.get(section, {})}
    return bool(named - ({"mmd"} if asked.get("objective", {}).get("mmd_kernel") == "quadratic" else set()))


def _leave_out(values: dict[str, dict[str, Any]], section: str, names: Iterable[str]) -> None:
    for name in names:
        values.get(section, {}).pop(name, None)


def suited_lengths(config: Config, asked: Values, modality: Modality, part: Part) -> Config:
    """The configuration with epochs enough for its steps or the modality's least, and validations some steps apart.

    Both unless they were asked for; steps that were asked for alone are not cut short by the default's epochs.
    """
    epoch = steps_of(replace(config.train, epochs=1, steps=0), part)
    if not config.stages and "epochs" not in asked.get("train", {}):
        least = config.train.steps or modality.least_steps  # few items may need fewer, or more
        config = with_train(config, epochs=max(config.train.epochs, math.ceil(least / epoch)))
    if "validate_steps" in asked.get("train", {}) or config.train.validate_steps or epoch >= SHORT_EPOCH:
        return config
    total = sum(steps_of(stage.train, part) for stage in config.of_each_stage())
    return with_train(config, validate_steps=total // VALIDATIONS) if total > MOST_VALIDATIONS * epoch else config


def said_of(before: Config, after: Config, items: int, what: str) -> str | None:
    """The sentence that says which keys were changed to suit the data; None where none was."""
    changed = [
        f"{section}.{name}={value}"
        for section, keys in asdict(after).items()
        if isinstance(keys, dict)
        for name, value in keys.items()
        if value != getattr(getattr(before, section), name)
    ]
    if not changed:
        return None
    return f"for {counted(items, what)} the defaults are {', '.join(changed)}; set KEY=VALUE for others"
