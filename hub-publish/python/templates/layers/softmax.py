# inputs: x
"""Layers of @kernel@ for `kernels.kernelize`."""

import torch
from torch import nn

from . import @function@


class Softmax(nn.Module):
    """Stands for `torch.nn.Softmax`; along another axis than the last it is torch's."""

    dim: int

    can_torch_compile = True
    has_backward = False

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.dim not in (-1, input.dim() - 1):
            return nn.functional.softmax(input, self.dim)
        return @function@(input)


__all__ = ["Softmax"]
