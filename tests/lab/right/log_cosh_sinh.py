import math

import torch
from torch import nn


class LogCoshLoss(nn.Module):
    """log(cosh(x)) with one form near 0 and one for the tails."""

    def forward(self, y_pred, y_true):
        error = (y_pred - y_true).abs()
        near = error < 1
        inner = torch.where(near, error, torch.zeros_like(error))
        outer = torch.where(near, torch.ones_like(error), error)
        small = torch.log1p(2 * torch.sinh(inner / 2) ** 2)
        large = outer - math.log(2) + torch.log1p(torch.exp(-2 * outer))
        return torch.where(near, small, large)
