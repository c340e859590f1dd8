"""Reading checkpoints: in each of their forms, and damaged or hostile ones in bounded memory."""

import struct
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seqvae.magenta.bundle import Bundle
from seqvae.magenta.places import find_checkpoint
from seqvae.magenta.runs import import_magenta
from tests.magenta import models, writer
from tests.magenta.models import FAMILIES, FIXTURE

INDEX, SHARD = "model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001"
HUGE = 10**12


def bundle(path: Path) -> Bundle:
    return Bundle(find_checkpoint(path))


def checkpoint(folder: Path) -> Path:
    """A whole checkpoint; the prefix of its files."""
    return writer.write(folder, models.nade() | {"global_step": np.array(7)})


def test_every_variable_is_read_as_it_was_written(tmp_path: Path) -> None:
    variables = {**models.nade(), "global_step": np.array(7), "wide": np.arange(30_000, dtype=np.float64)}
    found = bundle(writer.write(tmp_path, variables))
    assert found.shapes == {name: values.shape for name, values in variables.items()}
    for name, values in variables.items():
        assert found.read(name).dtype == values.dtype
        assert np.array_equal(found.read(name), values)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_variable_of_tensorflows_own_files_has_its_checksum(family: str) -> None:
    found = bundle(FIXTURE / family)
    for name, shape in found.shapes.items():
        assert found.read(name).shape == shape
    assert found.shapes["encoder/mu/kernel"] == ({"cat-mel_3layer_enc2": 28}.get(family, 32), 8)


def test_a_checkpoint_is_found_by_folder_prefix_part_and_tar(tmp_path: Path) -> None:
    prefix = checkpoint(tmp_path / "files")
    with tarfile.open(tmp_path / "model.tar", "w") as tar:
        tar.add(tmp_path / "files", "deep/er")
    expected = bundle(prefix).read("encoder/mu/bias")
    for path in (tmp_path / "files", tmp_path / "files" / INDEX, tmp_path / "files" / SHARD, tmp_path / "model.tar"):
        assert np.array_equal(bundle(path).read("encoder/mu/bias"), expected)


def test_of_several_checkpoints_the_folders_own_newest_is_taken(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    writer.write(tmp_path, {"global_step": np.array(9)}, "model.ckpt-9")
    with pytest.raises(ValueError, match=r"holds several checkpoints \(model.ckpt-7, model.ckpt-9\); give the prefix"):
        bundle(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/a/path/of/old/model.ckpt-9"\n')
    assert bundle(tmp_path).read("global_step") == 9


def _missing(folder: Path) -> Path:
    return folder / "nothing"


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _no_tar(folder: Path) -> Path:
    (folder / "song.mid").write_bytes(b"MThd" * 300)
    return folder / "song.mid"


def _packed_tar(folder: Path) -> Path:
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / INDEX)
    return folder / "model.tar.gz"


def _short_tar(folder: Path) -> Path:
    with tarfile.open(folder / "model.tar", "w") as tar:
        tar.add(folder / INDEX, INDEX)
        tar.add(folder / SHARD, SHARD)
    content = (folder / "model.tar").read_bytes()
    (folder / "model.tar").write_bytes(content[: content.index(SHARD.encode()) + 700])
    return folder / "model.tar"


def _tar_of(kind: bytes, size: bytes) -> Callable[[Path], Path]:
    """A .tar whose first header claims a size of whatever its kind is: L is a long name, 0 a file."""

    def change(folder: Path) -> Path:
        header = bytearray(512)
        header[:8], header[100:108], header[124:136], header[156:157] = b"name.ind", b"0000644\0", size, kind
        header[148:156] = b"%06o\0 " % (sum(header) + 8 * 32)
        (folder / "model.tar").write_bytes(header + bytes(2048))
        return folder / "model.tar"

    return change


def _no_shard(folder: Path) -> Path:
    (folder / SHARD).unlink()
    return folder


def _short_shard(folder: Path) -> Path:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:-3])
    return folder


def _wrong_value(folder: Path) -> Path:
    content = bytearray((folder / SHARD).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / SHARD).write_bytes(content)
    return folder


def _wrong_index(folder: Path) -> Path:
    content = bytearray((folder / INDEX).read_bytes())
    content[40] ^= 1
    (folder / INDEX).write_bytes(content)
    return folder


def _short_index(folder: Path) -> Path:
    (folder / INDEX).write_bytes((folder / INDEX).read_bytes()[:-1])
    return folder


def _with_entries(*entries: tuple[bytes, bytes], kind: int = 0) -> Callable[[Path], Path]:
    def change(folder: Path) -> Path:
        (folder / INDEX).write_bytes(writer.table([(b"", writer.HEADER), *entries], kind=kind))
        return folder

    return change


