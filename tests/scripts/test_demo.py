"""The demo: its commands are commands of this version, it judges its models, and its digits leave their pictures."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner, Result

from seqvae.cli import main

DEMO = Path(__file__).parents[2] / "scripts" / "demo.py"
GOOD = {
    "exact_match": 0.99, "active_units": 32, "items": 2000, "step_accuracy_greedy": 0.87, "kl_bits": 55.0,
    "elbo_nats": -100.0, "neighbour_accuracy": 0.99, "f1_hits": 0.95, "timing_error_ms": 2.0, "velocity_error": 3.0,
    "timing_error_quantised_ms": 9.0, "velocity_error_flat": 14.0, "f1_notes": 0.95,
}  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with all that it makes in an empty folder."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, str) and re.match(r"(runs|data)/", value):
            monkeypatch.setattr(module, name, str(tmp_path / value))
    return module


def outcome(demo: ModuleType, *arguments: str) -> Result:
    return CliRunner().invoke(demo.main, arguments)


def recorded(demo: ModuleType, monkeypatch: pytest.MonkeyPatch, figures: dict[str, float]) -> list[list[str]]:
    """The commands that the demo will run, in place of running them; its models have these figures."""
    commands: list[list[str]] = []

    def run(program: str, *arguments: str, capture: bool = False) -> str:
        commands.append([program, *arguments])
        return ""

    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(demo, "figures_of", lambda folder: figures)
    Path(demo.DATA).mkdir(parents=True)
    (Path(demo.DATA) / "test.txt").write_text("the cook burned the pie .\n" * 9)
    Path(demo.RUN).mkdir(parents=True)
    return commands


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command of seqvae that the words name, and the words after its name."""
    command: click.Command = main
    while isinstance(command, click.Group):
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
        assert command is not None
    return command, words


def test_every_command_of_the_demo_is_one_of_this_version(demo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = recorded(demo, monkeypatch, GOOD)
    done = outcome(demo)
    assert done.exit_code == 0
    assert set(demo.RUNS) == set(demo.PARTS)
    last = done.output.splitlines()[-1].partition(": seqvae ")[2].split()
    assert last == ["app", *demo.RUNS.values()]
    ours = [command_of(words) for program, *words in commands if program == "seqvae"]
    assert {command.name for command, _ in ours} >= {*demo.PARTS, "plot", "decode", "evaluate", "reconstruct"}
    assert set(demo.PARTS) == {"text", "drums", "groove", "melody", "images"}
    for command, rest in ours:
        known = {
            name
            for parameter in command.get_params(click.Context(command))
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in rest if re.match(r"--?[a-z]", word)} <= known
    scripts = {program.split()[1] for program, *_ in commands if program != "seqvae"}
    assert all((DEMO.parents[1] / script).exists() for script in scripts)


@pytest.mark.parametrize(
    ("part", "figure", "value"),
    [
        ("text", "exact_match", 0.5),
        ("drums", "step_accuracy_greedy", 0.5),
        ("groove", "f1_hits", 0.5),
        ("groove", "timing_error_ms", 12.0),
        ("groove", "velocity_error", 12.0),
        ("melody", "f1_notes", 0.2),
        ("images", "elbo_nats", -150.0),
        ("images", "neighbour_accuracy", 0.5),
    ],
)
def test_a_model_that_falls_short_fails_the_demo(
    part: str, figure: str, value: float, demo: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(demo, monkeypatch, {**GOOD, figure: value})
    result = outcome(demo, "--only", part)
    assert result.exit_code == 1
    assert "falls short of its aims" in result.output


@pytest.mark.slow
def test_the_digits_leave_their_pictures(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run: Callable[..., str] = demo.run

    def few(program: str, *arguments: str, capture: bool = False) -> str:
        drawing = program.endswith("generate_digits.py")
        return run(program, *arguments, *(("--train", "120", "--test", "40") if drawing else ()), capture=capture)

    monkeypatch.setattr(demo, "run", few)
    assert "falls short of its aims" in outcome(demo, "--only", "images", "--epochs", "1").output
    folder = Path(demo.DIGIT_RUN)
    pictures = {path.stem for path in (folder / "plot").glob("*.png")}
    assert pictures >= {"losses", "plane", "manifold", "traversals", "reconstructions", "network", "interpolations"}
    assert len(list((folder / "reconstruct").glob("0*.png"))) == len(demo.RECONSTRUCTED)
    assert len(list((folder / "interpolate").glob("0*.png"))) == 10
    assert len(list((folder / "decode").glob("0*.png"))) == 1
    figures = json.loads((folder / "evaluation.json").read_text())
    assert figures["items"] == 40
    assert 0 <= figures["neighbour_accuracy"] < 0.88
    assert "120 items" in capfd.readouterr().err
