"""What a run is configured by: the sections `objective` and `train`, and the whole configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from seqvae.config import Keys, Values, from_dict, key, nearest, unknown_key
from seqvae.meanings import key_for

SECTIONS = ("data", "model", "objective", "train")
STAGES = "stages"
LENGTHS = ("epochs", "steps")  # keys of `train` that say how long a run, or a stage of it, is trained
OF_THE_RUN = (
    "overfit_batch",
    "seed",
    "precision",
    "threads",
    "tensorboard",
)  # keys of `train` that no stage can change

# What older versions did, for keys that their runs do not hold.
OF_OLDER_RUNS: Values = {
    "objective": {"anneal_epochs": 10.0},
    "train": {"decay_steps": 0, "best_by": "bound", "precision": "fp32"},
}


@dataclass(frozen=True)
class Objective:
    """The training objective: -E[log p(x|z)] + beta * KL, with free bits and a schedule for beta."""

    beta: float = key(1.0, "final weight of the KL term", least=0)
    schedule: Literal["constant", "linear", "sigmoid", "cosine", "cyclical"] = key(
        "linear", "how beta rises to its final value"
    )
    beta_start: float = key(0.0, "weight of the KL term at the first step", least=0)
    anneal_epochs: float | None = key(
        None, "length of the rise, or of all cycles, in epochs; fractions are fine; none: 10, and for the cyclical "
        "schedule the whole training", least=0,
    )  # fmt: skip
    anneal_steps: int = key(0, "length of the rise in optimizer steps; overrides epochs", least=0)
    cycles: int = key(4, "number of cycles of the cyclical schedule", least=1)
    rising: float = key(0.5, "share of each cycle in which beta rises", least=0)
    free_nats_per_dimension: float = key(0.0, "floor on the batch mean of each latent unit's KL, in nats", least=0)
    free_nats_per_dimension_and_example: float = key(
        0.0, "floor on each latent unit's KL in each example, in nats", least=0
    )
    free_nats_total: float = key(0.0, "mean over examples of max(KL - free, 0), in nats", least=0)
    target_kl_nats: float = key(
        0.0, "hold the mean KL near this, in nats, by the way that target_kl_by names; 0: no target", least=0
    )
    target_kl_by: Literal["distance", "controller"] = key(
        "distance", "the KL term is beta * |KL - target|, or a controller sets its weight, from 0 to beta, at each step"
    )
    target_kl_gain: float = key(
        5e-4, "controller: change of the weight at a step, for each nat off the target", least=0
    )
    mmd: float = key(
        0.0, "weight of the maximum mean discrepancy between a step's codes and the prior, beside beta * KL", least=0
    )
    mmd_kernel: Literal["inverse_multiquadratic", "gaussian", "quadratic"] = key(
        "inverse_multiquadratic", "its kernel of the squared distance d, with C = 2 latent: C / (C + d), or exp(-d / "
        "C); quadratic: that of means and covariances, in nats",
    )  # fmt: skip
    mmd_estimator: Literal["unbiased", "biased"] = key(
        "unbiased", "over pairs of different codes, or of all codes, each with itself too"
    )
    aggressive: bool = key(
        False, "train the encoder until its loss settles before each step of the decoder, as long as the mutual "
        "information on the validation data rises; takes several times as long",
    )  # fmt: skip
    importance_samples: int = key(1, "draws of z for each example: 1 the ELBO, more the bound of IWAE", least=1)
    first_importance_samples: int = key(
        0, "IWAE: draws at the start, from which they grow to importance_samples; 0: all from the start", least=0
    )
    kept_samples: float = key(
        0.0, "IWAE: about so many draws of each example carry the gradient, chosen by weight without bias; 0: all",
        least=0,
    )  # fmt: skip
    estimator: Literal["reparameterized", "doubly_reparameterized"] = key(
        "reparameterized", "IWAE: how the gradient reaches the posterior (Tucker et al. 2019: doubly)"
    )
    sampling_schedule: Literal["constant", "exponential", "inverse_sigmoid"] = key(
        "constant", "how the share of the decoder's inputs that it draws itself grows with the steps of training"
    )
    sampling_rate: float = key(
        0.0, "constant: that share, 0 for teacher forcing; exponential: 1 - rate^step; inverse_sigmoid: 1 - rate / "
        "(rate + exp(step / rate))", least=0,
    )  # fmt: skip


@dataclass(frozen=True)
class Train:
    """The optimizer, its schedule, the batches and what is written when."""

    epochs: int = key(20, "passes over the training data, unless train.steps ends them sooner", least=1)
    steps: int = key(0, "stop after this many optimizer steps; 0: by epochs alone", least=0)
    batch_size: int = key(32, "examples (or tokens) of one batch, over all processes", least=1, below=10**9)
    batch_by: Literal["examples", "tokens"] = key("examples", "what batch_size counts")
    length_spread: int = key(
        8, "lengths in a batch differ by less than this; 1 pads least, more mixes structures", least=1
    )
    accumulate: int = key(1, "batches whose gradients are added up for one step", least=1)
    optimizer: Literal["adam", "adamw", "sgd"] = key("adam", "the optimizer")
    learning_rate: float = key(1e-3, "learning rate after warm-up", least=0)
    weight_decay: float = key(0.0, "weight decay", least=0)
    momentum: float = key(0.0, "momentum of SGD", least=0)
    freeze: str = key(
        "",
        "parts of the weights that stay as they are: some of encoder, posterior (mean, scale) and decoder",
        metavar="PART,...",
    )
    warmup_steps: int = key(0, "steps over which the learning rate rises from zero", least=0)
    cosine: bool = key(False, "let the learning rate fall to zero over the training along half a cosine")
    clip: float = key(5.0, "largest norm of the gradient; 0: no limit", least=0)
    decay: float = key(0.5, "factor of the learning rate when validation stops improving", least=0)
    decay_patience: int = key(2, "validations without improvement before a decay; 0: never", least=0)
    decay_from_epoch: int = key(0, "no decay before this epoch", least=0)
    decay_steps: int = key(100, "least steps without improvement before a decay, however short an epoch is", least=0)
    decay_to_best: bool = key(False, "go back to the best weights at each decay")
    step_decay: float = key(1.0, "factor of the learning rate at each step; 1: none, MusicVAE's: 0.9999", least=0)
    least_learning_rate: float = key(
        1e-5, "what decay and step_decay bring the learning rate down to; where decay can go no lower, training stops",
        least=0,
    )  # fmt: skip
    stop_patience: int = key(0, "validations without improvement before training stops; 0: never", least=0)
    best_by: Literal["objective", "bound"] = key(
        "objective", "what validation chooses the best weights by: the objective at its final beta and free bits, or "
        "the bound at beta 1, which prefers codes that carry less",
    )  # fmt: skip
    validate_steps: int = key(0, "steps between validations; 0: after each epoch", least=0)
    checkpoint_steps: int = key(500, "steps between checkpoints, besides validations", least=1)
    log_steps: int = key(50, "steps between lines of metrics.jsonl", least=1)
    ngram_share: float = key(
        0.0, "share of the items, 0 to 1, that are replaced by ones drawn from an n-gram of the training items; falls "
        "to 0 over the training. Where batch_by=tokens, only by ones that are no longer", least=0,
    )  # fmt: skip
    ngram_order: int = key(4, "steps that the n-gram counts together: one and those just before it", least=1, below=100)
    overfit_batch: bool = key(
        False, "train on the first batch again and again, and validate on it: to see that a model can learn at all"
    )
    seed: int = key(0, "seed of weights, order and noise", least=0, below=2**63)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = key(
        "auto",
        "arithmetic of the network; auto: bf16 of text and drums where the device has it natively, else fp32",
    )
    threads: int = key(0, "CPU threads; 0: as many of torch's as a timed step is fastest with", least=0)
    tensorboard: bool = key(False, "also write TensorBoard event files")

    @property
    def frozen(self) -> tuple[str, ...]:
        """The parts of the weights that stay as they are."""
        return tuple(part.strip() for part in self.freeze.split(",") if part.strip())


@dataclass(frozen=True)
class Stage:
    """One of the stages of a run: what it changes in `objective` and `train`, and what it keeps of the one before.

    `keep` are parts of the weights, by their names in `core.vae.PARTS`; the others are drawn anew. None keeps all.
    """

    objective: Values = field(default_factory=dict)
    train: Values = field(default_factory=dict)
    keep: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, what the stage does not say left out."""
        found: dict[str, Any] = {"objective": dict(self.objective), "train": dict(self.train)}
        found = {name: keys for name, keys in found.items() if keys}
        return found if self.keep is None else found | {"keep": list(self.keep)}


