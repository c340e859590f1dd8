"""The LSTM encoder and decoder of a model configuration, for modalities whose items are sequences."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from seqvae.nets.sizes import SequenceModel

if TYPE_CHECKING:
    from torch import nn

    from seqvae.nets.decoder import SequenceDecoder
    from seqvae.nets.likelihoods import Likelihood
    from seqvae.nets.lstm import LSTMEncoder, LSTMRecurrence, LSTMState
    from seqvae.nets.steps import Position

    MakesEmbedding = Callable[[], tuple[nn.Module, int]]  # the module, and the size of what it gives
    SequenceNets = tuple[LSTMEncoder | None, SequenceDecoder[LSTMState]]


def sequence_nets(
    model: SequenceModel,
    read: "MakesEmbedding",
    likelihood: "Callable[[], Likelihood]",
    read_back: "MakesEmbedding",
    position: "Callable[[], Position | None]" = lambda: None,
) -> "SequenceNets":
    """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

    `read` makes what the encoder reads steps by, `read_back` what the decoder reads its own steps by.
    """
    from seqvae.nets.decoder import SequenceDecoder
    from seqvae.nets.lstm import LSTMEncoder, LSTMRecurrence

    encoder = LSTMEncoder(*read(), model, position()) if model.latent else None
    scores = likelihood()
    recurrence = LSTMRecurrence(*read_back(), model, position())
    return encoder, SequenceDecoder(recurrence, scores, model.output_dropout)


def draw_uniform(encoder: "LSTMEncoder | None", decoder: "SequenceDecoder[LSTMState]", width: float) -> None:
    """All weights uniform in +-width, embeddings in +-10 width (He et al. 2019, appendix: 0.01 and 0.1).

    Nothing is drawn for a width of 0.
    """
    from torch import nn

    if not width:
        return
    nets: list[tuple[nn.Module, Iterable[nn.Parameter]]] = [(decoder, _in_order_of_draws(decoder))]
    if encoder is not None:
        nets.insert(0, (encoder, encoder.parameters()))
    for net, weights in nets:
        for weight in weights:
            nn.init.uniform_(weight, -width, width)
        for module in net.modules():
            if isinstance(module, nn.Embedding):
                nn.init.uniform_(module.weight, -10 * width, 10 * width)


def _in_order_of_draws(decoder: "SequenceDecoder[LSTMState]") -> "Iterable[nn.Parameter]":
    """What steps are read by, the likelihood, then the rest: what a seed stands for depends on this order."""
    recurrence = cast("LSTMRecurrence", decoder.recurrence)
    position = recurrence.position
    reading = [recurrence.first, *recurrence.embed.parameters(), *(position.parameters() if position else ())]
    scores = cast("nn.Module", decoder.likelihood).parameters()
    return dict.fromkeys([*reading, *scores, *decoder.parameters()])  # each once, a tied one where it comes first
