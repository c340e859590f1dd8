"""Bad images and wrong command lines: one sentence with what was found and what to do, code 2, nothing half-written."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from tests.modalities.images.made import idx_bytes, stack, write_idx, write_image

Call = Callable[..., Result]

TINY = ["--epochs", "1", *(word for key in ("widths=6", "latent=2") for word in ("--set", f"model.{key}"))]
IMAGES = idx_bytes(stack(7, 5, 4))
PACKED = gzip.compress(IMAGES, mtime=0)


def damaged(content: bytes) -> bytes:
    """With one bit of the check sum at the end turned over."""
    return content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]


@pytest.fixture(scope="module")
def trained(seqvae: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on grey images of 5 x 4 pixels, which no test changes."""
    folder = tmp_path_factory.mktemp("refused")
    write_idx(folder / "stack", stack(7, 5, 4))
    result = seqvae("train", "images", folder / "stack", "--out", folder / "run", *TINY)
    assert result.exit_code == 0, result.stderr
    return folder / "run"


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the run and an image that fits it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "run")
    write_image(Path("a.png"), stack(1, 5, 4)[0])
    return tmp_path


STACKS = {
    "wrong magic number": (
        b"\x89PNG" + IMAGES[4:],
        "bad-idx3 is no IDX file: it starts with 0x89504e47, and MNIST's images with 0x00000803, its labels with "
        "0x00000801; give another file, or get this one again",
    ),
    "floats": (
        b"\0\0\x0d" + IMAGES[3:],
        "bad-idx3 holds floats; give an IDX file of unsigned bytes (0x0000080N)",
    ),
    "labels": (idx_bytes(stack(7)), "bad-idx3 holds labels, not images; give the file of images that it belongs to"),
    "empty": (b"", "bad-idx3 is empty; get the file again"),
    "truncated": (
        IMAGES[:-5],
        "bad-idx3 is truncated: its header promises 7 x 5 x 4, 156 bytes, and there are 151; get the file again",
    ),
    "too long": (
        IMAGES + b"\0",
        "bad-idx3 is damaged: it goes on after the 156 bytes of 7 x 5 x 4 that its header promises; get the file again",
    ),
    "truncated gz": (
        PACKED[:-30],
        "bad-idx3 is truncated: its compressed data ends too early; get the file again",
    ),
    "damaged gz": (damaged(PACKED), "bad-idx3 is damaged: it does not decompress (CRC check failed "),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_that_cannot_be_read_is_refused_by_every_command_that_reads(
    name: str, seqvae: Call, place: Path
) -> None:
    content, sentence = STACKS[name]
    Path("bad-idx3").write_bytes(content)
    before = sorted(place.rglob("*"))
    for line in (
        ["train", "images", "bad-idx3", "--out", "new"], ["inspect", "images", "bad-idx3"],
        ["evaluate", "run", "bad-idx3"], ["reconstruct", "run", "bad-idx3"], ["similar", "run", "bad-idx3#0"],
        ["encode", "run", "--file", "bad-idx3", "--out", "codes.npz"], ["plot", "run", "bad-idx3"],
    ):  # fmt: skip
        result = seqvae(*line)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1), line
        assert result.stderr.startswith(sentence), line
        assert sorted(place.rglob("*")) == before


def prepare_bad_folders() -> None:
    """Folders and files that cannot be trained on, or do not fit the model."""
    write_idx(Path("counts/train-images-idx3-ubyte"), stack(7, 5, 4))
    write_idx(Path("counts/train-labels-idx1-ubyte"), stack(6))
    write_image(Path("sizes/a.png"), stack(1, 5, 4)[0])
    write_image(Path("sizes/b.png"), stack(1, 9, 8)[0])
    write_image(Path("colour.png"), stack(1, 5, 4, 3)[0])
    np.savez("floats.npz", images=stack(3, 5, 4) / 2.0)
    np.savez("objects.npz", images=np.array([None, "a"], object))
    np.savez("some.npz", images=stack(3, 5, 4))
    for folder in ("none", "other", "unreadable"):
        Path(folder).mkdir()
    Path("other/notes.txt").write_text("hello")
    Path("unreadable/a.png").write_bytes(b"hello")
    Path("unreadable/b.png").write_bytes(b"")


