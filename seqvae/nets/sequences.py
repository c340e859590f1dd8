"""The LSTM encoder and decoder of a model configuration, for steps of any kind."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, cast

from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from seqvae.nets.corruption import StepCorruption
from seqvae.nets.decoder import CodeAtOutput, CodedState, Recurrence, SequenceDecoder, StateT
from seqvae.nets.given import GivenBeside
from seqvae.nets.hierarchy import Core, Hierarchy, HierarchyState, SegmentEncoder
from seqvae.nets.likelihoods import Categorical, Likelihood
from seqvae.nets.lstm import LSTMEncoder, LSTMRecurrence, LSTMState
from seqvae.nets.parts import PartsRecurrence, PartsState
from seqvae.nets.sizes import SequenceModel
from seqvae.nets.steps import OneHot, Position
from seqvae.noise import Noise

MakesEmbedding = Callable[[], tuple[nn.Module, int]]  # the module, and the size of what it gives
LSTMDecoder = (
    SequenceDecoder[LSTMState]
    | SequenceDecoder[CodedState[LSTMState]]
    | SequenceDecoder[HierarchyState[LSTMState]]
    | SequenceDecoder[CodedState[HierarchyState[LSTMState]]]
    | SequenceDecoder[PartsState]
    | SequenceDecoder[CodedState[PartsState]]
    | SequenceDecoder[HierarchyState[PartsState]]
    | SequenceDecoder[CodedState[HierarchyState[PartsState]]]
)
SequenceNets = tuple[LSTMEncoder | SegmentEncoder | None, LSTMDecoder]


def sequence_nets(
    model: SequenceModel,
    read: MakesEmbedding,
    likelihood: Callable[[], Likelihood],
    read_back: MakesEmbedding | Sequence[MakesEmbedding],
    position: Callable[[], Position | None] = lambda: None,
    tied_embeddings: bool = False,
    corruption: StepCorruption | None = None,
    segment: int = 0,
) -> SequenceNets:
    """Encoder (None without latent units) and decoder, with weights drawn from torch's global generator.

    `read` makes what the encoder reads steps by, `read_back` what the decoder reads its own steps by; of several there
    is an LSTM for each, which reads one number of a step (`PartsRecurrence`). With tied embeddings the latter is an
    `nn.Embedding` that has the weight of the likelihood, a `Categorical`.

    `corruption` is that of the encoder's steps, which are blanked by `model.corruption` where none is named.
    The likelihood reads `model.output_features` numbers of each step. What is decoded or encoded by segments has
    segments of so many steps where `model.segment_steps` does not say how many. Of a `GivenBeside` the decoder
    reads what is given, one-hot.

    Raises ValueError for tied embeddings of other kinds, or of another size than what the output layer reads; and for
    segments of no known length.
    """
    if tied_embeddings and model.embedding != model.output_features:
        code = f" + model.latent={model.latent}" if model.output_features > model.state_features else ""
        state = "output_projection" if model.output_projection else "decoder_hidden"
        raise ValueError(
            f"model.tied_embeddings needs equal sizes, but model.embedding={model.embedding} and "
            f"model.{state}={model.state_features}{code}; make them equal, or set model.tied_embeddings=false"
        )
    if corruption is None and model.corruption:
        corruption = StepCorruption(model.corruption)
    encoder = _encoder(LSTMEncoder(*read(), model, position(), corruption), model, segment) if model.latent else None
    scores = likelihood()
    given = OneHot(scores.given) if isinstance(scores, GivenBeside) else None
    sizes = replace(model, latent=model.conductor_hidden) if model.conductor_hidden else model
    parts = []
    for make in [read_back] if callable(read_back) else read_back:
        embed, embedding = make()
        if tied_embeddings:
            _tie(embed, scores)
        parts.append(LSTMRecurrence(embed, embedding, sizes, position(), given))
    if callable(read_back):
        return encoder, _conducted(parts[0], scores, model, segment, position)
    return encoder, _conducted(PartsRecurrence(parts), scores, model, segment, position)


class _Core(Core[StateT], Protocol[StateT]):
    """What can stand under a conductor, or alone."""

    def hidden(
        self, z: Float[Tensor, "B Z"], read: Shaped[Tensor, "B R ..."], noise: Noise | None = None,
        given: Int[Tensor, "B R+1"] | None = None,
    ) -> Float[Tensor, "B R+1 H"]:  # fmt: skip
        """The hidden states of R + 1 steps."""
        ...


def _conducted(
    core: _Core[StateT], likelihood: Likelihood, model: SequenceModel, segment: int,
    position: Callable[[], Position | None],
) -> (
    SequenceDecoder[StateT]
    | SequenceDecoder[CodedState[StateT]]
    | SequenceDecoder[HierarchyState[StateT]]
    | SequenceDecoder[CodedState[HierarchyState[StateT]]]
):  # fmt: skip
    """The decoder of a recurrence, under a conductor where the model has one."""
    if not model.conductor_hidden:
        return _decoder(core, likelihood, model)
    places = position() if model.conductor_reads == "code" else None
    return _decoder(Hierarchy(core, model, _length(model, segment), places), likelihood, model)


def _encoder(steps: LSTMEncoder, model: SequenceModel, segment: int) -> LSTMEncoder | SegmentEncoder:
    """The encoder of steps, or one over segments above it."""
    return SegmentEncoder(steps, model, _length(model, segment)) if model.segment_encoder_hidden else steps


def _length(model: SequenceModel, segment: int) -> int:
    """The steps of a segment. Raises ValueError where nothing says how many."""
    if not (model.segment_steps or segment):
        raise ValueError(
            f"model.{model.by_segments} works by segments, and nothing says how long one is; set model.segment_steps, "
            "such as 16, or leave it out"
        )
    return model.segment_steps or segment


def _decoder(
    recurrence: Recurrence[StateT], likelihood: Likelihood, model: SequenceModel
) -> SequenceDecoder[StateT] | SequenceDecoder[CodedState[StateT]]:
    """The decoder of a recurrence; where the output layer reads the code, with the code beside its hidden states."""
    locked = model.locked_dropout
    if model.output_features > model.state_features:
        return SequenceDecoder(CodeAtOutput(recurrence, model.output_dropout, locked), likelihood)
    return SequenceDecoder(recurrence, likelihood, model.output_dropout, locked)


def _tie(embed: nn.Module, likelihood: Likelihood) -> None:
    """One weight for both, that of the likelihood's output layer (Press and Wolf 2017)."""
    likelihood = likelihood.of if isinstance(likelihood, GivenBeside) else likelihood
    if not isinstance(embed, nn.Embedding) or not isinstance(likelihood, Categorical):
        raise ValueError(
            f"{type(embed).__name__} and {type(likelihood).__name__} have no weight to share; tie an Embedding "
            "to a Categorical, or leave tied_embeddings out"
        )
    embed.weight = likelihood.projection.weight


def draw_uniform(encoder: LSTMEncoder | SegmentEncoder | None, decoder: LSTMDecoder, width: float) -> None:
    """All weights uniform in +-width, embeddings in +-10 width (He et al. 2019, appendix: 0.01 and 0.1).

    Nothing is drawn for a width of 0.
    """
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


def _in_order_of_draws(decoder: LSTMDecoder) -> Iterable[nn.Parameter]:
    """What steps are read by, the likelihood, then the rest: what a seed stands for depends on this order."""
    outer = decoder.recurrence
    inner = outer.recurrence if isinstance(outer, CodeAtOutput) else outer
    core = inner.core if isinstance(inner, Hierarchy) else inner
    reading: list[nn.Parameter] = []
    for lstm in core.lstms if isinstance(core, PartsRecurrence) else [cast(LSTMRecurrence, core)]:
        reading += [lstm.first, *lstm.embed.parameters(), *(lstm.position.parameters() if lstm.position else ())]
    scores = cast(nn.Module, decoder.likelihood).parameters()
    return dict.fromkeys([*reading, *scores, *decoder.parameters()])  # each once, a tied one where it comes first
