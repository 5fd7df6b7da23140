import torch
from torch import nn


class PseudoHuberLoss(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, pred, target):
        error = pred - target
        u = error / self.delta
        root = torch.hypot(torch.ones_like(u), u)
        # sqrt(1 + u^2) - 1 == u^2 / (sqrt(1 + u^2) + 1), without the cancellation
        return self.delta * error * (u / (root + 1))
