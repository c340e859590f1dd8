"""Corpora that are fetched from the network, each file known by its hash."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seqvae.files import write_atomically

Progress = Callable[[int, int, str], None]  # bytes that are there, bytes of the whole, the file's name

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Known:
    """A file of a corpus: its name, length and sha256."""

    name: str
    size_bytes: int
    sha256: str


MNIST = (
    Known("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    Known("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    Known("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    Known("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)


def mnist(folder: Path, from_folder: Path | None = None, progress: Progress | None = None) -> list[Path]:
    """MNIST's four files in a folder, downloaded or copied from another folder; their paths.

    A file that is already there is kept. Raises ValueError when no mirror gives a file as it is known, when
    `from_folder` does not hold it, or when another file stands in its place.
    """
    return fetch(MNIST, MIRRORS, folder, from_folder, progress)


def fetch(
    files: Sequence[Known],
    mirrors: Sequence[str],
    folder: Path,
    from_folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """The files in a folder, from the first of the mirrors that gives them as they are known; their paths.

    Raises ValueError as `mnist` does. What came before stays, and a next call goes on from there.
    """
    wanted = [file for file in files if not _is_there(folder / file.name, file)]
    copies = [_copy_of(file, from_folder) for file in wanted] if from_folder else []
    folder.mkdir(parents=True, exist_ok=True)
    if from_folder:
        for file, copy in zip(wanted, copies, strict=True):
            write_atomically(folder / file.name, copy)
    else:
        for file in wanted:
            _download(file, mirrors, folder, progress)
    return [folder / file.name for file in files]


def _is_there(path: Path, file: Known) -> bool:
    """Whether the file is there, as it is known. Raises ValueError when it is another."""
    if not path.exists():
        return False
    if not path.is_file() or path.stat().st_size != file.size_bytes or _sha256(path.read_bytes()) != file.sha256:
        raise ValueError(
            f"{path} is there and is not the file of that name that is to be fetched; move it away, or give another "
            "folder"
        )
    return True


def _copy_of(file: Known, folder: Path) -> bytes:
    """The content of a file of a folder. Raises ValueError when it is not there, or not as it is known."""
    path = folder / file.name
    if not path.is_file():
        raise ValueError(f"there is no file {path}; give a folder that holds {file.name} and the others, as downloaded")
    content = path.read_bytes() if path.stat().st_size == file.size_bytes else b""
    if _sha256(content) != file.sha256:
        raise ValueError(
            f"{path} is damaged or another file: it has {path.stat().st_size:,} bytes and sha256 "
            f"{_sha256(path.read_bytes())[:12]}..., where {file.size_bytes:,} and {file.sha256[:12]}... are expected; "
            "get it again"
        )
    return content


def _download(file: Known, mirrors: Sequence[str], folder: Path, progress: Progress | None) -> None:
    """One file. Raises ValueError with what went wrong at each mirror."""
    import pooch
    from requests.exceptions import ChunkedEncodingError, RequestException

    pooch.get_logger().setLevel("ERROR")
    bar = _Bar(file, progress) if progress else False
    failures = []
    for mirror in mirrors:
        place = urlsplit(mirror).netloc
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT_SECONDS)
        try:
            pooch.retrieve(
                mirror + file.name, f"sha256:{file.sha256}", fname=file.name, path=folder, downloader=downloader
            )
            return
        except ChunkedEncodingError:
            failures.append(f"{place} breaks off in the middle")
        except RequestException as error:
            status = error.response.status_code if error.response is not None else None
            failures.append(f"{place} " + (f"answers with status {status}" if status else "cannot be reached"))
        except ValueError:  # how pooch reports a wrong hash
            failures.append(f"{place} sends a damaged or another file")
    raise ValueError(
        f"{file.name} cannot be downloaded: {' and '.join(failures)}; try again online, or put it into {folder}"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Bar:
    """Passes on to a Progress what pooch reports to a bar."""

    def __init__(self, file: Known, progress: Progress) -> None:
        self.total = 0  # pooch sets it to what the server promises
        self._file, self._progress, self._done = file, progress, 0

    def update(self, count: int) -> None:
        """So many more bytes are there."""
        self._done += count
        self._progress(min(self._done, self._file.size_bytes), self._file.size_bytes, self._file.name)

    def reset(self) -> None:
        """From the start."""
        self._done = 0

    def close(self) -> None:
        """Does nothing: no file is open."""