def _large_index(folder: Path) -> Path:
    with open(folder / INDEX, "r+b") as file:
        file.truncate(1 << 40)  # of holes
    return folder


def _far_block(folder: Path) -> Path:
    content = (folder / INDEX).read_bytes()
    footer = (writer.handle(0, 8) + writer.handle(100, HUGE)).ljust(40, b"\0") + content[-8:]
    (folder / INDEX).write_bytes(content[:-48] + footer)
    return folder


def _long_entry(folder: Path) -> Path:
    content = writer.varint(0) + writer.varint(HUGE) + writer.varint(5) + b"name" + struct.pack("<II", 0, 1)
    index = writer.block([(b"z", writer.handle(0, len(content)))])
    whole = content + b"\0" + writer.masked(content + b"\0")
    footer = (writer.handle(0, 8) + writer.handle(len(whole), len(index) - 5)).ljust(40, b"\0")
    (folder / INDEX).write_bytes(whole + index + footer + (folder / INDEX).read_bytes()[-8:])
    return folder


NONE = bytes(4)
BIAS = b"encoder/mu/bias"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_missing, r"there is no checkpoint .*nothing; give a \.tar, a folder, or the prefix"),
        (_empty, r"holds no checkpoint of TensorFlow"),
        (_no_tar, r"song\.mid is no \.tar, nor a part of a checkpoint"),
        (_packed_tar, r"packed by gzip; unpack it first"),
        (_short_tar, r"model\.tar/model\.ckpt-7\.data-00000-of-00001 is cut short: it is to have [\d,]+"),
        (_tar_of(b"L", b"%011o\0" % ((8 << 30) - 1)), r"is no \.tar|holds no checkpoint"),
        (_tar_of(b"L", b"\x80" + b"\x7f" * 11), r"is no \.tar|holds no checkpoint"),
        (_tar_of(b"0", b"\x80" + b"\x7f" * 11), r"is no \.tar|is cut short"),
        (_no_shard, r"names model\.ckpt-7\.data-00000-of-00001, which is not beside it"),
        (_short_shard, r"00001 is cut short: it needs [\d,]+ bytes and has [\d,]+"),
        (_wrong_value, r"00001 is damaged \(the checksum of [\w/]+ is wrong\)"),
        (_wrong_index, r"index is damaged \(the checksum of the block at byte 0 is wrong\)"),
        (_short_index, r"is no index of a checkpoint, or is cut short"),
        (_with_entries(kind=1), r"index is packed by snappy, which is not read here"),
        (_with_entries(kind=9), r"of the unknown kind 9"),
        (_large_index, r"index has 1,099,511,627,776 bytes, and no index of a checkpoint has more"),
        (_far_block, r"a block is to end at byte 1,000,000,000,105"),
        (_long_entry, r"an entry is longer than its block"),
        (_with_entries((b"k" * 1001, b"")), r"a key has 1,001 bytes"),
        (_with_entries((b"b", b""), (b"a", b"")), r"its keys are not in order"),
        (_with_entries((BIAS, writer.entry(1, (HUGE,), 0, 4 * HUGE, NONE))), r"it needs 4,000,000,000,000 bytes"),
        (
            _with_entries((BIAS, writer.entry(1, (HUGE, HUGE), 0, 8, NONE))),
            r"mu/bias is 1,000,000,000,000 x .* 8 bytes",
        ),
        (_with_entries((BIAS, writer.entry(1, (HUGE, 0), 0, 0, NONE))), r"mu/bias is 1,000,000,000,000 x 0 and has 0"),
        (_with_entries((BIAS, writer.entry(1, (2,), HUGE, 8, NONE))), r"it needs 1,000,000,000,008 bytes"),
        (_with_entries((BIAS, writer.entry(1, (1,) * 9, 0, 4, NONE))), r"a variable of 9 axes"),
        (
            _with_entries((BIAS, writer.entry(1, (2,), 0, 8, NONE, shard=3))),
            r"names model\.ckpt-7\.data-00003-of-00001",
        ),
        (_with_entries((BIAS, writer.message([(7, b"")]))), r"variables in slices"),
        (_with_entries((BIAS, b"\x0a\x7f")), r"a field is longer than its message"),
        (_with_entries((BIAS, b"\xff" * 30)), r"a number has no end"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_is_no_whole_checkpoint_is_refused_in_bounded_memory(
    change: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    checkpoint(folder)
    path = change(folder)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words) as caught:
            import_magenta(path, tmp_path / "run")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 1 << 27  # a recipe is read with 64 MB at hand
    assert not (tmp_path / "run").exists()


def test_an_index_that_repeats_itself_is_refused_by_the_number_of_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqvae.magenta.tables.MOST_ENTRIES", 5)
    with pytest.raises(ValueError, match="it has more than 5 keys"):
        bundle(checkpoint(tmp_path))
