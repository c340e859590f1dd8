"""Small LSTM encoders and decoders in double precision, and a batch for them."""

import torch
from torch import Tensor, nn

from seqvae.nets.decoder import SequenceDecoder
from seqvae.nets.likelihoods import Categorical
from seqvae.nets.lstm import LSTMEncoder, LSTMState
from seqvae.types import Batch
from tests.nets.made import lstm_decoder, lstm_encoder

OUTCOMES, EMBEDDING, LATENT, HIDDEN = 7, 5, 3, 4
LENGTHS = torch.tensor([4, 9, 1, 6, 9, 2])


def batch(steps: int = 9) -> Batch:
    """Six sequences of different lengths; what stands in the padding is a valid outcome as well."""
    x = torch.randint(OUTCOMES, (6, steps), generator=torch.Generator().manual_seed(1))
    return Batch(x=x, lengths=LENGTHS.clamp(max=steps), keys=torch.arange(40, 46))


def codes(rows: int = 6) -> Tensor:
    return torch.randn(rows, LATENT, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def encoder(
    layers: int = 1, bidirectional: bool = True, input_dropout: float = 0.0, pooling: str = "last"
) -> LSTMEncoder:
    torch.manual_seed(3)
    embed = nn.Embedding(OUTCOMES, EMBEDDING)
    sizes = {"encoder_hidden": HIDDEN, "encoder_layers": layers, "bidirectional": bidirectional, "pooling": pooling}
    return lstm_encoder(embed, EMBEDDING, encoder_dropout=input_dropout, **sizes).double()


def decoder(
    layers: int = 1, initial_state: str = "cell", latent: int = LATENT, outcomes: int = OUTCOMES, **others: object
) -> SequenceDecoder[LSTMState]:
    torch.manual_seed(4)
    likelihood = Categorical(int(others.get("output_projection") or HIDDEN), outcomes)
    sizes = {"latent": latent, "decoder_hidden": HIDDEN, "decoder_layers": layers, "initial_state": initial_state}
    net = lstm_decoder(nn.Embedding(outcomes, EMBEDDING), EMBEDDING, likelihood, **{**sizes, **others}).double()
    with torch.no_grad():
        net.recurrence.first.normal_()
    return net
