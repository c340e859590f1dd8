"""Sentences: lines of text files to token ids and back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal

import numpy as np

from seqvae.config import Values, counted, few, kind_of
from seqvae.modalities.base import Arrangement, Figures, File, Modality, Named, Report, Sweep, Words, Written
from seqvae.modalities.encoding import Encoded
from seqvae.modalities.folders import exists
from seqvae.modalities.items import Hidden, Items, SeveralItems, single
from seqvae.modalities.measuring import Measures
from seqvae.modalities.text import lines
from seqvae.modalities.text.encoding import HIDDEN, encode_all, in_batches
from seqvae.modalities.text.labels import Labelled, Labels, as_lines
from seqvae.modalities.text.measures import MEASURES, have_runs
from seqvae.modalities.text.pieces import BYTES_AND_END, SentencePieceTokenizer
from seqvae.modalities.text.settings import (
    AGAINST_COLLAPSE,
    AGAINST_OVERFITTING,
    BYTES_OF_PIECE,
    FEW_ITEMS,
    LEAST_STEPS,
    SUITED_TO_FEW,
    SUITED_TO_FEW_WORDS,
    SUITED_TO_MORE,
    SUITED_TO_WORDS,
    WORD,
    TextData,
    TextModel,
)
from seqvae.modalities.text.symbols import REPLACEMENT, SymbolTokenizer
from seqvae.modalities.text.tokenizer import END, Tokenizer, bytes_of, fingerprint, read_description, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqvae.nets.sequences import SequenceNets
    from seqvae.types import StepType


class Text(Modality):
    """The text modality: an item is a str, its array the token ids with the end of sequence."""

    name: ClassVar[str] = "text"
    data_config: ClassVar[type] = TextData
    model_config: ClassVar[type] = TextModel
    words = Words(
        input="a sentence",
        all_of="; - reads sentences from the standard input",
        data="data/demo/train.txt",
        items="sentences",
        item="sentence",
        steps="tokens",
        elements="tokens",
        change="tokens to insert, delete or replace, of those of the longer one",
        smaller="data.max_length=64",
        against_collapse=AGAINST_COLLAPSE,
        against_overfitting=AGAINST_OVERFITTING,
        against_unknown="data.tokenizer=unigram",
        no_split="split={split} means nothing, since sentences are not split by file; give a file of those you mean",
    )
    units: ClassVar[Mapping[str, str]] = {
        "bleu": "BLEU-4 of the reconstructions, 0 to 100",
        "word_edit_distance": "words to insert, delete or replace, per word of the originals",
        "forward_perplexity": "per word, of samples under the language model",
        "data_forward_perplexity": "per word, of the data under it",
        "reverse_perplexity": "per word, of the data under one like it that is trained on samples alone",
        "reverse_samples": "samples that it is trained on",
    }
    first_shown: ClassVar[int] = 0
    sample_units: ClassVar[Mapping[str, str]] = {
        "self_bleu": "BLEU-4 of each against the others, 0 to 100",
        "sample_words": "words an item",
        "sample_distinct_words": "different words, as a share of all words",
        "sample_distinct_pairs": "different pairs of neighbouring words, as a share of all pairs",
    }
    precision: ClassVar[Literal["fp32", "bf16"]] = "bf16"  # as good, in less time
    score_precision: ClassVar[Literal["fp32", "bf16"]] = "bf16"  # within .005 nats of a sentence
    least_steps: ClassVar[int] = LEAST_STEPS
    few_items: ClassVar[int] = FEW_ITEMS
    few_defaults: ClassVar[Mapping[str, Values]] = SUITED_TO_FEW
    end: ClassVar[int] = END
    measures: ClassVar[Measures] = MEASURES
    data: TextData

    def __init__(self, data: TextData) -> None:
        super().__init__(data)
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
    def labels_are_names(self) -> bool:
        """Whether the file labels its sentences."""
        return self.data.labels == "file"

    @property
    def step_type(self) -> "StepType":
        """One token id."""
        from seqvae.types import StepType

        return StepType("int32")

    @property
    def max_steps(self) -> int:
        """The longest sequence that generation may make, end included."""
        return self.data.max_length + 1

    def read(self, sources: Sequence[Path], report: Report) -> Iterator[str]:
        """The examples of text files in order; what is dropped or changed is counted in the report.

        Raises ValueError when a file is missing, empty, binary or not in `data.encoding`, or a folder has no text file.
        """
        labels = Labels(self.data.labels)
        for source in map(Path, sources):
            for path in self.files_of(source):
                if source.is_dir():
                    empty = not path.stat().st_size
                    report.count("empty files passed over" if empty else "text files read")
                    if empty:
                        continue
                found = lines.examples(path, self.data.encoding, self.data.blank_line_separated, report)
                yield from labels.put_to(found, path, report)
        labels.judge(report)

    def files_of(self, source: Path) -> Sequence[Path]:
        """The file itself, or the text files below a folder."""
        return lines.files_below(source) if source.is_dir() else [source]

    def check_pipe(self, pipe: Path) -> None:
        """Raises ValueError where labels are the names of files."""
        if self.data.labels == "file":
            raise ValueError(
                f"{pipe} is a pipe, which has no name to label its sentences by (data.labels=file); copy its data to a "
                "file of that name, or train with other labels"
            )

    def as_files(self, data: Items) -> list[File]:
        """A file of the sentences. Raises ValueError for what is no str, and for line ends within one."""
        items = self.several(data.items)
        if data.labels is not None:
            items = as_lines(items, data.labels, self.data.labels)
        content = lines.of_items(items, self.data.encoding, self.data.blank_line_separated)
        return [File("sentences.txt", lambda: content)]

    def named(self, sources: Sequence[Path], report: Report) -> Iterator[Named]:
        """The sentences of the sources, which are their own names."""
        return (Named(sentence, sentence) for sentence in self.read(sources, report))

    def find(self, word: str, report: Report) -> list[Named]:
        """The word itself, which is a sentence. Raises ValueError for the name of a file, which hardly is one."""
        if exists(word) and ("/" in word or not Path(word).is_dir()):  # of folders a plain word may be a sentence
            raise SeveralItems(
                f"'{word}' names a file, and a sentence is expected; give one of its sentences or, for these very "
                "words, - and pass them through stdin",
                Path(word),
            )
        return [Named(word, word)]

    def find_in_stream(self, stream: BinaryIO, encoding: str, report: Report) -> list[Named]:
        """The lines of the standard input that are not blank."""
        found = lines.of_stream(stream, "standard input", encoding, report)
        sentences = Labels("none" if self.data.labels == "file" else self.data.labels).put_to(found, "stdin", report)
        return [Named(sentence, sentence) for sentence in sentences]

    def label_of(self, item: str) -> str | None:
        """Its label, where one was read with it."""
        return item.label if isinstance(item, Labelled) else None

    def accept(self, item: str | list[str]) -> list[str]:
        """The text itself. Raises ValueError when it is no str."""
        if isinstance(item, list | tuple):
            return self.accept(single(item))
        if not isinstance(item, str):
            raise ValueError(f"{kind_of(item)} is no text; give a str")
        return [str(item)]

    def window_names(self, named: Named, count: int) -> list[str]:
        """The sentence itself."""
        return [named.name]

    def write(
        self, pieces: Sequence[Sequence[str]], arrangement: Arrangement = "set",
        originals: Sequence[Sequence[str]] = (), names: Sequence[str] = (),
    ) -> list[Written]:  # fmt: skip
        """sentences.txt, UTF-8, in the form that `read` takes, and of a sweep a picture."""
        content = self.printed(pieces).encode("utf-8", errors="replace")
        written = [Written([File("sentences.txt", lambda: content)])]
        if isinstance(arrangement, Sweep):
            from seqvae.view.sheet import png

            written.append(Written([File("sweep.png", lambda: png(self._table(pieces, arrangement)))], "all in one"))
        return written

    def picture(
        self, pieces: Sequence[Sequence[str]], arrangement: Arrangement = "set", names: Sequence[str] = ()
    ) -> "Figure | None":
        """The sentences of a sweep in a table; of others there is nothing to see."""
        return self._table(pieces, arrangement) if isinstance(arrangement, Sweep) else None

    def _table(self, pieces: Sequence[Sequence[str]], sweep: Sweep) -> "Figure":
        from seqvae.view import sentences

        rows = sweep.rows([text for (text,) in pieces])
        return sentences.sweep(rows, sweep.names, sweep.heads, sweep.title, sweep.note)

    def printed(self, pieces: Sequence[Sequence[str]]) -> str:
        """One sentence a line, paragraphs with blank lines between them."""
        return lines.joined((text for (text,) in pieces), self.data.blank_line_separated)

    def fit(self, items: Callable[[], Iterable[str]]) -> None:
        """Train the tokenizer; `items()` starts a new pass over the corpus.

        Raises ValueError when the corpus is too small, or too rich, for the vocabulary asked for.
        """
        kind, size = self.data.tokenizer, self.data.vocabulary_size
        if kind in ("unigram", "bpe"):
            self._tokenizer = SentencePieceTokenizer.train(kind, items(), size)
        else:
            unknown = REPLACEMENT if kind == "character" else self.data.unknown
            self._tokenizer = SymbolTokenizer.train(kind, items(), size, self.data.min_count, unknown)

    def encode(self, item: str, report: Report) -> np.ndarray | None:
        """(T,) token ids that close with the end of sequence; None when the item is too long and is skipped."""
        steps, _, sentences, _ = encode_all(self.tokenizer, self.data, [item], report)
        return steps if sentences else None

    def arrays_of(self, items: Iterable[str], report: Report) -> Iterator[Encoded]:
        """What `encode` gives of each, some thousand at a time."""
        for batch in in_batches(items):
            steps, lengths, sentences, size = encode_all(self.tokenizer, self.data, batch, report)
            yield Encoded(steps, lengths, list(map(self.label_of, sentences)), size)

    def decode(self, x: np.ndarray, like: str | None = None) -> str:
        """The text of token ids up to the end of sequence; there is nothing that it takes from another."""
        ids: list[int] = x.tolist()
        return self.tokenizer.decode(ids[: ids.index(END)] if END in ids else ids)

    def fingerprint(self) -> str:
        """sha256 in hex of everything that reading and encoding depend on."""
        options = {
            name: getattr(self.data, name) for name in ("max_length", "long", "blank_line_separated", "encoding")
        }
        if self.data.labels != "none":  # else the name of an older corpus stays
            options["labels"] = self.data.labels
        content = json.dumps([fingerprint(self.tokenizer), options], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def nets(self, model: TextModel) -> "SequenceNets":
        """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

        Raises ValueError for tied embeddings of another size than what the output layer reads.
        """
        from torch import nn

        from seqvae.nets.corruption import StepCorruption
        from seqvae.nets.likelihoods import Categorical
        from seqvae.nets.sequences import draw_uniform, sequence_nets

        def embedding() -> tuple[nn.Module, int]:
            return nn.Embedding(self.outcomes, model.embedding), model.embedding

        def likelihood() -> Categorical:
            return Categorical(model.output_features, self.outcomes, model.output_bias)

        corruption = StepCorruption(model.corruption, model.corruption_kind, keeps_end=True, outcomes=self.outcomes)
        encoder, decoder = sequence_nets(
            model, embedding, likelihood, embedding, tied_embeddings=model.tied_embeddings,
            corruption=corruption if model.corruption else None,
        )  # fmt: skip
        draw_uniform(encoder, decoder, model.initial_range)
        return encoder, decoder

    def suited_to(self, items: int, size_bytes: int) -> Mapping[str, Values]:
        """Means that are normalised, so that the code is used, and smaller nets for fewer sentences.

        Single words are spelt, few of them beside ones that an n-gram draws, and few sentences are made of frequent
        pieces; unless their tokenizer is another one.
        """
        if size_bytes < WORD * items and isinstance(self.tokenizer, SentencePieceTokenizer):
            return SUITED_TO_FEW_WORDS if items <= self.few_items else SUITED_TO_WORDS
        if items > self.few_items:
            return SUITED_TO_MORE
        if not isinstance(self.tokenizer, SentencePieceTokenizer):
            return self.few_defaults
        size = BYTES_AND_END + self.tokenizer.characters + size_bytes // BYTES_OF_PIECE
        return {**self.few_defaults, "data": {"vocabulary_size": min(size, self.data.vocabulary_size)}}

    def metrics(self, truth: Sequence[str], guess: Sequence[str]) -> dict[str, float | None]:
        """Exact reconstructions as a share, corpus BLEU (0 to 100) and edit distance on words; None without items.

        Where the tokens are words, white space between them does not count. BLEU-4 means nothing, and is None, where no
        item has four words.
        """
        from seqvae.evaluation.reconstruction import bleu, exact_match, word_edit_distance

        truth = [self.tokenizer.canonical(item) for item in truth]
        guess = [self.tokenizer.canonical(item) for item in guess]
        return {
            "exact_match": exact_match(truth, guess),
            "bleu": bleu(truth, guess) if have_runs(truth) else None,
            "word_edit_distance": word_edit_distance(truth, guess),
        }

    def sample_metrics(self, samples: Sequence[str]) -> dict[str, float | None]:
        """How much items are alike, and how long they are. All but the length depend on the number of items."""
        from seqvae.evaluation.reconstruction import distinct_ngrams, self_bleu

        words = sum(len(text.split()) for text in samples)
        return {
            "self_bleu": self_bleu(samples) if have_runs(samples) else None,
            "sample_words": words / len(samples) if samples else None,
            "sample_distinct_words": distinct_ngrams(samples, 1),
            "sample_distinct_pairs": distinct_ngrams(samples, 2),
        }

    def changes(self, item: str, other: str) -> tuple[int, int]:
        """The edit distance of the tokens, of the number of those of the longer one."""
        from seqvae.evaluation.reconstruction import edit_distance

        ids, others = self.tokenizer.encode(item), self.tokenizer.encode(other)
        return edit_distance(ids, others), max(len(ids), len(others))

    def remarks(self, model: TextModel, figures: Figures) -> list[str]:
        """What is counted as a token."""
        return ["Tokens: the end of sequence counts, padding never."]

    def facts(self, lengths: np.ndarray) -> list[tuple[str, str]]:
        """Items, steps and the vocabulary."""
        return [
            ("items", f"{len(lengths):,}"),
            ("steps", f"{lengths.sum():,} (end of sequence counted)"),
            ("vocabulary", counted(self.outcomes, "tokens")),
        ]

    def size_bytes(self, item: str) -> int:
        """Bytes of an item in UTF-8, and one for its line end."""
        return bytes_of(item) + 1

    def sizes(self, item: str) -> dict[str, int]:
        """Words between spaces, and characters, each with one for the end of the item."""
        return {"words": len(item.split()) + 1, "characters": len(item) + 1}

    def unread(self, item: str) -> str:
        """Which words or characters of a sentence the model does not know, or that it knows none."""
        hidden = self.tokenizer.hidden(item, count := len(self.tokenizer.encode(item)))
        if len(hidden) == count:
            return f"the model knows nothing of '{item}', and what comes of it says nothing; give words that it knows"
        return f"the model does not know {few(dict.fromkeys(hidden))} of '{item}'; give other words" if hidden else ""

    def hidden(self, report: Report) -> Hidden | None:
        """What the unknown words or characters of a corpus were; None where its report is older than this count."""
        unknown = self.tokenizer.unknown
        if unknown is None or not report.of("unknown tokens"):
            return Hidden()
        if HIDDEN[0] not in report.unshown:
            return None
        symbols, size, characters = (report.unshown[name] for name in HIDDEN)
        shown = self.tokenizer.decode([unknown])
        return Hidden(symbols, size, size - symbols * bytes_of(shown), characters - symbols * len(shown))

    def save(self, folder: Path) -> list[Path]:
        """Write the tokenizer into a folder; the paths written."""
        return save(self.tokenizer, folder)

    def load(self, folder: Path) -> None:
        """Read the tokenizer back. Raises ValueError when it is missing, damaged or of another kind."""
        kind = self.data.tokenizer
        loader = SentencePieceTokenizer if kind in ("unigram", "bpe") else SymbolTokenizer
        self._tokenizer = loader.load(kind, read_description(kind, folder), folder)