OPTIONS = "IDX files such as MNIST's, .npz or .npy arrays, or images (.png, .jpg, .pgm, ...)"
ENDINGS = (
    ".png, .apng, .jpg, .jpeg, .jpe, .jfif, .gif, .bmp, .dib, .webp, .tif, .tiff, .pgm, .ppm, .pbm, .pnm, .pfm, .jp2, "
    ".j2k, .jpx, .jpf, .jpc, .j2c, .avif, .qoi, .pcx, .sgi, .rgb, .rgba, .bw, .ras, .ico, .tga, .npz, .npy or IDX files"
)
NEEDED = "and 5 x 4 grey is needed; resize it, or train with data.size=5,4 (height, width), which resizes all"
REFUSED = {
    "train images counts --out new": "counts/train-images-idx3-ubyte holds 7 images and "
    "counts/train-labels-idx1-ubyte 6 labels; put files of one origin together, or move the labels away",
    "train images sizes --out new": "sizes/b.png is 9 x 8 and sizes/a.png 5 x 4 (height x width); pass --size to "
    "resize all",
    "train images none --out new": f"none holds no images ({ENDINGS}), but no file at all; give {OPTIONS}",
    "train images other --out new": f"other holds no images ({ENDINGS}), but 1 other file, such "
    f"as notes.txt; give {OPTIONS}",
    "train images unreadable --out new": "none of the 2 image files can be read, the first because it is in no known "
    "image format; give other files",
    "train images nothing --out new": f"there is no file or folder nothing; give {OPTIONS}.",
    "train images floats.npz --out new": "'images' of floats.npz holds floats from 2 to 124; give floats in [0, 1], "
    "or uint8 of 0 to 255",
    "train images objects.npz --out new": "'images' of objects.npz holds Python objects; store an array of numbers",
    "train images some.npz --out new --size 0,4": "--size 0,4 is not possible; give height,width such as 32,48, or "
    "one number for squares, each 1 to 1024. See 'seqvae train images --help'.",
    "train images some.npz --out new --from run --size 7": "--from keeps the model and encoding of run, but --size "
    "would change from none to 7; leave --size out, or train without --from",
    "train images some.npz --out new --set model.posterior=point --set objective.importance_samples=5": "objective."
    "importance_samples=5 does not go with model.posterior=point, since points are not drawn; --set "
    "model.posterior=gaussian, or importance_samples to 1",
    "evaluate run sizes/b.png": f"sizes/b.png is 9 x 8 grey, {NEEDED}",
    "evaluate run some.npz --split test": "--split test is shown by no name in some.npz; leave it out, or "
    "give files named such as train-images*, t10k-images*, or folders train, valid and test. See 'seqvae evaluate "
    "--help'.",
    "reconstruct run sizes/b.png": f"sizes/b.png is 9 x 8 grey, {NEEDED}",
    "reconstruct run a.png sizes/b.png": f"sizes/b.png is 9 x 8 grey, {NEEDED}",
    "encode run --file sizes --out z.npz": f"sizes/b.png is 9 x 8 grey, {NEEDED}",
    "reconstruct run unreadable/b.png": "unreadable/b.png is no image that can be read: it is empty; give another file",
    "reconstruct run sizes": "sizes is a folder; give one file of it, or --file sizes for all of its images",
    "reconstruct run": "no input; give INPUT (an image file, or FILE#INDEX of an IDX, .npz or .npy file, counted from "
    "0, or all of such a file), or --file FILE for all of its items. See 'seqvae reconstruct --help'.",
    "reconstruct run some.npz#3": "some.npz has 3 images, so there is no #3; give some.npz#0 to #2",
    "reconstruct run a.png#1": "a.png has 1 image, so there is no #1; give a.png#0",
    "reconstruct run some.npz#first": "'some.npz#first' names no image; write FILE#INDEX, counted from 0, such as "
    "some.npz#0",
    "reconstruct run a.png --split test": "--split chooses among the files of --file; give --file, or leave --split "
    "out. See 'seqvae reconstruct --help'.",
    "reconstruct run a.png --beam 2": "beam=2 is for sequences, and this model makes all at once; leave it out",
    "reconstruct run a.png --encoding latin-1": "--encoding is for text, and this is a model of images; leave it out. "
    "See 'seqvae reconstruct --help'.",
    "evaluate run a.png --split-csv x.csv": "--split-csv is for drums, groove, melody and trio, and this is a model of "
    "images; leave it out. See 'seqvae evaluate --help'.",
    "sample run --formats png": "--formats is for drums, groove, melody and trio, and this is a model of images; leave "
    "it out. See 'seqvae sample --help'.",
    "interpolate run a.png some.npz": "'some.npz' gives 3 items where one is needed; give one, such as some.npz#0. See "
    "'seqvae interpolate --help'.",
    "decode run": "give either a file of codes, LATENTS.npz, or codes with --at, such as --at 0,2.5. See 'seqvae "
    "decode --help'.",
    "decode run codes.npz --at 0,1": "give either a file of codes, LATENTS.npz, or codes with --at, such as --at "
    "0,2.5. See 'seqvae decode --help'.",
    "decode run some.npz": "some.npz holds no codes (an .npz file with an array 'mean'); write one with seqvae encode",
    "decode run --at 0": "--at 0 has 1 number; this model has 2 units. See 'seqvae decode --help'.",
    "decode run --at 0,x": "--at 0,x is no code; give numbers with commas, such as --at 0,2.5. See 'seqvae decode "
    "--help'.",
    "sample run --out a.png": "a.png is a file; give --out a folder",
    "data mnist --from nowhere": "there is no folder nowhere; give --from the folder of the downloaded files",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    line: str, seqvae: Call, refused: Callable[[Result, str], None], place: Path
) -> None:
    prepare_bad_folders()
    before = sorted(place.rglob("*"))
    result = seqvae(*line.split())
    refused(result, REFUSED[line])
    assert len(result.stderr.splitlines()) == 1
    assert sorted(place.rglob("*")) == before


