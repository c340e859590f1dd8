"""Samples from the prior, judged by language models: of real data on samples, and of samples on real data.

Forward perplexity is low where samples look like data, also where they are all the same sentence. Reverse perplexity is
low where a language model that has seen samples alone expects the data: a sampler that lacks parts of them, or repeats
itself, is found out (Zhao et al. 2018; Cífka et al. 2018). Read both.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from seqvae.config import Values, counted
from seqvae.evaluate import Settings, score_items
from seqvae.evaluation.likelihood import perplexity, spelling_nats
from seqvae.modalities.base import Report
from seqvae.modalities.items import Figures, Item, Items
from seqvae.model import Model, load
from seqvae.training.log import Reporter
from seqvae.training.run import train

NO_WEIGHTS = ("encoder",)  # of a language model, which has none: its tokenizer alone is taken


def load_language_model(path: Path, device: str = "auto") -> Model:
    """The language model of a run folder. Raises ValueError for a model of another kind."""
    model = load(path, device)
    if model.vae.latent or model.modality.name != "text":
        what = "has a latent code" if model.modality.name == "text" else f"is a model of {model.modality.name}"
        raise ValueError(
            f"{path} {what} and is no language model of text; train one with model.latent=0 on the real data"
        )
    return model


def word_perplexity(language_model: Model, texts: Sequence[Item]) -> float:
    """Perplexity per word of texts, ends counted; what the vocabulary lacks is charged by `spelling_nats`.

    Raises ValueError where no text is left.
    """
    modality, report = language_model.modality, Report()
    arrays = [x for x in (modality.encode(text, report) for text in texts) if x is not None]
    if not arrays:
        raise ValueError(f"{counted(len(texts), 'texts')} of any length leave none to score; give other texts")
    hidden = modality.hidden(report)
    assert hidden is not None, "the report is new"
    scores = score_items(language_model.vae, modality, [[x] for x in arrays], 1, 0)
    nats = float(scores.iw_nll_nats.sum()) + spelling_nats(hidden.symbols, hidden.bytes)
    return perplexity(nats, sum(modality.sizes(modality.decode(x))["words"] for x in arrays))


def reverse_perplexity(
    language_model: Model,
    samples: Sequence[Item],
    data: Sequence[Item],
    values: Values | None = None,
    reporter: Reporter | None = None,
) -> float:
    """Perplexity per word of data under a language model that is trained on samples alone, in a folder that goes again.

    It has the tokenizer, the sizes and the training of `language_model`, whose perplexity is what it can be compared
    with, and weights drawn anew; `values` change its training. Raises ValueError as `train` does.
    """
    assert language_model.run is not None, "a language model that was loaded"
    own = language_model.config.to_dict()
    changed, device = {**own["train"], **(values or {})}, language_model.vae.device.type
    with tempfile.TemporaryDirectory(prefix="seqvae-") as folder:
        run = train(
            "text", Items(list(samples)), Path(folder) / "run", {"train": changed}, device=device,
            start_from=language_model.run.path, take=NO_WEIGHTS, reporter=reporter,
        )  # fmt: skip
        return word_perplexity(load(run.path, device), data)


def sample_perplexities(language_model: Model, data: Sequence[Item], samples: Sequence[Item], reverse: int) -> Figures:
    """The figures of samples by a language model: forward on the first ones, reverse of `reverse` of them (0: none).

    `data_forward_perplexity` is that of the language model on the data, with which both can be compared.
    """
    forward = samples[: Settings().prior_samples]
    figures: Figures = {
        "forward_perplexity": word_perplexity(language_model, forward),
        "data_forward_perplexity": word_perplexity(language_model, data),
    }
    if reverse:
        figures["reverse_samples"] = reverse
        figures["reverse_perplexity"] = reverse_perplexity(language_model, samples[:reverse], data)
    return figures
