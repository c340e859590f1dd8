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
    PlainDecoder,
    PlainLSTM,
    PlainOneHot,
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
        self.conductor = nn.LSTM(1, model.conductor_hidden, model.conductor_layers, batch_first=True)
        self.to_state = nn.Linear(model.latent, 2 * model.conductor_layers * model.conductor_hidden)

    def read(self, x: Tensor) -> Tensor:
        """What each step reads of the one before it."""
        return self.core.read(x)

    def forward(self, z: Tensor, read: Tensor) -> Tensor:
        """The outputs of all steps."""
        codes, _ = self.conductor(z.new_ones(len(z), BARS, 1), start_of(self.to_state, z, self.hidden))
        bars = read.unflatten(1, (BARS, STEPS_PER_BAR)).flatten(0, 1)
        return self.core(codes.flatten(0, 1), bars).unflatten(0, (len(z), BARS)).flatten(1, 2)


def plain(model: MelodyModel) -> Twin:
    """The twin of a configuration."""

    def embed() -> tuple[nn.Module, int]:
        width = model.embedding
        return (nn.Embedding(OUTCOMES, width), width) if width else (PlainOneHot(OUTCOMES), OUTCOMES)

    likelihood = PlainCategorical(model.decoder_hidden, OUTCOMES)
    if not model.conductor_hidden:
        return Twin(*embed(), model, PlainDecoder(PlainLSTM(*embed(), model), likelihood))
    core = PlainLSTM(*embed(), model, latent=model.conductor_hidden)
    return Twin(*embed(), model, PlainDecoder(PlainHierarchy(core, model), likelihood))


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
