"""Turns, operations and parts of a step: what the tables of text_speed.py are made from. No test asserts on time."""

import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from seqvae.runs.run import Run
from tests.benchmarks.loaded import benchmark

speed = benchmark("text_speed")
profile = benchmark("step_profile")
twins = benchmark("text_twins")


class Hands:
    """A clock whose hands are moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def bench(folder: Path, *arguments: str):
    """Of a drawn corpus, the smallest sizes."""
    given = ["--sizes", "8/8/2", "--seconds", "0", "--threads", "1", "--precision", "fp32", *arguments]
    speed.draw_corpus(folder / "corpus.txt", 150, 20)
    return speed.Bench(folder / "corpus.txt", folder, speed.options_of(given))


def test_ratios_are_of_neighbouring_turns_and_the_first_ones_do_not_count():
    clock, asked = Hands(), []

    def twin(steps: int) -> int:
        asked.append(steps)
        clock.now += 2.0
        return 100 * len(asked)

    turns = speed.Turns([twin], 7, 5.0, clock)
    turns.started(0, 0, "")
    seconds, stopped = 0.0, False
    for tokens in (1, 400, 900, 1600):
        clock.now += 1.0
        seconds += 1.0
        record = {"tokens_per_second": tokens, "seconds": seconds}
        try:
            turns.progress(record)
        except speed.Enough:
            stopped = True
    assert stopped
    assert asked == [7] * 4
    assert turns.rounds == [[1, 50], [400, 100], [900, 150], [1600, 200]]
    assert turns.medians() == [900, 150]
    assert turns.ratios() == [statistics.median([4, 6, 8])]


def test_each_product_of_a_step_is_counted_once_forward_and_twice_backward():
    sizes = twins.Sizes(5, 7, 3)
    model = twins.LaggingVAE(11, sizes)
    products = [model.encoder.weight_ih_l0, model.encoder.weight_hh_l0, model.decoder.lstm.weight_ih_l0,
                model.decoder.lstm.weight_hh_l0, model.decoder.output.weight]  # fmt: skip
    assert speed.Row(sizes, twins.lagging, {}, 1).flops(11) == 3 * 2 * sum(weight.numel() for weight in products)


def test_a_drawn_corpus_has_the_lengths_and_words_that_are_asked_for(tmp_path):
    path = tmp_path / "corpus.txt"
    speed.draw_corpus(path, 3000, 200)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    lengths, counts = np.array(list(map(len, lines))), Counter(word for line in lines for word in line)
    assert len(lines) == 3000
    assert len(counts) == 200
    assert np.quantile(lengths, [0.25, 0.5, 0.75]) == pytest.approx([14, 20, 27], abs=1)
    assert counts["w0"] / counts["w9"] == pytest.approx(10, rel=0.1)
    speed.draw_corpus(path, 50, 20, lengths=(4,))
    assert {len(line.split()) for line in path.read_text(encoding="utf-8").splitlines()} == {4}


def test_time_belongs_to_the_innermost_part():
    clock = Hands()
    watch = profile.Stopwatch(clock)
    clock.now = 1.0
    with watch.part("outer"):
        clock.now = 3.0
        with watch.part("inner", "backward"):
            clock.now = 7.0
        clock.now = 15.0
    clock.now = 31.0
    watch.charge()
    expected = {(profile.REST, "forward"): 17, ("outer", "forward"): 10, ("inner", "backward"): 4}
    assert watch.seconds == expected


def test_a_mark_says_whose_gradient_is_computed_and_changes_nothing():
    clock = Hands()
    watch = profile.Stopwatch(clock)
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = watch.mark(x * 5, "before") ** 2
    y.register_hook(lambda _: setattr(clock, "now", 1.0))
    x.register_hook(lambda _: setattr(clock, "now", 4.0))
    with watch.part("after", "backward"):
        y.sum().backward()
    assert watch.seconds[("after", "backward")] == 1
    assert watch.seconds[("before", "backward")] == 3
    assert torch.equal(x.grad, 50 * x.detach())


def test_each_part_of_the_toolkits_own_step_is_found(tmp_path):
    watch = profile.Stopwatch(Hands())
    reporter = speed.Profiled(watch, 2, 0.0)
    with profile.watched(watch):
        bench(tmp_path).train(speed.ROWS["8/8/2"], "fp32", reporter)
    assert reporter.steps == 2
    forward = {(part, "forward") for part in profile.PARTS}
    assert set(watch.seconds) == forward | {
        (part, "backward") for part in (profile.ENCODER, profile.DECODER, profile.OUTPUT)
    }


def test_a_profile_has_milliseconds_of_a_step_and_shares():
    watch = profile.Stopwatch(Hands())
    watch.seconds = {
        (profile.DATA, "forward"): 0.01,
        (profile.OUTPUT, "forward"): 0.02,
        (profile.OUTPUT, "backward"): 0.07,
    }
    lines = profile.lines_of(watch, 10)
    assert lines[profile.PARTS.index(profile.DATA)] == "| data | 1.0 |  | 1.0 | 10% |"
    assert lines[profile.PARTS.index(profile.OUTPUT)] == "| projection and cross-entropy | 2.0 | 7.0 | 9.0 | 90% |"
    assert lines[-1] == "| all | | | 10.0 | |"


def test_the_toolkit_trains_what_a_row_says_in_its_own_loop(tmp_path):
    turns = speed.Turns((), 2, 0.0, Hands())
    turns.clock = iter(range(100)).__next__
    own = bench(tmp_path)
    own.train(speed.ROWS["8/8/3"], "fp32", turns)
    run = Run(tmp_path / "run")
    model, train = run.settings["model"], run.settings["train"]
    assert (model["embedding"], model["decoder_hidden"], model["latent"]) == (8, 8, 3)
    assert (model["word_dropout"], model["input_dropout"], model["bidirectional"]) == (0.25, 0.5, False)
    assert (train["optimizer"], train["batch_size"], train["ngram_share"]) == ("adam", 32, 0.0)
    assert len(turns.rounds) == 4
