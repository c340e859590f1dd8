"""The LSTM encoder and decoder of a model configuration, for modalities whose items are sequences."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from seqvae.nets.sizes import SequenceModel

if TYPE_CHECKING:
    from torch import nn

    from seqvae.nets.likelihoods import Likelihood
    from seqvae.nets.lstm import LSTMDecoder, LSTMEncoder
    from seqvae.nets.steps import Position

    MakesEmbedding = Callable[[], tuple[nn.Module, int]]  # the module, and the size of what it gives


def sequence_nets(
    model: SequenceModel,
    read: "MakesEmbedding",
    likelihood: "Callable[[], Likelihood]",
    read_back: "MakesEmbedding",
    position: "Callable[[], Position | None]" = lambda: None,
) -> "tuple[LSTMEncoder | None, LSTMDecoder]":
    """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

    `read` makes what the encoder reads steps by, `read_back` what the decoder reads its own steps by.
    """
    from seqvae.nets.lstm import LSTMDecoder, LSTMEncoder

    encoder = None
    if model.latent:
        encoder = LSTMEncoder(
            *read(),
            model.encoder_hidden,
            model.encoder_layers,
            model.bidirectional,
            model.encoder_dropout,
            position(),
        )
    scores, reads = likelihood(), read_back()
    decoder = LSTMDecoder(
        *reads,
        model.latent,
        model.decoder_hidden,
        scores,
        model.decoder_layers,
        model.initial_state,
        position(),
    )
    decoder.with_dropout(model.input_dropout, model.output_dropout, model.word_dropout)
    return encoder, decoder.with_code_scale(model.code_initial_scale)


def draw_uniform(net: "nn.Module | None", width: float) -> None:
    """All weights uniform in +-width, embeddings in +-10 width (He et al. 2019, appendix: 0.01 and 0.1)."""
    from torch import nn

    if net is None or not width:
        return
    for parameter in net.parameters():
        nn.init.uniform_(parameter, -width, width)
    for module in net.modules():
        if isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -10 * width, 10 * width)
