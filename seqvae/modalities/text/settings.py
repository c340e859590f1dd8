"""The configuration of text: how files are read and turned into tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seqvae.config import Values, key
from seqvae.nets.sizes import SequenceModel

LEAST_STEPS = 600  # a few hundred sentences would else be seen for some seconds only
FEW_ITEMS = 5000  # of which the defaults learn a language model that ignores the code
BYTES_OF_PIECE = 12  # of few sentences, for each piece beyond single characters; with more, pieces are whole sentences
WORD = 16  # bytes: items that are shorter on average are single words
# Means that are normalised keep the code in use, whatever the text, and what an n-gram draws teaches an encoder of few
# items what it has never read: benchmarks/text_defaults.py.
SUITED_TO_FEW: Mapping[str, Values] = {
    "model": {
        "latent": 16, "embedding": 128, "encoder_hidden": 128, "decoder_hidden": 256, "word_dropout": 0.3,
        "batch_norm_scale": 0.9,
    },
    "objective": {"anneal_steps": 150},
    "train": {
        "steps": 2400, "batch_size": 64, "learning_rate": 2e-3, "cosine": True, "decay_patience": 0, "stop_patience": 8,
        "ngram_share": 1.0,
    },
}  # fmt: skip
SUITED_TO_WORDS: Mapping[str, Values] = {  # single words, spelt
    "data": {"tokenizer": "character"},
    "model": {"latent": 24, "embedding": 64, "word_dropout": 0.3, "batch_norm_scale": 0.9},
    "objective": {"anneal_steps": 300},
    "train": {"epochs": 30, "learning_rate": 2e-3, "cosine": True, "decay_patience": 0, "stop_patience": 6},
}
SUITED_TO_FEW_WORDS: Mapping[str, Values] = {  # beside others that an n-gram of them spells
    "data": {"tokenizer": "character"},
    "model": {"latent": 32, "embedding": 64, "word_dropout": 0.3, "batch_norm_scale": 0.9},
    "objective": {"anneal_steps": 300},
    "train": {
        "steps": 3000, "batch_size": 128, "learning_rate": 2e-3, "cosine": True, "decay_patience": 0,
        "stop_patience": 8, "ngram_share": 1.0,
    },
}  # fmt: skip
SUITED_TO_MORE: Mapping[str, Values] = {
    "model": {
        "embedding": 128, "encoder_hidden": 128, "decoder_hidden": 256, "word_dropout": 0.1, "batch_norm_scale": 0.9,
    },
    "objective": {"anneal_epochs": 4.0},
    "train": {"batch_size": 128, "learning_rate": 3e-3, "cosine": True, "decay_patience": 0},
}  # fmt: skip
# Settings for codes that are not used, and for sentences that are few for the model, the one that helps most first.
AGAINST_COLLAPSE = (
    "model.batch_norm_scale=0.9",
    "objective.target_kl_nats=8",
    "objective.free_nats_per_dimension_and_example=0.4",
    "objective.beta=0.25",
    "model.word_dropout=0.4",
)
AGAINST_OVERFITTING = (
    "train.ngram_share=1",
    "model.word_dropout=0.4",
    "model.input_dropout=0.3",
    "model.output_dropout=0.3",
)


@dataclass(frozen=True)
class TextData:
    """How text files are read and turned into tokens."""

    tokenizer: Literal["unigram", "bpe", "word", "word-punct", "character"] = key(
        "unigram",
        "pieces learned by sentencepiece (unigram, bpe), words between spaces, words and punctuation marks, characters",
    )
    vocabulary_size: int = key(
        8000, "largest number of token ids, the end of sequence included; 0: no limit (words, characters)", least=0
    )
    min_count: int = key(1, "rarer words or characters are unknown (words, characters)", least=1)
    max_length: int = key(256, "longest example in tokens, the end of sequence not counted", least=1)
    long: Literal["cut", "skip"] = key("cut", "what happens to longer examples")
    blank_line_separated: bool = key(False, "examples are paragraphs between blank lines, not lines")
    encoding: str = key("utf-8", "encoding of the text files", use="reading", metavar="NAME")
    labels: Literal["none", "last-column", "first-column", "file"] = key(
        "none", "what labels a sentence: its last or first column, set off by a tab, or its file's name", use="choosing"
    )
    unknown: str = key("<unk>", "the corpus's own word for unknown words (words)", metavar="WORD")

    def __post_init__(self) -> None:
        if self.unknown.split() != [self.unknown]:
            raise ValueError(f"data.unknown='{self.unknown}' is not possible; give one word without spaces")
        if self.blank_line_separated and self.labels not in ("none", "file"):
            raise ValueError(
                f"data.labels={self.labels} is a column of lines, and data.blank_line_separated=true reads paragraphs; "
                "leave one of them out, or set data.labels=file"
            )
        if self.vocabulary_size == 0 and self.tokenizer in ("unigram", "bpe"):
            raise ValueError(
                f"data.vocabulary_size=0 is not possible, since a {self.tokenizer} tokenizer needs a limit; give a "
                "number, such as 8000, or set data.tokenizer=word"
            )


@dataclass(frozen=True)
class TextModel(SequenceModel):
    """The LSTM encoder and decoder of tokens."""

    corruption_kind: Literal["delete", "replace", "blank"] = key(
        "delete",
        "what happens to corrupted tokens: deleted, replaced by any others, or blanked; the end of sequence never is",
    )

    def __post_init__(self) -> None:
        """Raises ValueError for segments of no length, and as `SequenceModel`."""
        super().__post_init__()
        if self.by_segments and not self.segment_steps:
            raise ValueError(
                f"model.{self.by_segments} works by segments, and text has no bars; set model.segment_steps, the "
                "tokens of a segment, such as 8"
            )