@dataclass(frozen=True)
class Config:
    """Everything that a run is made from. `data` and `model` are the modality's own dataclasses.

    Without `stages` the run has a single one, of its sections `objective` and `train`.
    """

    modality: str
    data: Keys
    model: Keys
    objective: Objective = field(default_factory=Objective)
    train: Train = field(default_factory=Train)
    stages: tuple[Stage, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries, ready for JSON; no word of stages where there are none."""
        found = {name: value for name, value in asdict(self).items() if name != STAGES}
        return found | {STAGES: [stage.to_dict() for stage in self.stages]} if self.stages else found

    def of_each_stage(self) -> list["Config"]:
        """The configuration of each stage, in order."""
        sections = [(replace(self.objective, **s.objective), replace(self.train, **s.train)) for s in self.stages]
        return [replace(self, objective=o, train=t, stages=()) for o, t in sections] or [self]


def build_config(modality: str, data_config: type, model_config: type, values: Values) -> Config:
    """A whole Config from nested plain values; a value that is left out has its default.

    Raises ValueError for an unknown section, an unknown key or a value that is not possible.
    """
    kinds = {"data": data_config, "model": model_config, "objective": Objective, "train": Train}
    homes = {f.name: f"{section}.{f.name}" for section, kind in kinds.items() for f in fields(kind)}
    for section, keys in values.items():
        if section == STAGES:
            continue
        if section not in SECTIONS:
            raise _unknown_section(section, keys, homes)
        if not isinstance(keys, Mapping):
            raise ValueError(f"{section}={keys} is not possible; it is a section, so write {section}.name=value")
        own = {f.name for f in fields(kinds[section])}
        for name in (name for name in keys if name not in own):
            if name in homes:
                raise ValueError(f"no configuration key '{section}.{name}'. Did you mean '{homes[name]}'?")
            raise unknown_key(f"{section}.{name}", (f"{section}.{known}" for known in own), homes.values())
    parts = {name: from_dict(kind, values.get(name, {}), name) for name, kind in kinds.items()}
    return Config(modality, **parts, stages=_stages(values.get(STAGES, ()), values))


def _unknown_section(section: str, keys: Any, homes: Mapping[str, str]) -> ValueError:
    """The error for a section that does not exist; where one of its names is, or means, a key, that key is named."""
    known = (*SECTIONS, STAGES)
    hint = nearest(section, known)
    for name in keys if isinstance(keys, Mapping) else ():
        found = homes.get(name) or key_for(name, homes.values())
        if found is not None and f"'{found.partition('.')[0]}'" not in hint:
            hint = f" Did you mean '{found}'?"
    return ValueError(f"no configuration section '{section}'; there are {', '.join(known)}.{hint}")


def _stages(tables: Any, values: Values) -> tuple[Stage, ...]:
    """The stages of a list of tables, with values of the declared types. Raises ValueError as `build_config`."""
    if not isinstance(tables, Sequence) or not all(isinstance(table, Mapping) for table in tables):
        raise ValueError(f"stages={tables} is not possible; they are [[stages]] tables of a recipe, one after another")
    stages = []
    for place, table in enumerate(tables, 1):
        changed: dict[str, dict[str, Any]] = {}
        for section, keys in table.items():
            if section not in ("objective", "train", "keep"):
                raise ValueError(f"stage {place} has no section '{section}'; there are objective, train, keep")
            if section == "keep":
                continue
            kind = Objective if section == "objective" else Train
            if not isinstance(keys, Mapping):
                raise ValueError(f"{section}={keys} of stage {place} is not possible; write {section}.name=value")
            for name in OF_THE_RUN if kind is Train else ():
                if name in keys:
                    raise ValueError(f"train.{name} is of the whole run; take it out of stage {place}")
            whole = from_dict(kind, {**values.get(section, {}), **keys}, section)
            changed[section] = {name: getattr(whole, name) for name in keys}
        stages.append(Stage(**changed, keep=_kept(table.get("keep"), place)))
    return tuple(stages)


def _kept(parts: Any, place: int) -> tuple[str, ...] | None:
    if parts is None:
        return None
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise ValueError(f'keep={parts} of stage {place} is not possible; give a list, such as keep = ["encoder"]')
    return tuple(map(str, parts))


def plain_sections(values: Values) -> dict[str, Any]:
    """Of the plain values of a run those that `build_config` takes."""
    return {name: values[name] for name in (*SECTIONS, STAGES) if name != STAGES or name in values}


def changed_keys(old: Values, new: Values) -> list[str]:
    """The `section.name` keys whose values differ between two plain configurations; `stages` where they do."""
    keys = {(s, n) for c in (old, new) for s in SECTIONS for n in c.get(s, {})}
    found = sorted(f"{s}.{n}" for s, n in keys if old.get(s, {}).get(n) != new.get(s, {}).get(n))
    return found + [STAGES] * (old.get(STAGES, []) != new.get(STAGES, []))


def idle_lengths(values: Values) -> tuple[str, ...]:
    """The LENGTHS of `train` that change nothing in the plain values of a run, since every stage sets its own."""
    tables = values.get(STAGES)
    if not isinstance(tables, Sequence) or not tables:
        return ()
    of_train = [found if isinstance(found, Mapping) else {} for found in map(_train_of, (values, *tables))]
    return tuple(name for name in LENGTHS if all(name in keys for keys in of_train))


def _train_of(table: Any) -> Any:
    return table.get("train") if isinstance(table, Mapping) else None  # what else it is, `build_config` refuses


def with_lengths(config: Config, lengths: Values) -> Config:
    """The same configuration with other LENGTHS: those of its last stage, where there are stages."""
    if not config.stages:
        return with_train(config, **lengths)
    *before, last = config.stages
    return replace(config, stages=(*before, replace(last, train={**last.train, **lengths})))


def with_train(config: Config, **changes: Any) -> Config:
    """The same configuration with some keys of its `train` section changed."""
    return replace(config, train=replace(config.train, **changes))
