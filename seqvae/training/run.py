"""From files to a trained run folder."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from seqvae import __version__, modalities
from seqvae.build import build_vae, load_weights, open_run, read_config
from seqvae.config import Values, few, merge, parts_of, uses_of
from seqvae.core.vae import ALL_PARTS, VAE
from seqvae.corpus import Corpus
from seqvae.files import own
from seqvae.memory import Data, are_passing, known, pipes_of, readable
from seqvae.modalities.base import Modality
from seqvae.modalities.items import Items
from seqvae.recipes import read_recipe
from seqvae.runs.place import REPLACED, check_free, held
from seqvae.runs.run import BEST, Run
from seqvae.settings import (
    LENGTHS,
    STAGES,
    Config,
    build_config,
    changed_keys,
    plain_sections,
    with_lengths,
    with_train,
)
from seqvae.training.advice import advice_on_unknown
from seqvae.training.corpora import IN_MEMORY, corpora_of, read_suited, report_of, trained_on
from seqvae.training.engine import Engine
from seqvae.training.limits import check_asked, check_drawn, check_lengths, check_processes, check_values
from seqvae.training.log import Reporter, Silent
from seqvae.training.loop import fit
from seqvae.training.objective import Objective, objective_of
from seqvae.training.one_batch import what_was_reached
from seqvae.training.stages import Stages, check_take, divided, listed

NOISE = ("_dropout", ".corruption", ".corruption_kind")  # ends of keys that say what only training sees
CHANGEABLE_ON_RESUME = tuple(f"train.{name}" for name in LENGTHS)


class Options(TypedDict, total=False):
    """What else a new run may be asked for, by keyword; what is left out is not asked for."""

    recipe: str | Path | None
    overwrite: bool
    start_from: Path | str | None
    checkpoint: int | str
    take: Sequence[str]
    objective: Callable[[Config], Objective]
    reporter: Reporter | None


@dataclass(frozen=True)
class _New:
    """A run that is about to be made: its configuration as it was asked for, and what it starts from."""

    config: Config
    values: Values
    learned: Modality | None
    origin: "Origin | None"
    has_recipe: bool


def train(
    modality: str,
    sources: Data,
    out: Path | str,
    values: Mapping[str, Any] | None = None,
    valid: Data = (),
    device: str = "auto",
    **options: Unpack[Options],
) -> Run:
    """Train a model on files, or on data in memory, and return its run folder.

    `sources` and `valid` are a str or Path, or a list of them, which name files and folders; or the data: an array of
    images, a pair of images and labels, a list of PIL images or of PrettyMIDI objects, or `seqvae.Items(sentences)`.
    Sentences are wrapped, since a str always names a file: a mistyped name is refused, and never trained on.

    `recipe` is one that `seqvae recipes` lists, such as "mnist-plane", or the path of a TOML file or of a run's
    config.json; `values` are nested configuration values (`{"model": {"latent": 16}}`) over it and the defaults.
    Without `valid`, 5 % of the items are held out by the seed. `start_from` is a run whose modality and weights are the
    starting point, those of its best `checkpoint` or of another one, as in `seqvae.load`; `take` are the parts of the
    weights (`seqvae.core.vae.PARTS`) to take from it, all where none is named. `objective` makes what is minimised from
    the configuration.

    Raises ValueError, in one sentence, for everything that the caller can mend.
    """
    _check_options(options)
    out, data, valid_data = Path(out), known(sources), known(valid)
    if data == []:
        raise ValueError("there are no data; name at least one file to train on")
    pipes_of(data, valid_data)
    start_from, take, recipe = options.get("start_from"), options.get("take", ()), options.get("recipe")
    check_take(take, start_from)
    origin = _asked_origin(start_from, options.get("checkpoint", BEST), take)
    values = merge(read_recipe(recipe, modality) if recipe else {}, values or {})
    config, learned = _configure(modality, values, start_from, take)
    engine = Engine(device, config.train.precision, modalities.get(modality).precision)
    reporter = options.get("reporter") or Silent()
    values = merge(values, {"train": {"precision": engine.precision}})  # which a run keeps, wherever it is resumed
    config = with_train(config, precision=engine.precision)
    check_processes(config, engine.processes)
    new = _New(config, values, learned, origin, recipe is not None)
    corpora: list[Corpus] = []
    hold = contextlib.ExitStack()

    def create() -> None:
        hold.enter_context(held(out))
        _check_place(out, options.get("overwrite", False), start_from)
        corpora.extend(_read_and_create(out, new, data, valid_data, engine, reporter))

    with hold:
        engine.in_first_process(create)
        return _continue(out, None, engine, reporter, corpora, options.get("objective", objective_of))


def _check_options(options: Mapping[str, object]) -> None:
    """Raises TypeError, as a call does, for a keyword that is none."""
    for name in options.keys() - Options.__annotations__.keys():
        there = ", ".join(Options.__annotations__)
        raise TypeError(f"train() got an unexpected keyword argument '{name}'; beside its parameters there are {there}")


def _read_and_create(
    out: Path, new: _New, data: Items | Sequence[Path], valid: Items | Sequence[Path], engine: Engine,
    reporter: Reporter,
) -> list[Corpus]:  # fmt: skip
    """Read the data of a new run, say what they gave, and make its folder; the training and the validation corpora."""
    encoding = new.learned or modalities.get(new.config.modality)(new.config.data)
    with readable(encoding, data) as read, readable(encoding, valid) as valid_read:
        config, encoding, (corpora, words), said = read_suited(
            new.config, new.values, encoding, read, valid_read, new.learned is not None, new.has_recipe,
            engine.processes,
        )  # fmt: skip
        report = report_of(corpora, config.train.seed, words)
        reporter.data(report)
        encoding.check_trained_on(corpora[0].report)
        check_drawn(config, encoding)
        unknown = (
            advice_on_unknown(corpus.report, corpus.steps, of, encoding)
            for of, corpus in zip(("training", "validation"), corpora, strict=False)
        )
        for sentence in filter(None, (*unknown, said, engine.chosen)):
            reporter.message(sentence)
        # what cannot be built must not cost the run that is replaced
        vae = _starting_point(config, encoding, new.origin)
        if new.origin is not None:
            reporter.message(new.origin.words(vae))
        _create(out, config, encoding, report, read, valid_read, new.origin)
    return corpora


@dataclass(frozen=True)
class Origin:
    """The run whose weights, those of its `used_step`, a new one starts from, and the parts to take: all for none."""

    run: Run
    take: tuple[str, ...]

    def words(self, vae: VAE) -> str:
        """What is taken from it, and what is drawn anew."""
        taken, drawn = divided(vae, self.take or ALL_PARTS)
        return f"from {self.run.path}, step {self.run.used_step:,}: takes {listed(taken)}, draws {listed(drawn)} anew"

    def settings(self) -> Values:
        """What the new run remembers of it."""
        path = str(self.run.path if self.run.is_of_package else self.run.path.resolve())
        step = self.run.used_step
        return {"from": path, "from_step": step, **({"take": list(self.take)} if self.take else {})}


def _asked_origin(start_from: Path | str | None, checkpoint: int | str, take: Sequence[str]) -> Origin | None:
    """What a new run starts from. Raises ValueError for a checkpoint that is not there, or of no run."""
    if start_from is None:
        if checkpoint != BEST:
            raise ValueError(f"checkpoint={checkpoint} chooses weights of another run; name that run with start_from")
        return None
    source = Run(Path(start_from), checkpoint=checkpoint)
    source.used_step  # noqa: B018 - before the data are read
    return Origin(source, tuple(take))


def _origin_of(run: Run) -> Origin | None:
    """What a run started from; None where that was nothing but its seed, or is needed no more."""
    if run.steps() or run.settings["from"] is None:  # with a checkpoint it goes on from there: the other may be gone
        return None
    source = Run(Path(run.settings["from"]), checkpoint=run.settings.get("from_step", BEST))
    return Origin(source, tuple(run.settings.get("take", ())))


def _check_place(out: Path, overwrite: bool, start_from: Path | str | None) -> None:
    """Raises ValueError where a new run may not be written."""
    check_free(out, overwrite)
    if start_from is not None and out.exists() and Path(start_from).exists() and out.samefile(start_from):
        raise ValueError(f"{out} is the run that `start_from` names; give `out` another folder")


def resume(
    out: Path | str,
    values: Mapping[str, Any] | None = None,
    device: str = "auto",
    reporter: Reporter | None = None,
    objective: Callable[[Config], Objective] = objective_of,
    sources: Data = (),
    valid: Data = (),
) -> Run:
    """Continue a run from its newest whole checkpoint; on the CPU to the same bits as without the stop.

    `sources` and `valid` are the data that it began with, as in `train`, where these were moved since; or where they
    were in memory, or came through a pipe, and the cache is cleared.

    A run with an `objective` of its own goes on with that alone. `train.epochs` and `train.steps` are how long the run
    is trained in all or, where it has stages, how long its last stage is.

    Raises ValueError when `values` change a key other than `train.epochs` and `train.steps`, or when the data changed.
    """
    run, data, valid_data = settled(Path(out)), known(sources), known(valid)
    config = resumed_config(run, values or {})
    engine = Engine(device, config.train.precision)
    check_processes(config, engine.processes)
    corpora: list[Corpus] = []
    hold = contextlib.ExitStack()

    def encode() -> None:  # what is no longer in the cache, while the other processes wait
        hold.enter_context(held(run.path))
        found = run.last()
        if found is not None and "optimizer_groups" not in found[1].state:
            raise ValueError(
                f"{out} holds a model without training state; start a new run from it with `start_from` {out}"
            )
        run.renew()
        kind = modalities.get(run.settings["modality"])(config.data)
        pipes_of(data, valid_data)
        with readable(kind, data) as read, readable(kind, valid_data) as valid_read:
            corpora.extend(corpora_of(run.path, read, valid_read))

    with hold:
        engine.in_first_process(encode)
        return _continue(run.path, config, engine, reporter or Silent(), corpora, objective)


def settled(out: Path) -> Run:
    """The run of a folder that is to go on: one whose replacement was cut off gets its old run back first.

    Raises ValueError when another process trains in it.
    """
    if own(out, REPLACED).is_dir():
        with held(out):
            pass
    return Run(out)


def resumed_config(run: Run, values: Values) -> Config:
    """The configuration that a run goes on with when it is resumed with some values. Raises ValueError as `resume`."""
    kind, own = modalities.get(run.settings["modality"]), read_config(run)
    plain = plain_sections(own.to_dict())
    if values.get("train", {}).get("precision") == "auto":  # it means what the run began with
        values = merge(values, {"train": {"precision": own.train.precision}})
    config = build_config(kind.name, kind.data_config, kind.model_config, merge(plain, values))
    check_values(config)
    changed = [key for key in changed_keys(plain, config.to_dict()) if key not in CHANGEABLE_ON_RESUME]
    if changed:
        raise ValueError(
            f"`seqvae.resume` continues with the run's own configuration, but {few(changed)} would change; only "
            f"{', '.join(CHANGEABLE_ON_RESUME)} may. Leave it out, or start a new run with `start_from` {run.path}"
        )
    lengths = {name: getattr(config.train, name) for name in LENGTHS if name in values.get("train", {})}
    if STAGES in values:  # the recipe of the run once more, whose lengths are for the stages without their own
        lengths = {name: length for name, length in lengths.items() if length != plain["train"][name]}
    return with_lengths(own, lengths)


def _configure(
    modality: str, values: Mapping[str, Any], start_from: Path | str | None, take: Sequence[str]
) -> tuple[Config, Modality | None]:
    """The configuration of a new run, and the modality of the run that it starts from."""
    kind = modalities.get(modality)
    check_asked(values, kind.data_config)
    if start_from is None:
        merged = merge(kind.defaults, values)
        config = build_config(modality, kind.data_config, kind.model_config, merged)
        check_values(config)
        check_lengths(values)
        return config, None
    run, source, _ = open_run(Path(start_from))
    if source.modality != modality:
        raise ValueError(f"{start_from} is a model of {source.modality}, not {modality}; train it with that modality")
    base = {name: source.to_dict()[name] for name in ("data", "model")}
    merged = merge(merge(kind.defaults, base), values)
    config = build_config(modality, kind.data_config, kind.model_config, merged)
    check_values(config)
    check_lengths(values)
    uses, parts = uses_of(kind.data_config), parts_of(source.model)
    changed = [
        key
        for key in changed_keys(base, {name: config.to_dict()[name] for name in base})
        if not key.endswith(NOISE) and "encoding" in uses.get(key.removeprefix("data."), ("encoding",))
    ]
    kept = [key for key in changed if not _is_drawn_anew(parts.get(key.removeprefix("model.")), take)]
    if kept:
        whole = f"the {', '.join(take)}" if take else "the model"
        raise ValueError(
            f"`start_from` keeps {whole} and encoding of {start_from}, but {few(kept)} would change"
            f"{_from_to(base, config.to_dict(), kept)}; leave {few(kept)} out, or train without `start_from`"
        )
    learned = kind(config.data)  # which divides files by the settings of its own training
    run.load_modality(learned)
    return config, learned.using(asdict(config.data))


def _from_to(own: Values, asked: Values, changed: Sequence[str]) -> str:
    """What a single changed key is and is to be, in words; empty for several."""
    if len(changed) > 1:
        return ""
    section, _, name = changed[0].partition(".")
    old, new = (str(values[section][name]) or "none" for values in (own, asked))
    return f" from {old} to {new}"


def _is_drawn_anew(parts: Sequence[str] | None, take: Sequence[str]) -> bool:
    """Whether a key that shapes some parts of the weights, None for all, shapes none of those that are taken."""
    return bool(take) and parts is not None and not set(parts) & set(take)


def _create(
    out: Path, config: Config, modality: Modality, report: Mapping[str, Any], data: Items | Sequence[Path],
    valid: Items | Sequence[Path], origin: Origin | None,
) -> None:  # fmt: skip
    settings = {
        "version": __version__,
        **config.to_dict(),
        "sources": _resolved(data),
        "valid": _resolved(valid),
        "from": None,
        **(origin.settings() if origin else {}),
        **({IN_MEMORY: True} if are_passing(data) or are_passing(valid) else {}),
    }
    Run.create(out, settings, modality, report)


def _resolved(data: Items | Sequence[Path]) -> list[str]:
    return [] if isinstance(data, Items) or are_passing(data) else [str(path.resolve()) for path in data]


def _starting_point(config: Config, modality: Modality, origin: Origin | None) -> VAE:
    """The model before its first step: drawn by the seed, or the weights of the run that it starts from."""
    vae = build_vae(config, modality)
    if origin is not None:
        source = origin.run
        load_weights(vae, source.weights(source.used_step), source.path, origin.take or ALL_PARTS)
    return vae


def _continue(
    out: Path, config: Config | None, engine: Engine, reporter: Reporter, corpora: Sequence[Corpus],
    objective: Callable[[Config], Objective],
) -> Run:  # fmt: skip
    """Train from the newest checkpoint on, by the run's own configuration or a changed one.

    Processes that are not the first have no corpora yet.
    """
    run, own, modality = open_run(out, to_train=True)
    config = config or own
    corpora = corpora or corpora_of(out)
    vae = _starting_point(config, modality, _origin_of(run))
    data = trained_on(corpora, config)
    fit(vae, Stages(config, modality), run, data, engine, reporter, objective)
    if config.train.overfit_batch and engine.is_first:
        load_weights(vae, run.weights(run.best_step()), run.path)
        reporter.message(what_was_reached(vae, data[0], modality, engine.device))
    return run
