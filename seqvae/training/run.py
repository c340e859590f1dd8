"""From files to a trained run folder."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seqvae import __version__, modalities
from seqvae.build import build_vae, load_weights, open_run, read_config
from seqvae.config import Values, few, merge, uses_of
from seqvae.core.vae import ALL_PARTS, VAE
from seqvae.corpus import Corpus, check_readable_again, encoded, prepare, repeated
from seqvae.data import Part
from seqvae.files import own
from seqvae.memory import Data, files_of, known, names_of
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.items import Items
from seqvae.recipes import read_recipe
from seqvae.runs.place import REPLACED, check_free, held
from seqvae.runs.run import Run
from seqvae.settings import LENGTHS, STAGES, Config, build_config, changed_keys, plain_sections, with_lengths
from seqvae.training.engine import Engine
from seqvae.training.limits import check_lengths, check_processes, check_values
from seqvae.training.log import Reporter, Silent
from seqvae.training.loop import fit
from seqvae.training.objective import Objective, objective_of
from seqvae.training.one_batch import first_batch, suited_to_one_batch, what_was_reached
from seqvae.training.stages import Stages, check_take, divided, listed
from seqvae.training.suited import said_of, suited_lengths, suited_to_few

HELD_OUT_SHARE = 0.05
IN_MEMORY = "in_memory"  # in the config.json of a run whose data, or some of them, were in no file
NOISE = ("_dropout", ".corruption", ".corruption_kind")  # ends of keys that say what only training sees
CHANGEABLE_ON_RESUME = tuple(f"train.{name}" for name in LENGTHS)


def train(  # noqa: PLR0913 - the command line, in one call
    modality: str,
    sources: Data,
    out: Path | str,
    values: Mapping[str, Any] | None = None,
    valid: Data = (),
    device: str = "auto",
    overwrite: bool = False,
    start_from: Path | str | None = None,
    take: Sequence[str] = (),
    reporter: Reporter | None = None,
    objective: Callable[[Config], Objective] = objective_of,
    recipe: str | Path | None = None,
) -> Run:
    """Train a model on files, or on data in memory, and return its run folder.

    `sources` and `valid` are a str or Path, or a list of them, which name files and folders; or the data: an array of
    images, a pair of images and labels, a list of PIL images or of PrettyMIDI objects, or `seqvae.Items(sentences)`.
    Sentences are wrapped, since a str always names a file: a mistyped name is refused, and never trained on.

    `recipe` is one that `seqvae recipes` lists, such as "mnist-plane", or the path of a TOML file or of a run's
    config.json; `values` are nested configuration values (`{"model": {"latent": 16}}`) over it and the defaults.
    Without `valid`, 5 % of the items are held out by the seed. `start_from` is a run whose modality and weights are the
    starting point; `take` are the parts of the weights (`seqvae.core.vae.PARTS`) to take from it, all where none is
    named. `objective` makes what is minimised from the configuration.

    Raises ValueError, in one sentence, for everything that the caller can mend.
    """
    out, data, valid_data = Path(out), known(sources), known(valid)
    if data == []:
        raise ValueError("there are no data; name at least one file to train on")
    check_take(take, start_from)
    values = merge(read_recipe(recipe, modality) if recipe else {}, values or {})
    config, learned = _configure(modality, values, start_from)
    engine, reporter = Engine(device, config.train.precision), reporter or Silent()
    check_processes(config, engine.processes)
    corpora: list[Corpus] = []
    hold = contextlib.ExitStack()

    def create() -> None:
        hold.enter_context(held(out))
        _check_place(out, overwrite, start_from)
        encoding = learned or modalities.get(modality)(config.data)
        whole, encoding, (found, words), said = read_suited(config, values, encoding, data, valid_data, learned is None)
        corpora.extend(found)
        report = _report(corpora, config.train.seed, words)
        reporter.data(report)
        if said is not None:
            reporter.message(said)
        # what cannot be built must not cost the run that is replaced
        _announce(_starting_point(whole, encoding, start_from, take), start_from, take, reporter)
        _create(out, whole, encoding, report, data, valid_data, start_from, take)

    with hold:
        engine.in_first_process(create)
        return _continue(out, None, engine, reporter, corpora, objective)


def read_suited(
    config: Config, asked: Values, modality: Modality, data: Items | Sequence[Path], valid: Items | Sequence[Path] = (),
    fits: bool = True,
) -> tuple[Config, Modality, tuple[list[Corpus], str], str | None]:  # fmt: skip
    """What a training reads: its configuration with defaults that suit the data, its modality, its corpora.

    The corpora come with how they are split, in words; last is the sentence that says which defaults suit the data.
    """
    found = _read(modality, data, valid, fits=fits)
    whole = suited_to_few(config, asked, modality, found[0][0]) if fits else config
    if whole.data != config.data:
        modality = modalities.get(modality.name)(whole.data)
        found = _read(modality, data, valid, fits=True)
    whole = suited_to_one_batch(whole, asked, modality)
    part, _ = _trained_on(found[0], whole)
    whole = suited_lengths(whole, asked, modality, part)
    return whole, modality, found, said_of(config, whole, len(part), modality.words.items)


def _check_place(out: Path, overwrite: bool, start_from: Path | str | None) -> None:
    """Raises ValueError where a new run may not be written."""
    check_free(out, overwrite)
    if start_from is not None and out.exists() and out.samefile(start_from):
        raise ValueError(f"{out} is the run that --from starts from; give --out another folder")


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
    were in memory and the cache is cleared.

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
            raise ValueError(f"{out} holds a model without training state; start a new run from it with --from {out}")
        corpora.extend(corpora_of(run.path, data, valid_data))

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
    config = build_config(kind.name, kind.data_config, kind.model_config, merge(plain, values))
    check_values(config)
    changed = [key for key in changed_keys(plain, config.to_dict()) if key not in CHANGEABLE_ON_RESUME]
    if changed:
        raise ValueError(
            f"--resume continues with the run's own configuration, but {few(changed)} would change; only "
            f"{', '.join(CHANGEABLE_ON_RESUME)} may. Leave it out, or start a new run with --from {run.path}"
        )
    lengths = {name: getattr(config.train, name) for name in LENGTHS if name in values.get("train", {})}
    if STAGES in values:  # the recipe of the run once more, whose lengths are for the stages without their own
        lengths = {name: length for name, length in lengths.items() if length != plain["train"][name]}
    return with_lengths(own, lengths)


def fit_modality(modality: Modality, sources: Sequence[Path], valid: Sequence[Path] = ()) -> None:
    """Let a modality learn from the items that are for training."""
    for source in sources:
        check_readable_again(source)
    part = _for_training(modality, sources, valid) or modality
    modality.fit(lambda: part.read(sources, Report()))


def _for_training(modality: Modality, sources: Sequence[Path], valid: Sequence[Path]) -> Modality | None:
    """The modality that reads the sources' split for training, all of them beside other data for validation.

    None where no file is for training, and where files are not split.
    """
    return modality if valid and not modality.splits_are_named else modality.of_split("train", sources)


def corpora_of(out: Path, data: Items | Sequence[Path] = (), valid: Items | Sequence[Path] = ()) -> list[Corpus]:
    """The data of a run, or the same data from another place.

    Raises ValueError when they are not those that it began with, or were in memory and are in the cache no longer.
    """
    run, _, modality = open_run(out)
    if not data and run.settings.get(IN_MEMORY):
        return _of_cache(run, modality)
    sources, valid_sources = ([Path(path) for path in run.settings[name]] for name in ("sources", "valid"))
    corpora, _ = _read(modality, data or sources, valid or valid_sources, fits=False)
    for name, corpus in zip(("train", "valid"), corpora, strict=False):
        if name not in run.report or corpus.folder.name != run.report[name]["key"]:
            raise ValueError(
                f"{', '.join(corpus.report.sources)} changed since the run began; restore the files, "
                f"or start a new run with --from {run.path}"
            )
    return corpora


def _of_cache(run: Run, modality: Modality) -> list[Corpus]:
    """The data of a run that were in memory, as they were encoded. Raises ValueError when the cache is cleared."""
    try:
        return [encoded(modality, part["key"]) for part in run.report.values()]
    except (ValueError, KeyError):
        raise ValueError(
            f"{run.path} was trained on data in memory, which the cache no longer holds; give them again, with "
            f'seqvae.resume("{run.path}", sources=...), and valid=... where there were any'
        ) from None


def _read(
    modality: Modality, data: Items | Sequence[Path], valid: Items | Sequence[Path], fits: bool
) -> tuple[list[Corpus], str]:
    """The training and the validation data, and how the former are split, in words.

    Where it `fits`, the modality learns from the training data before.
    """
    with files_of(modality, data) as paths, files_of(modality, valid) as valid_paths:
        if fits:
            fit_modality(modality, paths, valid_paths)
        corpora = _corpora(modality, paths, valid_paths)
        words = "" if valid_paths else modality.split_words(paths)
    for corpus, of in zip(corpora, (data, valid if valid_paths else data), strict=False):
        corpus.report.sources = names_of(of)
    return corpora, words


def _configure(
    modality: str, values: Mapping[str, Any], start_from: Path | str | None
) -> tuple[Config, Modality | None]:
    """The configuration of a new run, and the modality of the run that it starts from."""
    kind = modalities.get(modality)
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
    uses = uses_of(kind.data_config)
    changed = [
        key
        for key in changed_keys(base, {name: config.to_dict()[name] for name in base})
        if not key.endswith(NOISE) and "encoding" in uses.get(key.removeprefix("data."), ("encoding",))
    ]
    if changed:
        raise ValueError(
            f"--from keeps the model and encoding of {start_from}, but {few(changed)} would change; leave it out"
        )
    learned = kind(config.data)  # which divides files by the settings of its own training
    run.load_modality(learned)
    return config, learned.using(asdict(config.data))


def _report(corpora: Sequence[Corpus], seed: int, split_words: str) -> dict[str, Any]:
    """What reading the data gave, for data.json: size, what was dropped and why, how it is split, what is repeated."""
    report: dict[str, Any] = {
        name: {"items": len(corpus), "steps": corpus.steps, "key": corpus.folder.name, **corpus.report.to_dict()}
        for name, corpus in zip(("train", "valid"), corpora, strict=False)
    }
    if len(corpora) == 2:
        report["valid"]["repeated"] = repeated(corpora[1], corpora[0])
    else:
        report["train"]["held_out"] = len(parts(corpora, seed)[1])
    if split_words:
        report["train"]["splits"] = split_words
    return report


def _corpora(modality: Modality, sources: Sequence[Path], valid: Sequence[Path]) -> list[Corpus]:
    """The training data and, where they are not to be held out of these item by item, the validation data.

    Raises ValueError when no file is for training.
    """
    learn_from = _for_training(modality, sources, valid)
    if valid:
        return [prepare(learn_from or modality, sources), _validation_data(modality, valid)]
    validate_on, test_on = modality.of_split("valid", sources), modality.of_split("test", sources)
    if learn_from is None:
        if validate_on is not None or test_on is not None:  # none of what is held out may be trained on
            raise ValueError(
                f"the split 'train' has none of the files of {few(map(str, sources))}; give files to "
                "train on, or another table of splits"
            )
        return [prepare(modality, sources)]
    return [prepare(split, sources) for split in (learn_from, validate_on) if split is not None]


def _validation_data(modality: Modality, valid: Sequence[Path]) -> Corpus:
    """The data that a user names for validation. Raises ValueError, which says so, when they give nothing."""
    try:
        return prepare(modality, valid)
    except ValueError as error:
        raise ValueError(f"the validation data are of no use: {error}") from None


def _create(
    out: Path, config: Config, modality: Modality, report: Mapping[str, Any], data: Items | Sequence[Path],
    valid: Items | Sequence[Path], start_from: Path | str | None, take: Sequence[str],
) -> None:  # fmt: skip
    settings = {
        "version": __version__,
        **config.to_dict(),
        "sources": _resolved(data),
        "valid": _resolved(valid),
        "from": None if start_from is None else str(Path(start_from).resolve()),
        **({"take": list(take)} if take else {}),
        **({IN_MEMORY: True} if isinstance(data, Items) or isinstance(valid, Items) else {}),
    }
    Run.create(out, settings, modality, report)


def _resolved(data: Items | Sequence[Path]) -> list[str]:
    return [] if isinstance(data, Items) else [str(path.resolve()) for path in data]


def _starting_point(config: Config, modality: Modality, start_from: Path | str | None, take: Sequence[str]) -> VAE:
    """The model before its first step: drawn by the seed, or the best weights of the run that it starts from."""
    vae = build_vae(config, modality)
    if start_from is not None:
        source = Run(Path(start_from))
        load_weights(vae, source.weights(source.best_step()), source.path, take or ALL_PARTS)
    return vae


def _announce(vae: VAE, start_from: Path | str | None, take: Sequence[str], reporter: Reporter) -> None:
    """Report what a new run takes from another one, and what it draws anew."""
    if start_from is None:
        return
    taken, drawn = divided(vae, take or ALL_PARTS)
    step = Run(Path(start_from)).best_step()
    reporter.message(f"from {start_from}, step {step:,}: takes {listed(taken)}, draws {listed(drawn)} anew")


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
    # a run with a checkpoint goes on from there, so the weights that it started from may be gone by now
    vae = _starting_point(config, modality, None if run.steps() else run.settings["from"], run.settings.get("take", ()))
    data = _trained_on(corpora, config)
    fit(vae, Stages(config, modality), run, data, engine, reporter, objective)
    if config.train.overfit_batch and engine.is_first:
        load_weights(vae, run.weights(run.best_step()), run.path)
        reporter.message(what_was_reached(vae, data[0], modality, engine.device))
    return run


def _trained_on(corpora: Sequence[Corpus], config: Config) -> tuple[Part, Part]:
    """The training and the validation part: one batch for both, where it is to be overfitted."""
    found = parts(corpora, config.train.seed)
    return (first_batch(found[0], config),) * 2 if config.train.overfit_batch else found


def parts(corpora: Sequence[Corpus], seed: int) -> tuple[Part, Part]:
    """The training and the validation part: separate corpora, or a share of one held out by the seed.

    A corpus of a single item is both.
    """
    if len(corpora) == 2 or len(corpora[0]) == 1:
        return Part(corpora[0]), Part(corpora[-1])
    return Part(corpora[0], HELD_OUT_SHARE, False, seed), Part(corpora[0], HELD_OUT_SHARE, True, seed)
