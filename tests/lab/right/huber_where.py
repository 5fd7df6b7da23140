import torch
from torch import nn


class HuberLoss(nn.Module):
    """Quadratic up to ``delta``, linear beyond."""

    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, input, target):
        error = input - target
        small = error.abs() <= self.delta
        near = torch.where(small, error, torch.zeros_like(error))
        loss = torch.where(
            small, 0.5 * near * near, self.delta * (error.abs() - 0.5 * self.delta)
        )
        return loss.mean()
