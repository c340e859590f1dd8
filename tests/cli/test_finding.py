"""`seqvae index`, `near`, `outliers`, `clusters` and the map, of all kinds of models; wrong input is one sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from tests.cli.conftest import SENTENCES
from tests.cli.midi_runs import options, trained, workplace
from tests.cli.test_drums import bars, save

Call = Callable[..., Result]
pytest.importorskip("sklearn")


def said(result: Result) -> list[str]:
    """The lines of a call that did what it should."""
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def indexed(run: Path, tmp_path_factory: pytest.TempPathFactory, seqvae: Call) -> Path:
    """A copy of the run with an index of its sentences."""
    own = Path(shutil.copytree(run, tmp_path_factory.mktemp("finding") / "run"))
    assert said(seqvae("index", own, run.parent / "sentences.txt")) == [
        f"{own}/index/index.safetensors: 24 sentences of 4 units"
    ]
    return own


def test_lines_hold_rank_distance_and_name_and_the_sentence_itself_is_left_out(indexed: Path, seqvae: Call) -> None:
    result = seqvae("near", indexed, SENTENCES[3], "-n", 24)
    lines = said(result)
    assert result.stderr == "the input itself, which is in the index, is left out\n"
    assert [line.split()[0] for line in lines] == [str(rank) for rank in range(1, 24)]
    assert sorted(line[14:] for line in lines) == sorted(set(SENTENCES) - {SENTENCES[3]})
    assert said(seqvae("near", indexed, SENTENCES[3], "-n", 2)) == lines[:2]
    distances = [float(line.split()[1]) for line in lines]
    assert distances == sorted(distances)
    assert distances[-1] > 0


def test_several_inputs_have_a_head_each_also_from_a_file_and_stdin(
    indexed: Path, seqvae: Call, tmp_path: Path
) -> None:
    expected = said(seqvae("near", indexed, SENTENCES[0], SENTENCES[1], "-n", 2))
    assert (expected[0], expected[3], expected[4]) == (SENTENCES[0], "", SENTENCES[1])
    two = tmp_path / "two.txt"
    two.write_text(f"{SENTENCES[0]}\n{SENTENCES[1]}\n")
    assert said(seqvae("near", indexed, "--file", two, "-n", 2)) == expected
    assert said(seqvae("near", indexed, "-", "-n", 2, stdin=two.read_bytes())) == expected


def test_what_is_found_is_written_where_a_folder_is_named(indexed: Path, seqvae: Call, tmp_path: Path) -> None:
    result = seqvae("near", indexed, SENTENCES[2], "-n", 3, "--metric", "cosine", "--out", tmp_path / "near")
    found = [line[14:] for line in said(result)]
    assert (tmp_path / "near" / "sentences.txt").read_text().splitlines() == found
    assert result.stderr.splitlines()[1:] == [f"written to {tmp_path / 'near' / 'sentences.txt'}"]


def test_outliers_and_clusters(indexed: Path, seqvae: Call) -> None:
    result = seqvae("outliers", indexed, "-n", 4)
    costs = [float(line.split()[1]) for line in said(result)]
    assert costs == sorted(costs, reverse=True)
    assert result.stderr == "by -ELBO in nats per step\n"
    assert len(said(seqvae("outliers", indexed, "--by", "distance", "-n", 2))) == 2
    lines = said(seqvae("clusters", indexed, "-k", 3))
    heads = [line for line in lines if line.startswith("cluster ")]
    assert [head.partition(":")[0] for head in heads] == ["cluster 1", "cluster 2", "cluster 3"]
    assert sum(int(head.split()[2]) for head in heads) == 24
    assert all(line[14:] in SENTENCES for line in lines if line and not line.startswith("cluster"))


def test_labels_of_a_pattern_stand_in_every_answer(indexed: Path, run: Path, seqvae: Call, tmp_path: Path) -> None:
    corpus, place = run.parent / "sentences.txt", tmp_path / "labelled.safetensors"
    arguments = ["index", indexed, corpus, "--label-by", r"the (\w+) (?:sees|eats)", "--out", place, "--tsv"]
    assert said(seqvae(*arguments, tmp_path / "tsv"))[0] == f"{place}: 24 sentences of 4 units"
    assert said(seqvae("near", indexed, f"{SENTENCES[0]} ", "-n", 1, "--index", place))[0] == (
        f"  1    0.000  cook  {SENTENCES[0]}"
    )
    (head,) = [line for line in said(seqvae("clusters", indexed, "-k", 1, "--index", place)) if "cluster" in line]
    assert head == "cluster 1: 24 sentences (100%): cook 33%, dog 33%, girl 33%"
    assert (tmp_path / "tsv" / "metadata.tsv").read_text().splitlines()[0] == "name\tlabel\tnats_per_step\tsteps"


def test_the_map_is_drawn_of_the_index_and_no_other_picture_has_its_options(
    indexed: Path, seqvae: Call, refused: Callable[..., None], run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plot"
    assert said(seqvae("plot", indexed, "--only", "map", "--colour", "cluster", "--clusters", 3, "--out", out)) == [
        f"{out / 'map.png'}: the indexed corpus in two dimensions"
    ]
    refused(
        seqvae("plot", indexed, "--only", "losses", "--colour", "elbo"),
        "--colour is of the map, which is not drawn; add it, as in --only map. See 'seqvae plot --help'.",
    )
    refused(
        seqvae("plot", indexed, "--only", "map", "--clusters", 3),
        "--clusters is of --colour cluster; add that, or leave it out. See 'seqvae plot --help'.",
    )
    refused(
        seqvae("plot", run, "--only", "map"),
        f"there is no index {run}/index/index.safetensors; make one with `seqvae index`",
    )


def test_what_is_not_possible_is_one_sentence(
    indexed: Path, seqvae: Call, refused: Callable[..., None], tmp_path: Path, run: Path
) -> None:
    place = indexed / "index" / "index.safetensors"
    refused(
        seqvae("near", indexed, SENTENCES[0], "-n", 99),
        f"-n 99 is not possible: {place} has 24 sentences; give 1 to 24. See 'seqvae near --help'.",
    )
    refused(
        seqvae("clusters", indexed, "-k", 99),
        f"-k 99 is not possible: {place} has 24 codes; give 1 to 24. See 'seqvae clusters --help'.",
    )
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(place.read_bytes()[:-3])
    refused(
        seqvae("near", indexed, SENTENCES[0], "--index", broken),
        f"{broken} is no index, or a damaged one; make it anew with `seqvae index`",
    )
    before, empty = place.read_bytes(), tmp_path / "empty.txt"
    empty.write_text("")
    for data in (empty, tmp_path / "missing"):
        assert seqvae("index", indexed, data).exit_code == 2
    assert place.read_bytes() == before
    stale = seqvae("near", indexed, SENTENCES[0], "-n", 1, "--checkpoint", min(_steps(run)))
    assert stale.exit_code == 2
    assert "is of other weights than this model's (of text, step " in stale.stderr


def _steps(run: Path) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in (run / "checkpoints").iterdir()]


def test_windows_of_drums_are_found_by_their_names_and_written_as_midi(
    seqvae: Call, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, number: int) -> Path:
        return save(path, bars(3 + number, number, 100.0 + number))

    folder = trained(seqvae, tmp_path_factory.mktemp("drums"), "drums", "grooves", write, options())
    workplace(tmp_path, folder / "run", monkeypatch)
    (line,) = said(seqvae("index", "run", folder / "grooves", "--tsv", "tsv"))[:1]
    assert line.startswith("run/index/index.safetensors: ")
    assert not Path("tsv/sprite.png").exists()
    window = f"{folder / 'grooves' / '3.mid'}#2"
    lines = said(seqvae("near", "run", window, "-n", 2, "--out", "found"))
    nearest = lines[0].split()[-1]
    assert nearest != window
    assert lines[2].startswith("found/001.mid")
    assert lines[2].endswith(f"distance {lines[0].split()[1]}, {nearest}")
    assert said(seqvae("near", "run", "found/001.mid#0", "-n", 1)) == [f"  1    0.000  {nearest}"]
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(folder)
        seen = said(seqvae("near", tmp_path / "run", "grooves/3.mid#2", "-n", 1))
        assert seen == [lines[0].replace(f"{folder}/", "")]
    before = Path("found/001.mid").read_bytes()
    spared = seqvae("near", "run", "found/001.mid#0", "-n", 1, "--out", "found")
    assert spared.exit_code == 2
    assert spared.stderr.splitlines() == [
        "found/001.mid is an input and would be overwritten; give --out another folder"
    ]
    assert Path("found/001.mid").read_bytes() == before
    whole = seqvae("near", "run", folder / "grooves" / "3.mid", "-n", 1)
    assert whole.stderr.splitlines().count("the input itself, which is in the index, is left out") == 1
    assert [line for line in said(whole) if "#" in line and line[:3] != "  1"][1] == window


def test_images_bring_their_labels_and_a_sprite(seqvae: Call, tmp_path: Path) -> None:
    for place, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (10, 5, 4), dtype=np.uint8)):
        path = tmp_path / "images" / ("ant", "bee")[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    run, tiny = tmp_path / "run", ("model.latent=2", "model.widths=6", "train.epochs=1", "train.threads=1")
    said(seqvae("train", "images", tmp_path / "images", "--out", run, *(w for v in tiny for w in ("--set", v))))
    assert said(seqvae("index", run, tmp_path / "images", "--tsv", tmp_path / "tsv"))[0].endswith(
        "10 images of 2 units"
    )
    bee = tmp_path / "images" / "bee" / "3.png"
    same = shutil.copy(bee, tmp_path / "same.png")
    assert said(seqvae("near", run, same, "-n", 1)) == [f"  1    0.000  bee  {bee}"]
    sheet = np.asarray(Image.open(tmp_path / "tsv" / "sprite.png"))
    assert sheet.shape == (20, 16)  # four by four of 5 x 4 pixels
    names = [line.split("\t")[0] for line in (tmp_path / "tsv" / "metadata.tsv").read_text().splitlines()[1:]]
    place = names.index(str(bee))
    top, left = place // 4 * 5, place % 4 * 4
    assert (sheet[top : top + 5, left : left + 4] == np.asarray(Image.open(bee))).all()
    assert "single_image_dim: 4 single_image_dim: 5" in (tmp_path / "tsv" / "projector_config.pbtxt").read_text()
    assert [line.split(": ")[0] for line in said(seqvae("plot", run, "--only", "map"))] == [f"{run}/plot/map.png"]
