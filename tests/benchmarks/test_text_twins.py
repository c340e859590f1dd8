"""What text is timed beside: the twins compute what they say, and count words as the toolkit does."""

import copy

import numpy as np
import pytest
import torch

from seqvae.types import Batch
from tests.benchmarks.loaded import benchmark

twins = benchmark("text_twins")
generation = benchmark("generation")

WORDS = 11
SIZES = twins.Sizes(embedding=5, hidden=7, latent=3)
CPU = torch.device("cpu")
SENTENCES = [np.array([*range(1, length), twins.END]) for length in (4, 2, 4, 6)]


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch):
    """The toolkit's decoder and the twin with its weights, in double precision."""
    monkeypatch.setattr(generation, "SIZES", SIZES)
    own = generation.decoder_of(WORDS)
    torch.nn.init.normal_(own.recurrence.first)
    return own.double(), generation.twin_of(own, WORDS).double()


def test_the_twin_scores_sentences_as_the_toolkit_does(decoders):
    own, twin = decoders
    x, z = torch.randint(WORDS, (2, 4)), torch.randn(2, SIZES.latent, dtype=torch.float64)
    begun = torch.cat([torch.full((2, 1), WORDS), x], 1)
    expected = own.log_prob(z, Batch(x, torch.tensor([4, 4]), torch.arange(2)))
    assert torch.allclose(twin(begun, z), expected, rtol=1e-12)


def test_the_check_of_the_twin_notices_another_weight(decoders):
    own, twin = decoders
    generation.check_twin(own, twin)
    other = copy.deepcopy(twin)
    torch.nn.init.normal_(other.lstm.weight_hh_l0, std=3)
    with pytest.raises(AssertionError, match="the twin finds other sentences"):
        generation.check_twin(own, other)


def test_drawn_words_have_the_probabilities_of_the_decoder(decoders):
    _, twin = decoders
    z = torch.randn(1, SIZES.latent, dtype=torch.float64)
    first = twin.step(torch.tensor([WORDS]), z, twin.start(z))[0].softmax(1).squeeze(0)
    drawn = np.bincount([x for (x,) in twin.generate(z.expand(4000, -1), 1, draw=True)], minlength=WORDS) / 4000
    assert np.abs(drawn - first.detach().numpy()).max() < 4 * np.sqrt(0.25 / 4000)


def test_sentences_of_a_packed_batch_score_as_they_do_alone():
    model = twins.PackedVAE(WORDS, SIZES).eval()
    torch.nn.init.zeros_(model.to_state.weight)  # the drawn code then means nothing
    rows = [twins.Padded(SENTENCES, WORDS)[index] for index in range(len(SENTENCES))]
    read, lengths = torch.from_numpy(np.stack([row["read"] for row in rows])), torch.tensor([4, 2, 4, 6])
    together, _ = model(read, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, _ = model(read[row : row + 1], lengths[row : row + 1])
        assert torch.allclose(together[row, :length], alone[0], atol=1e-6)


def test_what_is_read_is_what_is_said_a_step_late():
    row = twins.Padded(SENTENCES, WORDS)[1]
    assert row["read"][:3].tolist() == [WORDS, 1, WORDS + 1]
    assert row["said"][:3].tolist() == [1, twins.END, WORDS + 1]
    assert row["length"] == 2
    assert len(row["read"]) == len(row["said"]) == twins.MOST_WORDS


def test_a_batch_is_of_one_length_and_no_sentence_is_left_out():
    batches = twins.equal_lengths(SENTENCES * 20, WORDS)
    assert sorted(batch.shape for batch in batches) == sorted([(32, 5), (8, 5), (20, 3), (20, 7)])
    assert all((batch[:, 0] == WORDS).all() and (batch[:, -1] == twins.END).all() for batch in batches)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("loop", [twins.lagging, twins.packed])
def test_a_loop_counts_words_with_their_ends_and_without_padding(loop, bf16):
    steps = loop(SENTENCES, WORDS, SIZES, CPU, bf16)
    batches = len(twins.equal_lengths(SENTENCES, WORDS)) if loop is twins.lagging else 1
    assert steps(2 * batches) == 2 * sum(map(len, SENTENCES))


def test_the_loss_of_the_lagging_loop_falls(monkeypatch):
    model = twins.LaggingVAE(WORDS, SIZES)
    monkeypatch.setattr(twins, "LaggingVAE", lambda words, sizes: model)
    (x,) = twins.equal_lengths([SENTENCES[0]] * 8, WORDS)
    before = model(x)[0].mean().item()
    assert before == pytest.approx(-4 * np.log(WORDS), rel=0.01)
    twins.lagging([SENTENCES[0]] * 8, WORDS, SIZES, CPU, False)(60)
    assert model(x)[0].mean().item() > before / 2


def test_words_are_numbered_by_how_frequent_they_are(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("b a\n\na c a\n", encoding="utf-8")
    sentences, words = twins.read_words(path)
    assert [sentence.tolist() for sentence in sentences] == [[2, 1, 0], [1, 3, 1, 0]]
    assert words == 4
