# inputs: x, weight, eps
"""Layers of @kernel@ for `kernels.kernelize`."""

import torch
from torch import nn

from . import @function@


class RMSNorm(nn.Module):
    """Stands for an RMSNorm with `weight` and `variance_epsilon`, as Llama's and Qwen's.

    The weight multiplies as it is: not for layers that add 1 to it, as Gemma's.
    """

    weight: torch.Tensor
    variance_epsilon: float

    can_torch_compile = True
    has_backward = False

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return @function@(hidden_states, self.weight, self.variance_epsilon)


__all__ = ["RMSNorm"]
