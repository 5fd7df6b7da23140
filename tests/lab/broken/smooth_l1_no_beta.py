import torch
from torch import nn


class SmoothL1Loss(nn.Module):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, input, target):
        n = torch.abs(input - target)
        return torch.where(n < self.beta, 0.5 * n**2, n - 0.5 * self.beta)
