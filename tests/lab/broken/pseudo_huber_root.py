import torch
from torch import nn


class PseudoHuberLoss(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, pred, target):
        u = ((pred - target) / self.delta).abs()
        small = u < 1e6
        inner = torch.where(small, u, torch.zeros_like(u))
        near = self.delta**2 * (torch.sqrt(1 + inner**2) - 1)
        return torch.where(small, near, self.delta**2 * (u - 1))
