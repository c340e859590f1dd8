"""What a modality is: files to items to arrays, and back."""

import abc
import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, Self

import numpy as np

from seqvae.config import Keys, Values, changed, counted, read_json, uses_of
from seqvae.files import write_atomically
from seqvae.modalities.encoding import Encoding
from seqvae.modalities.folders import files_below, near_name
from seqvae.modalities.items import (
    PARTS,
    Arrangement,
    Figures,
    File,
    Hidden,
    Item,
    Items,
    Named,
    Report,
    Split,
    Sweep,
    Words,
    Written,
    file_and_index,
    names_of,
    no_such_index,
)
from seqvae.modalities.keeping import Keeping
from seqvae.modalities.measuring import Measuring

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from seqvae.noise import Noise
    from seqvae.types import Batch

OF_RESULTS = {"making", "writing"}  # uses of keys that neither items nor their arrays depend on


class Modality(Encoding, Keeping, Measuring, abc.ABC):
    """Files to items (`read`), items to arrays (`encode`), and back (`decode`, `write`).

    What is abstract must be said; all else has a body that fits most. A modality is a value: its data configuration
    and what it learned from a corpus (`fit`), such as a tokenizer; what changes with a use is in the copy that `using`
    or `of_split` gives. An item is what one latent code stands for. What users hand in and get back may be longer:
    `accept` cuts it into items, `present` puts items together again.
    """

    data_config: ClassVar[type]  # frozen dataclass behind the `data.*` keys; `config.key` says what each is used for
    model_config: ClassVar[type]  # frozen dataclass behind the `model.*` keys
    defaults: ClassVar[Mapping[str, Values]] = {}  # values that suit it better than the shared defaults
    sampling_temperature: float = 1.0  # of samples, where none is asked for; a run may have its own
    sample_units: ClassVar[Mapping[str, str]] = {}  # of `sample_metrics`; where there are none, no samples are drawn
    precision: ClassVar[Literal["fp32", "bf16"]] = "fp32"  # that `auto` means where the device computes it natively
    score_precision: ClassVar[Literal["fp32", "bf16"]] = "fp32"  # likewise, of the likelihoods of an evaluation
    least_steps: ClassVar[int] = 0  # training takes at least so many, unless epochs are asked for
    few_items: ClassVar[int] = 0  # up to so many get `few_defaults` as well
    few_defaults: ClassVar[Mapping[str, Values]] = {}  # values that suit few items better than the defaults
    has_baselines: ClassVar[bool] = False  # whether `baseline_metrics` gives figures, for which training data are kept
    first_shown: ClassVar[int] = 16  # items of a corpus that `picture` shows at once; 0: sweeps alone
    has_pixels: ClassVar[bool] = False  # whether `pixels` draws items, so that there are pictures of all kinds
    end: ClassVar[int | None] = None  # the outcome that ends a sequence; None where the length is known before

    def __init__(self, data: Keys) -> None:
        """A modality that has learned nothing yet, for an instance of its `data_config`."""
        self.data = data
        self.split: Split = "all"  # of the files that `read` takes
        self.learned: dict[str, Any] = {}  # by `fit`; plain values, where `save` and `load` are not its own

    @property
    def units(self) -> Mapping[str, str]:
        """Units of its figures, and of common ones that mean something else here."""
        return {}

    @property
    def labels_are_names(self) -> bool:
        """Whether the name of a file labels its items, so that the same data are others under another name."""
        return False

    @property
    def splits_are_named(self) -> bool:
        """Whether names or a table say the splits; else `splits` draws them."""
        return False

    # Files to items -------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def read(self, sources: Sequence[Path], report: Report) -> Iterator[Item]:
        """The items of the sources in order, one at a time; what is dropped is counted in the report."""

    def files_of(self, source: Path) -> Sequence[Path]:
        """The files that `read` looks at for this source: a change of their content changes the items.

        The file itself, or all files below a folder.
        """
        return files_below(source) if source.is_dir() else [source]

    def check_pipe(self, pipe: Path) -> None:
        """Raises ValueError where a source may not be a pipe, whose data have no name of a file."""
        items = self.words.items
        raise ValueError(f"{pipe} is a pipe, and {items} are read from files alone; copy its data to a file")

    def as_files(self, data: Items) -> Sequence[File]:
        """Data in memory as files that `read` takes. Raises ValueError for what is nothing of this kind."""
        raise ValueError(f"{self.words.items} are read from files alone; give the names of files")

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[Named]:
        """The items that `read` gives, each under the name by which `find` finds it: FILE, or FILE#INDEX."""
        for source in sources:
            for path in self.files_of(source):
                items = list(self.read([path], report))
                for name, item in zip(names_of(str(path), len(items)), items, strict=True):
                    yield Named(name, item, path)

    def find(self, word: str, report: Report) -> list[Named]:
        """What an INPUT of the command line names: a file, with all that is in it, or the item FILE#INDEX.

        Raises ValueError when there is none.
        """
        path, number = file_and_index(word, self.words.item)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
            raise ValueError(f"{path} {what}; give {self.words.input}{self.words.all_of}.{near_name(path)}")
        found = list(self.named([path], report))
        if number is None:
            return found
        if number >= len(found):
            raise no_such_index(path, number, len(found), self.words.items)
        return [found[number]]

    def find_in_stream(self, stream: BinaryIO, encoding: str, report: Report) -> list[Named]:
        """The items of the standard input. Raises ValueError where items are no lines of text."""
        wanted = self.words.input
        raise ValueError(f"- stands for the standard input, and this is a model of {self.name}; give {wanted}")

    def splits(self, sources: Sequence[Path]) -> Sequence[str | None]:
        """The split of each file of the sources; none at all where files are not split, so that items are held out."""
        return ()

    def split_words(self, sources: Sequence[Path]) -> str:
        """How the sources are split, for reports; empty where they are not, so that items are held out one by one."""
        return "files are split as their names and folders say" if any(self.splits(sources)) else ""

    def of_splits(self, sources: Sequence[Path]) -> Mapping[Split, Self]:
        """The same modality, reading one split of the sources' files only, for each split that has a file."""
        found = self.splits(sources)
        return {split: self._reading(split) for split in PARTS if split in found}

    def of_split(self, split: Split, sources: Sequence[Path]) -> "Self | None":
        """One of these; None where that split has no file."""
        return self._reading(split) if split == "all" else self.of_splits(sources).get(split)

    def _reading(self, split: Split) -> Self:
        part = copy.copy(self)
        part.split = split
        return part

    def using(self, values: Values) -> Self:
        """The same modality with other values of those keys that may change when a model is used.

        Raises ValueError for keys that encoding depends on.
        """
        other = copy.copy(self)
        other.data = changed(self.data, values, "data")
        return other

    def size_bytes(self, item: Item) -> int | None:
        """Bytes of an item for bits per byte; None where that means nothing."""
        return None

    def sizes(self, item: Item) -> Mapping[str, int]:
        """How many words and characters an item has, for figures by word and by character; empty where it has none."""
        return {}

    def unread(self, item: Item) -> str:
        """What of an item the model does not know, as a sentence; empty where it knows all of it."""
        return ""

    def hidden(self, report: Report) -> Hidden | None:
        """What of the items of a corpus no array holds, so that figures can charge for it; None where nobody knows."""
        return Hidden()

    # What users hand in and get back --------------------------------------------------------------------------

    def several(self, items: Any) -> list[Item]:
        """What a user hands in where several things are expected: a list, a tuple, an array of them, or one alone.

        Raises ValueError for a table or a dictionary, of which nobody knows what is meant.
        """
        if hasattr(items, "keys"):
            kind = type(items).__name__
            raise ValueError(f"a {kind} is no list of {self.words.items}; give a list of those that you mean")
        alone = isinstance(items, str | bytes | Path) or not isinstance(items, Iterable)
        return [items] if alone else list(items)

    def accept(self, item: Item) -> list[Item]:
        """The items of something that a user hands in, in order; a list of items is taken as it is.

        Raises ValueError when it is nothing of this kind.
        """
        return list(item) if isinstance(item, list) else [item]

    def as_named(self, item: Item, name: str) -> Named:
        """Something that a user hands in under its own name, which a str or path is, or else under this one."""
        return Named(str(item) if isinstance(item, str | Path) else name, item)

    def window_names(self, named: Named, count: int) -> list[str]:
        """The names of the `count` items that `accept` makes of something named."""
        return names_of(named.name, count)

    def as_long_as(self, item: Item, other: Item) -> Item:
        """An item to decode like this one, but as long as the longer of the two: what leads from one to the other.

        Raises ValueError where nothing does.
        """
        return item

    def between(self, a: Item, b: Item, share: float) -> Item:
        """What to decode like at a share of the way from one item to another: what a code lacks, such as a tempo."""
        return a

    def present(self, items: Sequence[Item]) -> Item:
        """Items that follow one another, as the one thing that a user gets back."""
        (item,) = items
        return item

    @abc.abstractmethod
    def write(
        self, pieces: Sequence[Sequence[Item]], arrangement: Arrangement = "set",
        originals: Sequence[Sequence[Item]] = (), names: Sequence[str] = (),
    ) -> Sequence[Written]:  # fmt: skip
        """The files of pieces, each made of items that follow one another, and of all of them as a whole.

        `originals`: what each piece is a reconstruction of. `names`: of files, in place of their numbers. Nothing is
        written: names come at once, contents when they are asked for.
        """

    def printed(self, pieces: Sequence[Sequence[Item]]) -> str | None:
        """Pieces as text for a terminal; None where they are files."""
        return None

    def picture(
        self, pieces: Sequence[Sequence[Item]], arrangement: Arrangement = "set", names: Sequence[str] = ()
    ) -> "Figure | None":
        """Pieces in one picture; None where there is nothing to see.

        `names` stand at those of a set whose modality numbers them otherwise, from 001 as their files would be.
        """
        return None

    @property
    def has_pictures(self) -> bool:
        """Whether `picture` draws items, so that there are sheets of them."""
        return type(self).picture is not Modality.picture

    def pixels(self, item: Item) -> np.ndarray:
        """(H, W, C) uint8 of an item, where `has_pixels`."""
        raise ValueError(f"items of {self.name} are no images")

    # Items to arrays ------------------------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def max_steps(self) -> int:
        """The longest sequence that generation may make, end included."""

    @abc.abstractmethod
    def fit(self, items: Callable[[], Iterable[Item]]) -> None:
        """Learn from a corpus what encoding needs; `items()` starts a new pass over it."""

    def check_trained_on(self, report: Report) -> None:
        """Raises ValueError where training data have nothing of what a model is for; `report` is of encoding them."""

    @abc.abstractmethod
    def decode(self, x: np.ndarray, like: Item = None) -> Item:
        """The item of an array without padding; an end of sequence, where there is one, is taken off.

        What the array does not hold (a tempo, a length) is that of the item `like`, where one is passed.
        """

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """A training batch with changes that keep it plausible; `others()` are as many other items of the corpus.

        The same batch where nothing is changed. Each row's changes come from its own noise.
        """
        return self.settle(batch)

    def settle(self, batch: "Batch") -> "Batch":
        """A batch as evaluation sees it: what training draws anew each time (`augment`) is drawn once for each item."""
        return batch

    # The model and its figures --------------------------------------------------------------------------------

    @abc.abstractmethod
    def nets(self, model: Keys) -> "tuple[nn.Module | None, nn.Module]":
        """Encoder (None without latent units) and decoder for a model configuration."""

    @abc.abstractmethod
    def metrics(self, truth: Sequence[Item], guess: Sequence[Item]) -> dict[str, float | None]:
        """Figures that compare items with their reconstructions: `exact_match`, `bleu`, ..."""

    def baseline_metrics(
        self, truth: Sequence[Item], guess: Sequence[Item], training: Sequence[np.ndarray]
    ) -> dict[str, float | None]:
        """Figures beside those of `metrics`, of guesses that need no model but training arrays; see `has_baselines`."""
        return {}

    def sample_metrics(self, samples: Sequence[Item]) -> dict[str, float | None]:
        """Figures of `sample_units` of items as a set: of samples from the prior, and of as many items of the data."""
        return {}

    def suited_to(self, items: int, size_bytes: int) -> Mapping[str, Values]:
        """Values that suit so many items better than the defaults; `size_bytes` is their `size_bytes` together."""
        return self.few_defaults if items <= self.few_items else {}

    def nats_of(self, model: Keys) -> str:
        """What the nats are that the training of a model of this configuration shows."""
        if model.posterior == "point":
            return "nats are -log p(x|z) per item, the reconstruction alone, since an autoencoder has no KL"
        return "nats are negative ELBO per item" if model.latent else "nats are -log p(x) per item"

    def changes(self, item: Item, other: Item) -> tuple[float, float]:
        """How much of an item is other in another item, and of how much: `words.elements` that differ, and all.

        The steps that do not agree, of those of the longer one. The share of both is 0 for equal items, at most 1.
        """
        from seqvae.evaluation.reconstruction import step_accuracy

        encoded = (self.encode(one, Report()) for one in (item, other))
        short, long = sorted((x for x in encoded if x is not None), key=len)
        return len(long) - step_accuracy([short], [long], self.step_type).correct, len(long)

    def units_of(self, model: Keys) -> Mapping[str, str]:
        """Units of those figures that mean something else in a model of this configuration."""
        return {}

    def remarks(self, model: Keys, figures: Figures) -> list[str]:
        """What a reader of figures of a model of this configuration is to know, a sentence each."""
        return []

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """What `inspect` shows of items of these lengths in steps: names and values."""
        return [("items", counted(len(lengths), self.words.items)), ("steps", f"{lengths.sum():,}")]

    def counts(self, report: Report) -> list[tuple[str, str]]:
        """What else `inspect` shows of items, by what encoding them noted in `Report.unshown`."""
        return []

    # What was learned -----------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        uses = uses_of(self.data_config)
        values = {name: value for name, value in asdict(self.data).items() if not OF_RESULTS.issuperset(uses[name])}
        content = json.dumps([self.name, values, self.learned, self.split], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self, folder: Path) -> list[Path]:
        """Write what was learned into a folder; the paths written."""
        folder.mkdir(parents=True, exist_ok=True)
        content = (json.dumps(self.learned, indent=1) + "\n").encode()
        return [write_atomically(folder / f"{self.name}.json", content)]

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises ValueError when it is missing or damaged."""
        path = folder / f"{self.name}.json"
        if not path.is_file():
            raise ValueError(f"{path} is missing; restore the folder from a copy")
        self.learned = read_json(path)


__all__ = [
    "Arrangement",
    "Figures",
    "File",
    "Item",
    "Items",
    "Modality",
    "Named",
    "Report",
    "Split",
    "Sweep",
    "Words",
    "Written",
]
