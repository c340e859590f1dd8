"""Bad input: one plain sentence with the remedy, exit code 2, no traceback, nothing lost or half-written."""

import gzip
import hashlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from seqvae.config import MOST_NAMES

LINES = b"the cook sees the pie .\nthe dog eats the seal .\nthe girl sees the tree .\n"

REFUSED_FILES = {
    "empty.txt": (b"", "empty.txt is empty; give a text file with at least one example."),
    "blank.txt": (b"\n \n\t\n", "blank.txt holds no text in its 3 lines; give a text file with at least one example."),
    "binary.dat": (
        bytes(range(256)),
        "binary.dat looks like a binary file (NUL byte at line 1, column 1); give a plain text file, or pass "
        "--encoding utf-16 if that is what it is.",
    ),
    "nul.txt": (
        LINES + b"the \0 .\n",
        "nul.txt looks like a binary file (NUL byte at line 4, column 5); give a plain text file, or pass "
        "--encoding utf-16 if that is what it is.",
    ),
    "latin.txt": (
        LINES + "the caf\xe9 .\n".encode("latin-1"),
        "latin.txt line 4 is not UTF-8 (byte 0xe9 at column 8); re-encode it, or pass --encoding latin-1.",
    ),
    "folder": (
        "folder",
        "folder holds no text file (.txt, .text, .txt.gz), but no file at all; give text files, or a folder of them.",
    ),
    "words.docx": (
        b"PK\x03\x04" + bytes(30),
        "words.docx is a zip (or an office document), not text; give the text of it as a plain file.",
    ),
    "torn.txt.gz": (
        gzip.compress(LINES * 99)[:-20],
        "torn.txt.gz is truncated or damaged: it does not unpack; get the file again.",
    ),
}


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_a_file_that_cannot_be_read_is_refused_by_every_command_that_reads(
    name: str, seqvae: Callable[..., Result], refused: Callable[..., None], run: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    content, sentence = REFUSED_FILES[name]
    if content == "folder":
        Path(name).mkdir()
    else:
        Path(name).write_bytes(content)
    refused(seqvae("train", "text", name, "--out", "run"), sentence)
    assert not Path("run").exists()
    refused(seqvae("inspect", "text", name), sentence)
    refused(seqvae("evaluate", run, name), sentence)
    refused(seqvae("reconstruct", run, "--file", name), sentence)


@pytest.mark.parametrize("command", ["train", "inspect", "evaluate", "reconstruct"])
def test_a_missing_file_is_named(command: str, seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    before = {
        "train": ["train", "text", "--out", "run"],
        "inspect": ["inspect", "text"],
        "evaluate": ["evaluate", run],
        "reconstruct": ["reconstruct", run, "--file"],
    }
    result = seqvae(*before[command], "sentenes.txt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("there is no file ")
    assert "sentenes.txt" in result.stderr.splitlines()[-1]
    assert not (here / "run").exists()


READ_FILES = {
    "crlf": (LINES.replace(b"\n", b"\r\n"), [], 3, 10),
    "byte order mark": (b"\xef\xbb\xbf" + LINES, [], 3, 10),
    "latin-1": (LINES + b"the caf\xe9 .\n", ["--encoding", "latin-1"], 4, 11),
    "one line": (b"the only one .", [], 1, 4),
    "a line of 1 MB": (LINES + b"pie " * 250_000 + b"\n", [], 4, 10),
}


@pytest.mark.parametrize("name", READ_FILES)
def test_an_unusual_file_trains(
    name: str, seqvae: Callable[..., Result], tiny: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, options, items, words = READ_FILES[name]
    Path("data.txt").write_bytes(content)
    result = seqvae("train", "text", "data.txt", "--out", "run", *tiny, *options)
    assert result.exit_code == 0, result.stderr
    assert json.loads(Path("run/data.json").read_text())["train"]["items"] == items
    assert seqvae("sample", "run", "-n", 2).exit_code == 0
    inspected = seqvae("inspect", "text", "data.txt", "--tokenizer", "word", *options).stdout
    assert f"items: {items}\n" in inspected
    assert f"vocabulary: {words + 2} tokens\n" in inspected  # the end of sequence and the unknown word


@pytest.mark.parametrize("command", ["evaluate", "reconstruct", "encode"])
def test_the_encoding_of_a_file_can_be_given_to_every_command_that_reads(
    command: str, seqvae: Callable[..., Result], refused: Callable[..., None], run: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("data.txt").write_bytes("the caf\xe9 .\nthe dog .\n".encode("latin-1"))
    file = {"evaluate": ["data.txt", "--importance-samples", 2], "encode": ["--file", "data.txt", "--out", "x.npz"]}
    line = [command, run, *file.get(command, ["--file", "data.txt"])]
    sentence = "data.txt line 1 is not UTF-8 (byte 0xe9 at column 8); re-encode it, or pass --encoding latin-1."
    refused(seqvae(*line), sentence)
    result = seqvae(*line, "--encoding", "latin-1")
    assert result.exit_code == 0, result.stderr
    assert ": 1 unknown token\n" in result.stderr  # the coffee house: read whole, though the model never saw it


def test_sentences_that_the_model_does_not_know_are_told_one_by_one(seqvae: Callable[..., Result], run: Path) -> None:
    result = seqvae("reconstruct", run, "the dog sees the zz .", "the girl eats the tree .", "")
    count, one, other = result.stderr.splitlines()
    assert count == "input: 1 unknown token"
    assert one == "input: the model does not know zz of 'the dog sees the zz .'; give other words"
    assert other.startswith("input: the model knows nothing of '', ")
    flood = seqvae("reconstruct", run, *(f"zz{number}" for number in range(9))).stderr.splitlines()
    assert len(flood) == 1 + MOST_NAMES


def test_bytes_of_the_standard_input_that_are_no_text_are_named(
    seqvae: Callable[..., Result], refused: Callable[..., None], run: Path
) -> None:
    content = LINES + "the caf\xe9 .\n".encode("latin-1")
    refused(
        seqvae("reconstruct", run, "-", stdin=content),
        "standard input line 4 is not UTF-8 (byte 0xe9 at column 8); re-encode it, or pass --encoding latin-1.",
    )
    result = seqvae("reconstruct", run, "-", "--encoding", "latin-1", stdin=content)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)


def test_an_empty_path_is_refused(seqvae: Callable[..., Result], refused: Callable[..., None], here: Path) -> None:
    refused(
        seqvae("train", "text", "", "--out", "run"),
        "Invalid value for '[DATA]...': the path is empty; give the path of a file or folder. "
        "See 'seqvae train text --help'.",
    )


def test_what_is_cut_is_counted_in_the_run(
    seqvae: Callable[..., Result], tiny: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.txt").write_bytes(LINES + b"pie " * 250_000 + b"\n")
    seqvae("train", "text", "data.txt", "--out", "run", *tiny)
    assert "    1 item longer than 256 tokens, cut\n" in seqvae("info", "run").stdout


def rewrite_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change config.json as a person would who also mends the manifest."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    content = json.dumps(config).encode()
    (folder / "config.json").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config.json"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def flip_a_bit(folder: Path) -> None:
    for path in folder.glob("checkpoints/*/weights.safetensors"):
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def make_foreign(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Other"]}')


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (
        flip_a_bit,
        "copy/checkpoints/step-00000006/weights.safetensors is damaged (its sha256 is not the manifest's); restore it "
        "from a copy",
    ),
    "no tokenizer": (
        lambda folder: (folder / "modality" / "tokenizer.json").unlink(),
        "copy/modality/tokenizer.json is missing or not in its manifest; restore the folder from a copy",
    ),
    "a changed tokenizer": (
        lambda folder: truncate(folder / "modality" / "tokenizer.json"),
        "copy/modality/tokenizer.json is damaged (its sha256 is not the manifest's); restore it from a copy",
    ),
    "a truncated configuration": (
        lambda folder: truncate(folder / "config.json"),
        "copy/config.json is damaged (its sha256 is not the manifest's); restore it from a copy",
    ),
    "no manifest": (
        lambda folder: (folder / "manifest.json").unlink(),
        "copy is not a whole run folder (it has no manifest.json); restore it from a copy",
    ),
    "no checkpoint": (
        lambda folder: shutil.rmtree(folder / "checkpoints"),
        "copy holds no checkpoint yet; train it first, or continue it with --resume",
    ),
    "a model of other software": (
        make_foreign,
        "copy is not a whole run folder (it has no manifest.json); restore it from a copy",
    ),
    "an empty folder": (
        lambda folder: (shutil.rmtree(folder), folder.mkdir()),
        "copy is not a run folder (no config.json in it); give the --out folder of a training",
    ),
    "a later format": (
        lambda folder: rewrite_config(folder, lambda config: config.update(format=9)),
        "copy has run format 9; this version reads 1 and 2: use the version of seqvae that wrote it",
    ),
    "another size": (
        lambda folder: rewrite_config(folder, lambda config: config["model"].update(latent=5)),
        "the weights in copy do not fit its configuration (decoder.recurrence.lstm.weight_ih_l0 differs); restore the "
        "folder from a copy",
    ),
    "another tokenizer": (
        lambda folder: rewrite_config(folder, lambda config: config["data"].update(tokenizer="unigram")),
        "copy/modality/tokenizer.json holds a tokenizer of kind 'word', not 'unigram'; set data.tokenizer=word, or "
        "give another folder",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_folder_is_told_and_left_as_it_is(
    damage: str, seqvae: Callable[..., Result], refused: Callable[..., None], run: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "copy")
    spoil, sentence = DAMAGE[damage]
    spoil(Path("copy"))
    before = {path: path.read_bytes() for path in Path("copy").rglob("*") if path.is_file()}
    refused(seqvae("sample", "copy"), sentence)
    assert {path: path.read_bytes() for path in Path("copy").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda config: config["model"].update(latnt=3), "no configuration key 'model.latnt'"),
        (lambda config: config.update(modality="dreams"), "no modality 'dreams'"),
    ],
    ids=["a key", "a modality"],
)
def test_what_this_version_does_not_know_in_a_run_is_named(
    change: Callable[[dict[str, Any]], Any], fault: str, seqvae: Callable[..., Result], run: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "copy")
    rewrite_config(Path("copy"), change)
    result = seqvae("sample", "copy")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert fault in result.stderr


@pytest.mark.parametrize("command", ["sample", "info", "encode"])
@pytest.mark.parametrize(
    ("name", "state"), [("nowhere", "not there"), ("sentences.txt", "it is a file")], ids=["nothing", "a file"]
)
def test_what_is_no_run_is_refused(
    command: str, name: str, state: str, seqvae: Callable[..., Result], refused: Callable[..., None], here: Path
) -> None:
    extra = ["a", "--out", "codes.npz"] if command == "encode" else []
    refused(seqvae(command, name, *extra), f"{name} is not a run folder ({state}); give the --out folder of a training")
    assert not (here / "codes.npz").exists()


def test_a_path_below_a_file_is_refused(
    seqvae: Callable[..., Result], refused: Callable[..., None], tiny: Sequence[str], here: Path
) -> None:
    result = seqvae("train", "text", "sentences.txt", "--out", "sentences.txt/run", *tiny)
    assert result.exit_code == 2
    assert "sentences.txt" in result.stderr.splitlines()[-1]
    assert [path.name for path in here.iterdir()] == ["sentences.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "where"), [(200, ""), (6000, " for run/checkpoints")], ids=["in the cache", "in the run"]
)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    limit: int, where: str, environment: dict[str, str], tiny: Sequence[str], here: Path
) -> None:
    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "seqvae", "train", "text", "sentences.txt", "--out", "run", *tiny]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=limit_files,
        env={**environment, "SEQVAE_CACHE": str(here / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == (
        f"no space left on the disk{where}; free some, or set SEQVAE_CACHE (the cache of encoded data) or --out to "
        "another disk"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert not [path for path in here.rglob("*") if ".writing-" in path.name]
    assert not list(here.glob("run/checkpoints/step-*"))


@pytest.mark.slow
def test_after_a_full_disk_the_run_can_be_resumed(
    environment: dict[str, str], seqvae: Callable[..., Result], tiny: Sequence[str], here: Path
) -> None:
    command = [sys.executable, "-m", "seqvae", "train", "text", "sentences.txt", "--out", "run", *tiny]
    subprocess.run(
        command, check=False, capture_output=True, env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )  # fmt: skip
    result = seqvae("train", "text", "--resume", "--out", "run")
    assert result.exit_code == 0, result.stderr
    assert "validation at step 6 (epoch 2.0): " in result.stderr
