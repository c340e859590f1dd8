"""LSTM encoders and decoders by the sizes that matter to a test."""

from torch import nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.likelihoods import Likelihood
from seqvae.nets.lstm import LSTMEncoder, LSTMRecurrence, LSTMState
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import Position


def lstm_encoder(embed: nn.Module, embedding: int, position: Position | None = None, **sizes: object) -> LSTMEncoder:
    """The encoder of a model of these sizes."""
    return LSTMEncoder(embed, embedding, SequenceModel(**sizes), position)


def lstm_decoder(
    embed: nn.Module, embedding: int, likelihood: Likelihood, position: Position | None = None, **sizes: object
) -> SequenceDecoder[LSTMState]:
    """The decoder of a model of these sizes."""
    model = SequenceModel(**sizes)
    return SequenceDecoder(
        LSTMRecurrence(embed, embedding, model, position),
        likelihood,
        model.output_dropout,
        model.locked_dropout,
    )
