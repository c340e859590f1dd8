"""`seqvae constrain`, and samples that have what is asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from seqvae import constraints

Call = Callable[..., Result]
Refused = Callable[..., None]
SENTENCES = ("the cook sees the pie .\tcook", "the dog eats the seal .\tdog", "the cook eats .\tcook")


@pytest.fixture(scope="module")
def trained(seqvae: Call, tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("constrain")
    (folder / "labelled.txt").write_text("".join(f"{line}\n" for line in SENTENCES * 15), encoding="utf-8")
    out = folder / "run"
    result = seqvae("train", "text", folder / "labelled.txt", "--labels", "last-column", "--out", out, *tiny)
    assert result.exit_code == 0, result.stderr
    return out


@pytest.fixture
def own(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run of labelled sentences, whose critics are trained briefly."""
    monkeypatch.setattr(constraints, "STEPS", 10)
    return Path(shutil.copytree(trained, tmp_path / "own"))


def test_critics_are_made_once_and_samples_can_be_asked_for_a_label(own: Path, seqvae: Call) -> None:
    plain = seqvae("sample", own).stdout
    made = seqvae("constrain", own)
    assert made.exit_code == 0, made.stderr
    assert made.stderr.splitlines()[0].startswith("of held-out codes and draws of N(0, I) ")
    assert made.stderr.splitlines()[1].startswith("label: right of ")
    assert made.stderr.splitlines()[1].endswith("% of held-out codes; one of cook, dog")
    assert made.stdout.splitlines() == [
        f"{own}: critics of label, kept beside its weights", f"next: seqvae sample {own} --where label=cook"
    ]  # fmt: skip
    assert "  critics: label, for --where label=cook\n" in seqvae("info", own).stdout
    cooks = seqvae("sample", own, "--where", "label=cook", "-n", 8)
    assert cooks.exit_code == 0, cooks.stderr
    assert len(cooks.stdout.splitlines()) == len(plain.splitlines()) == 8
    assert seqvae("sample", own, "--where", "label=cook", "-n", 3).stdout.splitlines() == cooks.stdout.splitlines()[:3]
    assert seqvae("sample", own).stdout == plain


def test_of_what_is_measured_it_is_said_how_many_samples_have_it(own: Path, seqvae: Call) -> None:
    made = seqvae("constrain", own, "--by", "length", "--by", "word=dog")
    assert made.exit_code == 0, made.stderr
    assert made.stderr.splitlines()[1].endswith("one of low (up to 5), high (above 5)")
    assert made.stderr.splitlines()[2].endswith("one of no, yes")
    assert made.stdout.splitlines()[-1] == f"next: seqvae sample {own} --where length=low"
    outcome = seqvae("sample", own, "--where", "length=low", "--where", "word=dog=no", "-n", 12)
    assert outcome.exit_code == 0, outcome.stderr
    samples = [line.split() for line in outcome.stdout.splitlines()]
    short, without = sum(len(words) <= 5 for words in samples), sum("dog" not in words for words in samples)
    assert outcome.stderr.splitlines()[-2:] == [
        f"length=low: {short} of 12 measure so", f"word=dog=no: {without} of 12 measure so"
    ]  # fmt: skip
    assert "measure so" not in seqvae("sample", own).stderr


def test_what_is_no_attribute_with_its_value_is_refused(own: Path, seqvae: Call, refused: Refused) -> None:
    refused(
        seqvae("sample", own, "--where", "label=cook"),
        f"{own} cannot choose its samples yet, since it has no critics that tell codes apart; train some (seqvae "
        "constrain, seqvae.fit_constraints), or sample without a choice",
    )
    seqvae("constrain", own)
    for word in ("cook", "=cook", "label="):
        outcome = seqvae("sample", own, "--where", word)
        assert outcome.exit_code == 2
        assert f"--where '{word}' is no attribute with its value; give one such as label=3" in outcome.stderr
    twice = seqvae("sample", own, "--where", "label=cook", "--where", "label=dog")
    assert twice.exit_code == 2
    assert "--where asks for label cook and dog, and an item has one; give one" in twice.stderr
    unknown = seqvae("sample", own, "--where", "label=cok")
    refused(unknown, "label=cok cannot be asked for; label can be cook, dog. Did you mean 'cook'?")
    refused(
        seqvae("sample", own, "--where", "lable=cook"),
        "samples cannot be chosen by 'lable' here, but by label; give a value of that, such as label=cook. Did you "
        "mean 'label'?",
    )


def test_runs_and_data_without_what_is_needed_are_refused(own: Path, run: Path, seqvae: Call, refused: Refused) -> None:
    missing = own.parent / "missing"
    refused(
        seqvae("constrain", missing),
        f"{missing} is not a run folder (not there); give the --out folder of a training",
    )
    refused(
        seqvae("constrain", run),
        "these sentences have no labels for critics to read; give data that have, or name what is measured of them: "
        "length, word=WORD, pattern=REGEX",
    )
    refused(
        seqvae("constrain", own, "--by", "labels"),
        "no attribute 'labels' to constrain; there are label, length, word=WORD, pattern=REGEX. Did you mean 'label'?",
    )