def test_colours_are_refused_by_a_model_of_grey_levels(seqvae: Call, place: Path) -> None:
    prepare_bad_folders()
    for line in (["evaluate", "run", "colour.png"], ["reconstruct", "run", "colour.png"]):
        result = seqvae(*line)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
        assert result.stderr.startswith("colour.png is 5 x 4 RGB, and 5 x 4 grey is needed; ")
        assert "train with data.channels=rgb" in result.stderr


def test_unreadable_images_among_good_ones_are_left_out_and_told(seqvae: Call, place: Path) -> None:
    for number, pixels in enumerate(stack(4, 5, 4)):
        write_image(Path(f"mixed/{number}.png"), pixels)
    Path("mixed/4.png").write_bytes(b"hello")
    Path("mixed/5.png").write_bytes(Path("mixed/0.png").read_bytes()[:50])
    told = [
        "4 image files read", "1 unreadable image file skipped: it is in no known image format, such as mixed/4.png",
        "1 unreadable image file skipped: it is truncated or damaged, such as mixed/5.png",
    ]  # fmt: skip
    result = seqvae("train", "images", "mixed", "--out", "new", *TINY)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[:4] == ["train: 4 items from mixed", *(f"  {line}" for line in told)]
    assert f"    {told[2]}\n" in seqvae("info", "new").stdout
    result = seqvae("encode", "run", "--file", "mixed", "--out", "codes.npz")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        *(f"mixed: {line}" for line in told), "4 codes of 2 units written to codes.npz",
    ]  # fmt: skip


def test_an_input_is_never_overwritten(seqvae: Call, refused: Callable[[Result, str], None], place: Path) -> None:
    assert seqvae("sample", "run", "-n", 3).exit_code == 0
    before = {path: path.read_bytes() for path in Path("run/sample").iterdir()}
    for line in (["reconstruct", "run", "run/sample/001.png"], ["interpolate", "run", "run/sample/002.png", "a.png"]):
        refused(
            seqvae(*line, "--out", "run/sample"),
            f"{line[2]} is an input and would be overwritten; give --out another folder",
        )
        assert {path: path.read_bytes() for path in Path("run/sample").iterdir()} == before
    shutil.copy("a.png", "plane.png")
    for line, path, remedy in (
        ("encode run a.png --out a.png", "a.png", "--out another file"),
        ("encode run --file a.png --out a.png", "a.png", "--out another file"),
        ("evaluate run a.png --json a.png", "a.png", "--json another file"),
        ("plot run plane.png --out .", "plane.png", "--out another folder"),
    ):
        refused(seqvae(*line.split()), f"{path} is an input and would be overwritten; give {remedy}")
    assert seqvae("similar", "run", "a.png", "-n", 3).exit_code == 0
    kept = Path("run/similar/003.png").read_bytes()
    assert seqvae("similar", "run", "run/similar/003.png", "-n", 1).exit_code == 0
    assert sorted(path.name for path in Path("run/similar").glob("[!.]*")) == ["001.png", "003.png", "images.png"]
    assert Path("run/similar/003.png").read_bytes() == kept


def test_published_digits_are_told_from_others_of_the_same_names(seqvae: Call, place: Path) -> None:
    write_idx(Path("mine/train-images-idx3-ubyte.gz"), stack(7, 5, 4))
    result = seqvae("data", "mnist", "--from", "mine", "--to", "new")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "mine/train-images-idx3-ubyte.gz" in result.stderr
    assert not list(place.glob("new/*"))
