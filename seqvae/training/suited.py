"""Defaults that suit the data at hand: few items get other sizes, and short epochs are validated by steps."""

import math
from dataclasses import asdict, replace

from seqvae.config import Values, counted, merge
from seqvae.corpus import Corpus
from seqvae.data import Part
from seqvae.modalities.base import Modality
from seqvae.settings import LENGTHS, Config, build_config, plain_sections, with_train
from seqvae.training.loop import steps_of

SHORT_EPOCH = 50  # steps; longer ones are validated each
MOST_VALIDATIONS = 40  # of a training whose epochs are short; with more, validation goes by steps
VALIDATIONS = 20  # that it has then


def suited_to_few(config: Config, asked: Values, modality: Modality, corpus: Corpus) -> Config:
    """The configuration with the modality's defaults for few items, where the items are few.

    Nothing is changed that was asked for, and nothing at all where a length was: whoever says how long to train means
    the usual settings, or those of a recipe.
    """
    if config.stages or len(corpus) > modality.few_items or set(LENGTHS) & asked.get("train", {}).keys():
        return config
    suited = modality.suited_to_few(len(corpus), corpus.bytes or 0)
    if asked.get("objective", {}).get("schedule") == "cyclical":  # which has a length of its own
        suited = merge(suited, {"objective": {"anneal_steps": config.objective.anneal_steps}})
    wanted = merge(suited, asked)
    values = merge(plain_sections(config.to_dict()), wanted)
    return build_config(modality.name, modality.data_config, modality.model_config, values)


def suited_lengths(config: Config, asked: Values, modality: Modality, part: Part) -> Config:
    """The configuration with epochs enough for the modality's least steps, and with validations some steps apart.

    Both unless they were asked for.
    """
    epoch = steps_of(replace(config.train, epochs=1, steps=0), part)
    if not config.stages and not set(LENGTHS) & asked.get("train", {}).keys():
        least = min(modality.least_steps, config.train.steps or modality.least_steps)  # few items may need fewer
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
    return f"for {counted(items, what)} the defaults are {', '.join(changed)}; --set KEY=VALUE gives others"
