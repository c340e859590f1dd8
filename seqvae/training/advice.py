"""What helps a run that came to little, in plain words: codes that are not used, few items, unknown words.

Only what would change something is advised: no setting that the run has, and none that it would refuse.
"""

from collections.abc import Sequence
from dataclasses import fields

from seqvae.config import counted, merge, parse_overrides
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Report
from seqvae.settings import Config, build_config, plain_sections
from seqvae.training.code_use import CodeUse
from seqvae.training.limits import check_values
from seqvae.training.progress import Progress

MOST_NAMED = 3  # remedies in a sentence
EARLY = 0.5  # share of the steps after which the best weights should not have been met yet
OVERFITTED = 1.5  # times as many nats as of what was trained on
LEAST_APART = 1.0  # nats between the two, below which it is not worth a word
MANY_UNKNOWN = 0.03  # share of the steps


def remedies(wanted: Sequence[str], config: Config, modality: Modality) -> list[str]:
    """Those of the `section.name=value` that a run of this configuration could take up, at most MOST_NAMED."""
    return _divided(wanted, config, modality)[0][:MOST_NAMED]


def _divided(wanted: Sequence[str], config: Config, modality: Modality) -> tuple[list[str], list[str]]:
    """Those that a run could take up, and those that it would refuse; the others it has."""
    plain = plain_sections(config.to_dict())
    found, refused = [], []
    for pair in wanted:
        try:
            with_it = build_config(
                modality.name, modality.data_config, modality.model_config, merge(plain, parse_overrides([pair]))
            )
            check_values(with_it)
        except ValueError:
            refused.append(pair)
            continue
        if not _has(config, with_it, pair):
            found.append(pair)
    return found, refused


def _has(config: Config, with_it: Config, pair: str) -> bool:
    """Whether a setting is in a configuration already, or a stronger one: further away from the default."""
    section, name = pair.partition("=")[0].split(".")
    own, other = (getattr(getattr(each, section), name) for each in (config, with_it))
    default = next(field.default for field in fields(getattr(config, section)) if field.name == name)
    if isinstance(own, bool | str) or own is None or default is None:
        return bool(own != default or own == other)
    return bool(abs(own - default) >= abs(other - default))


def _listed(found: Sequence[str]) -> str:
    return "; ".join(f"set {pair}" for pair in found)


def diagnosis(use: CodeUse, step: int) -> str:
    """What a code that is not used carries, in plain words."""
    what = "has collapsed" if use.is_collapsed else "carries little"
    gain = f"only {use.gain.nats:.2f} of {use.gain.shuffled_nats:.1f} nats" if use.gain.nats > 0.0 else "no"
    return (
        f"the latent code of step {step:,} {what}: it says {max(0.0, use.information_nats):.2f} nats about an item (of "
        f"{use.most_nats:.1f} that {use.items:,} items can show), and reconstructions are {gain} better than from the "
        "code of another item"
    )


def advice_when_it_happens(use: CodeUse, step: int, config: Config, modality: Modality) -> str:
    """What to know while there is time to stop."""
    found = remedies(modality.words.against_collapse, config, modality)
    remedy = f"; what helps most is a new run with {_listed(found[:1])}" if found else ""
    return f"{diagnosis(use, step)}. Later steps may change that{remedy}"


def advice_on_the_code(use: CodeUse, step: int, config: Config, modality: Modality) -> str | None:
    """What to do about a code that is not used by the weights that are; None where it is."""
    if not use.is_little:
        return None
    return (
        f"{diagnosis(use, step)}. So samples differ by chance alone, and reconstructions hardly depend on their input. "
        f"{_what_helps(modality.words.against_collapse, config, modality)}"
    )


def _what_helps(wanted: Sequence[str], config: Config, modality: Modality) -> str:
    """The remedies that a run could take up or, where there are none, why not."""
    found, refused = _divided(wanted, config, modality)
    if found:
        return f"Remedies, the one that helps most first: {_listed(found[:MOST_NAMED])}"
    if not refused:
        return "This run has all remedies that usually help; more of them, or a smaller decoder, may"
    if len(refused) < len(wanted):
        which = "This run has some of the remedies that usually help; the others do not go with the rest of its"
    else:
        which = "The remedies that usually help do not go with the rest of this run's"
    return (
        f"{which} configuration: {', '.join(refused)}. A new run without what excludes them may help, or a smaller "
        "decoder"
    )


def advice_on_fit(
    train_nats: float, valid_nats: float, progress: Progress, items: int, config: Config, modality: Modality
) -> str | None:
    """What helps where the items were few for the model; None where they were not.

    They were where the weights that are used, of `progress.best_step`, reconstruct validation items far worse than
    those that were trained on; or where these weights were met early. `items` were trained on.
    """
    best = progress.best_step
    if best is None:
        return None
    words = modality.words
    is_early = best - progress.first_step <= EARLY * progress.stage_steps
    overfits = valid_nats > OVERFITTED * abs(train_nats) and valid_nats - train_nats > LEAST_APART
    if not is_early and not overfits:
        return None
    flat = f"validation got no better after step {best:,}, while training went on"
    apart = (
        "the model fits what it was trained on far better than what it was not: the reconstruction of step "
        f"{best:,} is {train_nats:.1f} nats in training, {valid_nats:.1f} in validation"
    )
    found = remedies(words.against_overfitting, config, modality)
    otherwise = f"; else {_listed(found)}" if found else ""
    return (
        f"{apart if overfits else flat}: {counted(items, words.items)} {'is' if items == 1 else 'are'} little for this "
        f"model. More of them help most{otherwise}"
        + (f". Fewer epochs do as well, since {flat}" if overfits and is_early else "")
    )


def advice_on_unknown(report: Report, steps: int, of: str, modality: Modality) -> str | None:
    """What to do where the vocabulary lacks many symbols of data; None where it does not.

    A corpus's own word for what is unknown is none that it lacks.
    """
    hidden = modality.hidden(report)
    if hidden is None or not steps or hidden.symbols < MANY_UNKNOWN * steps:
        return None
    wanted = modality.words.against_unknown
    remedy = f"{_listed([wanted])} learns pieces that spell every word" if wanted else "another vocabulary is needed"
    return (
        f"{hidden.symbols / steps:.0%} of the {modality.words.steps} of the {of} data are unknown to the vocabulary, "
        f"and come back as nothing but that; {remedy}"
    )
