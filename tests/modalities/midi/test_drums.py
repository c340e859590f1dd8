"""The drum modality: what its corpus and its learned metres are known by, and values that change with a use."""

import json
from pathlib import Path

import numpy as np
import pytest

from seqvae.modalities.base import Report
from seqvae.modalities.midi.clip import Clip
from seqvae.modalities.midi.drums import Drums
from seqvae.modalities.midi.settings import DrumData, DrumModel
from seqvae.types import StepType
from tests.modalities.midi.smf import hits, meter, midi
from tests.modalities.midi.songs import song, write


def drums(*meters: tuple[int, int], **settings: object) -> Drums:
    """A modality that has met windows of these metres."""
    made = Drums(DrumData(**settings))  # type: ignore[arg-type]
    made.fit(lambda: [Clip(np.zeros((2, 9), bool), one, bpm=90.0, kit=8) for one in meters])
    return made


# Corpora in the cache and in data.json are known by these, so they stay what they were when runs were written.
FINGERPRINTS = (
    ({}, "27242be70172d92a2c7f7c3a7286dfcb1d9cd149563e09e38ce139c2d92192f7"),
    ({"meter": "4/4"}, "c93877985516695a5dc1b87bf9e70d33dbb354a82718965da43ce234014030e5"),
    (
        {"classes": "roland", "bars": 1, "unique": True},
        "1a18633c0f15d5d40e756fe05efdfad9ced9d3904b4259e1b2b593704ed20024",
    ),
    (
        {"steps_per_quarter": 12, "hop": 2, "all_channels": True},
        "f9769a7ac23bdb276f3b493ee75cdbcab1333712a75f5444d882b74dcec5b713",
    ),
    (
        {"classes": "pitch", "drum_channel": 1, "bars": 4, "hop": 3},
        "1466eaaf90d67f44f43e078677071f3097c7150e5ad68c26e3827a65808023f6",
    ),
)
OF_TEST_SPLIT = "4930212cf0b416d1073c913eddc6e444699148bc7693f7b0e0507a8c2eb633e6"


@pytest.mark.parametrize(("settings", "known_by"), FINGERPRINTS)
def test_a_corpus_is_known_by_what_it_was_known_by_before(settings: dict[str, object], known_by: str) -> None:
    assert Drums(DrumData(**settings)).fingerprint() == known_by  # type: ignore[arg-type]


def test_a_split_is_known_by_how_it_is_chosen(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.mid": song(2, number) for number in range(16)})
    part = Drums(DrumData(valid_share=0.2, test_share=0.1, split_seed=3)).of_split("test", [tmp_path])
    assert part is not None
    assert part.fingerprint() == OF_TEST_SPLIT


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": "roland"}, {"steps_per_quarter": 8}, {"bars": 3}, {"hop": 2}, {"meter": "3/4"}, {"unique": True},
        {"drum_channel": 9}, {"all_channels": True}, {"steps": "classes"},
    ],
    ids=str,
)  # fmt: skip
def test_what_items_depend_on_is_in_the_fingerprint(changed: dict[str, object]) -> None:
    assert Drums(DrumData(**changed)).fingerprint() != Drums(DrumData()).fingerprint()  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", [{"mix": 0.5}, {"bpm": 90.0}, {"formats": "mid"}, {"split_seed": 4}], ids=str)
def test_what_items_do_not_depend_on_is_not(changed: dict[str, object]) -> None:
    assert Drums(DrumData(**changed)).fingerprint() == Drums(DrumData()).fingerprint()  # type: ignore[arg-type]


def test_the_table_of_splits_counts_by_its_content(tmp_path: Path) -> None:
    write(tmp_path, {"a.mid": song(2), "b.mid": song(2, 1)})

    def known(name: str, table: str) -> str:
        (tmp_path / name).write_text(table)
        part = Drums(DrumData(split_csv=str(tmp_path / name))).of_split("test", [tmp_path])
        assert part is not None
        return part.fingerprint()

    first = known("one.csv", "file,split\na.mid,train\nb.mid,test\n")
    assert known("two.csv", "file,split\na.mid,train\nb.mid,test\n") == first
    assert known("one.csv", "file,split\na.mid,test\nb.mid,test\n") != first


def test_what_was_learned_is_written_and_read_back(tmp_path: Path) -> None:
    made = drums((3, 4), (4, 4), (3, 4))
    (path,) = made.save(tmp_path)
    assert path == tmp_path / "drums.json"
    content = json.loads(path.read_text())
    assert {name: content[name] for name in ("meters", "bpm", "kit")} == {
        "meters": [[3, 4], [4, 4]], "bpm": 90.0, "kit": 8,
    }  # fmt: skip
    other = Drums(DrumData(classes="roland"))
    other.load(tmp_path)
    assert (other.meters, other.classes) == (made.meters, made.classes)
    assert other.decode(np.zeros(24, np.uint16)) == Clip(np.zeros((24, 9), bool), (3, 4), 4, 90.0, 8)


@pytest.mark.parametrize("content", ["{}", '{"classes": {}, "meters": 3}', '{"classes": {"kick": [36]}, "meters": []}'])
def test_a_damaged_file_of_what_was_learned_is_refused(content: str, tmp_path: Path) -> None:
    made = Drums(DrumData())
    with pytest.raises(ValueError, match=r"drums\.json is missing; restore the folder from a copy"):
        made.load(tmp_path)
    (tmp_path / "drums.json").write_text(content)
    with pytest.raises(ValueError, match=r"drums\.json"):
        made.load(tmp_path)


