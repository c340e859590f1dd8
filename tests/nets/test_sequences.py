"""The nets of a model configuration: what may share a weight."""

import pytest
from torch import nn

from seqvae.nets.likelihoods import Bernoulli, Categorical, Likelihood
from seqvae.nets.sequences import sequence_nets
from seqvae.nets.sizes import SequenceModel


@pytest.mark.parametrize(
    ("embed", "likelihood", "kinds"),
    [
        (nn.Linear(3, 4), Categorical(4, 3), "Linear and Categorical"),
        (nn.Embedding(3, 4), Bernoulli(4, 3), "Embedding and Bernoulli"),
    ],
)
def test_only_an_embedding_and_one_of_several_outcomes_are_tied(
    embed: nn.Module, likelihood: Likelihood, kinds: str
) -> None:
    model = SequenceModel(latent=0, embedding=4, decoder_hidden=4)
    with pytest.raises(ValueError, match=f"^{kinds} have no weight to share; tie an Embedding to a Categorical, or "):
        sequence_nets(model, lambda: (embed, 4), lambda: likelihood, lambda: (embed, 4), tied_embeddings=True)
