"""`seqvae evaluate`, `inspect`, `info`, `recipes` and `cache`: what they print and write."""

import csv
import json
import math
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae import __version__, load
from seqvae.cli.info import _show_configuration
from seqvae.language_models import load_language_model, reverse_perplexity, word_perplexity
from seqvae.modalities.midi.settings import DrumData, DrumModel
from seqvae.settings import build_config
from seqvae.training.run import train
from tests.training.small import values

KEYS = [
    "items",
    "tokens",
    "elbo_nats",
    "reconstruction_nats",
    "kl_nats",
    "kl_bits",
    "iw_nll_nats",
    "importance_samples",
    "perplexity",
    "bits_per_byte",
    "mutual_information_nats",
    "active_units",
    "step_accuracy_teacher_forced",
    "exact_match",
    "bleu",
    "self_bleu",
]


def test_evaluate_prints_a_table_with_units_and_writes_the_same_as_json(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    result = seqvae("evaluate", run, "sentences.txt", "--importance-samples", 3, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "written to figures.json\n"
    figures = json.loads((here / "figures.json").read_text())
    assert set(figures) >= set(KEYS)
    assert (figures["items"], figures["tokens"], figures["importance_samples"]) == (24, 24 * 7, 3)
    assert figures["elbo_nats"] == pytest.approx(-(figures["reconstruction_nats"] + figures["kl_nats"]))
    assert figures["kl_bits"] == pytest.approx(figures["kl_nats"] / math.log(2))
    assert figures["perplexity"] == pytest.approx(math.exp(figures["iw_nll_nats"] * 24 / (24 * 7)))
    for key in KEYS:
        assert key in result.stdout
    assert f"{figures['perplexity']:,.4f}" in result.stdout
    assert "nats per item" in result.stdout
    assert "Tokens: the end of sequence counts, padding never." in result.stdout


def test_evaluate_shows_samples_beside_the_data(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    for options, temperature in ((), 1), (("--temperature", 0.5), 0.5):
        result = seqvae("evaluate", run, "sentences.txt", "--importance-samples", 2, "--json", "figures.json", *options)
        title = f"200 samples from the prior at temperature {temperature}, seed 0, beside 24 sentences of the data\n"
        figures = json.loads((here / "figures.json").read_text())
        first, _, second = result.stdout.partition(title)
        assert "self_bleu" not in first
        assert "sample_temperature" not in first
        assert figures["sample_temperature"] == temperature
        for name, of_data in ("self_bleu", "data_self_bleu"), ("sample_words", "data_words"):
            (row,) = [line for line in second.splitlines() if name in line]
            assert f"{figures[name]:,.4f}" in row
            assert f"{figures[of_data]:,.4f}" in row
        assert figures["data_words"] == 6


def test_evaluate_refuses_a_temperature_before_anything_is_scored(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    (here / "gaps.txt").write_text("the dog sees\n\n")
    result = seqvae("evaluate", run, "gaps.txt", "--temperature", -1)
    refused(result, "a temperature of -1.0 is not possible; give 0 (greedy) or more")
    assert "empty line" not in result.stderr, "nothing is read before"


def test_evaluate_gives_the_same_figures_for_the_same_seed(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    def figures(seed: int) -> str:
        return seqvae("evaluate", run, "sentences.txt", "--importance-samples", 2, "--seed", seed).stdout

    assert figures(5) == figures(5)
    assert figures(5) != figures(6)


def test_evaluate_names_what_its_figures_are_of(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    result = seqvae(
        "evaluate", run, "sentences.txt", "--importance-samples", 2, "--seed", 3, "--json", "figures.json"
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    figures = json.loads((here / "figures.json").read_text())
    origin = {name: figures[name] for name in ("run", "modality", "data", "split", "train_seed", "seed", "version")}
    assert origin == {
        "run": str(run), "modality": "text", "data": ["sentences.txt"], "split": None, "train_seed": 0, "seed": 3,
        "version": __version__,
    }  # fmt: skip
    assert f"step-{figures['step']:08d}" in {path.name for path in (run / "checkpoints").iterdir()}
    assert sum(figures["kl_per_unit_nats"]) == pytest.approx(figures["kl_nats"])


def test_evaluate_writes_the_scores_of_items_that_the_model_gives_too(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    sentences = (here / "sentences.txt").read_text().splitlines()
    options = ("--importance-samples", 2, "--precision", "fp32", "--json", "figures.json")
    for name in ("items.csv", "items.jsonl"):
        result = seqvae("evaluate", run, "sentences.txt", *options, "--per-item", name)
        assert result.stderr == f"written to figures.json\nwritten to {name}\n"
    with open(here / "items.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (here / "items.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [line["text"] for line in lines] == sentences
    assert [line["item"] for line in lines] == list(range(24))
    figures = json.loads((here / "figures.json").read_text())
    scores = load(run, "cpu").score(sentences, importance_samples=2)
    for name in ("elbo_nats", "reconstruction_nats", "kl_nats", "iw_nll_nats"):
        values = [line[name] for line in lines]
        assert sum(values) / 24 == pytest.approx(figures[name])
        assert [float(row[name]) for row in rows] == values
        assert getattr(scores, name).tolist() == pytest.approx(values, rel=1e-4)


def test_evaluate_has_a_language_model_judge_samples(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    train("text", "sentences.txt", "judge", values(model={"latent": 0}), device="cpu")
    options = ("--importance-samples", 2, "--json", "figures.json")
    result = seqvae("evaluate", run, "sentences.txt", *options, "--language-model", "judge", "--reverse-samples", 210)
    assert result.exit_code == 0, result.stderr
    figures = json.loads((here / "figures.json").read_text())
    judge = load_language_model(Path("judge"), "cpu")
    data = (here / "sentences.txt").read_text().splitlines()
    samples = load(run, "cpu").sample(210, temperature=1.0)
    assert figures["data_forward_perplexity"] == pytest.approx(word_perplexity(judge, data), rel=1e-5)
    assert figures["forward_perplexity"] == pytest.approx(word_perplexity(judge, samples[:200]), rel=1e-5)
    assert figures["reverse_perplexity"] == pytest.approx(reverse_perplexity(judge, samples, data), rel=1e-4)
    assert figures["reverse_samples"] == 210
    assert "forward_perplexity" in result.stdout
    plain = seqvae("evaluate", run, "sentences.txt", *options)
    assert "forward_perplexity" not in plain.stdout
    assert json.loads((here / "figures.json").read_text())["forward_perplexity"] is None
    result = seqvae("evaluate", run, "sentences.txt", "--reverse-samples", 5)
    assert result.exit_code == 2
    assert "--reverse-samples 5 trains a language model like that of --language-model; name one" in result.stderr
    assert "has a latent code" in seqvae("evaluate", run, "sentences.txt", "--language-model", run).stderr


def test_evaluate_refuses_other_forms_of_scores(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path
) -> None:
    refused(
        seqvae("evaluate", run, "sentences.txt", "--per-item", "items.txt"),
        "--per-item items.txt ends in neither .csv nor .jsonl; give a name that ends so",
    )


def test_evaluate_tells_what_reading_dropped(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    (here / "gaps.txt").write_text(f"the dog sees\n\n\n{'the ' * 300}\n")
    result = seqvae("evaluate", run, "gaps.txt", "--importance-samples", 2)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "gaps.txt: 2 empty lines dropped\ngaps.txt: 1 item longer than 256 tokens, cut\n"


def test_evaluate_refuses_a_device_for_its_json(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    refused(
        seqvae("evaluate", run, "sentences.txt", "--json", "/dev/null"),
        "/dev/null is not a regular file; give another path",
    )


def test_evaluate_writes_through_a_symbolic_link(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    (here / "far").mkdir()
    (here / "figures.json").symlink_to(here / "far" / "real.json")
    result = seqvae("evaluate", run, "sentences.txt", "--importance-samples", 2, "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    assert (here / "figures.json").is_symlink()
    assert json.loads((here / "far" / "real.json").read_text())["items"] == 24


def test_evaluate_refuses_a_place_for_its_json_before_it_computes(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    refused(
        seqvae("evaluate", run, "sentences.txt", "--json", "sentences.txt/x.json"),
        "there is no folder sentences.txt to write x.json into; make it, or give another path",
    )


def test_inspect_counts_items_lengths_vocabulary_and_drops(seqvae: Callable[..., Result], here: Path) -> None:
    (here / "mixed.txt").write_text("one two\n\nthree\none two three four five six\n")
    result = seqvae("inspect", "text", "mixed.txt", "--tokenizer", "word", "--max-length", 4)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines(keepends=True)
    assert lines.pop(-2).startswith("for 2 sentences the defaults are model.latent=16, ")
    assert "".join(lines) == (
        "items: 3\n"
        "steps: 10 (end of sequence counted)\n"
        "vocabulary: 8 tokens\n"
        "steps of an item: 2 least, 3 median, 3.3 mean, 5 most\n"
        "bytes: 33 (line ends counted)\n"
        "1 empty line dropped\n"
        "1 item longer than 4 tokens, cut\n"
        "splits: 1 of them held out for validation\n"
    )


def test_inspect_without_data_is_refused(seqvae: Callable[..., Result], refused: Callable[..., None]) -> None:
    refused(
        seqvae("inspect", "text"),
        "there are no data; name at least one file. See 'seqvae inspect text --help'.",
    )


def test_info_tells_configuration_size_data_history_and_checkpoints(seqvae: Callable[..., Result], run: Path) -> None:
    result = seqvae("info", run)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{run}: text, seqvae ")
    for line in ('tokenizer = "word"', "latent = 4", "bidirectional = true", "epochs = 2", "[objective]"):
        assert f"\n{line}\n" in result.stdout
    assert f"  train: 24 items, 168 steps from {run.parent / 'sentences.txt'}\n" in result.stdout
    lines = result.stdout.splitlines()
    diagram = [line.split() for line in lines[lines.index("network") + 1 : lines.index("data") - 1]]
    assert diagram[0] == ["layer", "kind", "output", "parameters"]
    assert ["z", "Code", "4"] in diagram
    assert diagram[-1] == ["total", lines[0].split()[-2]]
    assert "  validation at step 6 (epoch 2.0): " in result.stdout
    assert "; step 6 is used\n" in result.stdout


def test_the_configuration_of_info_is_a_recipe(seqvae: Callable[..., Result], run: Path) -> None:
    settings = json.loads((run / "config.json").read_text())
    shown = seqvae("info", run).stdout.partition("\n\n")[2].partition("\n\nnetwork\n")[0]
    expected = {section: settings[section] for section in ("data", "model", "objective", "train")}
    expected["objective"]["anneal_epochs"] = "none"  # which TOML has no other word for
    assert tomllib.loads(shown) == expected


def test_stages_and_what_is_none_are_shown_as_recipes_take_them(capsys: pytest.CaptureFixture[str]) -> None:
    stages = [{"train": {"epochs": 1, "learning_rate": 1e-5}}, {"objective": {"beta": 0.5}, "keep": ["encoder"]}]
    config = build_config("drums", DrumData, DrumModel, {"stages": stages})
    _show_configuration(config.to_dict())
    shown = tomllib.loads(capsys.readouterr().out)
    assert shown["data"]["bpm"] == "none"
    assert shown["stages"] == stages
    assert build_config("drums", DrumData, DrumModel, shown) == config


@pytest.mark.parametrize("garbage", ["\x00\x01{\n", "3\n", '{"event": "validation"}\n', "{}\n"])
def test_info_tells_a_damaged_history_and_all_the_rest(
    garbage: str, seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    shutil.copytree(run, "copy")
    (here / "copy" / "metrics.jsonl").write_text(garbage)
    result = seqvae("info", "copy")
    assert result.exit_code == 0
    assert result.stderr == "copy/metrics.jsonl is damaged; the model is not, restore the file from a copy\n"
    assert result.stdout.endswith("; step 6 is used\n")


def test_the_cache_is_found_and_cleared(
    seqvae: Callable[..., Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQVAE_CACHE", str(here / "cache"))
    assert seqvae("cache", "path").stdout == f"{here / 'cache'}\n"
    seqvae("inspect", "text", "sentences.txt", "--tokenizer", "word")
    assert list((here / "cache").rglob("steps.bin"))
    assert seqvae("cache", "clear").stdout.endswith(f" MB deleted from {here / 'cache'}\n")
    assert not list((here / "cache").rglob("steps.bin"))


def test_a_folder_with_a_diary_is_not_cleared(
    seqvae: Callable[..., Result],
    refused: Callable[[Result, str], None],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = here / "mine"
    folder.mkdir()
    (folder / "diary.txt").write_text("dear")
    monkeypatch.setenv("SEQVAE_CACHE", str(folder))
    refused(
        seqvae("cache", "clear"),
        f"{folder / 'diary.txt'} was not written by seqvae, and {folder} holds no cache, so nothing was deleted; check "
        "SEQVAE_CACHE",
    )
    seqvae("inspect", "text", "sentences.txt", "--tokenizer", "word")
    (folder / "corpora" / "letter.txt").write_text("dear")
    cleared = seqvae("cache", "clear")
    assert cleared.exit_code == 0
    assert cleared.stdout.splitlines()[1] == (
        f"left alone, since seqvae did not write it: {folder / 'corpora' / 'letter.txt'}"
    )
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        ".seqvae-cache", "diary.txt", "letter.txt",
    ]  # fmt: skip
