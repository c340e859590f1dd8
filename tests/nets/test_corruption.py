"""Noise on the steps that an encoder reads: rates, what is left, and that evaluation never meets it."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqvae.config import from_dict
from seqvae.modalities.base import Report
from seqvae.modalities.text.sentences import Text
from seqvae.modalities.text.settings import TextData, TextModel
from seqvae.nets.corruption import StepCorruption
from seqvae.nets.sizes import SequenceModel
from seqvae.noise import Noise
from seqvae.training.run import train
from seqvae.types import Batch
from tests.training.small import values, write_corpus

ROWS, STEPS, OUTCOMES, SHARE = 3000, 9, 50, 0.3


def batch() -> Batch:
    """Rising steps, so that their order can be seen; 0 ends each example, 77 is padding."""
    lengths = torch.arange(ROWS) % STEPS + 1
    steps = torch.arange(STEPS).expand(ROWS, -1)
    x = torch.where(steps < lengths.unsqueeze(1), steps + 1, 77)
    x = x.masked_fill(steps == lengths.unsqueeze(1) - 1, 0)
    return Batch(x=x, lengths=lengths, keys=torch.arange(ROWS) + 500)


def corrupted(kind: str, step: int = 0) -> tuple[Batch, Tensor | None]:
    corruption = StepCorruption(SHARE, kind, keeps_end=True, outcomes=OUTCOMES)
    return corruption(batch(), Noise(0, batch().keys, step))


def assert_share(hits: int, of: int, share: float = SHARE) -> None:
    """Five standard deviations of a binomial."""
    assert abs(hits / of - share) < 5 * math.sqrt(share * (1 - share) / of)


def test_deleted_steps_are_gone_and_the_others_close_up_before_the_end() -> None:
    before, (after, blanked) = batch(), corrupted("delete")
    assert blanked is None
    assert_share(int((before.lengths - after.lengths).sum()), int((before.lengths - 1).sum()))
    for x, length, old in zip(after.x.tolist(), after.lengths.tolist(), before.lengths.tolist(), strict=True):
        assert x[length - 1] == 0
        assert x[: length - 1] == sorted(set(x[: length - 1]) & set(range(1, old)))
    assert torch.equal(after.keys, before.keys)


def test_replaced_steps_are_any_others_but_the_end() -> None:
    before, (after, blanked) = batch(), corrupted("replace")
    assert blanked is None
    assert torch.equal(after.lengths, before.lengths)
    words = before.mask & (before.x != 0)
    changed = (after.x != before.x) & words
    # one in OUTCOMES - 1 is replaced by itself
    assert_share(int(changed.sum()), int(words.sum()), SHARE * (1 - 1 / (OUTCOMES - 1)))
    assert set(after.x[changed].tolist()) == set(range(1, OUTCOMES))
    assert (after.x[before.mask & ~words] == 0).all()


def test_blanked_steps_are_never_the_end() -> None:
    before, (after, blanked) = batch(), corrupted("blank")
    assert torch.equal(after.x, before.x)
    assert blanked is not None
    words = before.mask & (before.x != 0)
    assert_share(int(blanked[words].sum()), int(words.sum()))
    assert not blanked[before.mask & ~words].any()


def test_noise_is_another_at_each_step_of_training() -> None:
    assert not torch.equal(corrupted("delete")[0].lengths, corrupted("delete", step=1)[0].lengths)


@pytest.mark.parametrize("kind", ["delete", "replace", "blank"])
def test_the_encoder_reads_what_is_left_and_outside_training_all(kind: str) -> None:
    text = Text(TextData(tokenizer="word", vocabulary_size=0))
    sentences = ["a cat sees the small dog", "the dog", "a small cat sleeps and the dog sees a cat"]
    text.fit(lambda: iter(sentences))
    arrays = [torch.from_numpy(text.encode(sentence, Report())) for sentence in sentences]
    lengths = torch.tensor([len(array) for array in arrays])
    data = Batch(torch.nn.utils.rnn.pad_sequence(arrays, batch_first=True), lengths, torch.arange(3))
    model = {"latent": 2, "embedding": 5, "encoder_hidden": 4, "corruption": 0.5, "corruption_kind": kind}
    encoder, _ = text.nets(from_dict(TextModel, model, "model"))
    noise = Noise(3, data.keys)
    left, blanked = encoder.corruption(data, noise)
    seen: list[Tensor] = []
    encoder.layers[0][0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    noisy, plain = encoder(data, noise), encoder(data)
    expected = encoder.embed(left.x)
    assert torch.equal(seen[0], expected if blanked is None else expected * ~blanked.unsqueeze(2))
    assert torch.equal(seen[1], encoder.embed(data.x))
    assert not torch.allclose(noisy, plain)


def test_noise_of_a_model_without_an_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.corruption=0\.3 is not possible with model\.latent=0"):
        from_dict(SequenceModel, {"corruption": 0.3, "latent": 0}, "model")
    with pytest.raises(ValueError, match=r"model\.corruption=1\.0 is not possible; give a share in \[0, 1\)"):
        StepCorruption(1.0)


def test_a_model_may_be_tuned_with_noise_that_it_was_not_trained_with(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.txt")
    first = train("text", [corpus], tmp_path / "first", values(epochs=1), device="cpu")
    noisy = {"model": {"corruption": 0.3, "corruption_kind": "replace"}, "train": {"epochs": 1}}
    run = train("text", [corpus], tmp_path / "second", noisy, device="cpu", start_from=first.path)
    assert run.settings["model"]["corruption"] == 0.3
