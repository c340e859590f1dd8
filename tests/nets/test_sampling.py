"""Generation step by step: rows stand alone, draws follow the distribution, beam search finds the best sequence."""

import itertools
import math
from collections import Counter
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.draws import Choice
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.lstm import LSTMState
from seqvae.nets.sampling import beam_search, generate
from seqvae.noise import Noise
from seqvae.types import Batch
from tests.nets import made

END = 2
GREEDY = Choice(temperature=0.0)


def lstm_decoder(outcomes: int = 7, latent: int = 3) -> SequenceDecoder:
    """A small decoder in float64: weights large enough for outcomes to differ, ends frequent enough to be met."""
    sizes = {"latent": latent, "decoder_hidden": 6, "decoder_layers": 2}
    decoder = made.lstm_decoder(nn.Embedding(outcomes, 5), 5, Categorical(6, outcomes), **sizes).double()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.normal_()
        decoder.likelihood.projection.bias[END] = 2.0
    return decoder


def codes(rows: int, latent: int = 3) -> Tensor:
    return torch.randn(rows, latent, dtype=torch.float64)


def noise(rows: int, seed: int = 0) -> Noise:
    return Noise(seed, torch.arange(rows))


def rows_of(batch: Batch) -> list[list[int]]:
    return [row[:length] for row, length in zip(batch.x.tolist(), batch.lengths.tolist(), strict=True)]


def step_path_log_prob(decoder: SequenceDecoder, z: Tensor, sequence: list[int]) -> float:
    """log p(x|z) of one sequence by `start`, `step` and `scores`, as generation walks it."""
    state, x_prev, total = decoder.start(z.unsqueeze(0)), None, 0.0
    for outcome in sequence:
        h, state = decoder.step(state, x_prev)
        total += decoder.likelihood.scores(h)[0, outcome].item()
        x_prev = torch.tensor([outcome])
    return total


def all_sequences(outcomes: int, end: int | None, max_steps: int) -> list[list[int]]:
    """Everything that generation can give: what ends by `max_steps`, and what is cut there."""
    every = [list(x) for length in range(1, max_steps + 1) for x in itertools.product(range(outcomes), repeat=length)]
    return [x for x in every if end not in x[:-1] and (x[-1] == end or len(x) == max_steps)]


