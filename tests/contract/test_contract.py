"""What every modality owes, over the registry. A new modality adds its cases to CASES and changes nothing else."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqvae import generate as generate_module
from seqvae import modalities, walks
from seqvae.codes import all_windows
from seqvae.config import from_dict
from seqvae.core.importance import Draws
from seqvae.core.vae import VAE, Decoder, Encoder
from seqvae.generate import Decoding
from seqvae.modalities.base import Modality, Report
from seqvae.modalities.measuring import Family
from seqvae.nets.draws import Choice
from seqvae.nets.sampling import generate
from seqvae.noise import Noise
from seqvae.types import Batch
from seqvae.variation import key_of
from seqvae.way import Way
from tests.contract.built import Built, build, cases, latent_cases
from tests.contract.cases import CASES, Case

modes = pytest.mark.parametrize(
    ("dropout", "sampling"), [(False, 0.0), (True, 0.0), (True, 0.5)], ids=["plain", "dropout", "scheduled sampling"]
)


def drawn(built: Built, z: Tensor, noise: Noise, steps: int) -> Batch:
    """An item for each code, of at most so many steps; what is given is that of one item after another, by its key."""
    decoder = built.vae.decoder
    if decoder.has_steps:
        items = built.batch().x
        held = items[noise.keys % len(items)] if decoder.reads_held else None
        return generate(decoder, z, noise, Choice(), steps, built.modality.end, held)
    return Batch(decoder.draw(z, noise, Choice()), torch.ones(len(z), dtype=torch.int64), noise.keys)


def codes(built: Built, rows: int) -> Tensor:
    return torch.randn(rows, built.vae.latent, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def padded(batch: Batch, steps: int) -> Batch:
    """`steps` more steps of padding, and all padding filled with steps that occur elsewhere in the batch."""
    wide = replace(batch, x=torch.cat([batch.x, batch.x[:, -1:].repeat_interleave(steps, 1)], 1))
    real = batch.x[batch.mask]
    filling = real[torch.arange(wide.mask.numel()) * 7 % len(real)].unflatten(0, wide.mask.shape)
    mask = wide.mask.unflatten(1, (-1, *[1] * (wide.x.ndim - 2)))
    return replace(wide, x=torch.where(mask, wide.x, filling))


def per_item(vae: VAE, batch: Batch, dropout: bool, sampling: float) -> list[Tensor]:
    """The terms of a batch and, where codes are drawn, its importance weights; items along the first axis of each.

    The weights have neither dropout nor scheduled sampling: they are those of the plain model.
    """
    terms = list(vae(batch, Noise(0, batch.keys, 4), dropout, sampling)[:3])
    if vae.has_points or dropout or sampling:
        return terms
    return [*terms, vae.log_weights(batch, Noise(0, batch.keys), samples=3)]


@cache
def of_all(name: str, dropout: bool, sampling: float) -> list[Tensor]:
    """`per_item` of all items of a case, which two tests compare with."""
    return per_item(build(name).vae, build(name).batch(), dropout, sampling)


def assert_same(found: Sequence[Tensor], expected: Sequence[Tensor], rows: Sequence[int]) -> None:
    """The values found are those of these rows of what is expected."""
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other[list(rows)], atol=1e-10)


def test_every_modality_of_the_registry_has_a_case() -> None:
    assert {case.modality for case in CASES} == set(modalities.REGISTRY)


def test_an_unknown_modality_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ValueError, match=r"no modality 'texts'; there are .*text.* Did you mean 'text'\?"):
        modalities.get("texts")


@cases
def test_modality_and_nets_fulfil_their_protocols(case: Case) -> None:
    built = build(case.name)
    assert isinstance(built.modality, Modality)
    assert isinstance(built.vae.decoder, Decoder)
    assert built.vae.encoder is None if built.vae.latent == 0 else isinstance(built.vae.encoder, Encoder)


@cases
def test_what_changes_between_items_is_a_share_of_them(case: Case) -> None:
    modality = build(case.name).modality
    for a, b in itertools.product(case.items, case.items):
        changed, of = modality.changes(a, b)
        assert modality.changes(b, a) == (changed, of)
        assert 0 <= changed <= of
        assert (changed == 0) == np.array_equal(*(modality.encode(item, Report()) for item in (a, b)))


@cases
def test_items_survive_encode_and_decode(case: Case) -> None:
    built = build(case.name)
    assert [built.modality.decode(x) for x in built.arrays] == list(case.items)
    step = built.modality.step_type
    assert {(x.dtype.name, x.shape[1:]) for x in built.arrays} == {(step.dtype, step.shape)}
    assert all(len(x) <= built.modality.max_steps for x in built.arrays)
    if built.modality.end is not None:
        assert all(x[-1] == built.modality.end and built.modality.end not in x[:-1] for x in built.arrays)


@cases
@modes
def test_an_item_scores_the_same_alone_and_in_any_batch_and_order(case: Case, dropout: bool, sampling: float) -> None:
    built = build(case.name)
    whole = of_all(case.name, dropout, sampling)
    by_length = sorted(range(len(built.arrays)), key=lambda row: len(built.arrays[row]))
    longest = [[by_length[-1]]] if len(built.arrays[by_length[-1]]) > len(built.arrays[by_length[0]]) else []
    for rows in ([by_length[0]], *longest, [4, 0, 5, 2]):
        assert_same(per_item(built.vae, built.batch(rows), dropout, sampling), whole, rows)


@cases
@modes
def test_an_item_scores_the_same_at_any_padding_whatever_stands_there(
    case: Case, dropout: bool, sampling: float
) -> None:
    built = build(case.name)
    batch = built.batch()
    found = per_item(built.vae, padded(batch, 3 if built.vae.decoder.has_steps else 0), dropout, sampling)
    assert_same(found, of_all(case.name, dropout, sampling), range(len(batch)))


@cases
def test_steps_sum_to_the_score_and_padding_counts_nothing(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    z = codes(built, len(batch))
    steps = built.vae.decoder.step_log_prob(z, batch)
    assert steps.shape == batch.mask.shape
    assert (steps[~batch.mask] == 0).all()
    assert (steps[batch.mask] != 0).all()
    assert torch.allclose(steps.sum(1), built.vae.decoder.log_prob(z, batch))


@cases
def test_a_step_is_scored_by_what_came_before_it_alone(case: Case) -> None:
    built = build(case.name)
    decoder, batch = built.vae.decoder, built.batch()
    if not decoder.has_steps:
        pytest.skip("no steps")
    z = codes(built, len(batch))
    teacher_forced, guess = decoder.step_log_prob(z, batch), decoder.predict(z, batch)
    state = decoder.start(z, batch.x)
    for t in range(batch.x.shape[1]):
        h, state = decoder.step(state, batch.x[:, t - 1] if t else None)
        real = batch.mask[:, t]
        expected = decoder.likelihood.log_prob(h[real], batch.x[real, t])
        assert torch.allclose(teacher_forced[real, t], expected, atol=1e-10)
        assert torch.equal(guess[real, t], decoder.likelihood.mode(h[real]))


@cases
def test_what_follows_a_step_changes_neither_its_score_nor_its_prediction(case: Case) -> None:
    built = build(case.name)
    decoder, batch = built.vae.decoder, built.batch()
    if not decoder.has_steps:
        pytest.skip("no steps")
    z = codes(built, len(batch))
    scores, guess = decoder.step_log_prob(z, batch), decoder.predict(z, batch)
    other = batch.x.flip(0).roll(3, 1)  # valid steps, but not those that stood there
    steps = batch.x.shape[1]
    for t in (1, 2, steps // 2, steps - 1):
        changed = replace(batch, x=torch.cat([batch.x[:, :t], other[:, t:]], 1))
        if decoder.reads_held:  # what is given for a step is known before it
            changed.x[:, t, 1] = batch.x[:, t, 1]
        assert torch.allclose(decoder.step_log_prob(z, changed)[:, :t], scores[:, :t], atol=1e-12)
        past = batch.mask & (torch.arange(steps) <= t)
        assert torch.equal(decoder.predict(z, changed)[past], guess[past])


@latent_cases
def test_a_score_depends_on_the_code_of_its_own_example_and_no_other(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    z = codes(built, len(batch)).requires_grad_()
    log_px = built.vae.decoder.log_prob(z, batch)
    for i in range(len(batch)):
        (gradient,) = torch.autograd.grad(log_px[i], z, retain_graph=True)
        assert (gradient[i] != 0).all()
        assert not torch.cat([gradient[:i], gradient[i + 1 :]]).any()
    moved = built.vae.decoder.log_prob(z.detach() + 0.5, batch)
    assert not torch.isclose(moved, log_px).any()


@latent_cases
def test_a_posterior_depends_on_its_own_example_and_no_other(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    q = built.vae.posterior(batch)
    rows = torch.arange(len(batch))
    for i in range(len(batch)):
        order = rows.roll(1)
        order[i] = i
        changed = built.vae.posterior(batch.select(order))
        assert torch.allclose(changed.mean[i], q.mean[i], atol=1e-12)
        assert torch.allclose(changed.log_scale[i], q.log_scale[i], atol=1e-12)
    for a, b in itertools.combinations(range(len(batch)), 2):
        assert not torch.isclose(q.mean[a], q.mean[b]).all()


@cases
def test_terms_are_finite_and_of_one_row_an_example(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    terms = built.vae(batch, Noise(0, batch.keys))
    assert terms.log_px.shape == (len(batch),)
    assert terms.kl.shape == terms.mean.shape == (len(batch), built.vae.latent)
    assert terms.log_px.isfinite().all()
    assert terms.kl.isfinite().all()
    if built.vae.has_points:
        assert not terms.kl.any()
        return
    assert (terms.kl > 0).all()
    standard = torch.distributions.Normal(0.0, 1.0)
    q = built.vae.posterior(batch)
    exact = torch.distributions.kl_divergence(torch.distributions.Normal(q.mean, q.scale), standard)
    assert torch.allclose(built.vae(batch, Noise(0, batch.keys), dropout=False).kl, exact, atol=1e-12)


@latent_cases
@pytest.mark.parametrize("draws", [Draws(5), Draws(5, 0.5, True, 2.0)], ids=["all", "kept, doubly"])
def test_the_bound_of_several_draws_is_the_same_alone_and_in_any_batch(case: Case, draws: Draws) -> None:
    built = build(case.name)
    if built.vae.has_points:
        pytest.skip("codes are not drawn")
    whole, order = built.batch(), [4, 0, 5, 2]
    some = built.batch(order)
    a, b = built.vae(some, Noise(0, some.keys, 4), draws=draws), built.vae(whole, Noise(0, whole.keys, 4), draws=draws)
    for one, other in zip(a, b, strict=True):  # of the draws of z each example has five rows
        assert torch.allclose(one, other.unflatten(0, (len(whole), -1))[order].flatten(0, 1), atol=1e-10)
    parameters = list(built.vae.parameters())
    for one, other in zip(
        torch.autograd.grad(a.bound.sum(), parameters), torch.autograd.grad(b.bound[order].sum(), parameters),
        strict=True,
    ):  # fmt: skip
        assert torch.allclose(one, other, atol=1e-9)


@cases
def test_every_parameter_gets_a_gradient(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    terms = built.vae(batch, Noise(0, batch.keys), dropout=False)
    loss = terms.kl.sum() - terms.log_px.sum()
    names, parameters = zip(*built.vae.named_parameters(), strict=True)
    for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.any(), name


@cases
def test_every_outcome_that_is_read_moves_its_embedding(case: Case) -> None:
    built = build(case.name)
    batch = built.batch()
    terms = built.vae(batch, Noise(0, batch.keys), dropout=False)
    loss = terms.kl.sum() - terms.log_px.sum()
    previous = batch.x[:, :-1][batch.mask[:, 1:]]  # what the decoder reads
    for net, seen in ((built.vae.encoder, batch.x[batch.mask]), (built.vae.decoder, previous)):
        tables = [m for m in net.modules() if isinstance(m, nn.Embedding)] if net is not None else []
        for place, table in enumerate(tables):
            (gradient,) = torch.autograd.grad(loss, table.weight, retain_graph=True)
            own = seen if seen.ndim == 1 else seen[:, place % seen.shape[1]]  # of several parts each has a table
            assert gradient[own.unique()].any(1).all()


@cases
def test_samples_survive_decode_and_encode(case: Case) -> None:
    built = build(case.name)
    steps = built.modality.max_steps if built.modality.end is None else 12
    samples = drawn(built, codes(built, 20), Noise(0, torch.arange(20)), steps)
    for x, length in zip(samples.x.numpy(), samples.lengths.tolist(), strict=True):
        item = built.modality.decode(x[:length])
        again = built.modality.encode(item, Report())
        assert built.modality.decode(again) == item


@cases
def test_a_sample_is_the_same_alone_and_in_any_batch(case: Case) -> None:
    built = build(case.name)
    noise, z = Noise(0, torch.arange(9)), codes(built, 9)
    whole = drawn(built, z, noise, 12)
    rows = torch.tensor([7, 2, 5])
    some = drawn(built, z[rows], noise.select(rows), 12)
    assert torch.equal(some.lengths, whole.lengths[rows])
    for i, row in enumerate(rows.tolist()):
        length = int(whole.lengths[row])
        assert torch.equal(some.x[i, :length], whole.x[row, :length])


@latent_cases
@pytest.mark.parametrize("even", [False, True], ids=["by codes", "by changes"])
def test_a_walk_comes_by_the_reconstruction_of_each_of_its_items(case: Case, even: bool) -> None:
    """Exactly, on a closed path; where a code lacks a part, such as hits or chords, that of the first item is kept."""
    built = build(case.name)
    way = Way(built.modality, built.vae)
    items = [item for item in case.items if leads(built.modality, case.items[0], item)][:3]
    groups = all_windows(built.modality, [[item] for item in items], built.vae.latent)
    (held,) = way.lengths(way.length(groups[:1]), [items])
    arrays = generate_module.decode(built.vae, way.posterior(groups).mean, held)
    expected = [key_of(built.modality, way.decoded([x], [item])) for x, item in zip(arrays, items, strict=True)]
    closed = [*groups, groups[0]]
    steps = len(closed) + (1 if even else 0)
    walk = walks.interpolate(way, closed, steps, "slerp", Decoding(), even=even)
    found = [key_of(built.modality, windows) for windows in walk]
    kept = built.modality.given(items[:1], held.max_steps) is not None
    wanted = expected[:1] if kept else expected
    assert [found[0], found[-1], len(found)] == [wanted[0], wanted[0], steps]
    assert {*wanted} <= {*found}


def leads(modality: Modality, item: object, other: object) -> bool:
    """Whether there is a way from one item to another, which there is not between metres."""
    try:
        modality.as_long_as(item, other)
    except ValueError:
        return False
    return True


@cases
def test_a_saved_modality_is_the_same_after_loading(case: Case, tmp_path: Path) -> None:
    built = build(case.name)
    written = built.modality.save(tmp_path)
    assert written
    assert all(path.is_file() and path.parent == tmp_path for path in written)
    loaded = type(built.modality)(built.modality.data)
    loaded.load(tmp_path)
    assert loaded.fingerprint() == built.modality.fingerprint()
    for item, x in zip(case.items, built.arrays, strict=True):
        assert np.array_equal(loaded.encode(item, Report()), x)
        assert loaded.decode(x) == item
    nets = loaded.nets(from_dict(loaded.model_config, case.model, "model"))
    for net, mine in zip(nets, (built.vae.encoder, built.vae.decoder), strict=True):
        assert net is mine is None or net.load_state_dict(mine.state_dict())


@cases
def test_a_modality_that_was_not_saved_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    modality = type(build(case.name).modality)(build(case.name).modality.data)
    with pytest.raises(ValueError):  # each modality words it for its own files
        modality.load(tmp_path)


@cases
def test_items_equal_to_themselves_are_exact_reconstructions(case: Case) -> None:
    metrics = build(case.name).modality.metrics(case.items, case.items)
    assert metrics.get("exact_match") == 1.0 or metrics["mean_squared_error"] == 0.0


@cases
def test_what_is_measured_of_items_is_a_number_or_none(case: Case) -> None:
    modality = build(case.name).modality
    for name, known in modality.measures.items():
        measure = modality.measure(f"{name}={known.example}" if isinstance(known, Family) else name)
        assert measure.about
        found = [measure.of(item) for item in case.items]
        assert found == [measure.of(modality.decode(x)) for x in build(case.name).arrays]
        numbers = [value for value in found if value is not None]
        assert all(isinstance(value, float) and math.isfinite(value) for value in numbers)
        assert not measure.is_yes_or_no or set(numbers) <= {0.0, 1.0}
    with pytest.raises(ValueError, match=f"is measured of {modality.words.items}"):
        modality.measure("nothing of this name")
