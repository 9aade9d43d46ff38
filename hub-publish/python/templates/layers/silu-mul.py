# inputs: gate, up
"""Layers of @kernel@ for `kernels.kernelize`."""

import torch
from torch import nn

from . import @function@


class LlamaMLP(nn.Module):
    """Stands for the gated feed-forward block of Llama, Qwen and Mistral.

    There is no `SiluAndMul` here: that layer gets gate and up as the halves of one tensor, and this
    kernel reads two contiguous ones, so it would copy more than it saves.
    """

    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module
    act_fn: nn.Module

    can_torch_compile = True
    has_backward = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_proj(x), self.up_proj(x)
        if type(self.act_fn).__name__ not in ("SiLU", "SiLUActivation"):
            return self.down_proj(self.act_fn(gate) * up)
        return self.down_proj(@function@(gate, up))


__all__ = ["LlamaMLP"]
