"""Sizes and wiring that a model is built from: the `model.*` keys that several modalities share. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from seqvae.config import key

# Parts of the weights (`seqvae.core.vae.PARTS`) that a key shapes; the posterior reads what the encoder gives.
OF_ENCODER = ("encoder", "posterior", "mean", "scale")
OF_POSTERIOR = ("posterior", "mean", "scale")
OF_DECODER = ("decoder",)
MOST_UNITS = 65_536  # of a layer: the weights between two such layers take 16 GiB


@dataclass(frozen=True)
class CodeModel:
    """The latent code: its size, its posterior, and the layers to and from it."""

    latent: int = key(32, "latent units Z", least=1, most=MOST_UNITS, parts=(*OF_POSTERIOR, *OF_DECODER, "prior"))
    posterior: Literal["gaussian", "point"] = key(
        "gaussian", "gaussian, or point: a plain autoencoder, whose code is the mean alone, without KL term",
        parts=OF_POSTERIOR,
    )  # fmt: skip
    prior: Literal["standard", "flow"] = key(
        "standard", "prior of the codes: N(0, I), or a normalising flow that is learned along with encoder and decoder",
        parts=("prior",),
    )  # fmt: skip
    scale: Literal["exp", "softplus"] = key(
        "exp", "posterior scale: exp of half a log-variance, or softplus", parts=("posterior", "scale")
    )
    least_kl_nats: float = key(
        0.0, "no posterior has a KL below this, of which each unit has an equal share, its scale bounded; 0: no limit",
        least=0, parts=OF_POSTERIOR,
    )  # fmt: skip
    batch_norm_scale: float = key(
        0.0, "scale to which each unit's posterior mean is normalised over a batch of training, so that the batch's KL "
        "is at least Z * scale^2 / 2 (BN-VAE, 0.5 to 0.7); 0: not normalised",
        least=0, parts=("posterior", "mean"),
    )  # fmt: skip
    code_initial_scale: float = key(
        0.0,
        "the layers to and from the code start normal with this scale, biases at zero; 0: as the others",
        least=0,
        parts=(),
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a kind of posterior that a model without one is to have."""
        floors = [name for name in ("least_kl_nats", "batch_norm_scale") if getattr(self, name)]
        if len(floors) == 2:
            raise ValueError(
                f"model.least_kl_nats={self.least_kl_nats:g} and model.batch_norm_scale={self.batch_norm_scale:g} "
                "exclude each other, since each puts the means in a place of its own; set one of them to 0"
            )
        if floors and (self.posterior == "point" or not self.latent):
            other = "posterior=point" if self.latent else "latent=0"
            raise ValueError(
                f"model.{floors[0]}={getattr(self, floors[0]):g} is not possible with model.{other}, which has no KL; "
                "leave one of them out"
            )
        if self.prior != "standard" and (floors or self.posterior == "point" or not self.latent):
            other = floors[0] if floors else "posterior" if self.latent else "latent"
            raise ValueError(
                f"model.prior={self.prior} is not possible with model.{other}={getattr(self, other)}: it is learned by "
                "the KL, which is to have no floor; leave one of them out"
            )


