"""Samples that are asked for, of a model that never saw what: digits, or levels of what is measured.

Digits: the critics of `seqvae.fit_constraints` move draws of the prior to codes of each digit. Beside them stand draws
of the prior as they are, and what needs no critic: a Gaussian, or a mixture of eight, of the codes of each digit. The
judge is a convolutional net that is trained on the pixels of the training images and knows nothing of the model.

    seqvae train images data/mnist --recipe mnist-dense --out runs/dense
    python benchmarks/latent_constraints.py digits runs/dense data/mnist

What is measured, such as the density of drums, is measured again of what is decoded: the share of samples that are low,
middle or high as is asked, beside the share of samples that nothing is asked of, from N(0, I) and from a prior that was
fitted.

    seqvae train drums gmd --split-csv gmd/info.csv --recipe gmd --precision bf16 --out runs/gmd
    seqvae fit-prior runs/gmd
    python benchmarks/latent_constraints.py measured runs/gmd -n 200
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqvae
from seqvae.choosing import shares_met
from seqvae.constraints import constrained
from seqvae.core.priors import Mixture, Prior, StandardNormal
from seqvae.corpus import prepare
from seqvae.data import Batches, Part
from seqvae.evaluation.latent import collect_posterior
from seqvae.modalities.items import Item
from seqvae.model import Model
from seqvae.noise import Noise
from seqvae.priors import kept_prior

DIGITS = 10
AMBIGUOUS = 0.9  # the judge gives its first choice less
COMPONENTS = 8  # of a digit's mixture


class Judge(nn.Module):
    """Digits from pixels (N, 1, 28, 28): two convolutions and a hidden layer, whose outputs are its features."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(),
        )  # fmt: skip
        self.digit = nn.Linear(128, DIGITS)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the digits."""
        logits: Tensor = self.digit(self.features(x))
        return logits


def pixels(images: object) -> Tensor:
    """Images of any kind as (N, 1, 28, 28) in [0, 1]."""
    return torch.from_numpy(np.array(images)).float().div(255).reshape(-1, 1, 28, 28)


def trained_judge(x: Tensor, digits: Tensor, epochs: int) -> Judge:
    """A judge that learned from these images."""
    torch.manual_seed(0)
    judge = Judge()
    optimizer = torch.optim.Adam(judge.parameters(), 3e-3)
    batches = [rows for _ in range(epochs) for rows in torch.randperm(len(x)).split(128)]
    for step, rows in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / len(batches))
        loss = F.cross_entropy(judge(x[rows]), digits[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return judge.requires_grad_(False)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The distance of Frechet between Gaussians of two sets of features (Heusel et al. 2017, section 3), squared."""
    a, b = a.double(), b.double()
    one, other = torch.cov(a.T), torch.cov(b.T)
    root = torch.linalg.eigvals(one @ other).real.clamp(min=0).sqrt().sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + one.trace() + other.trace() - 2 * root)


def mixture_of_digit(z: Tensor, components: int) -> Prior:
    """A mixture of Gaussians of the codes of one digit."""
    from sklearn.mixture import GaussianMixture

    found = GaussianMixture(components, reg_covar=1e-3, max_iter=50, random_state=0).fit(z.numpy())
    factors = torch.linalg.cholesky(torch.from_numpy(found.covariances_))
    return Mixture(torch.from_numpy(found.weights_).log(), torch.from_numpy(found.means_), factors)


def codes_by_digit(model: Model, data: Path) -> list[Tensor]:
    """A draw of the code of each training image, by digit."""
    part = model.modality.of_split("train", [data])
    assert part is not None
    corpus = prepare(part, [data])
    assert corpus.labels is not None
    batches = Batches(Part(corpus), 8192, "tokens")
    q, keys = collect_posterior(model.vae, (batches.load(rows) for rows in batches.in_order()))
    z = q.rsample(Noise(0, keys)).double()
    names = np.array(corpus.label_names)[corpus.labels[keys.numpy()]]
    return [z[torch.from_numpy(names == str(digit))] for digit in range(DIGITS)]


