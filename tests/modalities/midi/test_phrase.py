"""Phrases: their notes, what silence they are filled with, and what of them is heard in a part."""

import numpy as np
import pytest

from seqvae.modalities.midi.phrase import HOLD, OFF, Phrase

_, X = HOLD, OFF


def phrase(*events: int) -> Phrase:
    return Phrase(np.array(events, np.int16))


def test_notes_last_to_the_next_event_or_the_end() -> None:
    assert phrase(_, 60, _, 62, X, _, 62, 62).notes.tolist() == [[1, 3, 60], [3, 4, 62], [6, 7, 62], [7, 8, 62]]
    assert phrase(_, _).notes.shape == (0, 3)
    assert phrase(0, _).notes.tolist() == [[0, 2, 0]], "pitch 0 is a pitch"


def test_onsets_are_the_steps_on_which_pitches_begin() -> None:
    assert phrase(_, 0, X, 60).onsets.tolist() == [0, 1, 0, 1]


def test_silence_behind_a_phrase_begins_with_an_off_where_something_sounds() -> None:
    assert phrase(60, _).filled(5).events.tolist() == [60, _, X, _, _]
    assert phrase(60, X).filled(4).events.tolist() == [60, X, _, _]
    assert phrase(_, _).filled(4).events.tolist() == [_] * 4
    whole = phrase(60, _)
    assert whole.filled(2) is whole
    assert whole.filled(1) is whole


def test_of_a_note_that_began_before_nothing_is_heard_in_a_part() -> None:
    whole = phrase(60, _, _, X, 62, _, X, _)
    assert whole.taken(1, 5).events.tolist() == [_, _, _, 62]
    assert whole.taken(4, 8).events.tolist() == [62, _, X, _]
    assert whole.events.tolist() == [60, _, _, X, 62, _, X, _], "the whole stays what it is"


@pytest.mark.parametrize(("events", "alone"), [([_, 60], [X, 60]), ([60, _], [60, _]), ([X, _], [X, _])])
def test_a_phrase_that_begins_with_silence_ends_what_comes_before_it(events: list[int], alone: list[int]) -> None:
    assert phrase(*events).alone().events.tolist() == alone


def test_phrases_are_equal_by_events_grid_tempos_and_program() -> None:
    one = phrase(60, _)
    assert one == phrase(60, _)
    for other in (phrase(60, X), one.with_program(3), Phrase(one.events, (3, 4)), Phrase(one.events, bpm=90.0)):
        assert one != other
    assert one.digest == one.with_program(3).digest
    assert one.digest != phrase(61, _).digest