@dataclass(frozen=True)
class SequenceModel(CodeModel):
    """Sizes and wiring of the LSTM encoder and decoder. The published models differ in each of these."""

    latent: int = key(
        32, "latent units Z; 0 trains a plain language model", least=0, most=MOST_UNITS,
        parts=(*OF_POSTERIOR, *OF_DECODER, "prior"),
    )  # fmt: skip
    embedding: int = key(256, "size E of the step embeddings", least=1, most=MOST_UNITS)
    encoder_hidden: int = key(
        256, "hidden units of the encoder, per direction", least=1, most=MOST_UNITS, parts=OF_ENCODER
    )
    decoder_hidden: int = key(256, "hidden units of the decoder", least=1, most=MOST_UNITS, parts=OF_DECODER)
    encoder_layers: int = key(1, "layers of the encoder", least=1, parts=OF_ENCODER)
    decoder_layers: int = key(1, "layers of the decoder", least=1, parts=OF_DECODER)
    bidirectional: bool = key(True, "read the input in both directions", parts=OF_ENCODER)
    segment_encoder_hidden: int = key(
        0,
        "hidden units, per direction, of an encoder over segments, which reads what the encoder has of each by itself "
        "(MusicVAE's hierarchical encoder); 0: the encoder reads all steps in a row",
        least=0,
        most=MOST_UNITS,
        parts=OF_ENCODER,
    )
    pooling: Literal["last", "mean", "max"] = key(
        "last",
        "what the posterior reads of the encoder's states: the last one, the mean or the maximum of all",
        parts=OF_ENCODER,
    )
    initial_state: Literal["cell", "dense"] = key(
        "cell", "cell: c0 = W z, h0 = tanh(c0); dense: tanh of a dense layer for all states", parts=OF_DECODER
    )
    code_skips: Literal["none", "layers", "output", "both"] = key(
        "none",
        "where the decoder reads the code besides its initial state and the input of its first layer: in every layer "
        "above, at the output layer, or both",
        parts=OF_DECODER,
    )
    conductor_hidden: int = key(
        0,
        "hidden units of a conductor, which does one step a segment; its output is the code with which the decoder "
        "starts anew there (MusicVAE's hierarchical decoder); 0: the decoder does all steps in a row",
        least=0,
        most=MOST_UNITS,
        parts=OF_DECODER,
    )
    conductor_layers: int = key(1, "layers of the conductor", least=1, parts=OF_DECODER)
    conductor_reads: Literal["constant", "code"] = key(
        "constant",
        "what the conductor reads at each of its steps: a constant, its initial state alone being from the code "
        "(MusicVAE), or the code and the segment's position",
        parts=OF_DECODER,
    )
    segment_steps: int = key(
        0, "steps of a segment, of the conductor and of the encoder over segments; 0: a bar of MIDI", least=0,
        parts=lambda model: (*OF_ENCODER, *OF_DECODER) if model.segment_encoder_hidden else OF_DECODER,
    )  # fmt: skip
    output_projection: int = key(
        0,
        "size that the decoder's hidden states are projected to before the output layer; 0: not projected",
        least=0,
        most=MOST_UNITS,
        parts=OF_DECODER,
    )
    output_bias: bool = key(True, "bias of the output layer", parts=OF_DECODER)
    tied_embeddings: bool = key(
        False, "share the decoder's embedding with its output layer (needs equal sizes)", parts=OF_DECODER
    )
    corruption: float = key(
        0.0, "share of the encoder's steps that are corrupted in training (denoising); 0: none", least=0, below=1
    )
    input_dropout: float = key(0.0, "dropout on the decoder's input embeddings", least=0, below=1)
    output_dropout: float = key(0.0, "dropout on the decoder's outputs", least=0, below=1)
    encoder_dropout: float = key(0.0, "dropout on the encoder's input embeddings", least=0, below=1)
    locked_dropout: bool = key(
        False, "the dropout of embeddings and outputs draws one mask for all steps of a sequence, not one for each step"
    )
    weight_dropout: float = key(
        0.0, "share of the decoder's recurrent weights that a step of training leaves out", least=0, below=1
    )
    word_dropout: float = key(0.0, "share of the decoder's inputs that are blanked out whole", least=0, below=1)
    initial_range: float = key(
        0.0, "weights start uniform in +-range, embeddings in 10 times that; 0: torch's own", least=0, parts=()
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a code, an encoder's noise or segments where there are none, and as `CodeModel`."""
        super().__post_init__()
        self._check_segments()
        if self.corruption and not self.latent:
            raise ValueError(
                f"model.corruption={self.corruption:g} is not possible with model.latent=0, which has no encoder; "
                "leave one of them out"
            )
        if self.code_skips == "none":
            return
        possible = "model.code_skips=none"
        if not self.latent:
            raise ValueError(f"model.code_skips={self.code_skips} is not possible with model.latent=0; give {possible}")
        if self.decoder_layers == 1 and self.code_skips != "output":
            raise ValueError(
                f"model.code_skips={self.code_skips} is not possible with model.decoder_layers=1, which has no layer "
                f"above the first; give more layers, model.code_skips=output, or {possible}"
            )

    def _check_segments(self) -> None:
        if self.by_segments and not self.latent:
            raise ValueError(
                f"model.{self.by_segments} is not possible with model.latent=0, which has no code to make of "
                "segments or to hand on to them; leave one of them out"
            )
        if self.conductor_reads == "code" and not self.conductor_hidden:
            raise ValueError(
                "model.conductor_reads=code is of a conductor, and there is none; set model.conductor_hidden, such as "
                "128, or leave model.conductor_reads out"
            )
        if self.segment_steps and not self.by_segments:
            raise ValueError(
                f"model.segment_steps={self.segment_steps} is of a conductor or of an encoder over segments, and there "
                "is neither; set model.conductor_hidden, such as 128, or leave model.segment_steps out"
            )

    @property
    def by_segments(self) -> str:
        """The key, with its value, that has the sequence decoded or else encoded by segments; empty for neither."""
        for name in ("conductor_hidden", "segment_encoder_hidden"):
            if getattr(self, name):
                return f"{name}={getattr(self, name)}"
        return ""

    @property
    def output_features(self) -> int:
        """What the output layer reads of a step: the decoder's hidden state, and the code where it is read there."""
        return self.state_features + (self.latent if self.code_skips in ("output", "both") else 0)

    @property
    def state_features(self) -> int:
        """The size of the decoder's hidden states as they leave it."""
        return self.output_projection or self.decoder_hidden
