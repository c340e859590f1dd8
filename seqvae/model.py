"""A trained model: items to latent codes and back. The Python API."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import Tensor

from seqvae import generate, walks
from seqvae.attributes import Attribute, keep_attributes, kept_attributes
from seqvae.build import build_vae, load_weights, open_run, weights_of
from seqvae.codes import Codes, Windows, all_windows, codes_of_items, pieces_of, windows_of
from seqvae.config import Values, as_table, counted, uses_of
from seqvae.constraints import keep_constraints, kept_constraints
from seqvae.core.priors import Prior
from seqvae.core.vae import VAE
from seqvae.corpus import prepare, training_data
from seqvae.devices import pick_device
from seqvae.evaluate import Settings, evaluate, score_items
from seqvae.evaluation.scores import Scores
from seqvae.family import Relative, family, given_back, variations
from seqvae.files import store
from seqvae.generate import GREEDY, Decoding, at, codes_of, number, whole
from seqvae.memory import Data, files_of, known, readable
from seqvae.modalities.base import Arrangement, Modality
from seqvae.modalities.items import Figures, Item, check_arrangement
from seqvae.priors import keep_prior, kept_prior, prior_called
from seqvae.runs.run import BEST, Checkpoint, Run
from seqvae.settings import Config
from seqvae.variation import changed_share
from seqvae.walks import Mode
from seqvae.way import Way

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Model:
    """A VAE with its modality: items to latent codes and back. A value: no method changes it.

    >>> model = seqvae.load("runs/demo")  # doctest: +SKIP
    >>> model.sample(2, temperature=0.7, seed=1)  # doctest: +SKIP
    ['the waiter will not share the cake in the kitchen .', 'the librarian will not write a letter in the library .']

    Methods that take several `items` take a list of them, any other iterable, an array of images, or one item alone,
    which is a list of one. What an item is depends on the modality:

    text: a str, and a str comes back.

    >>> model.interpolate("the first sentence", "the second sentence", steps=7)  # doctest: +SKIP

    images: an array (H, W) or (H, W, 3), a PIL image, the path of a file, or FILE#INDEX of a file of many; an array of
    uint8 comes back. Several may be one array (N, H, W) or (N, H, W, 3).

    >>> digits = seqvae.mnist()["test"].images  # doctest: +SKIP
    >>> model.reconstruct(digits[:10])  # doctest: +SKIP

    drums, groove, melody, trio: a PrettyMIDI object, the path of a MIDI file, or FILE#INDEX of one of its windows; a
    PrettyMIDI comes back. What is longer than one code stands for is cut into windows, each with its code, and put
    together again.

    >>> (again,) = model.reconstruct("song.mid")  # doctest: +SKIP
    >>> model.using({"bpm": 96.0}).vary("song.mid#3", n=4, distance=0.4)  # doctest: +SKIP
    >>> model.using({"progression": "C G Am F"}).sample(4)  # melodies to chords  # doctest: +SKIP

    Methods that decode take a `temperature` (0 chooses the most probable; images: the mean), or a `decoding` with more:
    `Decoding(temperature=0.8, top_p=0.9)`, `Decoding(beam=5)`. The same `seed` gives the same result.
    """

    def __init__(self, config: Config, modality: Modality, vae: VAE, run: Run | None = None) -> None:
        self.config = config
        self.modality = modality
        self.vae = vae.requires_grad_(False)
        self.run = run
        self._way = Way(modality, vae)

    def __repr__(self) -> str:
        size = counted(sum(parameter.numel() for parameter in self.vae.parameters()), "parameters")
        of = f" of {self.run.path}" if self.run else ""
        units = counted(self.vae.latent, "latent units")
        return f"<Model{of}: {self.modality.name}, {units}, {size}, on {self.vae.device}>"

    @staticmethod
    def load(path: Path | str, device: str = "auto", checkpoint: int | str = BEST) -> "Model":
        """The model of a run folder: its best weights on the validation data, else the last.

        `checkpoint` chooses others: "last", or the number of a step (`seqvae info` lists those that are there).
        The best are those by the objective at its final beta and free bits; with `train.best_by=bound` by the bound,
        the ELBO with beta = 1 or the importance-weighted one where that was trained on.

        Raises ValueError when the folder is not a run, is damaged, or when this machine lacks the device.
        """
        run, config, modality = open_run(Path(path), checkpoint=checkpoint)
        vae = build_vae(config, modality)
        load_weights(vae, run.weights(run.used_step), run.path)
        model = Model(config, modality, vae.to(pick_device(device)), run)
        kept = kept_prior(run, vae.latent)
        return model.with_prior(kept) if kept is not None and kept.is_used else model

    def _on(self, **way: Any) -> "Model":
        """The same weights on another way."""
        other = copy(self)
        other._way = replace(self._way, **way)
        other.modality = other._way.modality
        other.config = replace(self.config, data=other.modality.data)
        return other

    @property
    def prior(self) -> Prior:
        """What codes of samples and the aims of variations are drawn from: that of the training, or a fitted one."""
        return self._way.prior

    @property
    def attributes(self) -> dict[str, Attribute]:
        """The attribute vectors that the run keeps for these weights, by name; see `seqvae.fit_attribute`."""
        return kept_attributes(self.run, self.vae.latent)

    def with_prior(self, prior: Prior | Literal["standard", "fitted"]) -> "Model":
        """The same model with another prior: `standard` is that of the training, `fitted` what `fit_prior` keeps.

        Raises ValueError for a prior of another number of units, and where none was fitted.
        """
        return self._on(drawn_from=prior_called(prior, self.vae.own_prior, self.run))

    def using(self, values: Values) -> "Model":
        """The same model with other values of `data` keys that may change with its use, such as {"bpm": 140.0}.

        Weights are shared, and this model stays as it is. Raises ValueError for a key that the model depends on.
        """
        values = as_table(values)
        try:
            modality = self.modality.using(values)
        except ValueError as error:
            keys = "|".join(re.escape(str(key)) for key in (*uses_of(self.modality.data_config), *values))
            raise ValueError(re.sub(rf"\bdata\.({keys})\b", r"\1", str(error))) from None
        return self._on(modality=modality)

    def of_split(self, split: Literal["train", "valid", "test"], sources: Sequence[Path] | Path | str) -> "Model":
        """The same model, reading one split of the sources' files. Raises ValueError where that has no file."""
        sources = [Path(sources)] if isinstance(sources, str | Path) else sources
        modality = self.modality.of_split(split, sources)
        if modality is None:
            raise ValueError(self.modality.words.no_split.format(split=split, files=", ".join(map(str, sources))))
        return self._on(modality=modality)

    def in_windows(self) -> "Model":
        """The same model, whose results are lists of windows in place of what `modality.present` makes of them."""
        return self._on(presents=False)

    def save(self, folder: Path | str) -> None:
        """Write the model into a new folder that `load` reads. Raises ValueError when the folder is not empty."""
        folder = Path(folder)
        if folder.exists() and (folder.is_file() or any(folder.iterdir())):
            raise ValueError(f"{folder} is {'a file' if folder.is_file() else 'not empty'}; give a new or empty folder")
        settings = {name: value for name, value in (self.run.settings if self.run else {}).items() if name != "format"}
        report = self.run.report if self.run else {}
        run = Run.create(folder, {**settings, **self.config.to_dict()}, self.modality, report)
        step = self.run.used_step if self.run else 0
        run.save(step, Checkpoint(weights_of(self.vae), {}, {"step": step, "best_step": step}))
        if self.prior != self.vae.own_prior:
            keep_prior(run, self.prior)
        keep_attributes(run, self.attributes)
        keep_constraints(run, kept_constraints(self.run))

    # Items to codes -------------------------------------------------------------------------------------------

    def windows(self, item: Item, name: str = "the item") -> Windows:
        """An item, or a Named one, cut into windows and encoded; `name` is what an item without a name is called.

        Raises ValueError for one that the model's limits leave out.
        """
        return windows_of(self.modality, item, self.vae.latent, name)

    def encode(self, items: Sequence[Item]) -> Codes:
        """q(z|x) of each item, (N, Z), or of each window of it, in order: `mean` and `scale` have a row for each.

        An item that is cut into windows has several rows: those of item i are `spans[i]`, and `of(i)` is its codes
        alone. `names` are those of the rows, FILE#INDEX for windows of files.

        >>> codes = model.encode(["a.mid", "b.mid"])  # doctest: +SKIP
        >>> model.decode(codes.of(1).mean), codes.of(1).names, codes.mean[codes.spans[1]]  # doctest: +SKIP

        Raises ValueError for an item that the model's limits leave out.
        """
        groups = all_windows(self.modality, items, self.vae.latent)
        return codes_of_items(self._way.posterior(groups), [group.names for group in groups])

    # Codes to items -------------------------------------------------------------------------------------------

    def decode(
        self,
        z: Codes | Tensor | np.ndarray,
        decoding: Decoding = GREEDY,
        seed: int = 0,
        temperature: float | None = None,
    ) -> list[Item]:
        """The item of each code (N, Z): greedy by default, drawn with a temperature, or by beam search.

        `z` are `Codes`, whose means are decoded, or a table of numbers.

        >>> a, b = model.encode(["the first sentence", "the second sentence"])  # doctest: +SKIP
        >>> model.decode(a + 0.5 * (b - a)), model.decode(a.sample(seed=1))  # doctest: +SKIP

        Raises ValueError for what is no table of finite numbers with a row for each item.
        """
        decoding = at(temperature, decoding)
        codes = codes_of(z.mean if isinstance(z, Codes) else z)
        (length,) = self._way.lengths(self._way.length())
        return self._way.made(generate.decode(self.vae, codes, length, decoding, seed))

    def sample(
        self, n: int, decoding: Decoding | None = None, seed: int = 0, temperature: float | None = None
    ) -> list[Item]:
        """`n` items from the prior; item i depends on the seed and i alone.

        Without a decoding the temperature is `modality.sampling_temperature`: 1 for texts, 0.3 for drums and grooves,
        0.5 for melodies, and 0 for images, whose pixels then are their means; of the model `sentences` it is 0.5.
        """
        decoding = decoding or Decoding(temperature=self.modality.sampling_temperature)
        (length,) = self._way.lengths(self._way.length())
        generate.check_count("n", n, self._way.numbers(1, length))
        return self._way.made(generate.sample(self.vae, n, length, at(temperature, decoding), seed, prior=self.prior))

    def reconstruct(
        self, items: Sequence[Item], decoding: Decoding = GREEDY, seed: int = 0, temperature: float | None = None,
        feel: Item | None = None, anew: bool = False,
    ) -> list[Item]:  # fmt: skip
        """Each item encoded and decoded again from its posterior mean.

        A groove model of `data.task=humanize` keeps the hits of an item, and says how they are played; one of
        `data.task=infill` keeps all of it but the class that it adds. `anew`: they keep nothing. With the `feel`
        of another groove, or with its codes, a model of any task but humanize keeps the hits, and they are played as
        that one is: window by window from its codes in place of the item's own.

        Raises ValueError for a feel where items have none, such as drums, for one in another metre, and for `anew`
        where nothing is kept.
        """
        groups = all_windows(self.modality, items, self.vae.latent)
        held = self._way.held(groups, by_hits=feel is not None, anew=anew)
        if feel is None:
            codes = self._way.posterior(groups).mean
        else:
            codes = self._way.with_feel(groups, self.windows(feel, "the feel"))
        decoding = at(temperature, decoding)
        arrays = iter(generate.decode(self.vae, codes, self._way.length(groups), decoding, seed, held=held))
        return [self._way.piece([next(arrays) for _ in group.items], group.items) for group in groups]

    def interpolate(
        self, a: Item, b: Item | None = None, steps: int = 8, mode: Mode = "slerp", decoding: Decoding = GREEDY,
        seed: int = 0, even: bool = False, temperature: float | None = None,
    ) -> list[Item]:  # fmt: skip
        """`steps` items between a and b, both ends counted; the ends are their plain reconstructions.

        A list in place of a and b is a smooth path through all of its items, each of which is met. One that ends with
        the item that it begins with is closed: without its last result it can be played round and round.

        >>> model.interpolate([a, b, c], steps=9)  # doctest: +SKIP
        >>> model.interpolate([a, b, c, a], steps=13)[:-1]  # doctest: +SKIP

        Items may be `Codes` of one item each. `mode`: along great arcs (slerp), which keep the length that codes of
        the prior have, or straight (lerp); through more than two, splines (`core.latent.Path`).

        >>> codes = model.encode(["the first sentence", "the second sentence"])  # doctest: +SKIP
        >>> model.interpolate(codes[0], codes[1], steps=7)  # doctest: +SKIP

        Of items that are cut into windows the shorter ones are repeated. A tempo goes from a's to b's as well; what
        else a code lacks, such as a metre, is the first one's.
        `even`: the points are not spread evenly over the way between the codes, but so that each step changes as much
        (`change`).
        """
        items = self.modality.several(a) if b is None else [a, b]
        walk = walks.interpolate(self._way, items, whole("steps", steps), mode, at(temperature, decoding), seed, even)
        return [self._way.given_back(windows) for windows in walk]

    def palette(
        self, corners: Sequence[Item], size: int = 5, mode: Mode = "slerp", decoding: Decoding = GREEDY, seed: int = 0,
        temperature: float | None = None,
    ) -> list[Item]:  # fmt: skip
        """`size` x `size` items, row by row, between four corners: top left, top right, bottom left, bottom right.

        The left and the right column are interpolated first, then each row between them; the corners are their plain
        reconstructions. Corners are cut into windows, and the shorter ones repeated, as in `interpolate`.

        Raises ValueError when there are not four corners.
        """
        corners, size = self.modality.several(corners), whole("size", size)
        square = walks.palette(self._way, corners, size, mode, at(temperature, decoding), seed)
        return [self._way.given_back(windows) for windows in square]

    def vary(
        self, item: Item, n: int = 4, distance: float = 0.4, decoding: Decoding = GREEDY, seed: int = 0,
        temperature: float | None = None,
    ) -> list[Item]:  # fmt: skip
        """`n` variations of an item: its code moved towards codes drawn from the prior.

        `distance` 0 is the reconstruction, 1 a sample that has nothing to do with the item; in between the code is on
        the great arc (slerp). All windows of one variation move towards the same code. A variation that equals one
        before it, the item or its reconstruction is drawn again, at last from larger distances; after twenty vain tries
        it stays. So variation i depends on the seed and on those before it, whatever n is. See `change` for how far
        each is from the item.

        Raises ValueError for a distance outside [0, 1].
        """
        decoding, group = at(temperature, decoding), self.windows(item)
        n, distance = whole("n", n), number("distance", distance)
        return [self._way.given_back(own) for own in variations(self._way, group, n, distance, decoding, seed)]

    def family(
        self, item: Item, n: int = 3, generations: int = 2, distance: float = 0.4, decoding: Decoding = GREEDY,
        seed: int = 0, temperature: float | None = None,
    ) -> list[Relative]:  # fmt: skip
        """An item (A), `n` variations of it (A.1, A.2, ...), `n` of each of these (A.1.1, ...), and so on.

        The first generation is that of `vary`. The code of a variation, not the item that it became, is what its own
        variations start from, each towards codes of the prior of its own. Parents stand before their children.

        >>> [(one.name, one.item, one.change) for one in model.family("a sentence of mine")]  # doctest: +SKIP

        Raises ValueError for a distance outside [0, 1].
        """
        decoding, group, distance = at(temperature, decoding), self.windows(item), number("distance", distance)
        return given_back(self._way, family(self._way, group, n, generations, distance, decoding, seed))

    def analogy(
        self, a: Item, b: Item, c: Item, strength: float = 1.0, decoding: Decoding = GREEDY, seed: int = 0,
        temperature: float | None = None,
    ) -> Item:  # fmt: skip
        """What is to c as b is to a: decoded from c + strength * (b - a), window by window.

        A strength of 0 is the reconstruction of c, a negative one goes the other way. Items that are cut into windows
        are repeated up to the longest of them; what a code lacks, such as a tempo, is that of c.
        """
        return self._way.given_back(walks.analogy(self._way, a, b, c, strength, at(temperature, decoding), seed))

    def change(self, item: Item, other: Item) -> float:
        """How much of an item is other in another item, as a share: 0 for equal ones, at most 1.

        Of drums the hits that stand in one of them only, of texts the tokens to insert, delete or replace, of images
        the mean difference in brightness. Of two lengths, what one has beyond the other is changed.
        """
        windows = (self.windows(item), self.windows(other, "the other item"))
        return changed_share(self.modality, *(one.of_item.items for one in windows))

    def picture(self, items: Sequence[Item], arrangement: Arrangement = "set") -> "Figure":
        """Items, such as `sample` and `interpolate` give, in one picture. Raises ValueError where none can be drawn."""
        figure = self.modality.picture(pieces_of(self.modality, items), check_arrangement(arrangement))
        if figure is None:
            raise ValueError(f"items of {self.modality.name} have no picture; see pictures.plane for their codes")
        return figure

    def write(self, items: Sequence[Item], folder: Path | str, arrangement: Arrangement = "set") -> list[Path]:
        """Write items, such as `sample` and `interpolate` give, as files into a folder; the paths written."""
        written = self.modality.write(pieces_of(self.modality, items), check_arrangement(arrangement))
        return [store(Path(folder), file.name, file.content()) for result in written for file in result.files]

    def score(self, items: Sequence[Item], importance_samples: int = 100, seed: int = 0) -> Scores:
        """What each item costs in nats: reconstruction, KL, and -log p by importance sampling; windows are added up.

        All products are in fp32, whatever `evaluate` does.
        """
        groups = [group.of_item.arrays for group in all_windows(self.modality, items, self.vae.latent)]
        return score_items(self.vae, self.modality, groups, whole("importance_samples", importance_samples), seed)

    def evaluate(
        self, sources: Data, importance_samples: int = 100, prior_samples: int = 200, temperature: float | None = None,
        codes: Literal["mean", "drawn"] = "mean", seed: int = 0, precision: Literal["auto", "fp32", "bf16"] = "auto",
    ) -> Figures:  # fmt: skip
        """The figures of `seqvae evaluate` by name, with None where one does not apply.

        `sources` are names of files, or data in memory, as `seqvae.train` takes them. `importance_samples`: draws of z
        for each item. `prior_samples`: items drawn from the prior for the figures of samples, at the `temperature`, or
        the modality's own. `codes`: reconstructions are made from the posterior's mean, or drawn from it. `precision`:
        of matrix products; by default the likelihoods of text are in bf16 where the device computes it natively.

        >>> model.evaluate("test.txt", importance_samples=10)["perplexity_per_word"]  # doctest: +SKIP

        Raises ValueError when nothing can be read from the sources.
        """
        settings = Settings(
            importance_samples=importance_samples, prior_samples=prior_samples, temperature=temperature, codes=codes,
            seed=seed, precision=precision,
        )  # fmt: skip
        with readable(self.modality, known(sources)) as found, files_of(self.modality, found) as paths:
            corpus = prepare(self.modality, paths)
        training = training_data(self.modality, self.run)
        return evaluate(self.vae, self.modality, corpus, settings, training=training, prior=self.prior)


def load(path: Path | str, device: str = "auto", checkpoint: int | str = BEST) -> Model:
    """The model of a run folder; see `Model.load`."""
    return Model.load(path, device, checkpoint)