def test_the_metre_that_is_set_is_that_of_what_is_made_from_codes_alone() -> None:
    made = drums((4, 4), (4, 4), (3, 4))
    waltz = made.using({"meter": "3/4"})
    assert (made.max_steps, waltz.max_steps) == (32, 24)
    assert (made.decode(np.zeros(32, np.uint16)).meter, waltz.decode(np.zeros(24, np.uint16)).meter) == ((4, 4), (3, 4))
    assert waltz.decode(np.zeros(32, np.uint16)).meter == (4, 4), "of another length it is the one that fits"
    with pytest.raises(ValueError, match=r"^this model does not know 6/8; choose 4/4, 3/4$"):
        made.using({"meter": "6/8"})
    assert drums((4, 4), meter="4/4").using({"meter": ""}).max_steps == 32


def test_a_use_leaves_the_modality_as_it_is() -> None:
    made = drums((4, 4))
    other = made.using({"bpm": 75.0, "formats": "mid", "drum_channel": 3})
    assert (other.data.bpm, other.data.written_formats, other.data.drum_channel) == (75.0, ("mid",), 3)
    assert (made.data.bpm, made.data.written_formats, made.data.drum_channel) == (None, ("mid", "wav", "png"), 10)
    assert (other.meters, other.learned) == (made.meters, made.learned)


def test_a_channel_takes_the_place_of_all_channels() -> None:
    made = drums((4, 4), all_channels=True)
    assert not made.using({"drum_channel": 3}).data.all_channels
    assert made.using({"bpm": 75.0}).data.all_channels
    assert made.using({"drum_channel": 3, "all_channels": True}).data.all_channels


@pytest.mark.parametrize("values", [{"bars": 4}, {"classes": "roland"}, {"steps": "classes"}, {"steps_per_quarter": 8}])
def test_what_the_model_depends_on_may_not_change(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is not possible with this model, which depends on data"):
        drums((4, 4)).using(values)


def test_steps_are_labels_or_a_number_for_each_class() -> None:
    assert drums((4, 4)).step_type == StepType("uint16")
    assert drums((4, 4), classes="pitch").step_type == StepType("uint8", (63,))
    for made in (drums((4, 4)), Drums(DrumData(classes="pitch", meter="4/4"))):
        x = made.encode(Clip(np.zeros((32, len(made.classes)), bool)), Report())
        assert x is not None
        assert (x.dtype.name, x.shape[1:]) == (made.step_type.dtype, made.step_type.shape)


def test_combinations_of_drums_can_share_their_embedding_with_the_output_layer() -> None:
    sizes = {"embedding": 8, "decoder_hidden": 8}
    _, decoder = drums((4, 4)).nets(DrumModel(tied_embeddings=True, **sizes))
    assert decoder.recurrence.embed.weight is decoder.likelihood.projection.weight
    _, apart = drums((4, 4)).nets(DrumModel(**sizes))
    assert apart.recurrence.embed.weight is not apart.likelihood.projection.weight
    with pytest.raises(ValueError, match=r"^model\.tied_embeddings=true is not possible with model\.shared_cl"):
        drums((4, 4)).nets(DrumModel(tied_embeddings=True, shared_classes=True, **sizes))
    with pytest.raises(ValueError, match=r"^model\.tied_embeddings=true is not possible with steps whose classes are "):
        drums((4, 4), steps="classes").nets(DrumModel(tied_embeddings=True, **sizes))


def test_figures_have_units_and_classes_that_are_never_hit_are_named() -> None:
    made = drums((4, 4))
    truth = Clip(np.zeros((4, 9), bool))
    truth.hits[0, [0, 2]] = True
    figures = made.metrics([truth], [truth])
    assert figures == {"exact_match": 1.0, "f1_kick": 1.0, "f1_closed_hat": 1.0} | dict.fromkeys(
        ("f1_snare", "f1_open_hat", "f1_low_tom", "f1_mid_tom", "f1_high_tom", "f1_crash", "f1_ride")
    )
    assert {made.units[name] for name in figures if name.startswith("f1_")} == {"F1 of hits, 0 to 1"}
    remark = "Never hit: snare, open_hat, low_tom, mid_tom, high_tom, crash, ride."
    assert made.remarks(made.model_config(), figures) == [remark]
    assert made.remarks(made.model_config(), dict.fromkeys(figures, 0.5)) == []


def test_inspect_shows_windows_steps_classes_and_metres() -> None:
    lengths = np.array([32, 32, 24])
    assert drums((4, 4), (3, 4)).facts(lengths) == [
        ("items", "3 windows of 2 bars"),
        ("steps", "88, 4 a quarter"),
        (
            "classes",
            "9 (kick, snare, closed hat, open hat, low tom, mid tom, high tom, crash, ride), a step is one of 512 "
            "combinations",
        ),
        ("metres", "4/4, 3/4"),
    ]
    assert drums((4, 4), classes="pitch").facts(lengths)[2] == ("classes", "63 (pitch), a step is each hit or not")


def test_a_window_of_an_unknown_metre_is_dropped_and_counted(tmp_path: Path) -> None:
    report = Report()
    assert drums((4, 4)).encode(Clip(np.zeros((24, 9), bool), (3, 4)), report) is None
    assert report.counts == {"windows": {"in 3/4, which the model does not know, left out": 1}}
    write(tmp_path, {"a.mid": song(2), "waltz.mid": midi(meter(0, 3, 2) + hits([(0, 36), (1440, 36)]))})
    named = list(drums((4, 4)).named([tmp_path], Report()))
    assert [each.name for each in named] == [f"{tmp_path / 'a.mid'}#0"]