def log_probs(decoder: SequenceDecoder, z: Tensor, sequences: list[list[int]]) -> list[float]:
    """Teacher-forced log p(x|z) of each sequence, for one code (Z,)."""
    x = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.int64)
    for row, sequence in zip(x, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    batch = Batch(x, torch.tensor([len(s) for s in sequences]), torch.arange(len(sequences)))
    with torch.no_grad():
        scored: list[float] = decoder.log_prob(z.expand(len(sequences), -1), batch).tolist()
    return scored


class Spy:
    """A decoder that counts the rows of each step."""

    def __init__(self, decoder: SequenceDecoder) -> None:
        self.decoder, self.likelihood, self.rows = decoder, decoder.likelihood, []

    def start(self, z: Tensor, held: Tensor | None = None) -> LSTMState:
        return self.decoder.start(z, held)

    def step(self, state: LSTMState, x_prev: Tensor | None) -> tuple[Tensor, LSTMState]:
        self.rows.append(len(state.gates))
        return self.decoder.step(state, x_prev)


class Coins:
    """Steps of three independent fair coins: a likelihood whose outcomes are not listed."""

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        return torch.full((len(h),), 3 * math.log(0.5))

    def mode(self, h: Tensor) -> Tensor:
        return torch.ones(len(h), 3, dtype=torch.int64)

    def draw(self, h: Tensor, noise: Noise, choice: Choice) -> Tensor:
        return (noise.uniform("coins", 3) < 0.5).long()


class CoinState(NamedTuple):
    """The codes, which nothing reads."""

    z: Tensor

    def select(self, rows: Tensor) -> "CoinState":
        return CoinState(self.z[rows])


class CoinDecoder:
    """A decoder whose steps depend on nothing."""

    likelihood: Any = Coins()

    def start(self, z: Tensor, held: Tensor | None = None) -> CoinState:
        return CoinState(z)

    def step(self, state: CoinState, x_prev: Tensor | None) -> tuple[Tensor, CoinState]:
        assert x_prev is None or x_prev.shape == (len(state.z), 3)
        return state.z, state


# Draws and greedy decoding


@pytest.mark.parametrize("choice", [Choice(), Choice(temperature=0.7, top_k=4), Choice(top_p=0.8), GREEDY])
@pytest.mark.parametrize("latent", [3, 0])
def test_a_row_does_not_depend_on_the_batch_that_it_is_in(choice: Choice, latent: int) -> None:
    decoder, z = lstm_decoder(latent=latent), codes(11, latent)
    together = rows_of(generate(decoder, z, noise(11), choice, 9, END))
    alone = [
        rows_of(generate(decoder, z[i : i + 1], Noise(0, torch.tensor([i])), choice, 9, END))[0] for i in range(11)
    ]
    assert together == alone
    order = torch.randperm(11)[:4]
    assert rows_of(generate(decoder, z[order], noise(11).select(order), choice, 9, END)) == [alone[i] for i in order]
    assert len({len(row) for row in together}) > 1 or (choice.greedy and not latent)


def test_the_seed_and_the_key_change_what_is_drawn() -> None:
    decoder, z = lstm_decoder(), codes(1).expand(4, -1)
    first = rows_of(generate(decoder, z, noise(4), Choice(), 9, None))
    assert rows_of(generate(decoder, z, noise(4), Choice(), 9, None)) == first
    assert rows_of(generate(decoder, z, noise(4, seed=1), Choice(), 9, None)) != first
    assert len({tuple(row) for row in first}) == 4


def test_generation_leaves_torchs_own_generator_alone() -> None:
    before = torch.get_rng_state()
    decoder, z = lstm_decoder(), codes(4)
    before = torch.get_rng_state()
    generate(decoder, z, noise(4), Choice(), 9, END)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("greedy", [GREEDY, Choice(temperature=1.5, top_k=1)])
def test_greedy_takes_the_teacher_forced_argmax_and_no_noise(greedy: Choice) -> None:
    decoder, z = lstm_decoder(), codes(11)
    batch = generate(decoder, z, noise(11), greedy, 9, END)
    predicted = decoder.predict(z, batch)
    assert torch.equal(predicted[batch.mask], batch.x[batch.mask])
    assert rows_of(generate(decoder, z, noise(11, seed=5), greedy, 9, END)) == rows_of(batch)


def test_lengths_count_the_end_step_and_nothing_stands_behind_it() -> None:
    batch = generate(lstm_decoder(outcomes=12), codes(64), noise(64), Choice(), 9, END)
    ended = 0
    for row, length in zip(batch.x.tolist(), batch.lengths.tolist(), strict=True):
        assert END not in row[: length - 1]
        assert set(row[length:]) <= {0}
        assert row[length - 1] == END or length == 9
        ended += row[length - 1] == END
    assert 0 < ended < 64
    assert torch.equal(batch.keys, torch.arange(64))


def test_without_an_end_all_rows_have_the_greatest_length() -> None:
    batch = generate(lstm_decoder(), codes(5), noise(5), Choice(), 9, None)
    assert batch.x.shape == (5, 9)
    assert batch.lengths.tolist() == [9] * 5
    assert (batch.x == END).any()


def test_the_batch_is_as_wide_as_its_longest_row() -> None:
    decoder = lstm_decoder()
    with torch.no_grad():
        decoder.likelihood.projection.bias[END] = 1e3
    batch = generate(decoder, codes(5), noise(5), Choice(), 9, END)
    assert batch.x.tolist() == [[END]] * 5
    assert batch.lengths.tolist() == [1] * 5


def test_finished_rows_leave_the_computation() -> None:
    spy = Spy(lstm_decoder())
    lengths = generate(spy, codes(64), noise(64), Choice(), 9, END).lengths
    assert spy.rows == [int((lengths > step).sum()) for step in range(int(lengths.max()))]
    assert spy.rows[-1] < spy.rows[0]


def test_sampled_sequences_score_the_same_step_by_step_and_teacher_forced() -> None:
    decoder, z = lstm_decoder(), codes(11)
    batch = generate(decoder, z, noise(11), Choice(), 9, END)
    with torch.no_grad():
        walked = [step_path_log_prob(decoder, code, row) for code, row in zip(z, rows_of(batch), strict=True)]
        scored = decoder.step_log_prob(z, batch).sum(1)
    torch.testing.assert_close(scored, torch.tensor(walked, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax_of_the_scores_over_the_temperature(temperature: float) -> None:
    decoder, z, count = lstm_decoder(), codes(1), 20_000
    with torch.no_grad():
        h, _ = decoder.step(decoder.start(z), None)
        expected = (decoder.likelihood.scores(h)[0] / temperature).softmax(0)
        drawn = generate(decoder, z.expand(count, -1), noise(count), Choice(temperature), 1, None).x.flatten()
    share = torch.bincount(drawn, minlength=7) / count
    # five standard errors: wrong once in 250,000 runs for each of the 7 outcomes
    assert ((share - expected).abs() < 5 * (expected * (1 - expected) / count).sqrt()).all()


def test_whole_sequences_are_drawn_as_often_as_they_are_probable() -> None:
    decoder, z, count = lstm_decoder(outcomes=4), codes(1), 40_000
    sequences = all_sequences(4, END, 3)
    probability = [math.exp(x) for x in log_probs(decoder, z[0], sequences)]
    assert sum(probability) == pytest.approx(1.0, abs=1e-12)
    with torch.no_grad():
        drawn = Counter(map(tuple, rows_of(generate(decoder, z.expand(count, -1), noise(count), Choice(), 3, END))))
    for sequence, p in zip(sequences, probability, strict=True):
        # five standard errors and one draw, since the rarest are not normally distributed
        assert abs(drawn[tuple(sequence)] - count * p) < 5 * math.sqrt(count * p * (1 - p)) + 1


# Top-k and top-p


def first_outcomes(decoder: SequenceDecoder, z: Tensor, choice: Choice, count: int = 3000) -> list[set[int]]:
    """The outcomes of the first step that come up in `count` draws of each code, all drawn in one batch."""
    drawn = generate(decoder, z.repeat_interleave(count, 0), noise(count * len(z)), choice, 1, None).x
    return [set(row.tolist()) for row in drawn.unflatten(0, (len(z), count)).flatten(1)]


def first_probabilities(decoder: SequenceDecoder, z: Tensor) -> list[list[float]]:
    h, _ = decoder.step(decoder.start(z), None)
    table: list[list[float]] = decoder.likelihood.scores(h).exp().tolist()
    return table


@torch.no_grad()
def test_top_k_is_chosen_for_each_row_and_not_for_the_batch() -> None:
    decoder, z = lstm_decoder(), codes(5)
    expected = [set(sorted(range(7), key=p.__getitem__)[-2:]) for p in first_probabilities(decoder, z)]
    assert len(set().union(*expected)) > 2
    # flattened by a temperature of 3, so that both of each pair come up
    assert first_outcomes(decoder, z, Choice(temperature=3.0, top_k=2)) == expected


@torch.no_grad()
def test_top_p_is_chosen_for_each_row_and_not_for_the_batch() -> None:
    decoder, z = lstm_decoder(), codes(5)
    expected = []
    for p in first_probabilities(decoder, z):
        ordered = sorted(range(7), key=lambda outcome: -p[outcome])
        size = next(n for n in range(1, 8) if sum(p[outcome] for outcome in ordered[:n]) >= 0.8)
        expected.append(set(ordered[:size]))
    assert len({len(nucleus) for nucleus in expected}) > 1
    assert first_outcomes(decoder, z, Choice(top_p=0.8)) == expected


# Beam search


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("end", [END, None])
def test_a_beam_that_holds_every_prefix_finds_the_best_of_all_sequences(length_penalty: float, end: int | None) -> None:
    decoder, z = lstm_decoder(outcomes=4), codes(6)
    sequences = all_sequences(4, end, 5)
    expected = []
    for code in z:
        scored = zip(log_probs(decoder, code, sequences), sequences, strict=True)
        expected.append(max((log_p / len(x) ** length_penalty, x) for log_p, x in scored)[1])
    assert rows_of(beam_search(decoder, z, 4**5, 5, end, length_penalty)) == expected


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("latent", [3, 0])
def test_a_beam_of_one_is_greedy_decoding(length_penalty: float, latent: int) -> None:
    decoder, z = lstm_decoder(latent=latent), codes(31, latent)
    greedy = generate(decoder, z, noise(31), GREEDY, 9, END)
    assert rows_of(beam_search(decoder, z, 1, 9, END, length_penalty)) == rows_of(greedy)


def slow_beam_search(
    decoder: SequenceDecoder, z: Tensor, beam: int, max_steps: int, length_penalty: float
) -> list[int]:
    """One row, one hypothesis at a time, every hypothesis followed to its end."""
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for _ in range(max_steps):
        longer = [[*x, outcome] for _, x in live for outcome in range(7)]
        ranked = sorted(zip(log_probs(decoder, z, longer), longer, strict=True), reverse=True)[:beam]
        over = [(log_p, x) for log_p, x in ranked if x[-1] == END or len(x) == max_steps]
        finished += [(log_p / len(x) ** length_penalty, x) for log_p, x in over]
        live = [hypothesis for hypothesis in ranked if hypothesis not in over]
        if not live:
            break
    return max(finished)[1]


@pytest.mark.parametrize("length_penalty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("beam", [2, 3, 8])
def test_giving_hypotheses_up_early_changes_no_result(beam: int, length_penalty: float) -> None:
    decoder, z = lstm_decoder(), codes(10)
    expected = [slow_beam_search(decoder, code, beam, 6, length_penalty) for code in z]
    assert rows_of(beam_search(decoder, z, beam, 6, END, length_penalty)) == expected
    assert len({len(row) for row in expected}) > 1


def test_a_beam_searched_row_does_not_depend_on_the_batch_that_it_is_in() -> None:
    decoder, z = lstm_decoder(), codes(11)
    together = rows_of(beam_search(decoder, z, 3, 9, END, 0.7))
    assert together == [rows_of(beam_search(decoder, z[i : i + 1], 3, 9, END, 0.7))[0] for i in range(11)]


def test_beam_search_beats_greedy_decoding_where_the_first_choice_misleads() -> None:
    decoder, z = lstm_decoder(), codes(31)
    with torch.no_grad():
        greedy = decoder.log_prob(z, generate(decoder, z, noise(31), GREEDY, 6, END))
        found = decoder.log_prob(z, beam_search(decoder, z, 7**3, 6, END))
    assert (found >= greedy - 1e-12).all()
    assert (found > greedy + 1e-3).any()


def test_a_length_penalty_lengthens_what_is_found() -> None:
    decoder, z = lstm_decoder(), codes(31)
    short, long = (beam_search(decoder, z, 49, 9, END, penalty).lengths.double().mean() for penalty in (0.0, 2.0))
    assert long > short + 1


def test_beam_search_stops_when_no_live_hypothesis_can_win() -> None:
    spy = Spy(lstm_decoder())
    with torch.no_grad():
        spy.likelihood.projection.bias[END] = 30.0  # the end holds nearly all mass from the first step on
    batch = beam_search(spy, codes(5), 3, 50, END)
    assert batch.x.tolist() == [[END]] * 5
    assert spy.rows == [5]


def test_beam_search_computes_live_hypotheses_only() -> None:
    spy = Spy(lstm_decoder())
    beam_search(spy, codes(31), 4, 9, END)
    assert spy.rows[0] == 31
    assert max(spy.rows) <= 31 * 4
    assert spy.rows[-1] < 31


# Other steps, and what is refused


def test_steps_of_several_features_are_drawn_and_decoded_greedily() -> None:
    drawn = generate(CoinDecoder(), codes(5, 2), noise(5), Choice(), 4, None)
    assert drawn.x.shape == (5, 4, 3)
    assert drawn.x[:, 2].tolist() == (noise(5).at(2).uniform("coins", 3) < 0.5).long().tolist()
    assert generate(CoinDecoder(), codes(5, 2), noise(5), GREEDY, 4, None).x.unique().tolist() == [1]


def test_beam_search_refuses_outcomes_that_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match=r"^beam=4 is not possible with Coins steps, whose outcomes cannot be listed"):
        beam_search(CoinDecoder(), codes(5, 2), 4, 9, None)


def test_impossible_numbers_are_refused() -> None:
    decoder, z = lstm_decoder(), codes(2)
    with pytest.raises(ValueError, match="max_steps=0 is not possible; give 1 or more"):
        generate(decoder, z, noise(2), Choice(), 0, END)
    with pytest.raises(ValueError, match="max_steps=-1 is not possible; give 1 or more"):
        beam_search(decoder, z, 2, -1, END)
    with pytest.raises(ValueError, match="beam=0 is not possible; give 1"):
        beam_search(decoder, z, 0, 9, END)
    for penalty in (-0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"length_penalty={penalty} is not possible"):
            beam_search(decoder, z, 2, 9, END, penalty)
