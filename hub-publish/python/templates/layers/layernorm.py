# inputs: x, weight, bias, eps
"""Layers of @kernel@ for `kernels.kernelize`."""

import torch
from torch import nn

from . import @function@


class LayerNorm(nn.Module):
    """Stands for `torch.nn.LayerNorm` over the last axis, with weight and bias."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    can_torch_compile = True
    has_backward = False

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.weight is None or self.bias is None or self.weight.dim() != 1:
            return nn.functional.layer_norm(
                input, self.normalized_shape, self.weight, self.bias, self.eps
            )
        return @function@(input, self.weight, self.bias, self.eps)


__all__ = ["LayerNorm"]
