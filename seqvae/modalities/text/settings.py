"""The configuration of text: how files are read and turned into tokens."""

from dataclasses import dataclass
from typing import Literal

from seqvae.config import key


@dataclass(frozen=True)
class TextData:
    """How text files are read and turned into tokens."""

    tokenizer: Literal["unigram", "bpe", "word", "character"] = key(
        "unigram", "pieces learned by sentencepiece (unigram, bpe), words between spaces, or characters"
    )
    vocabulary_size: int = key(
        8000, "largest number of token ids, the end of sequence included; 0: no limit (word, character)", least=0
    )
    min_count: int = key(1, "rarer words or characters are unknown (word, character)", least=1)
    max_length: int = key(256, "longest example in tokens, the end of sequence not counted", least=1)
    long: Literal["cut", "skip"] = key("cut", "what happens to longer examples")
    blank_line_separated: bool = key(False, "examples are paragraphs between blank lines, not lines")
    encoding: str = key("utf-8", "encoding of the text files", use="reading")
    unknown: str = key("<unk>", "the corpus's own word for unknown words (word)")

    def __post_init__(self) -> None:
        if self.unknown.split() != [self.unknown]:
            raise ValueError(f"data.unknown='{self.unknown}' is not possible; give one word without spaces")
        if self.vocabulary_size == 0 and self.tokenizer in ("unigram", "bpe"):
            raise ValueError(
                f"data.vocabulary_size=0 is not possible, since a {self.tokenizer} tokenizer needs a limit; give a "
                "number, such as 8000, or set data.tokenizer=word"
            )
