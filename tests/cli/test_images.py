"""The commands on images: files, stacks and codes in, PNG files and tables out."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from seqvae.cli.progress import Watcher
from seqvae.model import Model, load
from tests.modalities.images.made import write_idx, write_image
from tests.trees import tree

Call = Callable[..., Result]

HEIGHT, WIDTH = 6, 5
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
STACK = f"digits/{TEST_IMAGES}"
TINY = {
    "model.widths": "7", "model.latent": 2, "train.epochs": 2, "train.batch_size": 9, "train.threads": 1,
    "train.learning_rate": 0.02,
}  # fmt: skip


def options(**changes: Any) -> list[str]:
    """`--set` options of a model that trains in a moment; `model__latent=3` changes one of them."""
    keys = TINY | {name.replace("__", "."): value for name, value in changes.items()}
    return [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]


def strokes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one grey line each, and their labels: 0 lies, 1 stands."""
    random, labels = np.random.default_rng(seed), np.arange(count, dtype=np.uint8) % 2
    images = np.zeros((count, HEIGHT, WIDTH), np.uint8)
    for image, label in zip(images, labels, strict=True):
        (image.T if label else image)[random.integers(WIDTH)] = random.integers(100, 256)
    return images, labels


def write_digits(folder: Path) -> None:
    """40 images to train on and 8 for tests, in files with MNIST's names."""
    for part, count in (("train", 40), ("t10k", 8)):
        images, labels = strokes(count, count)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)


def made(result: Result) -> list[str]:
    """The lines of a call that did what it should."""
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def pixels(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path))


def numbered(folder: str) -> list[np.ndarray]:
    """The images of a folder that bear a number."""
    return [pixels(path) for path in sorted(Path(folder).glob("[0-9]*.png"))]


