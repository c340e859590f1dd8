"""Clearing the cache deletes what seqvae wrote into it, and nothing of anybody else."""

import json
import os
from pathlib import Path

import pytest

from seqvae import corpus as corpora
from seqvae.cache import MARK, cache_folder, claim, clear_cache, corpora_folder
from seqvae.corpus import Corpus, prepare
from tests.digits import Digits


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def corpus(tmp_path: Path, text: str = "312\n4\n") -> Path:
    """The folder of a corpus in the cache."""
    source = tmp_path / "digits.txt"
    source.write_text(text)
    return prepare(Digits(), [source]).folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_cache_stands_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(cache_folder()) == os.environ["SEQVAE_CACHE"]
    monkeypatch.delenv("SEQVAE_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "seqvae"


def test_all_that_was_cached_is_deleted_and_counted(cache: Path, tmp_path: Path) -> None:
    folders = [corpus(tmp_path), corpus(tmp_path, "77\n")]
    (corpora_folder() / ".writing-ab_0123x").mkdir()  # of a process that was killed
    (corpora_folder() / ".writing-ab_0123x" / "steps.bin").write_bytes(b"123")
    (corpora_folder() / ".damaged-01234567").mkdir()
    folders[1].rename(corpora_folder() / ".damaged-01234567" / folders[1].name)
    size = sum(len(content) for name, content in tree(cache).items() if not name.endswith(MARK))
    cleared = clear_cache()
    assert (cleared.bytes, cleared.kept) == (size, [])
    assert list(cache.iterdir()) == []
    assert clear_cache().bytes == 0


def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(cache: Path) -> None:
    cache.mkdir()
    (cache / "diary.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"diary\.txt was not written by seqvae, and .*nothing was deleted; check SEQ"):
        clear_cache()
    (cache / "corpora").mkdir()
    (cache / "corpora" / "letters").mkdir()
    (cache / "corpora" / "letters" / "one.txt").write_text("dear")
    before = tree(cache)
    with pytest.raises(ValueError, match=r"corpora/letters is not as seqvae wrote it, and .*nothing was deleted"):
        clear_cache()
    assert tree(cache) == before == {"diary.txt": b"dear", "corpora/letters/one.txt": b"dear"}


def test_training_does_not_mark_a_folder_of_somebody_else_as_its_own(cache: Path, tmp_path: Path) -> None:
    (cache / "corpora").mkdir(parents=True)
    (cache / "corpora" / "letter.txt").write_text("dear")
    with pytest.raises(
        ValueError, match=r"corpora/letter\.txt was not written by seqvae, .*set SEQVAE_CACHE to another"
    ):
        corpus(tmp_path)
    assert tree(cache) == {"corpora/letter.txt": b"dear"}


def test_what_lies_beside_and_within_the_cache_stays(cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (cache / "diary.txt").write_text("dear")
    folder = corpus(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "steps.bin").write_text("mine")
    (corpora_folder() / ("0" * 32)).symlink_to(outside)
    (corpora_folder() / ("1" * 32)).mkdir()
    (corpora_folder() / ("1" * 32) / "steps.bin").symlink_to(outside / "steps.bin")
    (folder / "notes.txt").write_text("mine")
    cleared = clear_cache()
    assert cleared.bytes > 0
    assert {path.name for path in cleared.kept} == {"0" * 32, "1" * 32, "steps.bin", "notes.txt"}
    assert tree(outside) == {"steps.bin": b"mine"}
    assert set(tree(cache)) == {
        "diary.txt", f"corpora/{MARK}", f"corpora/{folder.name}/notes.txt", f"corpora/{'1' * 32}/steps.bin",
    }  # fmt: skip
    assert (cache / "corpora" / ("0" * 32)).is_symlink()


def test_a_folder_that_bears_the_name_of_a_corpus_and_not_its_hashes_stays(cache: Path, tmp_path: Path) -> None:
    own = corpus(tmp_path)
    letters = corpora_folder() / "0123456789abcdef0123456789abcdef"
    letters.mkdir()
    (letters / "steps.bin").write_text("dear")
    cleared = clear_cache()
    assert cleared.kept == [letters]
    assert (letters / "steps.bin").read_text() == "dear"
    assert not own.exists()


def test_a_cache_of_an_older_version_is_cleared_when_its_hashes_are_right(cache: Path, tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    (corpora_folder() / MARK).unlink()
    (folder / "offsets.bin").write_bytes(b"somebody else's")
    with pytest.raises(ValueError, match=rf"corpora/{folder.name} is not as seqvae wrote it"):
        clear_cache()
    assert (folder / "offsets.bin").read_bytes() == b"somebody else's"
    (folder / "offsets.bin").unlink()
    meta = json.loads((folder / "corpus.json").read_text())
    del meta["sha256"]["offsets.bin"]
    (folder / "corpus.json").write_text(json.dumps(meta))
    assert clear_cache().bytes > 0
    assert list(cache.iterdir()) == []


def test_a_cache_of_an_older_version_is_gone_on_with(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    (corpora_folder() / MARK).unlink()
    claim()
    assert (corpora_folder() / MARK).is_file()
    assert folder.is_dir()


def test_a_link_in_the_place_of_the_cache_is_refused_and_one_above_it_is_followed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").mkdir()
    cache.symlink_to(tmp_path / "large")
    corpus(tmp_path)
    assert (tmp_path / "large" / "corpora" / MARK).is_file()
    monkeypatch.setenv("SEQVAE_CACHE", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "corpora").symlink_to(tmp_path / "large" / "corpora")
    before = tree(tmp_path / "large")
    for use in (clear_cache, lambda: corpus(tmp_path, "9\n")):
        with pytest.raises(ValueError, match=r"other/corpora is a link, and seqvae follows no link out of a folder"):
            use()
    assert tree(tmp_path / "large") == before


def test_a_file_of_somebody_else_in_a_damaged_corpus_is_not_thrown_away(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    (folder / "corpus.json").write_text("{")
    (folder / "diary.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"diary\.txt stands in the cache and was not written by seqvae; move it away"):
        corpus(tmp_path)
    assert (folder / "diary.txt").read_text() == "dear"


def test_a_damaged_corpus_that_another_process_moves_away_first_is_no_file_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpus(tmp_path)
    (folder / "corpus.json").write_text("{")

    class Slow(Corpus):
        """A corpus that is gone once it was found damaged."""

        def __init__(self, place: Path, modality: Digits) -> None:
            try:
                super().__init__(place, modality)
            except ValueError:
                place.rename(tmp_path / "away")
                raise

    monkeypatch.setattr(corpora, "Corpus", Slow)
    assert corpus(tmp_path) == folder
