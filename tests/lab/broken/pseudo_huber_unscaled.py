import torch
from torch import nn


class PseudoHuber(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, a, b):
        return (torch.sqrt(1 + ((a - b) / self.delta) ** 2) - 1).mean()
