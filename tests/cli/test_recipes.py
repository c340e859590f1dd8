"""Recipes: each can be trained and says what to expect of it; a run's config.json repeats the run."""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from click.testing import Result

from seqvae import load, modalities
from seqvae.cli.evaluate import evaluate
from seqvae.config import merge, read_toml
from seqvae.evaluate import units
from seqvae.modalities.base import Modality
from seqvae.recipes import Expected, expected_figures, known_recipes, read_recipe, training_minutes
from seqvae.settings import build_config
from seqvae.training.limits import check_values

BENCHMARKS = (Path(__file__).parents[2] / "BENCHMARKS.md").read_text(encoding="utf-8")
MELODIES = {"melody-2bar", "hierdec-mel-16bar", "flat-mel-16bar"}
TRIOS = {f"{kind}-trio-16bar{size}" for kind in ("hierdec", "flat") for size in ("", "-quick")}
# their corpora are not public, or not yet chosen
NEVER_TRAINED = {"drums-2bar", "groove-2bar", "groovae-humanize", *MELODIES, *TRIOS}


def modality_of(name: str) -> type[Modality]:
    return modalities.get(read_toml(known_recipes()[name])["modality"])


def test_recipes_are_listed_by_name_and_shown_as_they_are(seqvae: Callable[..., Result]) -> None:
    listed = seqvae("recipes").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(known_recipes())
    assert seqvae("recipes", "ptb").stdout == known_recipes()["ptb"].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(known_recipes()))
def test_every_recipe_starts_with_a_comment_that_says_what_it_is(name: str, seqvae: Callable[..., Result]) -> None:
    first = seqvae("recipes", name).stdout.splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


@pytest.mark.parametrize("name", list(known_recipes()))
def test_every_recipe_is_a_configuration_that_can_be_trained(name: str) -> None:
    kind = modality_of(name)
    values = read_recipe(name, kind.name)
    check_values(build_config(kind.name, kind.data_config, kind.model_config, merge(kind.defaults, values)))


@pytest.mark.parametrize("name", list(known_recipes()))
def test_every_recipe_names_its_precision_so_that_no_cpu_changes_its_result(name: str) -> None:
    assert read_recipe(name, modality_of(name).name)["train"]["precision"] in ("fp32", "bf16")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("mnist", "'mnist-dense' (1 min) or 'mnist-plane' (4 min) or 'mnist-conv' (10 min) or 'mnist-iwae' (96 min)"),
        ("Drums", "'drums-2bar-quick' (11 min) or 'drums-2bar'"),
        ("lm", "'ptb-lm' (100 min)"),
        ("sentense", "'sentences'"),
    ],
)
def test_a_word_that_several_recipes_hold_is_answered_by_all_of_them_the_quickest_first(word: str, meant: str) -> None:
    with pytest.raises(ValueError) as error:
        read_recipe(word, "images")
    assert str(error.value).endswith(f", or the path of a TOML file. Did you mean {meant}?")


@pytest.mark.parametrize(("line", "minutes"), [("# time:     40 seconds of", 2 / 3), ("# time: 1.5 hours", 90.0)])
def test_the_time_of_a_recipe_is_read_in_minutes(line: str, minutes: float) -> None:
    assert training_minutes(f"# A recipe.\n#\n{line}\n") == pytest.approx(minutes)
    assert training_minutes("# A recipe.") is None


def stated_numbers(name: str) -> set[float]:
    """The numbers in the head of a recipe and in the lines of BENCHMARKS.md about it, percentages as shares."""
    head = [line for line in known_recipes()[name].read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [*head, *(line for line in BENCHMARKS.splitlines() if f"`{name}`" in line)]
    found = re.findall(r"(?<![\w.])(\d*\.?\d+)( ?%)?", "\n".join(lines))
    return {float(number) / (100 if percent else 1) for number, percent in found}


@pytest.mark.parametrize("name", [name for name in known_recipes() if name not in NEVER_TRAINED])
def test_a_recipe_expects_figures_that_exist_and_that_its_head_or_the_benchmarks_state(name: str) -> None:
    expected = expected_figures(name)
    assert expected is not None
    known = {option for parameter in evaluate.params for option in parameter.opts}
    assert {word for word in shlex.split(expected.arguments) if word.startswith("-")} <= known
    kind = modality_of(name)
    data = build_config(kind.name, kind.data_config, kind.model_config, read_recipe(name, kind.name)).data
    assert expected.figures.keys() <= units(kind(data)).keys()
    for figure, (value, tolerance) in expected.figures.items():
        assert any(abs(value) == pytest.approx(number) for number in stated_numbers(name)), figure
        assert 0 <= tolerance <= 0.4 * abs(value)


def test_a_recipe_that_was_never_trained_expects_nothing() -> None:
    assert {name for name in known_recipes() if expected_figures(name) is None} == NEVER_TRAINED


def test_what_is_expected_lies_within_its_tolerance() -> None:
    expected = Expected(arguments="test.txt", figures={"elbo_nats": (-104.5, 1.5)})
    assert expected.least("elbo_nats") == -106.0
    assert expected.most("elbo_nats") == -103.0


@pytest.mark.parametrize(
    "table", ["kl_nats = 3", 'evaluate = "x"\nkl_nats = 3', 'evaluate = "x"\nkl_nats = { value = "three" }']
)
def test_a_table_of_expected_figures_that_is_none_is_refused(table: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'modality = "text"\n[expected]\n{table}\n')
    assert read_recipe(str(path), "text") == {}
    with pytest.raises(ValueError, match=r"the table expected of recipe .*mine\.toml is not possible; write "):
        expected_figures(str(path))


def test_the_configuration_of_a_run_is_a_recipe_that_repeats_it(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    first = ["train", "text", "sentences.txt", *tiny, "--seed", "3", "--set", "model.word_dropout=0.25"]
    assert seqvae(*first, "--out", "one").exit_code == 0
    again = ["train", "text", "sentences.txt", "--recipe", "one/config.json", "--out", "two"]
    result = seqvae(*again)
    assert result.exit_code == 0, result.stderr
    one, two = (load(here / name).vae.state_dict() for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = seqvae(*again[:-1], "three", "--seed", "4")
    assert other.exit_code == 0, other.stderr
    three = load(here / "three").vae.state_dict()
    assert not all(torch.equal(one[name], three[name]) for name in one), "the seed is the run's own"


def test_the_configuration_of_a_run_of_another_modality_is_refused(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    result = seqvae("train", "images", "x", "--recipe", run / "config.json", "--out", "two")
    assert result.exit_code == 2
    assert result.stderr.endswith("is for text, not images; use seqvae train text, or another recipe\n")
