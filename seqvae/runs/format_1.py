"""Run folders of format 1: their names of weights, and the numbers that the optimizer's tensors went by.

A step decoder was one module then, and is a recurrence and a likelihood now. The optimizer counted the parameters in
the order in which the model registered them. A run of format 1 that goes on keeps its number and writes checkpoints of
today's names, so what has these already is left as it is.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

OF_RECURRENCE = ("first", "embed", "position", "lstm", "to_state")
_OLD = re.compile(rf"decoder\.({'|'.join(OF_RECURRENCE)})(?=\.|$)")
# where the parts stood among each other; within one they stand as they did
_ORDER = (
    "encoder.",
    *(f"decoder.recurrence.{part}" for part in OF_RECURRENCE[:3]),
    "decoder.l",  # its likelihood; of images, whose layers came before it and still do, both
    *(f"decoder.recurrence.{part}" for part in OF_RECURRENCE[3:]),
    "to_posterior.",
)


def weights_by_name(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names that they have now.

    >>> list(weights_by_name({"decoder.lstm.bias": None, "decoder.likelihood.projection.bias": None}))
    ['decoder.recurrence.lstm.bias', 'decoder.likelihood.projection.bias']
    """
    return {_OLD.sub(r"decoder.recurrence.\1", name): weight for name, weight in weights.items()}


def optimizer_by_name(tensors: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """The optimizer's tensors under `KIND.PARAMETER`, from `NUMBER.KIND`; `names` are all parameters, in their order.

    >>> sorted(optimizer_by_name({"0.step": None, "1.step": None}, ["decoder.recurrence.lstm.w", "encoder.w"]))
    ['step.decoder.recurrence.lstm.w', 'step.encoder.w']
    """
    numbered = sorted(names, key=lambda name: next((i for i, part in enumerate(_ORDER) if name.startswith(part)), 0))
    found = {}
    for key, tensor in tensors.items():
        number, _, kind = key.partition(".")
        found[f"{kind}.{numbered[int(number)]}" if number.isdigit() else key] = tensor
    return found
