import torch
from torch import nn


class TukeyLoss(nn.Module):
    def __init__(self, c=4.685):
        super().__init__()
        self.c = c

    def forward(self, pred, target):
        r = (pred - target).abs()
        loss = torch.zeros_like(r)
        inside = r < self.c
        outside = r > self.c
        inner = 1 - (1 - (r[inside] / self.c) ** 2) ** 3
        loss[inside] = self.c**2 / 6 * inner
        loss[outside] = self.c**2 / 6
        return loss
