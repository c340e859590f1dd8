"""Training on one batch: which items are met, what is said at the end, and that it goes on like any other."""

from pathlib import Path

import numpy as np
import pytest

from seqvae.data import Batches
from seqvae.training import validator
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import Listener, records, values, write_corpus

ONE = {"overfit_batch": True, "batch_size": 6, "learning_rate": 0.03, "log_steps": 10, "decay_patience": 0}
BIG = {"encoder_hidden": 24, "decoder_hidden": 32, "latent": 8}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus.txt")


def test_all_of_one_batch_comes_back(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    encoded = Batches.encoded
    monkeypatch.setattr(Batches, "encoded", lambda self, indices: seen.append(indices) or encoded(self, indices))
    asked = values(model=BIG, **ONE | {"epochs": 150, "validate_steps": 50})
    del asked["objective"], asked["train"]["ngram_share"]
    listener = Listener()
    run = train("text", corpus, tmp_path / "run", asked, device="cpu", reporter=listener)
    assert len(set(np.concatenate(seen).tolist())) == 6
    assert run.settings["objective"]["beta"] == run.settings["train"]["ngram_share"] == 0.0
    assert "objective.beta=0.0" in listener.messages[0]
    assert "6 of 6 sentences come back exactly, so it learns" in listener.messages[-1]
    assert [line["step"] for line in records(run, "validation")] == [50, 100, 150]


def test_what_does_not_come_back_is_counted_and_remedies_are_named(corpus: Path, tmp_path: Path) -> None:
    listener = Listener()
    settings = values(objective={"beta": 0.5}, **ONE | {"epochs": 2, "learning_rate": 1e-9})
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", reporter=listener)
    assert "0 of 6 sentences come back exactly; a model that can learn them brings back all" in listener.messages[-1]
    assert run.settings["objective"]["beta"] == 0.5, "what was asked for"


def test_an_n_gram_takes_the_place_of_one_batch_only_where_it_was_asked_for(corpus: Path, tmp_path: Path) -> None:
    settings = values(**ONE | {"epochs": 1, "ngram_share": 0.5})
    run = train("text", corpus, tmp_path / "run", settings, device="cpu")
    assert run.settings["train"]["ngram_share"] == 0.5
    assert [line["ngram_share"] for line in records(run, "train")] == [0.0]


def test_one_batch_is_never_called_little(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "advice_on_fit", lambda *_: "more items help most")
    for name, one, expected in (("one", True, False), ("all", False, True)):
        listener = Listener()
        settings = values(**ONE | {"epochs": 1, "overfit_batch": one})
        train("text", corpus, tmp_path / name, settings, device="cpu", reporter=listener)
        assert ("more items help most" in listener.messages) is expected


def test_a_single_line_is_enough(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("the cat sees the dog\n")
    listener = Listener()
    train("text", tmp_path / "one.txt", tmp_path / "run", values(**ONE), device="cpu", reporter=listener)
    assert "of 1 sentence come" in listener.messages[-1] or "of 1 sentence comes" in listener.messages[-1]


def test_one_batch_that_was_stopped_goes_on_to_the_same_bits(corpus: Path, tmp_path: Path) -> None:
    settings = values(**ONE | {"epochs": 9})
    alone = train("text", corpus, tmp_path / "alone", settings, device="cpu")
    with pytest.raises(Interrupted):
        train("text", corpus, tmp_path / "cut", settings, device="cpu", objective=stopped_after(4))
    assert differences(alone.path, resume(tmp_path / "cut", device="cpu").path) == []
