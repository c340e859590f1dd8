"""A trained model: items to latent codes and back. The Python API."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from seqvae import generate
from seqvae.build import build_vae, load_weights, open_run, pick_device, weights_of
from seqvae.core.posterior import DiagonalGaussian
from seqvae.core.vae import VAE
from seqvae.corpus import prepare
from seqvae.evaluate import Settings, Watch, evaluate
from seqvae.generate import Decoding
from seqvae.modalities.base import Modality, Report
from seqvae.runs.run import Checkpoint, Run
from seqvae.settings import Config


class Model:
    """A VAE with its modality: items to latent codes and back.

    What is longer than one code stands for, such as a song of many bars, is cut into windows and put together again.
    """

    def __init__(self, config: Config, modality: Modality, vae: VAE, run: Run | None = None) -> None:
        self.config = config
        self.modality = modality
        self.vae = vae.requires_grad_(False)
        self.run = run

    @staticmethod
    def load(path: Path | str, device: str = "auto") -> "Model":
        """The model of a run folder: its best weights by the bound on the validation data, else the last.

        The bound is the ELBO with beta = 1, or the importance-weighted one where that was trained on.

        Raises ValueError when the folder is not a run, is damaged, or when this machine lacks the device.
        """
        run, config, modality = open_run(Path(path))
        vae = build_vae(config, modality)
        load_weights(vae, run.weights(run.best_step()), run.path)
        return Model(config, modality, vae.to(pick_device(device)), run)

    def save(self, folder: Path | str) -> None:
        """Write the model into a new folder that `load` reads. Raises ValueError when the folder is in use."""
        folder = Path(folder)
        if folder.exists() and (folder.is_file() or any(folder.iterdir())):
            raise ValueError(f"{folder} is in use; give a new or empty folder")
        settings = {name: value for name, value in (self.run.settings if self.run else {}).items() if name != "format"}
        report = self.run.report if self.run else {}
        run = Run.create(folder, {**settings, **self.config.to_dict()}, self.modality, report)
        step = self.run.best_step() if self.run else 0
        run.save(step, Checkpoint(weights_of(self.vae), {}, {"step": step, "best_step": step}))

    def encode(self, items: Sequence[Any]) -> DiagonalGaussian:
        """q(z|x) of each item, (N, Z), or of each window of it, in order.

        Raises ValueError for an item that the model's limits leave out.
        """
        return self._posterior(self._windows(items))

    def decode(
        self,
        z: Tensor | np.ndarray,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        beam: int = 1,
        seed: int = 0,
    ) -> list[Any]:
        """The item of each code (N, Z): greedy by default, drawn with a temperature, or by beam search.

        Raises ValueError for what is no table of finite numbers with a row for each item.
        """
        arrays = generate.decode(self.vae, _codes(z), self._decoding(temperature, top_k, top_p, beam), seed)
        return self._presented(arrays)

    def sample(
        self,
        n: int,
        temperature: float | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        beam: int = 1,
        seed: int = 0,
    ) -> list[Any]:
        """`n` items from the prior; item i depends on the seed and i alone.

        Without a temperature it is 1 for sequences, and 0 for images, whose pixels then are their means.
        """
        temperature = self.modality.sampling_temperature if temperature is None else temperature
        return self._presented(generate.sample(self.vae, n, self._decoding(temperature, top_k, top_p, beam), seed))

    def reconstruct(
        self,
        items: Sequence[Any],
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        beam: int = 1,
        seed: int = 0,
    ) -> list[Any]:
        """Each item encoded and decoded again from its posterior mean."""
        groups = self._windows(items)
        decoding = self._decoding(temperature, top_k, top_p, beam, groups)
        settle = self.modality.settle
        arrays = iter(generate.reconstruct(self.vae, self._arrays(groups), decoding, seed, settle))
        return [self._present([next(arrays) for _ in group], group) for group in groups]

    def interpolate(
        self,
        a: Any,
        b: Any,
        steps: int = 8,
        mode: Literal["slerp", "lerp"] = "slerp",
        temperature: float = 0.0,
        beam: int = 1,
        seed: int = 0,
    ) -> list[Any]:
        """`steps` items between a and b, both ends counted; the ends are their plain reconstructions.

        Of two that are cut into windows the shorter one is repeated; what a code lacks, such as a tempo, is a's.
        """
        first, last = self._windows([a, b])
        decoding = self._decoding(temperature, 0, 1.0, beam, [first])
        longer = max(len(first), len(last))
        like = [self.modality.as_long_as(first[place % len(first)], last[place % len(last)]) for place in range(longer)]
        ends = [self.encode_windows(windows).mean for windows in (first, last)]
        walks = [
            generate.interpolate(
                self.vae, ends[0][place % len(first)], ends[1][place % len(last)], steps, decoding, mode, seed
            )
            for place in range(longer)
        ]
        return [self._present([walk[step] for walk in walks], like) for step in range(steps)]

    def palette(
        self,
        corners: Sequence[Any],
        size: int = 5,
        mode: Literal["slerp", "lerp"] = "slerp",
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Any]:
        """`size` x `size` items, row by row, between four corners: top left, top right, bottom left, bottom right.

        The left and the right column are interpolated first, then each row between them; the corners are their plain
        reconstructions. Corners are cut into windows, and the shorter ones repeated, as in `interpolate`.

        Raises ValueError when there are not four corners.
        """
        if len(corners) != 4:
            raise ValueError(f"{len(corners)} corners are not possible; give four")
        groups = self._windows(corners)
        decoding = self._decoding(temperature, 0, 1.0, 1, groups[:1])
        longer = max(map(len, groups))
        means = [self.encode_windows(group).mean for group in groups]
        like = [groups[0][place % len(groups[0])] for place in range(longer)]
        for group in groups[1:]:
            like = [self.modality.as_long_as(own, group[place % len(group)]) for place, own in enumerate(like)]
        squares = [
            generate.palette(
                self.vae, torch.stack([mean[place % len(mean)] for mean in means]), size, decoding, mode, seed
            )
            for place in range(longer)
        ]
        return [self._present([square[cell] for square in squares], like) for cell in range(size**2)]

    def vary(self, item: Any, n: int = 4, distance: float = 0.3, temperature: float = 0.0, seed: int = 0) -> list[Any]:
        """`n` variations of an item: its code moved towards codes drawn from the prior.

        `distance` 0 is the reconstruction, 1 a sample that has nothing to do with the item; in between the code is on
        the great arc (slerp). Variation i depends on the seed and i alone, and all windows of one variation move
        towards the same code.

        Raises ValueError for a distance outside [0, 1].
        """
        (group,) = self._windows([item])
        decoding = self._decoding(temperature, 0, 1.0, 1, [group])
        means = self.encode_windows(group).mean
        arrays = [generate.vary(self.vae, mean, n, distance, decoding, seed) for mean in means]
        return [self._present([window[place] for window in arrays], group) for place in range(n)]

    def evaluate(
        self, sources: Sequence[Path | str] | Path | str, settings: Settings | None = None, watch: Watch | None = None
    ) -> dict[str, Any]:
        """The figures of `seqvae.evaluate.UNITS` on files. Raises ValueError when nothing can be read from them."""
        corpus = prepare(self.modality, paths_of(sources))
        return evaluate(self.vae, self.modality, corpus, settings or Settings(), watch or _unwatched)

    def _decoding(
        self, temperature: float, top_k: int, top_p: float, beam: int, like: Sequence[Sequence[Any]] = ()
    ) -> Decoding:
        """How to decode; where no sequence ends by itself, all are as long as the longest window of `like`."""
        max_steps = self.modality.max_steps
        if self.modality.end is None and like:
            max_steps = max(len(x) for x in self._arrays(like))
        return Decoding(
            max_steps=max_steps,
            end=self.modality.end,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            beam=beam,
        )

    def encode_windows(self, windows: Sequence[Any]) -> DiagonalGaussian:
        """q(z|x) of what `modality.accept` or `modality.read` gives, (N, Z). Raises ValueError as `encode`."""
        return self._posterior([windows])

    def _posterior(self, groups: Sequence[Sequence[Any]]) -> DiagonalGaussian:
        return generate.encode(self.vae, self._arrays(groups), settle=self.modality.settle)

    def _windows(self, items: Sequence[Any]) -> list[list[Any]]:
        """The windows of each item."""
        if isinstance(items, str | bytes | Path) or not isinstance(items, Sequence):
            shown = " ".join(repr(items).split())
            several = ", or list(array) for an array of several" if hasattr(items, "shape") else ""
            raise ValueError(f"{shown:.60} is one item, not a list of items; write [item]{several}")
        return [self.modality.accept(item) for item in items]

    def _arrays(self, groups: Sequence[Sequence[Any]]) -> list[np.ndarray]:
        arrays = []
        for place, group in enumerate(groups):
            for item in group:
                report = Report()
                x = self.modality.encode(item, report)
                if x is None:
                    raise ValueError(f"item {place} does not fit the model ({', '.join(report.counts)}); leave it out")
                arrays.append(x)
        return arrays

    def _present(self, arrays: Sequence[np.ndarray], like: Sequence[Any]) -> Any:
        """One item for the user, from the arrays of its windows; `like` are the windows that it stands for."""
        return self.modality.present([self.modality.decode(x, own) for x, own in zip(arrays, like, strict=True)])

    def _presented(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        """One item for each array."""
        return [self._present([x], [None]) for x in arrays]


def load(path: Path | str, device: str = "auto") -> Model:
    """The model of a run folder; see `Model.load`."""
    return Model.load(path, device)


def paths_of(sources: Sequence[Path | str] | Path | str) -> list[Path]:
    """The paths of one source or of several."""
    return [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]


def _codes(z: Tensor | np.ndarray) -> Tensor:
    """(N, Z) of any real type that numpy knows, in the byte order of this machine."""
    if isinstance(z, Tensor) and not z.is_complex():
        return z
    try:
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            return torch.from_numpy(np.array(z, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(
            f"a {type(z).__name__} is no table of codes; give a tensor or an array (N, Z), such as encode(items).mean"
        ) from None


def _unwatched(done: int, total: int, what: str) -> None:
    """Nobody watches."""
