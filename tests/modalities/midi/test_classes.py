"""Class maps: the three that are there, and the user's own as JSON."""

from pathlib import Path

import pytest

from seqvae.modalities.midi.classes import GENERAL_MIDI, MAPS, PITCHES, ROLAND, DrumClasses, find


def test_the_general_midi_map_is_that_of_musicvae() -> None:
    assert GENERAL_MIDI.names[:3] == ("kick", "snare", "closed hat")
    assert GENERAL_MIDI.names[3:] == ("open hat", "low tom", "mid tom", "high tom", "crash", "ride")
    assert [pitches[0] for pitches in GENERAL_MIDI.pitches] == [36, 38, 42, 46, 45, 48, 50, 49, 51]
    assert sum(map(len, GENERAL_MIDI.pitches)) == 63


def test_the_roland_map_has_other_toms() -> None:
    pitches = dict(zip(ROLAND.names, ROLAND.pitches, strict=True))
    assert [pitches[name] for name in ("low tom", "mid tom", "high tom")] == [(43, 58), (47, 45), (50, 48)]
    assert sum(map(len, ROLAND.pitches)) == 22


def test_the_pitch_map_has_a_class_for_each_pitch_of_general_midi() -> None:
    assert len(PITCHES) == 63
    assert sorted(p for pitches in GENERAL_MIDI.pitches for p in pitches) == [p for (p,) in PITCHES.pitches]
    names = dict(zip((p for (p,) in PITCHES.pitches), PITCHES.names, strict=True))
    assert [names[p] for p in (22, 26, 27, 35, 36, 38, 42, 46, 51, 56, 75, 81, 87)] == [
        "closed hat edge", "open hat edge", "high q", "acoustic bass drum", "bass drum", "acoustic snare",
        "closed hi-hat", "open hi-hat", "ride cymbal 1", "cowbell", "claves", "open triangle", "open surdo",
    ]  # fmt: skip


def test_the_table_gives_the_class_of_a_pitch() -> None:
    table = DrumClasses(("a", "b"), ((40, 7), (0, 127))).table
    assert [int(table[pitch]) for pitch in (40, 7, 0, 127, 1)] == [0, 0, 1, 1, -1]
    assert (table.shape, str(table.dtype), int((table == -1).sum())) == ((128,), "int16", 124)


@pytest.mark.parametrize(
    ("classes", "name", "meant"),
    [
        (GENERAL_MIDI, "hihat", "'closed hat' or 'open hat'"),
        (GENERAL_MIDI, "Hi-Hat", "'closed hat' or 'open hat'"),
        (GENERAL_MIDI, "open_hihat", "'open hat'"),
        (GENERAL_MIDI, "CHH", "'closed hat'"),
        (GENERAL_MIDI, "bd", "'kick'"),
        (GENERAL_MIDI, "bass drum", "'kick'"),
        (GENERAL_MIDI, "floor tom", "'low tom'"),
        (GENERAL_MIDI, "toms", "'low tom' or 'mid tom' or 'high tom'"),
        (GENERAL_MIDI, "crash cymbal", "'crash'"),
        (GENERAL_MIDI, "ried", "'ride'"),
        (GENERAL_MIDI, "theremin", ""),
        (PITCHES, "kick", "'acoustic bass drum' or 'bass drum'"),
        (PITCHES, "open hat", "'open hat edge' or 'open hi-hat'"),
    ],
)
def test_a_name_that_no_class_has_suggests_those_that_are_meant(classes: DrumClasses, name: str, meant: str) -> None:
    assert classes.suggested(name) == (f" Did you mean {meant}?" if meant else "")


@pytest.mark.parametrize("name", MAPS)
def test_json_gives_a_map_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(MAPS[name].to_json(), encoding="utf-8")
    assert find(path) == find(name) == MAPS[name]


def test_json_keeps_the_order_of_classes_and_pitches() -> None:
    assert DrumClasses.from_json('{"z": [3, 1], "a": [2]}', "map") == DrumClasses(("z", "a"), ((3, 1), (2,)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{",
            "map.json is no JSON (Expecting property name",
        ),
        ("[36]", "map.json holds no object at its top; give an object such as"),
        ('{"kick": 36}', "map.json: the class 'kick' is no list of pitches; give an object such as"),
        ('{"kick": {"a": 1}}', "map.json: the class 'kick' is no list of pitches; give an object such as"),
        ("{}", "map.json: a class map names at least one class, with the pitches of each"),
        ('{" ": [36, 35]}', "map.json: the class of the pitches [36, 35] has no name; give it one"),
        ('{"kick": []}', "map.json: the class 'kick' has no pitch; give it at least one, or leave it out"),
        ('{"kick": [128]}', "map.json: the class 'kick' holds 128; a pitch is a whole number from 0 to 127"),
        ('{"kick": [true]}', "map.json: the class 'kick' holds True; a pitch is a whole number from 0 to 127"),
        ('{"kick": ["C1"]}', "map.json: the class 'kick' holds 'C1'; a pitch is a whole number from 0 to 127"),
        ('{"kick": [[3]]}', "map.json: the class 'kick' holds [3]; a pitch is a whole number from 0 to 127"),
        ('{"a": [1], "b": [2, 1]}', "map.json: pitch 1 stands in 'a' and in 'b'; leave it in one class"),
        ('{"a": [1, 1]}', "map.json: pitch 1 stands in 'a' and in 'a'; leave it in one class"),
        ('{"a": [1], "a": [2]}', "map.json: the class 'a' stands twice; give each class a name of its own"),
        ("[" * 100_000, "map.json is no JSON ("),
    ],
)
def test_what_is_no_class_map_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        DrumClasses.from_json(text, "map.json")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_an_unknown_map_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^no class map 'rolland'; there are gm, roland, pitch, musicvae, and JSON files .*"
    ):
        find("rolland")
    with pytest.raises(ValueError, match="Did you mean 'roland'"):
        find("rolland")
    (tmp_path / "map").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"cannot be read .*; give a JSON file of pitches"):
        find(tmp_path / "map")
