"""Evaluated runs side by side: which are one row, what their numbers are, and every form of the table."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from seqvae import comparison
from seqvae.comparison import Evaluated, Row
from seqvae.runs.run import Run
from seqvae.training.run import train
from tests.training.small import values, write_corpus


def evaluated(name: str, seed: int = 0, **figures: Any) -> Evaluated:
    about = {"run": name, "data": ["test.txt"], "split": None, "train_seed": seed, "seed": 7, "step": 9, "version": "1"}
    return Evaluated(name, {**about, "items": 3, **figures}, None)


TABLE = [
    Row("a_b (2 seeds)", [evaluated("a", 0, perplexity=101.25, bleu=1.5), evaluated("b", 1, perplexity=102.25)]),
    Row("c|d", [evaluated("c", 0, perplexity=0.03456, active_units=32, bleu=None)]),
]
COLUMNS = ["perplexity", "active_units", "bleu"]


def test_a_row_is_the_mean_and_the_deviation_of_its_members() -> None:
    first, second = TABLE
    assert first.mean("perplexity") == 101.75
    assert first.deviation("perplexity") == pytest.approx(0.5**0.5)
    assert (first.mean("bleu"), first.deviation("bleu")) == (1.5, None), "of those that have it"
    assert (second.mean("bleu"), second.mean("seed"), second.mean("train_seed")) == (None, None, None)


def test_the_table_has_the_figures_that_any_run_has() -> None:
    assert comparison.columns_of(TABLE) == ["perplexity", "active_units", "bleu"]
    with pytest.raises(
        ValueError, match=r"^no figure 'bleo' in 2 rows; there are items, perplexity, bleu, active_units$"
    ):
        comparison.check_columns(["bleu", "bleo"], TABLE)


def test_the_forms_for_people_round_and_the_others_do_not() -> None:
    assert comparison.as_text(TABLE, COLUMNS).splitlines() == [
        "run           a_b (2 seeds)    c|d",
        "perplexity      101.8 ± 0.7  0.035",
        "active_units                    32",
        "bleu                  1.500",
    ]
    assert comparison.as_markdown(TABLE, COLUMNS).splitlines() == [
        "| run | perplexity | active_units | bleu |",
        "| --- | ---: | ---: | ---: |",
        "| a_b (2 seeds) | 101.8 ± 0.7 |  | 1.500 |",
        "| c\\|d | 0.035 | 32 |  |",
    ]
    assert comparison.as_latex(TABLE, COLUMNS).splitlines() == [
        r"\begin{tabular}{lrrr}", r"\toprule", r"run & perplexity & active\_units & bleu \\", r"\midrule",
        r"a\_b (2 seeds) & 101.8 $\pm$ 0.7 &  & 1.500 \\", r"c|d & 0.035 & 32 &  \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    first, second = csv.DictReader(io.StringIO(comparison.as_csv(TABLE, COLUMNS)))
    assert (first["run"], first["runs"], first["perplexity"]) == ("a_b (2 seeds)", "2", "101.75")
    assert float(first["perplexity_deviation"]) == pytest.approx(0.5**0.5)
    assert (second["perplexity"], second["perplexity_deviation"], second["bleu"]) == ("0.03456", "", "")
    content = json.loads(comparison.as_json(TABLE, COLUMNS))
    assert (content[0]["runs"], content[0]["seeds"], content[0]["data"]) == (["a", "b"], [0, 1], ["test.txt"])
    assert content[1]["figures"]["active_units"] == {"mean": 32, "deviation": None}


def test_what_is_not_comparable_is_said() -> None:
    same = [evaluated("a", importance_samples=100), evaluated("b", importance_samples=100)]
    assert comparison.differences(same) == []
    language_model = evaluated("lm", importance_samples=1, kl_per_unit_nats=[])
    assert comparison.differences([*same, language_model]) == []
    other = evaluated("c", importance_samples=500)
    assert comparison.differences([*same, other]) == ["not all have the same importance_samples: 100, 500"]


def run_of(folder: Path, name: str, seed: int, latent: int = 3) -> Path:
    source = folder / "corpus.txt"
    if not source.exists():
        write_corpus(source)
    run: Run = train("text", source, folder / name, values(model={"latent": latent}, epochs=1, seed=seed), device="cpu")
    content = evaluated(name, seed, kl_nats=2.0 + seed).values
    (run.path / comparison.EVALUATION).write_text(json.dumps(content))
    return run.path


def test_runs_that_differ_in_their_seed_alone_are_one_row(tmp_path: Path) -> None:
    paths = [run_of(tmp_path, "a", 0), run_of(tmp_path, "wide", 0, latent=4), run_of(tmp_path, "b", 1)]
    table = comparison.rows([comparison.read(path) for path in paths])
    assert [row.name for row in table] == [f"{tmp_path / 'a'} (2 seeds)", str(tmp_path / "wide")]
    assert (table[0].mean("kl_nats"), table[0].deviation("kl_nats")) == (2.5, pytest.approx(0.5**0.5))
    alone = tmp_path / "a.json"
    alone.write_text(json.dumps(evaluated(str(paths[0])).values))
    assert comparison.read(alone).key == comparison.read(paths[0]).key, "the file names its run"
    alone.write_text(json.dumps(evaluated("gone").values))
    assert comparison.read(alone).run is None


def test_what_is_no_evaluation_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a", 0)
    place = run / comparison.EVALUATION
    place.unlink()
    with pytest.raises(ValueError, match="there is no") as caught:
        comparison.read(run)
    assert str(caught.value) == f"there is no {place}; write it by `seqvae evaluate {run} DATA --json {place}`"
    place.write_text("{}")
    with pytest.raises(ValueError, match="is no evaluation; write it by"):
        comparison.read(run)
