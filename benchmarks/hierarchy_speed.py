"""Speed of training the hierarchical model of melodies beside a plain torch twin of it, in sequences a second.

Sixteen bars: a conductor does a step a bar, and a decoder begins anew in each with its output as the code. The twin
lays the bars side by side as rows of one `torch.nn.LSTM` too; nobody would write that as a loop.

    python benchmarks/hierarchy_speed.py                                      the sizes of hierdec-mel-16bar-quick
    python benchmarks/hierarchy_speed.py --recipe flat-mel-16bar-quick        the flat decoder of as many weights
    OMP_NUM_THREADS=1 python benchmarks/hierarchy_speed.py --processor-time   where others use the machine too
"""

import torch
from torch import Tensor, nn
from twins import (
    PlainCategorical,
    PlainCodeAtOutput,
    PlainDecoder,
    PlainLSTM,
    PlainOneHot,
    PlainPosition,
    Twin,
    own_vae,
    print_turns,
    sizes_of,
    start_of,
    timing_options,
)

from seqvae.modalities.midi.nets import Bars, melody_nets
from seqvae.modalities.midi.voice_settings import MelodyModel

OUTCOMES, STEPS_PER_BAR, BARS = 90, 16, 16


class PlainHierarchy(nn.Module):
    """A conductor over the bars, and a core that starts from its output in each."""

    def __init__(self, core: PlainLSTM, model: MelodyModel) -> None:
        super().__init__()
        self.core, self.hidden = core, model.conductor_hidden
        reads_code = model.conductor_reads == "code"
        self.position = positions(model) if reads_code else None
        inputs = 1 + (model.latent + model.position if reads_code else 0)
        self.conductor = nn.LSTM(inputs, model.conductor_hidden, model.conductor_layers, batch_first=True)
        self.to_state = nn.Linear(model.latent, 2 * model.conductor_layers * model.conductor_hidden)

    def read(self, x: Tensor) -> Tensor:
        """What each step reads of the one before it."""
        return self.core.read(x)

    def forward(self, z: Tensor, read: Tensor) -> Tensor:
        """The outputs of all steps."""
        inputs = [z.new_ones(len(z), BARS, 1)]
        if self.conductor.input_size > 1:
            inputs.append(z.unsqueeze(1).expand(-1, BARS, -1))
        if self.position is not None:
            inputs.append(by_bar(self.position).mean(1).expand(len(z), -1, -1))
        codes, _ = self.conductor(torch.cat(inputs, 2), start_of(self.to_state, z, self.hidden))
        bars = read.unflatten(1, (BARS, STEPS_PER_BAR)).flatten(0, 1)
        places = None if self.core.position is None else by_bar(self.core.position).repeat(len(z), 1, 1)
        return self.core(codes.flatten(0, 1), bars, places).unflatten(0, (len(z), BARS)).flatten(1, 2)


def positions(model: MelodyModel) -> PlainPosition | None:
    """What says where a step stands, where the model reads that."""
    return PlainPosition(STEPS_PER_BAR, BARS, model.position) if model.position else None


def by_bar(position: PlainPosition) -> Tensor:
    """(bars, steps of a bar, P)."""
    return position(BARS * STEPS_PER_BAR).unflatten(0, (BARS, STEPS_PER_BAR))


def plain(model: MelodyModel) -> Twin:
    """The twin of a configuration."""

    def embed() -> tuple[nn.Module, int]:
        width = model.embedding
        return (nn.Embedding(OUTCOMES, width), width) if width else (PlainOneHot(OUTCOMES), OUTCOMES)

    if model.conductor_hidden:
        core = PlainLSTM(*embed(), model, positions(model), model.conductor_hidden)
        recurrence: nn.Module = PlainHierarchy(core, model)
    else:
        recurrence = PlainLSTM(*embed(), model, positions(model))
    if model.code_skips == "output":
        recurrence = PlainCodeAtOutput(recurrence)
    decoder = PlainDecoder(recurrence, PlainCategorical(model.output_features, OUTCOMES))
    return Twin(*embed(), model, decoder, positions(model))


def main() -> None:
    """Print a table."""
    parser = timing_options(__doc__, [16, 64])
    parser.add_argument("--recipe", default="hierdec-mel-16bar-quick", help="whose sizes, without dropout")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = sizes_of(options.recipe, "melody", MelodyModel)
    x = torch.randint(OUTCOMES, (max(options.batch), BARS * STEPS_PER_BAR))
    nets = melody_nets(model, OUTCOMES, Bars([STEPS_PER_BAR], BARS, 4))
    print_turns(options.recipe, own_vae(nets, model), plain(model), x, options)


if __name__ == "__main__":
    main()
