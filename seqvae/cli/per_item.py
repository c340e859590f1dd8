"""The scores of single items as a file: a line for each, as CSV or as JSON."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqvae.corpus import Corpus
    from seqvae.evaluation.scores import Scores

FORMS = (".csv", ".jsonl")
COLUMNS = ("elbo_nats", "reconstruction_nats", "kl_nats", "iw_nll_nats")


def check_form(path: Path) -> None:
    """Raises ValueError for a name that says neither CSV nor lines of JSON."""
    if path.suffix.lower() not in FORMS:
        raise ValueError(f"--per-item {path} ends in neither {' nor '.join(FORMS)}; give a name that ends so")


def table(scores: "Scores", corpus: "Corpus", form: str) -> bytes:
    """A line for each item, in the order in which they were read: its number, its text where it is one, its scores."""
    rows = []
    for place in range(len(corpus)):
        text = corpus.modality.printed([[corpus.modality.decode(corpus[place])]])
        row: dict[str, object] = {"item": place}
        if text is not None:
            row["text"] = text.removesuffix("\n")
        row["tokens"] = int(scores.tokens[place])
        rows.append(row | {name: float(getattr(scores, name)[place]) for name in COLUMNS})
    if form == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", errors="replace")
    lines = io.StringIO()
    writer = csv.DictWriter(lines, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue().encode("utf-8", errors="replace")
