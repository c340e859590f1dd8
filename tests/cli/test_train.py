"""`seqvae train`: precedence of values, used folders, resuming, what is told."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

RECIPE = 'modality = "text"\n[data]\ntokenizer = "word"\nmax_length = 30\nmin_count = 1\n[train]\nepochs = 1\n'


def settings(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return values


def trained(result: Result) -> Result:
    assert result.exit_code == 0, result.stderr
    return result


def test_training_says_where_the_model_is_and_what_to_try_next(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "run", *tiny))
    assert result.stdout == (
        "the model is in run; next:\n  seqvae sample run\n  seqvae interpolate run A B\n  seqvae evaluate run DATA\n"
    )


def test_a_folder_with_a_space_is_quoted_in_what_to_try_next(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "my run", *tiny))
    assert result.stdout.splitlines()[1] == "  seqvae sample 'my run'"


def test_without_a_terminal_progress_is_plain_lines_on_stderr(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    lines = trained(seqvae("train", "text", "sentences.txt", "--out", "run", *tiny)).stderr.splitlines()
    assert lines[0] == "train: 24 items, 168 steps from sentences.txt"
    assert lines[1] == "  2 of them held out for validation"
    assert lines[2].startswith("for 22 sentences the defaults are model.batch_norm_scale=0.9, model.word_dropout=0.3, ")
    assert lines[3] == "training from step 0 to at most 6; nats are negative ELBO per item"
    steps = [line for line in lines if line.startswith("step ")]
    assert [line.split()[1] for line in steps] == ["2/6", "3/6", "4/6", "6/6"]
    for word in (" nats  KL ", "  beta ", " tokens/s  ETA 0:00:0", " active  "):
        assert word in steps[-1]
    validations = [line for line in lines if line.startswith("validation at step ")]
    assert validations[0].startswith("validation at step 3 (epoch 1.0): ")
    assert validations[0].endswith(", the best so far")
    assert "\x1b" not in "".join(lines)


def test_set_overrides_options_override_the_recipe_overrides_defaults(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    (here / "mine.toml").write_text(RECIPE)
    small = [word for word in tiny if word not in ("--tokenizer", "word", "--epochs", "2")]
    line = ["--recipe", "mine.toml", "--max-length", "20", "--min-count", "2", "--set", "data.min_count=3", *small]
    trained(seqvae("train", "text", "sentences.txt", "--out", "run", *line))
    data = settings(here / "run")["data"]
    assert (data["long"], data["tokenizer"], data["max_length"], data["min_count"]) == ("cut", "word", 20, 3)
    assert settings(here / "run")["train"]["epochs"] == 1


def test_validation_files_and_flags_reach_the_run(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    (here / "valid.txt").write_text("the dog sees the pie .\n\nthe girl eats\nthe song .\n")
    line = ["--valid", "valid.txt", "--blank-line-separated", "--seed", "7", *tiny]
    trained(seqvae("train", "text", "sentences.txt", "--out", "run", *line))
    assert settings(here / "run")["data"]["blank_line_separated"] is True
    assert settings(here / "run")["train"]["seed"] == 7
    assert json.loads((here / "run" / "data.json").read_text())["valid"]["items"] == 2


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--set", "model.latent=x"], "model.latent=x is not possible; it takes a whole number"),
        (["--set", "latent=3"], "--set latent=3: write section.name=value, such as model.latent=16"),
        (["--set", "lr=3e-3"], "--set lr=3e-3: write section.name=value, such as train.learning_rate=3e-3"),
        (
            ["--lr", "3e-3"],
            "no option --lr; write --set train.learning_rate=VALUE. See 'seqvae train text --help'.",
        ),
        (
            ["--batch-size", "8"],
            "no option --batch-size; write --set train.batch_size=VALUE. See 'seqvae train text --help'.",
        ),
        (["--set", "model.epochs=3"], "no configuration key 'model.epochs'. Did you mean 'train.epochs'?"),
        (
            ["--set", "train.optimizer=adm"],
            "train.optimizer=adm is not possible; choose adam, adamw, sgd. Did you mean 'adam'?",
        ),
        (
            ["--epochs", "x"],
            "Invalid value for '--epochs': 'x' is not a valid integer. See 'seqvae train text --help'.",
        ),
        (
            ["--tokenizer", "wrd"],
            "Invalid value for '--tokenizer': 'wrd' is not one of 'unigram', 'bpe', 'word', 'word-punct', 'character'. "
            "See 'seqvae train text --help'.",
        ),
        (
            ["--resume", "--overwrite"],
            "--resume and --overwrite exclude each other; drop one. See 'seqvae train text --help'.",
        ),
        (["--max-length", "0"], "--max-length 0 is not possible; give 1 or more. See 'seqvae train text --help'."),
        (["--from", "nowhere"], "nowhere is not a run folder (not there); give the --out folder of a training"),
        (["--recipe", "fr.toml"], "recipe fr.toml is for drums, not text; use seqvae train drums, or another recipe"),
        (
            ["--recipe", "bare.toml"],
            'recipe bare.toml does not name its modality; write modality = "text" at its top',
        ),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(
    extra: list[str],
    sentence: str,
    seqvae: Callable[..., Result],
    refused: Callable[..., None],
    here: Path,
) -> None:
    (here / "fr.toml").write_text('modality = "drums"\n')
    (here / "bare.toml").write_text("[model]\nlatent = 3\n")
    refused(seqvae("train", "text", "sentences.txt", "--out", "run", *extra), sentence)
    assert not (here / "run").exists()


def test_an_unknown_key_is_refused_with_the_nearest(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("train", "text", "sentences.txt", "--out", "run", "--set", "model.latnt=3")
    assert result.exit_code == 2
    assert result.stderr.startswith("no configuration key 'model.latnt'; there are model.batch_norm_scale, ")
    assert result.stderr.endswith(" Did you mean 'model.latent'?\n")


@pytest.mark.parametrize(("steps", "said"), [("0", True), ("3", False)])
def test_no_limit_of_steps_is_said_to_be_none(
    steps: str, said: bool, seqvae: Callable[..., Result], here: Path
) -> None:
    result = seqvae("train", "text", "nowhere.txt", "--out", "run", "--set", f"train.steps={steps}")
    line = "train.steps=0 is no limit of steps: training ends by train.epochs alone\n"
    assert (line in result.stderr) is said


def test_an_unknown_recipe_is_refused_with_the_nearest(seqvae: Callable[..., Result], here: Path) -> None:
    result = seqvae("train", "text", "sentences.txt", "--out", "run", "--recipe", "ptbb")
    assert result.exit_code == 2
    assert result.stderr.startswith("no recipe 'ptbb'; there are ")
    assert result.stderr.endswith(", or the path of a TOML file. Did you mean 'ptb'?\n")


def test_a_used_folder_is_refused_and_kept_until_overwrite(
    seqvae: Callable[..., Result], refused: Callable[..., None], tiny: Sequence[str], here: Path
) -> None:
    line = ["train", "text", "sentences.txt", "--out", "run", *tiny]
    trained(seqvae(*line))
    before = (here / "run" / "config.json").read_bytes()
    refused(seqvae(*line), "run already holds a run; continue it with --resume, or replace it with --overwrite")
    assert (here / "run" / "config.json").read_bytes() == before
    trained(seqvae(*line, "--overwrite", "--seed", "3"))
    assert settings(here / "run")["train"]["seed"] == 3


def test_a_folder_of_other_files_is_never_overwritten(
    seqvae: Callable[..., Result], refused: Callable[..., None], tiny: Sequence[str], here: Path
) -> None:
    (here / "photos").mkdir()
    (here / "photos" / "one.png").write_bytes(b"1")
    line = ["train", "text", "sentences.txt", "--out", "photos", "--overwrite", *tiny]
    refused(seqvae(*line), "photos holds files that are not a run; give --out a new or empty folder")
    assert [path.name for path in (here / "photos").iterdir()] == ["one.png"]


def test_resume_needs_only_the_folder_and_may_add_epochs(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    trained(seqvae("train", "text", "sentences.txt", "--out", "run", *tiny))
    again = trained(seqvae("train", "text", "--resume", "--out", "run"))
    assert again.stderr == (
        "run is finished at step 6: nothing was left to train; go on with --resume and --epochs above 2\n"
    )
    more = trained(seqvae("train", "text", "--resume", "--out", "run", "--epochs", "3"))
    assert "validation at step 9 (epoch 3.0): " in more.stderr


def test_resume_refuses_changed_keys_and_other_data(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    result = seqvae("train", "text", "--resume", "--out", run, "--set", "model.latent=5", "--seed", "1")
    assert result.exit_code == 2
    assert "configuration, but model.latent, train.seed would change; only train.epochs" in result.stderr
    assert result.stderr.endswith(f" may. Leave it out, or start a new run with --from {run}\n")
    refused(
        seqvae("train", "text", "sentences.txt", "--resume", "--out", run),
        f"--resume continues with the run's own data, {run.parent / 'sentences.txt'}, not sentences.txt; leave the "
        f"data out, or start a new run with --from {run}",
    )


def test_a_run_can_start_from_the_weights_of_another(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    line = ["--from", run, "--epochs", "1", "--set", "train.threads=1", "--set", "train.batch_size=8"]
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "tuned", *line))
    assert settings(here / "tuned")["from"] == str(run)
    assert settings(here / "tuned")["model"]["latent"] == 4
    assert "takes encoder, posterior, decoder, draws nothing anew" in result.stderr
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "part", *line, "--take", "encoder, posterior"))
    assert "takes encoder, posterior, draws decoder anew" in result.stderr
    assert settings(here / "part")["take"] == ["encoder", "posterior"]


@pytest.mark.parametrize("choice", [["--take", "decoder"], ["--checkpoint", "last"]])
def test_what_chooses_of_another_run_needs_one(
    seqvae: Callable[..., Result], refused: Callable[..., None], choice: list[str]
) -> None:
    refused(
        seqvae("train", "text", "sentences.txt", "--out", "new", *choice),
        f"{' '.join(choice)} chooses of another run's weights; name that run with --from. See 'seqvae train text "
        "--help'.",
    )


def test_a_recipe_may_have_stages_which_info_shows(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    stages = "[[stages]]\nobjective.beta = 0.0\n[[stages]]\nkeep = ['encoder']\ntrain.steps = 2\n"
    (here / "two.toml").write_text(RECIPE + stages)
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "run", "--recipe", "two.toml", *tiny))
    assert "stage 2 of 2 keeps encoder, draws posterior, decoder anew" in result.stderr
    assert settings(here / "run")["stages"] == [
        {"objective": {"beta": 0.0}}, {"train": {"steps": 2}, "keep": ["encoder"]},
    ]  # fmt: skip
    shown = trained(seqvae("info", "run")).stdout
    first, second = shown.split("[[stages]]\n")[1:]
    assert "[stages.objective]\nbeta = 0.0\n" in first
    assert second.startswith('keep = ["encoder"]\n')
    assert "[stages.train]\nsteps = 2\n" in second


def test_a_finished_run_of_stages_says_how_its_last_stage_goes_on(
    seqvae: Callable[..., Result], refused: Callable[..., None], tiny: Sequence[str], here: Path
) -> None:
    (here / "two.toml").write_text(
        RECIPE.replace("epochs = 1", "batch_size = 8\nthreads = 1") + "[model]\nlatent = 2\n"
        "[[stages]]\ntrain.epochs = 1\n[[stages]]\ntrain.epochs = 2\n"
    )
    line = ["train", "text", "sentences.txt", "--out", "run", "--recipe", "two.toml"]
    refused(
        seqvae(*line, "--epochs", "4"),
        "--epochs 4 changes nothing, since every stage has its own train.epochs (1, 2); leave it out, or change "
        "train.epochs in the [[stages]] tables of the recipe. See 'seqvae train text --help'.",
    )
    trained(seqvae(*line))
    again = trained(seqvae("train", "text", "--resume", "--out", "run"))
    assert again.stderr.endswith("go on with --resume and --epochs above 2, for its last stage\n")
    more = trained(seqvae("train", "text", "--resume", "--out", "run", "--epochs", "3"))
    assert "(epoch 4.0" in more.stderr
    again = trained(seqvae("train", "text", "--resume", "--out", "run", "--epochs", "3"))
    assert again.stderr.endswith("go on with --resume and --epochs above 3, for its last stage\n")
    repeated = ["train", "text", "sentences.txt", "--out", "again", "--recipe", "run/config.json"]
    trained(seqvae(*repeated))
    assert settings(here / "again")["stages"] == settings(here / "run")["stages"]


def test_a_run_that_patience_ended_says_so_and_that_only_a_new_one_goes_on(
    seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    worse = ["--set", "train.stop_patience=1", "--set", "train.learning_rate=3", "--set", "objective.beta_start=1"]
    result = trained(seqvae("train", "text", "sentences.txt", "--out", "run", *tiny, "--epochs", "40", *worse))
    assert (
        "stopped, since the last validation brought nothing better (train.stop_patience=1), at step " in result.stderr
    )
    again = seqvae("train", "text", "--resume", "--out", "run", "--epochs", "50")
    assert ", since the last validation brought nothing better (train.stop_patience=1): nothing was" in again.stderr
    assert again.stderr.endswith("; go on with a new run --from run\n")


@pytest.mark.slow
def test_sigterm_saves_and_ends_with_130(environment: dict[str, str], tiny: Sequence[str], here: Path) -> None:
    command = [sys.executable, "-m", "seqvae", "train", "text", "sentences.txt", "--out", "run", *tiny]
    process = subprocess.Popen(
        [*command, "--epochs", "100000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        deadline = time.monotonic() + 300
        while not (here / "run" / "checkpoints" / "step-00000000").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    last = err.splitlines()[-1]
    assert last.startswith("stopped after step ")
    assert "; a checkpoint is saved, and the weights of step " in last
    which = ("best so far and", "last, none being validated yet, and")
    ends = [f" are the {words} can be used; continue with seqvae train text --resume --out run" for words in which]
    assert last.endswith(tuple(ends))
    assert process.returncode == 130
    assert out == ""
