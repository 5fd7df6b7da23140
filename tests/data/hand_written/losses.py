import math

import torch
from torch import nn
from torch.nn import functional as F


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, p, y):
        pt = torch.where(y == 1, p, 1 - p)
        return (-((1 - pt) ** self.gamma) * torch.log(pt + 1e-8)).mean()


def log_cosh(x, y):
    u = (x - y).abs()
    return (u + F.softplus(-2 * u) - math.log(2)).mean()
