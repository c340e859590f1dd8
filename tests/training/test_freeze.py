"""Parts of the weights that a training, or one of its stages, leaves as they are."""

from pathlib import Path

import pytest
import torch

from seqvae.core.vae import is_of
from seqvae.modalities.text.sentences import Text
from seqvae.settings import build_config
from seqvae.training.limits import check_values
from seqvae.training.loop import Interrupted
from seqvae.training.run import resume, train
from tests.kill_and_resume import differences
from tests.training.objectives import stopped_after
from tests.training.small import values, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus.txt")


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        ("encoder, posterior", ("encoder", "posterior")),
        ("decoder", ("decoder",)),
        ("mean", ("mean",)),
        ("", ()),
    ],
)
def test_frozen_parts_keep_every_bit_under_weight_decay_and_the_others_move(
    corpus: Path, tmp_path: Path, freeze: str, frozen: tuple[str, ...]
) -> None:
    model = {"batch_norm_scale": 0.7}
    source = train("text", corpus, tmp_path / "source", values(model=model, epochs=1), device="cpu")
    settings = values(
        model=model, freeze=freeze, optimizer="adamw", weight_decay=0.1, accumulate=2,
        objective={"free_nats_per_dimension": 0.1}, epochs=2,
    )  # fmt: skip
    run = train("text", corpus, tmp_path / "run", settings, device="cpu", start_from=source.path)
    first, last = source.weights(source.best_step()), run.weights(run.steps()[-1])
    moved = {name for name in first if not torch.equal(first[name], last[name])}
    assert moved == {name for name in first if not is_of(name, frozen)}


def test_a_stage_that_freezes_the_encoder_resumes_to_the_same_bits(corpus: Path, tmp_path: Path) -> None:
    first = {"objective": {"beta": 0.0, "schedule": "constant"}, "train": {"epochs": 1}}
    second = {
        "keep": ["encoder", "posterior"],
        "train": {"freeze": "encoder,posterior", "optimizer": "sgd"},
    }
    settings = values(checkpoint_steps=2, log_steps=1) | {"stages": [first, second]}
    alone = train("text", corpus, tmp_path / "alone", settings, device="cpu")
    with pytest.raises(Interrupted):
        train("text", corpus, tmp_path / "stopped", settings, device="cpu", objective=stopped_after(7))
    assert differences(alone.path, resume(tmp_path / "stopped", device="cpu").path) == []
    ended, final = alone.weights(4), alone.weights(alone.steps()[-1])
    moved = {name for name in ended if not torch.equal(ended[name], final[name])}
    assert moved == {name for name in ended if is_of(name, ["decoder"])}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"train": {"freeze": "encoder,head"}},
            r"^no part 'head' of the weights for train\.freeze",
        ),
        ({"train": {"freeze": "encoder,posterior,decoder"}}, r"leaves nothing to train; leave one of the parts out$"),
        ({"train": {"freeze": "decoder"}, "model": {"latent": 0}}, r"leaves nothing to train"),
        (
            {"train": {"freeze": "encoder"}, "objective": {"aggressive": True}},
            r"^train\.freeze=encoder leaves the encoder as it is, and objective\.aggressive=true trains it",
        ),
    ],
)
def test_parts_that_cannot_be_frozen_are_refused(sections: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_values(build_config("text", Text.data_config, Text.model_config, sections))