def equal(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


@pytest.fixture(scope="module")
def trained(seqvae: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits/ and a run trained on them. Tests work in a copy."""
    folder = tmp_path_factory.mktemp("images")
    write_digits(folder / "digits")
    made(seqvae("train", "images", folder / "digits", "--out", folder / "run", *options()))
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run, its data, a stack some.npz and two images of it as files."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    images, _ = strokes(8, 8)
    np.savez("some.npz", images=images)
    write_image(Path("a.png"), images[2])
    write_image(Path("b.png"), images[3])
    return tmp_path


@pytest.fixture
def model(place: Path) -> Model:
    return load("run", "cpu")


def train(seqvae: Call, name: str, **changes: Any) -> Path:
    """A run on digits/ with some keys changed."""
    made(seqvae("train", "images", "digits", "--out", name, *options(**changes)))
    return Path(name)


def evaluated(seqvae: Call, run: str | Path) -> tuple[str, dict[str, Any]]:
    """What `evaluate` prints of the test images, and its JSON."""
    result = seqvae("evaluate", run, "digits", "--split", "test", "--importance-samples", 3, "--json", "figures.json")
    made(result)
    return " ".join(result.stdout.split()), json.loads(Path("figures.json").read_text())


def test_inspect_draws_the_first_images_with_their_labels(
    seqvae: Call, place: Path, refused: Callable[[Result, str], None]
) -> None:
    lines = made(seqvae("inspect", "images", "digits", "--out", "first.png"))
    assert lines[-1] == "first.png: the first 48 images"
    shown = pixels("first.png")
    assert shown.shape[0] > 400 < shown.shape[1]
    made(seqvae("inspect", "images", "digits", "--out", "again.png"))
    assert Path("first.png").read_bytes() == Path("again.png").read_bytes()
    assert seqvae("inspect", "images", "some.npz", "--out", "some.npz").exit_code == 2
    assert np.load("some.npz")["images"].shape == (8, HEIGHT, WIDTH)
    refused(seqvae("inspect", "images", "digits", "--out", "digits"), "digits is a folder; give a file")


def test_training_tells_what_it_read_and_what_to_try_next(seqvae: Call, place: Path) -> None:
    result = seqvae("train", "images", "digits", "--out", "new", *options(train__epochs=1))
    assert made(result) == [
        "the model is in new; next:", "  seqvae plot new", "  seqvae sample new",
        "  seqvae interpolate new A.png B.png", "  seqvae evaluate new DATA",
    ]  # fmt: skip
    assert result.stderr.splitlines()[0] == "train: 40 items from digits"  # not those for tests; they have no steps
    assert " images/s" in result.stderr


def test_samples_are_the_model_s_and_go_into_the_run_which_holds_the_latest_only(
    seqvae: Call, place: Path, model: Model
) -> None:
    assert len(made(seqvae("sample", "run", "-n", 5))) == 6
    Path("run/sample/notes.txt").write_text("mine")
    assert made(seqvae("sample", "run", "-n", 2, "--seed", 3)) == [
        "run/sample/001.png", "run/sample/002.png", "run/sample/images.png: all in one",
    ]  # fmt: skip
    assert equal(numbered("run/sample"), model.sample(2, seed=3))
    assert Path("run/sample/notes.txt").exists()
    made(seqvae("sample", "run", "-n", 1, "--temperature", 1, "--out", "made/here"))
    assert [path.name for path in Path("made/here").iterdir()] == ["001.png", "images.png"]
    assert set(np.unique(pixels("made/here/001.png"))) <= {0, 255}  # black or white is what a Bernoulli draws


@pytest.mark.parametrize("name", ["sample", "sample/002.png", "sample/.latest.json"])
def test_samples_follow_no_link_out_of_the_run(name: str, seqvae: Call, place: Path) -> None:
    Path("mine").mkdir()
    for file in ("001.png", "002.png", "notes.txt"):
        Path("mine", file).write_text("mine")
    Path("mine/.latest.json").write_text('["notes.txt"]')
    Path("run/sample").mkdir()
    if name == "sample":
        Path("run/sample").rmdir()
        Path("run/sample").symlink_to(Path("mine").resolve())
    else:
        Path("run", name).symlink_to(Path("mine", Path(name).name).resolve())
    before = tree(Path("mine"))
    result = seqvae("sample", "run", "-n", 2)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"run/{name} is a link, and seqvae follows no link out of a folder of its own; ")
    assert tree(Path("mine")) == before


def test_a_file_an_image_of_a_stack_and_the_whole_stack_are_reconstructed(
    seqvae: Call, place: Path, model: Model
) -> None:
    images, _ = strokes(8, 8)
    lines = made(seqvae("reconstruct", "run", "a.png", f"{STACK}#3", "some.npz#7"))
    assert lines == [
        "run/reconstruct/001.png: from a.png", f"run/reconstruct/002.png: from {STACK}#3",
        "run/reconstruct/003.png: from some.npz#7",
        "run/reconstruct/reconstructions.png: originals above their reconstructions",
    ]  # fmt: skip
    assert equal(numbered("run/reconstruct"), model.reconstruct([images[2], images[3], images[7]]))
    for arguments in (["some.npz"], [STACK], ["--file", "digits", "--split", "test"]):
        lines = made(seqvae("reconstruct", "run", *arguments))
        assert lines[5].endswith(f"006.png: from {'some.npz' if arguments == ['some.npz'] else STACK}#5")
        assert equal(numbered("run/reconstruct"), model.reconstruct(list(images)))


def test_folders_are_splits_where_their_names_say_so(seqvae: Call, place: Path) -> None:
    images, labels = strokes(8, 8)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        part = "train" if number < 5 else "valid"
        write_image(Path(f"folders/{part}/{('lies', 'stands')[label]}/{number}.png"), image)
    result = seqvae("encode", "run", "--file", "folders", "--split", "valid", "--out", "z.npz")
    assert result.stderr == "folders: 3 image files read\n3 codes of 2 units written to z.npz\n"
    with np.load("z.npz") as arrays:
        assert arrays["items"].tolist() == [
            "folders/valid/lies/6.png", "folders/valid/stands/5.png", "folders/valid/stands/7.png",
        ]  # fmt: skip
    lines = made(seqvae("inspect", "images", "folders"))
    assert lines.pop(4).startswith("for 5 images the defaults are train.epochs=1000, ")
    assert lines == [
        "items: 8 images", "shape: 6 x 5 (height x width), grey", "labels: 2 (lies, stands)", "8 image files read",
        "splits: files are split as their names and folders say",
        "split train: 5 items", "split valid: 3 items, 0 of them stand in train, too",
    ]  # fmt: skip


def test_a_walk_starts_and_ends_at_the_reconstructions(seqvae: Call, place: Path, model: Model) -> None:
    lines = made(seqvae("interpolate", "run", "a.png", "some.npz#3", "--steps", 3))
    assert lines[-1] == "run/interpolate/interpolation.png: all in one"
    walk, ends = numbered("run/interpolate"), model.reconstruct([Path("a.png"), Path("b.png")])
    assert equal([walk[0], walk[2]], ends)
    corners = ("a.png", "b.png", "some.npz#0", f"{STACK}#1")
    lines = made(seqvae("interpolate", "run", "--corners", *corners, "--grid", 2))
    assert lines[-1] == "run/interpolate/palette.png: all in one"
    assert not Path("run/interpolate/interpolation.png").exists()  # one result beside another would be taken for one
    images, _ = strokes(8, 8)
    assert equal(numbered("run/interpolate"), model.reconstruct([images[place] for place in (2, 3, 0, 1)]))


def test_variations_at_distance_0_are_the_reconstruction(seqvae: Call, place: Path, model: Model) -> None:
    made(seqvae("similar", "run", "some.npz#2", "-n", 2, "--distance", 0, "--out", "near"))
    assert equal(numbered("near"), model.reconstruct([Path("a.png")]) * 2)
    assert len(made(seqvae("similar", "run", "a.png"))) == 5


def test_codes_go_to_a_file_and_come_back_from_it_or_from_the_command_line(
    seqvae: Call, place: Path, model: Model
) -> None:
    result = seqvae("encode", "run", "a.png", f"{STACK}#4", "some.npz", "--out", "z.npz")
    assert (result.exit_code, result.stderr) == (0, "10 codes of 2 units written to z.npz\n")
    with np.load("z.npz") as arrays:
        assert arrays["items"].tolist() == [
            "a.png", f"{STACK}#4", *(f"some.npz#{number}" for number in range(8)),
        ]  # fmt: skip
        mean = arrays["mean"]
    np.testing.assert_allclose(mean[:2], mean[[4, 6]], atol=1e-6)
    made(seqvae("decode", "run", "z.npz"))
    assert equal(numbered("run/decode"), model.decode(mean))
    assert made(seqvae("decode", "run", "--at", "0,2.5", "--at=-1,0", "--out", "at"))[-1] == "at/images.png: all in one"
    assert equal(numbered("at"), model.decode(np.array([[0, 2.5], [-1, 0]])))
    assert made(seqvae("decode", "run", "--at", "0,2.5")) == ["run/decode/001.png", "run/decode/images.png: enlarged"]
    assert [path.name for path in Path("run/decode").glob("[!.]*")] == ["001.png", "images.png"]


def test_figures_of_grey_levels_say_that_they_are_a_cross_entropy(seqvae: Call, place: Path) -> None:
    table, figures = evaluated(seqvae, "run")
    assert table.startswith("run on digits (split test)")
    assert "│ items │ 8 │ images │" in table
    assert "-log p(x|z) is a cross-entropy and no likelihood, so bits per dimension are left out." in table
    assert figures["items"] == 8
    assert figures["bits_per_dimension"] is figures["tokens"] is figures["perplexity"] is None
    assert 0 <= figures["neighbour_accuracy"] <= 1
    assert f"neighbour_accuracy │ {figures['neighbour_accuracy']:.4f} │ share of items" in table
    for word in ("step", "token", "perplexity", "bleu", "dimension │"):
        assert word not in table


@pytest.mark.parametrize("likelihood", ["gaussian", "squares", "laplace", "logistic"])
def test_figures_of_other_likelihoods_say_what_they_are(likelihood: str, seqvae: Call, place: Path) -> None:
    train(seqvae, "other", model__likelihood=likelihood, train__epochs=1)
    table, figures = evaluated(seqvae, "other")
    if likelihood == "logistic":
        bits = figures["iw_nll_nats"] / (HEIGHT * WIDTH * np.log(2))
        assert figures["bits_per_dimension"] == pytest.approx(bits)
        assert "density" not in table
    else:
        assert figures["bits_per_dimension"] is None
        words = " ".join(table.split())
        assert (
            f"summed_error is the {'absolute' if likelihood == 'laplace' else 'squared'} error that they stand" in words
        )
        values = figures["summed_error"], HEIGHT * WIDTH * figures["mean_squared_error"]
        if likelihood == "squares":
            assert values[0] == pytest.approx(figures["reconstruction_nats"] - HEIGHT * WIDTH * 0.5 * np.log(np.pi))
            assert values[0] == pytest.approx(values[1], rel=0.1)  # the one by a draw of z, the other by its mean
        train(seqvae, "points", model__likelihood=likelihood, model__posterior="point", train__epochs=1)
        assert "summed_error" in evaluated(seqvae, "points")[0]


def test_binarised_images_have_bits_and_another_binarisation_may_follow(seqvae: Call, place: Path) -> None:
    made(seqvae("train", "images", "digits", "--out", "dynamic", "--binarise", "dynamic", *options(train__epochs=1)))
    table, figures = evaluated(seqvae, "dynamic")
    assert figures["bits_per_dimension"] == pytest.approx(figures["iw_nll_nats"] / (HEIGHT * WIDTH * np.log(2)))
    assert "entropy" not in table
    line = ["--from", "dynamic", "--binarise", "static", "--binarisation-seed", "3"]
    made(seqvae("train", "images", "digits", "--out", "static", *line, *options(train__epochs=1)))
    assert json.loads(Path("static/config.json").read_text())["data"]["binarise"] == "static"
    assert evaluated(seqvae, "static")[1]["elbo_nats"] != figures["elbo_nats"]


def test_a_plain_autoencoder_reconstructs_and_has_no_prior(
    seqvae: Call, refused: Callable[..., None], place: Path
) -> None:
    result = seqvae("train", "images", "digits", "--out", "my run", *options(model__posterior="point"))
    assert [line.split()[1] for line in made(result)[1:]] == ["plot", "interpolate", "evaluate"]
    sentence = (
        "my run is a plain autoencoder (model.posterior=point), so there is no prior to draw codes from; fit one "
        "with seqvae fit-prior 'my run', or train without model.posterior=point"
    )
    refused(seqvae("sample", "my run"), sentence)
    refused(seqvae("similar", "my run", "a.png"), sentence)
    table, figures = evaluated(seqvae, "my run")
    assert table.endswith("A plain autoencoder (model.posterior=point) has neither KL nor likelihood.")
    assert all(figures[name] is None for name in ("elbo_nats", "kl_nats", "iw_nll_nats", "mutual_information_nats"))
    assert 0 < figures["mean_squared_error"] < 1
    made(seqvae("interpolate", "my run", "a.png", "b.png", "--steps", 3))
    model = load("my run", "cpu")
    assert equal(numbered("my run/interpolate"), model.interpolate(Path("a.png"), Path("b.png"), 3, "lerp"))


def test_other_nets_and_objectives_train(seqvae: Call, place: Path) -> None:
    conv = train(
        seqvae, "conv", train__epochs=1, model__net="conv", model__channels="3,4", model__dense=6,
        model__corruption=0.3,
    )  # fmt: skip
    lines = made(seqvae("info", conv))
    diagram = lines[lines.index("network") + 1 : lines.index("data") - 1]
    assert diagram[1].split() == ["x", "Data", "6", "x", "5", "x", "1"]
    assert diagram[2].split() == ["encoder.layers.0", "Conv2d", "3", "x", "3", "x", "3", "51"]
    assert diagram[-1].split() == ["total", lines[0].split()[-2]]
    train(seqvae, "weighted", train__epochs=1, objective__importance_samples=4)
    history = made(seqvae("info", "weighted"))
    assert "importance weighted " in history[-2]
    images = "sized/a.png", "sized/b.png"
    for path, source in zip(images, strokes(2, 1)[0], strict=True):
        write_image(Path(path), np.repeat(source, 2 + path.count("b"), axis=1))
    result = seqvae("train", "images", "sized", "--size", "4,3", "--out", "small", *options(train__epochs=1))
    made(result)
    assert "  2 images resized to 4 x 3\n" in result.stderr
    made(seqvae("reconstruct", "small", *images, "some.npz#1"))  # the model resizes what it is given, too
    assert [image.shape for image in numbered("small/reconstruct")] == [(4, 3)] * 3


def test_after_an_interruption_training_goes_on_to_the_same_weights(
    seqvae: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"train__log_steps": 1, "objective__importance_samples": 2, "model__corruption": 0.2}
    line = ["train", "images", "digits", "--binarise", "dynamic", *options(**changes)]
    made(seqvae(*line, "--out", "whole"))

    def interrupt(self: Watcher, record: dict[str, Any]) -> None:
        if record["step"] == 6:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Watcher, "progress", interrupt)
        result = seqvae(*line, "--out", "run 2")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == (
        "stopped after step 6; a checkpoint is saved, and the weights of step 4 are the best so far and can be used; "
        "continue with seqvae train images --resume --out 'run 2'"
    )
    made(seqvae("train", "images", "--resume", "--out", "run 2"))
    weights = [path / "checkpoints" / "step-00000008" / "weights.safetensors" for path in map(Path, ("whole", "run 2"))]
    assert weights[0].read_bytes() == weights[1].read_bytes()
