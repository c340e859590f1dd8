"""Sentences: lines of text files to token ids and back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from seqvae.config import key
from seqvae.files import write_atomically
from seqvae.modalities.base import Arrangement, Report, Split
from seqvae.modalities.sequences import draw_uniform, sequence_nets
from seqvae.modalities.text import lines
from seqvae.modalities.text.pieces import SentencePieceTokenizer
from seqvae.modalities.text.symbols import REPLACEMENT, SymbolTokenizer
from seqvae.modalities.text.tokenizer import END, Tokenizer, fingerprint, read_description, save
from seqvae.nets.sizes import SequenceModel

if TYPE_CHECKING:
    from seqvae.modalities.sequences import SequenceNets
    from seqvae.noise import Noise
    from seqvae.types import Batch


@dataclass(frozen=True)
class TextData:
    """How text files are read and turned into tokens."""

    tokenizer: Literal["unigram", "bpe", "word", "character"] = key(
        "unigram", "pieces learned by sentencepiece (unigram, bpe), words between spaces, or characters"
    )
    vocabulary_size: int = key(8000, "most token ids, end included; 0: no limit (word, character)", least=0)
    min_count: int = key(1, "rarer words or characters are unknown (word, character)", least=1)
    max_length: int = key(256, "most tokens of an example, end of sequence not counted", least=1)
    long: Literal["cut", "skip"] = key("cut", "what happens to longer examples")
    blank_line_separated: bool = key(False, "examples are paragraphs between blank lines, not lines")
    encoding: str = key("utf-8", "encoding of the text files")
    unknown: str = key("<unk>", "the corpus's own word for unknown words (word)")

    def __post_init__(self) -> None:
        if self.unknown.split() != [self.unknown]:
            raise ValueError(f"data.unknown='{self.unknown}' is not possible; give one word without spaces")
        if self.vocabulary_size == 0 and self.tokenizer in ("unigram", "bpe"):
            raise ValueError(
                f"data.vocabulary_size=0 is not possible, since a {self.tokenizer} tokenizer needs a limit; give a "
                "number, such as 8000, or set data.tokenizer=word"
            )


class Text:
    """The text modality: an item is a str, its array the token ids with the end of sequence."""

    name: ClassVar[str] = "text"
    data_config: ClassVar[type] = TextData
    model_config: ClassVar[type] = SequenceModel
    reading_keys: ClassVar[frozenset[str]] = frozenset({"encoding"})
    sampling_temperature: ClassVar[float] = 1.0
    least_steps: ClassVar[int] = 0
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, data: TextData) -> None:
        self.data = data
        self._tokenizer: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises ValueError before `fit` or `load`."""
        if self._tokenizer is None:
            raise ValueError("the text tokenizer is not trained yet; call fit(items) or load(folder) first")
        return self._tokenizer

    @property
    def outcomes(self) -> int:
        """The number of token ids V, the end of sequence included."""
        return self.tokenizer.size

    @property
    def end(self) -> int:
        """The id that ends a sequence."""
        return END

    @property
    def max_steps(self) -> int:
        """The longest sequence that generation may make, end included."""
        return self.data.max_length + 1

    def files_of(self, source: Path) -> Sequence[Path]:
        """The source itself: it has to be a file."""
        return [source]

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
        """The examples of text files in order; what is dropped or changed is counted in the report.

        Raises ValueError when a file is missing, a folder, empty, binary or not in `data.encoding`.
        """
        for source in sources:
            yield from lines.examples(Path(source), self.data.encoding, self.data.blank_line_separated, report)

    def of_split(self, split: Split, sources: Sequence[Path]) -> None:
        """None: examples are held out one by one, not by file."""

    @property
    def splits_are_given(self) -> bool:
        """False: sentences are not split by file."""
        return False

    def accept(self, given: str) -> list[str]:
        """The text itself. Raises ValueError when it is no str."""
        if not isinstance(given, str):
            raise ValueError(f"a {type(given).__name__} is no text; give a str")
        return [given]

    def as_long_as(self, item: str, other: str) -> str:
        """The text itself: a text ends where it ends."""
        return item

    def present(self, items: Sequence[str]) -> str:
        """The only item: a text is not cut."""
        (text,) = items
        return text

    def write(self, given: Sequence[str], folder: Path, arrangement: Arrangement = "set") -> list[Path]:
        """Write the texts into sentences.txt, UTF-8, in the form that `read` takes; the path written."""
        folder.mkdir(parents=True, exist_ok=True)
        content = lines.joined(given, self.data.blank_line_separated).encode("utf-8", errors="replace")
        return [write_atomically(folder / "sentences.txt", content)]

    def fit(self, items: Callable[[], Iterable[str]]) -> None:
        """Train the tokenizer; `items()` starts a new pass over the corpus.

        Raises ValueError when the corpus is too small, or too rich, for the vocabulary asked for.
        """
        kind, size = self.data.tokenizer, self.data.vocabulary_size
        if kind in ("unigram", "bpe"):
            self._tokenizer = SentencePieceTokenizer.train(kind, items(), size)
        else:
            unknown = self.data.unknown if kind == "word" else REPLACEMENT
            self._tokenizer = SymbolTokenizer.train(kind, items(), size, self.data.min_count, unknown)

    def encode(self, item: str, report: Report) -> np.ndarray | None:
        """(T,) token ids that close with the end of sequence; None when the item is too long and is skipped."""
        ids = self.tokenizer.encode(item)
        longest = self.data.max_length
        if len(ids) > longest:
            done = "cut" if self.data.long == "cut" else "skipped"
            report.counts[f"items longer than {longest} tokens, {done}"] += 1
            if self.data.long == "skip":
                return None
            del ids[longest:]
        if self.tokenizer.unknown is not None:
            unknown = ids.count(self.tokenizer.unknown)
            if unknown:
                report.counts["unknown tokens"] += unknown
        ids.append(END)
        return np.array(ids, dtype=np.int32)

    def augment(self, batch: "Batch", others: "Callable[[], Batch]", noise: "Noise") -> "Batch":
        """The same batch: sentences are not changed."""
        return batch

    def settle(self, batch: "Batch") -> "Batch":
        """The same batch: evaluation sees all as it is."""
        return batch

    def label_of(self, item: Any) -> str | None:
        """None: there are no classes of sentences."""
        return None

    def decode(self, x: np.ndarray, like: str | None = None) -> str:
        """The text of token ids up to the end of sequence; there is nothing that it takes from another."""
        ids: list[int] = x.tolist()
        return self.tokenizer.decode(ids[: ids.index(END)] if END in ids else ids)

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        options = {
            name: getattr(self.data, name) for name in ("max_length", "long", "blank_line_separated", "encoding")
        }
        content = json.dumps([fingerprint(self.tokenizer), options], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def nets(self, model: SequenceModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

        Raises ValueError for tied embeddings of another size than the decoder's hidden state.
        """
        from torch import nn

        from seqvae.nets.likelihoods import Categorical
        from seqvae.nets.lstm import LSTMRecurrence

        if model.tied_embeddings and model.embedding != model.decoder_hidden:
            raise ValueError(
                f"model.tied_embeddings needs equal sizes, but model.embedding={model.embedding} and "
                f"model.decoder_hidden={model.decoder_hidden}; make them equal, or set model.tied_embeddings=false"
            )

        def embedding() -> tuple[nn.Module, int]:
            return nn.Embedding(self.outcomes, model.embedding), model.embedding

        def likelihood() -> Categorical:
            return Categorical(model.decoder_hidden, self.outcomes, model.output_bias)

        encoder, decoder = sequence_nets(model, embedding, likelihood, embedding)
        if model.tied_embeddings:
            embed = cast(LSTMRecurrence, decoder.recurrence).embed
            embed.weight = cast(Categorical, decoder.likelihood).projection.weight
        draw_uniform(encoder, decoder, model.initial_range)
        return encoder, decoder

    def metrics(self, truth: Sequence[str], guess: Sequence[str]) -> dict[str, float | None]:
        """Share of exact reconstructions, and corpus BLEU (0 to 100) on words; None without items.

        Where the tokens are words, white space between them does not count.
        """
        from seqvae.evaluation.reconstruction import bleu, exact_match

        truth = [self.tokenizer.canonical(item) for item in truth]
        guess = [self.tokenizer.canonical(item) for item in guess]
        return {"exact_match": exact_match(truth, guess), "bleu": bleu(truth, guess)}

    def size_bytes(self, item: str) -> int:
        """Bytes of an item in UTF-8, and one for its line end."""
        return len(item.encode("utf-8", errors="replace")) + 1

    def save(self, folder: Path) -> list[Path]:
        """Write the tokenizer into a folder; the paths written."""
        return save(self.tokenizer, folder)

    def load(self, folder: Path) -> None:
        """Read the tokenizer back. Raises ValueError when it is missing, damaged or of another kind."""
        kind = self.data.tokenizer
        loader = SentencePieceTokenizer if kind in ("unigram", "bpe") else SymbolTokenizer
        self._tokenizer = loader.load(kind, read_description(kind, folder), folder)
