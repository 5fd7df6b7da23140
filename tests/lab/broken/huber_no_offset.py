import torch
from torch import nn


class HuberLoss(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, pred, target):
        err = (pred - target).abs()
        loss = torch.where(err <= self.delta, 0.5 * err**2, self.delta * err)
        return loss.mean()
