"""Run folders of format 1: their names of weights, the numbers that the optimizer's tensors went by, their accounts.

A step decoder was one module then, and is a recurrence and a likelihood now; mean and scale of the posterior were the
two halves of one layer. The optimizer counted the parameters in the order in which the model registered them. A run of
format 1 that goes on becomes one of today's that says how it began: its checkpoints have names of both kinds, and what
has today's is left as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

OF_RECURRENCE = ("first", "embed", "position", "lstm", "to_state")
_OLD_RECURRENCE = re.compile(rf"^decoder\.(?={'|'.join(OF_RECURRENCE)})")
_OLD_POSTERIOR = "to_posterior."
_GROUPS = ("files", "hits", "windows")
_OUTSIDE = re.compile(r"of pitch (\d+), which no class holds")
# where the parts stood among each other; within one they stand as they did
_ORDER = (
    "encoder.",
    *(f"decoder.recurrence.{part}" for part in OF_RECURRENCE[:3]),
    "decoder.l",  # its likelihood; of images, whose layers came before it and still do, both
    *(f"decoder.recurrence.{part}" for part in OF_RECURRENCE[3:]),
    "to_mean.",
)


def weights_by_name(weights: Mapping[str, Tensor], has_scale: bool) -> dict[str, Tensor]:
    """The weights under the names that they have now; points have no scale."""
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.startswith(_OLD_POSTERIOR):
            found |= _of_posterior("", name.removeprefix(_OLD_POSTERIOR), weight, has_scale)
        else:
            found[_OLD_RECURRENCE.sub("decoder.recurrence.", name)] = weight
    return found


def grouped(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of what reading MIDI files gave, by groups; those of another kind or of today as they are.

    >>> grouped({"files found": 2, "hits found": 9, "hits of pitch 41, which no class holds": 1, "repeated": 3})
    {'repeated': 3, 'files': {'found': 2}, 'hits': {'found': 9, 'of pitches that no class holds': {'41': 1}}}
    """
    if "files found" not in counts:
        return dict(counts)
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    alone: dict[str, Any] = {}
    for name, number in counts.items():
        group, _, member = name.partition(" ")
        if pitch := _OUTSIDE.fullmatch(member):
            groups[group].setdefault("of pitches that no class holds", {})[pitch[1]] = number
        elif group in groups and not member.startswith("skipped: "):
            groups[group][member] = number
        else:
            alone[name] = number
    return alone | {group: members for group, members in groups.items() if members}


def optimizer_by_name(tensors: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """The optimizer's tensors under `KIND.PARAMETER`, from `NUMBER.KIND`; `names` are all parameters, in their order.

    >>> sorted(optimizer_by_name({"0.step": None, "1.step": None}, ["decoder.recurrence.lstm.w", "encoder.w"]))
    ['step.decoder.recurrence.lstm.w', 'step.encoder.w']
    """
    counted = [name for name in names if not name.startswith("to_scale.")]
    counted.sort(key=lambda name: next((i for i, part in enumerate(_ORDER) if name.startswith(part)), 0))
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        number, _, kind = key.partition(".")
        if not number.isdigit():
            found[key] = tensor
        elif (name := counted[int(number)]).startswith("to_mean."):
            found |= _of_posterior(f"{kind}.", name.removeprefix("to_mean."), tensor, len(counted) < len(names))
        else:
            found[f"{kind}.{name}"] = tensor
    return found


def _of_posterior(kind: str, name: str, tensor: Tensor, has_scale: bool) -> dict[str, Tensor]:
    """What belonged to a weight of the joint layer, for mean and scale: a half each, or a number for both."""
    if not has_scale:
        return {f"{kind}to_mean.{name}": tensor}
    halves = tensor.chunk(2) if tensor.dim() else (tensor, tensor.clone())
    return {
        f"{kind}{layer}.{name}": half.contiguous() for layer, half in zip(("to_mean", "to_scale"), halves, strict=True)
    }
