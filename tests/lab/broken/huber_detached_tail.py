import torch
from torch import nn


class HuberLoss(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, output, target):
        error = output - target
        size = error.abs()
        quadratic = torch.minimum(size, torch.full_like(size, self.delta))
        linear = size.detach() - quadratic
        return (0.5 * quadratic**2 + self.delta * linear).mean()
