"""`seqvae fit-prior`, and the commands that draw codes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import seqvae as package
from seqvae.cli.fit_prior import ahead

Call = Callable[..., Result]
pytest.importorskip("sklearn")


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(run, tmp_path / "own"))


def test_samples_come_from_the_prior_that_was_fitted_or_from_the_one_that_is_named(own: Path, seqvae: Call) -> None:
    before = seqvae("sample", own).stdout
    fitted = seqvae("fit-prior", own, "--kind", "gaussian")
    assert fitted.exit_code == 0, fitted.stderr
    standard, gaussian = fitted.stderr.splitlines()
    assert standard.startswith("standard: log-likelihood of a held-out code -")
    assert gaussian.startswith("gaussian: log-likelihood of a held-out code -")
    assert gaussian.endswith(" to standard")
    assert fitted.stdout.splitlines() == [
        f"{own}: gaussian over 4 units, kept beside its weights", f"next: seqvae sample {own}"
    ]  # fmt: skip
    after = seqvae("sample", own).stdout
    assert after != before
    assert seqvae("sample", own, "--prior", "fitted").stdout == after
    assert seqvae("sample", own, "--prior", "standard").stdout == before
    similar = [seqvae("similar", own, "the cook sees the pie .", "--distance", 1, "--prior", p).stdout
               for p in ("standard", "fitted")]  # fmt: skip
    assert similar[0] != similar[1]


def test_on_request_it_waits_and_standard_takes_it_away(own: Path, seqvae: Call, refused: Callable[..., None]) -> None:
    before = seqvae("sample", own).stdout
    kept = seqvae("fit-prior", own, "--kind", "gaussian", "--on-request")
    assert kept.stdout.splitlines()[-1] == f"next: seqvae sample {own} --prior fitted"
    assert seqvae("sample", own).stdout == before
    assert seqvae("sample", own, "--prior", "fitted").stdout != before
    assert seqvae("fit-prior", own, "--kind", "standard").stdout == f"{own}: samples come from N(0, I)\n"
    refused(
        seqvae("sample", own, "--prior", "fitted"),
        f"no prior was fitted to {own}; fit one (seqvae fit-prior, seqvae.fit_prior), or take --prior standard. "
        "See 'seqvae sample --help'.",
    )


def test_the_evaluation_has_the_bound_with_both(own: Path, seqvae: Call) -> None:
    corpus = own.parent / "few.txt"
    corpus.write_text("the cook sees the pie .\nthe dog eats the seal .\n")
    arguments = ["evaluate", own, corpus, "--importance-samples", 1]
    assert "fitted_prior" not in seqvae(*arguments).stdout
    seqvae("fit-prior", own, "--kind", "gaussian")
    table = seqvae(*arguments).stdout
    for name in ("elbo_fitted_prior_nats", "kl_fitted_prior_nats", "elbo_nats"):
        assert name in table
    assert "fitted_prior" not in seqvae(*arguments, "--prior", "standard").stdout


def test_the_run_says_which_prior_it_has(own: Path, seqvae: Call) -> None:
    assert "  prior: " not in seqvae("info", own).stdout
    seqvae("fit-prior", own, "--kind", "gaussian")
    assert "  prior: gaussian, which samples come from\n" in seqvae("info", own).stdout
    seqvae("fit-prior", own, "--kind", "gaussian", "--on-request")
    assert "  prior: gaussian, for --prior fitted\n" in seqvae("info", own).stdout


def test_before_a_flow_is_fitted_it_is_said_what_that_takes(
    own: Path, seqvae: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zuko")
    monkeypatch.setattr("seqvae.priors.MOST_ROUNDS", 2)
    words = "a flow is fitted in at most 2 rounds, which takes minutes; --kind mixture is faster"
    assert seqvae("fit-prior", own, "--kind", "flow").stderr.splitlines()[0] == words
    assert "a flow is fitted" not in seqvae("fit-prior", own, "--kind", "gaussian").stderr
    learned = "samples come from a prior that was learned already; "
    assert ahead(package.load("grooves", "cpu")) == f"{learned}{words}"


def test_what_is_no_run_or_no_data_is_refused(own: Path, seqvae: Call, refused: Callable[..., None]) -> None:
    missing = own.parent / "missing"
    refused(
        seqvae("fit-prior", missing),
        f"{missing} is not a run folder (not there); give the --out folder of a training",
    )
    assert seqvae("fit-prior", own, own.parent / "nothing.txt").exit_code == 2
    assert seqvae("fit-prior", own, "--kind", "normal").exit_code == 2
