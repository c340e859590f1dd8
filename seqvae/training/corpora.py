"""What a run trains on and is validated on: corpora read from files or memory, and how they are split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqvae import modalities
from seqvae.build import open_run
from seqvae.config import Values, few
from seqvae.corpus import Corpus, check_readable_again, encoded, prepare, repeated
from seqvae.data import Part
from seqvae.memory import PIPE, files_of, names_of
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.items import Items
from seqvae.modalities.processes import shared_processes
from seqvae.runs.run import Run
from seqvae.settings import Config
from seqvae.training.one_batch import first_batch, suited_to_one_batch
from seqvae.training.suited import said_of, suited_lengths, suited_to_data

HELD_OUT_SHARE = 0.05
IN_MEMORY = "in_memory"  # in the config.json of a run whose data, or some of them, were in no file that stays


def read_suited(
    config: Config, asked: Values, modality: Modality, data: Items | Sequence[Path], valid: Items | Sequence[Path] = (),
    learned: bool = False, is_recipe: bool = False, processes: int = 1,
) -> tuple[Config, Modality, tuple[list[Corpus], str], str | None]:  # fmt: skip
    """What a training reads: its configuration with defaults that suit the data, its modality, its corpora.

    The corpora come with how they are split, in words; last is the sentence that says which defaults suit the data. A
    modality that has `learned` already keeps what it has; beside a recipe, the defaults for such data mean nothing.
    """
    found = _read(modality, data, valid, fits=not learned)
    whole = config
    if not (learned or is_recipe):
        whole = suited_to_data(config, asked, modality, found[0][0], processes)
    if whole.data != config.data:
        modality = modalities.get(modality.name)(whole.data)
        found = _read(modality, data, valid, fits=True)
    whole = suited_to_one_batch(whole, asked, modality)
    part, _ = trained_on(found[0], whole)
    whole = suited_lengths(whole, asked, modality, part)
    return whole, modality, found, said_of(config, whole, len(part), modality.words.items)


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
                f"or start a new run with `start_from` {run.path}"
            )
    if len(corpora) != len(run.report):
        raise ValueError(f"{run.path} has validation data of its own; give these again, too, with `valid`")
    return corpora


def _of_cache(run: Run, modality: Modality) -> list[Corpus]:
    """The data of a run that were in no file that stays, as they were encoded.

    Raises ValueError when the cache is cleared.
    """
    try:
        return [encoded(modality, part["key"]) for part in run.report.values()]
    except (ValueError, KeyError):
        names = [name for part in run.report.values() for name in part["sources"] if name.startswith(PIPE)]
        if names:
            raise ValueError(
                f"{run.path} was trained on data from the {few(names)}, which the cache no longer holds; give the same "
                f"data again, as a file or through a pipe, with `seqvae.resume` of {run.path}"
            ) from None
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
    with files_of(modality, data) as paths, files_of(modality, valid) as valid_paths, shared_processes():
        if fits:
            fit_modality(modality, paths, valid_paths)
        corpora = _corpora(modality, paths, valid_paths)
        words = "" if valid_paths else modality.split_words(paths)
    for corpus, of in zip(corpora, (data, valid if valid_paths else data), strict=False):
        corpus.report.sources = names_of(of)
    return corpora, words


def report_of(corpora: Sequence[Corpus], seed: int, split_words: str) -> dict[str, Any]:
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
    if valid:
        return [
            prepare(_for_training(modality, sources, valid) or modality, sources),
            _validation_data(modality, valid),
        ]
    splits = modality.of_splits(sources)
    if "train" not in splits:
        if splits:  # none of what is held out may be trained on
            raise ValueError(
                f"the split 'train' has none of the files of {few(map(str, sources))}; give files to "
                "train on, or another table of splits"
            )
        return [prepare(modality, sources)]
    return [prepare(splits[split], sources) for split in ("train", "valid") if split in splits]


def _validation_data(modality: Modality, valid: Sequence[Path]) -> Corpus:
    """The data that a user names for validation. Raises ValueError, which says so, when they give nothing."""
    try:
        return prepare(modality, valid)
    except ValueError as error:
        raise ValueError(f"the validation data are of no use: {error}") from None


def trained_on(corpora: Sequence[Corpus], config: Config) -> tuple[Part, Part]:
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
