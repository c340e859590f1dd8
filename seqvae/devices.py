"""What computes: the device, and the precision that it has instructions for."""

from collections.abc import Mapping
from typing import Any

import torch

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")  # of x86; whether bf16 is faster on ARM was not measured


def pick_device(device: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises ValueError when this machine lacks the device."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    there = [name for name, is_there in available.items() if is_there]
    if device == "auto":
        return torch.device(there[0])
    if device not in there:
        raise ValueError(f"device '{device}' is not available here; there are {', '.join(there)}, or give auto")
    return torch.device(device)


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively, so that bf16 takes less time than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # without it bf16 is slow on any CPU
        return False
    # versions of torch that cannot say it count as without
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(found.get(name, False) for name in BF16_INSTRUCTIONS)
