"""What is measured of bars of notes and hits, against values counted by hand."""

import numpy as np
import pytest

from seqvae import modalities
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.ensemble import Ensemble, joined
from seqvae.modalities.midi.measures import OF_ENSEMBLES, OF_MELODIES, OF_PERFORMANCES, levels, of_kit
from seqvae.modalities.midi.performance import Performance
from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase

NAMES = ("kick", "snare", "hat")


def clip(*hits: tuple[int, int], bars: int = 1) -> Clip:
    """A clip of so many bars of 4/4, with these (step, class) hit."""
    found = np.zeros((16 * bars, 3), bool)
    for step, voice in hits:
        found[step, voice] = True
    return Clip(found)


def of(name: str, item: object) -> float | None:
    """What the measure of a kit of three classes gives."""
    drums = of_kit(NAMES)
    family, _, value = name.partition("=")
    measure = drums[family]
    return (measure.made(value) if value else measure).of(item)  # type: ignore[union-attr]


def test_density_is_hits_a_bar() -> None:
    assert of("density", clip((0, 0), (0, 2), (4, 1), bars=2)) == 1.5


def test_the_share_of_a_class_is_that_of_all_hits_and_silence_has_none() -> None:
    some = clip((0, 0), (8, 0), (4, 1), (2, 2), (6, 2))
    assert [of(f"share={name}", some) for name in NAMES] == [0.4, 0.2, 0.4]
    assert of("share=kick", clip()) is None


def test_repetition_is_the_share_of_equal_steps_and_needs_two_bars() -> None:
    assert of("repetition", clip((0, 0), (16, 0), (4, 1), bars=2)) == 15 / 16
    assert of("repetition", clip((0, 0))) is None
    assert of("repetition", clip(bars=2)) is None


def test_how_hits_are_played_is_no_change_of_them() -> None:
    played = np.zeros((32, 3, 2), np.int8)
    played[[0, 16], 0] = [(100, 3), (40, -5)]
    assert of("repetition", Performance(played)) == 1.0


def test_a_hit_before_a_silent_stronger_beat_is_syncopated_by_how_much_stronger_that_is() -> None:
    assert of("syncopation", clip((0, 0), (4, 0), (8, 0), (12, 0))) == 0
    assert of("syncopation", clip((7, 0), (8, 0))) == 0  # the stronger one is not silent
    assert of("syncopation", clip((7, 0))) == 3  # level 4 before the middle of the bar, of level 1
    assert of("syncopation", clip((7, 0), (8, 1))) == 3  # another drum does not fill it
    assert of("syncopation", clip((6, 0), bars=2)) == 1.5  # level 3 before the second bar, of level 0; two bars


def test_the_levels_of_a_dotted_beat_have_thirds() -> None:
    item = Clip(np.zeros((12, 1), bool), (6, 8))
    assert levels(item).tolist() == [0, 4, 3, 4, 3, 4, 1, 4, 3, 4, 3, 4]
    assert levels(Clip(np.zeros((12, 1), bool), (3, 4))).tolist() == [0, 4, 3, 4, 2, 4, 3, 4, 2, 4, 3, 4]


def test_swing_is_the_first_eighth_over_the_second() -> None:
    played = np.zeros((16, 3, 2), np.int8)
    played[[0, 2, 6, 4], 2, 0] = 90
    swing, velocity = OF_PERFORMANCES["swing"], OF_PERFORMANCES["velocity"]
    assert swing.of(Performance(played)) == 1.0  # type: ignore[union-attr]
    late = played.copy()
    late[[2, 6], 2, 1] = 60  # half a step late, 60 of 121 places
    place = (2 + 60 / 121) / 4
    assert swing.of(Performance(late)) == pytest.approx(place / (1 - place))  # type: ignore[union-attr]
    assert swing.of(Performance(np.zeros_like(played))) is None  # type: ignore[union-attr]
    assert velocity.of(Performance(played)) == 90.0  # type: ignore[union-attr]


def melody(name: str, events: list[int]) -> float | None:
    """What is measured of a phrase of one bar of quarters."""
    return OF_MELODIES[name].of(Phrase(np.array(events, np.int16), steps_per_quarter=1))  # type: ignore[union-attr]


def test_melodies_have_a_range_intervals_and_a_density() -> None:
    events = [60, 67, OFF, 64]
    assert melody("range", events) == 7.0
    assert melody("interval", events) == 5.0  # 7 up, 3 down
    assert melody("density", events) == 3.0
    assert melody("pitch", events) == pytest.approx(191 / 3)
    silent = [HOLD] * 4
    assert [melody(name, silent) for name in ("range", "interval", "pitch", "density")] == [None, None, None, 0.0]


def test_chords_are_no_part_of_what_repeats() -> None:
    one = Phrase(np.array([60, HOLD, 60, HOLD], np.int16), (2, 4), 1, chords=np.array([1, 1, 5, 5], np.int16))
    assert OF_MELODIES["repetition"].of(one) == 1.0  # type: ignore[union-attr]


def test_an_ensemble_counts_notes_and_hits() -> None:
    events = joined(
        np.array([60, HOLD, OFF, 62], np.int16), np.array([40, HOLD, HOLD, HOLD], np.int16), np.array([3, 0, 1, 0])
    )
    item = Ensemble(events, steps_per_quarter=1)
    assert OF_ENSEMBLES["density"].of(item) == 6.0  # type: ignore[union-attr]


def test_an_unknown_measure_and_an_unknown_class_are_answered_with_the_nearest() -> None:
    drums = modalities.get("drums")
    kit = drums(drums.data_config())
    with pytest.raises(ValueError, match=r"^nothing called 'densty' is measured of windows of drums; there are "
                       r"density, syncopation, repetition, share=CLASS\. Did you mean 'density'\?$"):  # fmt: skip
        kit.measure("densty")
    with pytest.raises(ValueError, match=r"^share=kik is of no drum class; choose kick, .*\. Did you mean 'kick'\?$"):
        kit.measure("share=kik")
    with pytest.raises(ValueError, match=r"^'share' lacks its value; give share=CLASS, such as share=kick$"):
        kit.measure("share")
    with pytest.raises(ValueError, match=r"^'density=3' has a value, and density takes none; give density$"):
        kit.measure("density=3")