def digits(given: argparse.Namespace) -> None:
    """Print one line for each way to make digits."""
    (data,) = given.data
    mnist = seqvae.mnist(data)
    judge = trained_judge(pixels(mnist["train"].images), torch.from_numpy(mnist["train"].labels.astype(np.int64)),
                          given.epochs)  # fmt: skip
    test, truth = pixels(mnist["test"].images), torch.from_numpy(mnist["test"].labels.astype(np.int64))
    of_data = judge.features(test)
    print(f"the judge is right of {(judge(test).argmax(1) == truth).double().mean():.1%} of the test images")
    found = seqvae.fit_constraints(given.run, data, seed=given.seed)
    print(f"critics: real {found.real:.1%}, label {found.right['label']:.1%} of held-out codes")
    model = seqvae.load(given.run)
    wanted = torch.arange(DIGITS).repeat_interleave(given.n)

    def report(name: str, x: Tensor, wanted: Tensor) -> None:
        shares = judge(x).softmax(1)
        right = (shares.argmax(1) == wanted).double()
        each = [float(right[wanted == digit].mean()) for digit in range(DIGITS)]
        spread = np.mean(
            [float(torch.pdist(x[wanted == digit][: given.n].flatten(1)).mean()) for digit in range(DIGITS)]
        )
        ambiguous = float((shares.max(1).values < AMBIGUOUS).double().mean())
        print(
            f"{name}: right {right.mean():.1%}, by digit {' '.join(f'{100 * share:.0f}' for share in each)}, ambiguous "
            f"{ambiguous:.1%}, distance {frechet_distance(judge.features(x), of_data):.1f}, spread {spread:.2f}",
            flush=True,
        )

    def made(name: str, prior: Callable[[int], Prior]) -> list[np.ndarray]:
        """Report samples of the prior of each digit."""
        noise = Noise(given.seed, torch.arange(given.n))
        z = torch.cat([prior(digit).codes(noise.branch(str(digit))) for digit in range(DIGITS)])
        images = model.decode(z)
        report(name, pixels(images), wanted)
        return images

    rows = torch.cat([(truth == digit).nonzero().squeeze(1)[: given.n] for digit in range(DIGITS)])
    report("test images", test[rows], wanted)
    report("their reconstructions", pixels(model.reconstruct(mnist["test"].images[rows.numpy()])), wanted)
    by_digit = codes_by_digit(model, data)
    standard = StandardNormal(model.vae.latent)
    everything = mixture_of_digit(torch.cat(by_digit)[:: max(1, sum(map(len, by_digit)) // 8000)], 2 * COMPONENTS)
    made("N(0, I)", lambda digit: standard)
    made("a Gaussian of each digit", lambda digit: mixture_of_digit(by_digit[digit], 1))
    made(f"a mixture of {COMPONENTS} of each digit", lambda digit: mixture_of_digit(by_digit[digit], COMPONENTS))
    made("critics, from N(0, I)", lambda digit: constrained(standard, model.run, {"label": digit}))
    images = made(
        "critics, from a mixture of 16 of all digits",
        lambda digit: constrained(everything, model.run, {"label": digit}),
    )
    if given.sheet is not None:
        shown = [images[digit * given.n + place] for digit in range(DIGITS) for place in range(DIGITS)]
        model.picture(shown, "grid").savefig(given.sheet)


def measured(given: argparse.Namespace) -> None:
    """Print one line for each level of each attribute: the share of samples that measure so, by their prior.

    In brackets stands how many of these samples differ from each other.
    """
    found = seqvae.fit_constraints(given.run, given.data, by=given.names, seed=given.seed)
    model = seqvae.load(given.run).in_windows()
    kept = kept_prior(model.run, model.vae.latent)
    priors: dict[str, Prior] = {"N(0, I)": StandardNormal(model.vae.latent)} | ({kept.kind: kept} if kept else {})
    for name in found.names:
        right = f"{found.right[name]:.1%} of held-out codes" if name in found.right else "no held-out code has one"
        print(f"{name}: {', '.join(found.in_words(name))}; critics are right of {right}")
    print(f"{given.n} samples a figure; asked for, then not asked for, from {' and from '.join(priors)}")
    for name, level in [(name, level) for name, known in found.names.items() for level in known]:
        cells = []
        for prior in priors.values():
            asked = model.with_prior(constrained(prior, model.run, {name: level}))
            made, plain = ([item for (item,) in of.sample(given.n, seed=given.seed)]
                           for of in (asked, model.with_prior(prior)))  # fmt: skip
            shares = [shares_met(asked, items)[name] for items in (made, plain)]
            cells.append(f"{shares[0]:6.1%} ({different(made)}) {shares[1]:6.1%}")
        print(f"{name + '=' + level:24} {'   '.join(cells)}", flush=True)


def different(items: Sequence[Item]) -> int:
    """How many of these there are when equal ones count once."""
    return len({item if isinstance(item, str) else np.asarray(item.steps).tobytes() for item in items})


def main() -> None:
    """Measure what the command line asks for, in a copy of the run, which itself keeps its critics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["digits", "measured"])
    parser.add_argument("run", type=Path, help="a run of images of MNIST, or of what is measured")
    parser.add_argument("data", type=Path, nargs="*", help="the folder of MNIST; measured: other data than the run's")
    parser.add_argument("-n", type=int, default=100, help="samples of each digit or level")
    parser.add_argument("--names", nargs="+", default=["density", "syncopation", "repetition"], help="what is measured")
    parser.add_argument("--epochs", type=int, default=1, help="of the judge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="write ten samples of each digit as a picture here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given.run = Path(shutil.copytree(given.run, Path(folder) / given.run.name))
        (digits if given.kind == "digits" else measured)(given)


if __name__ == "__main__":
    main()
