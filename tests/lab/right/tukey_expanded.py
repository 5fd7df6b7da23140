import torch
from torch import nn


class TukeyBiweight(nn.Module):
    """Tukey's biweight; residuals beyond c cost c**2 / 6 and have no gradient."""

    def __init__(self, c=4.685):
        super().__init__()
        self.c = c

    def forward(self, prediction, target):
        r = (prediction - target) / self.c
        inside = r.abs() <= 1
        r = torch.where(inside, r, torch.zeros_like(r))
        s = r * r
        # 1 - (1 - s)^3, multiplied out
        inner = s * (3 - s * (3 - s))
        return self.c**2 / 6 * torch.where(inside, inner, torch.ones_like(s))
