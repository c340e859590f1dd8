"""`seqvae compare`: the table on the terminal, and what it leaves in a folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

KEPT = {"kl_per_unit.png", "rate_distortion.png", "training.png"} | {
    f"table.{end}" for end in ("txt", "md", "tex", "csv", "json")
}


def test_compare_shows_evaluated_runs_and_draws_them(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    shutil.copytree(run, "other")
    refused(
        seqvae("compare", "other"),
        "there is no other/evaluation.json; write it by `seqvae evaluate other DATA --json other/evaluation.json`",
    )
    seqvae("evaluate", "other", "sentences.txt", "--importance-samples", 2, "--json", "other/evaluation.json")
    seqvae("evaluate", run, "sentences.txt", "--importance-samples", 3, "--json", "figures.json")
    result = seqvae(
        "compare", "other", "figures.json", "--format", "markdown", "--figures", "kl_nats,items", "--out", "c"
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads((here / "figures.json").read_text())
    assert result.stdout.splitlines()[0] == "| run | kl_nats | items |"
    assert result.stdout.splitlines()[2].startswith("| other (2 evaluations) | "), "of one configuration"
    assert "importance_samples: 2, 3" in result.stderr
    assert {path.name for path in (here / "c").iterdir()} == KEPT
    (row,) = json.loads((here / "c" / "table.json").read_text())
    assert abs(row["figures"]["kl_nats"]["mean"] - figures["kl_nats"]) < 1e-6
    result = seqvae("compare", "other", "--figures", "perplexing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("no figure 'perplexing' in 1 row; there are items, ")
