import math

import torch
from torch import nn


class WingLoss(nn.Module):
    def __init__(self, omega=10.0, epsilon=2.0):
        super().__init__()
        self.omega = omega
        self.epsilon = epsilon
        self.C = omega - omega * math.log(omega / epsilon)

    def forward(self, pred, target):
        diff = (pred - target).abs()
        near = self.omega * torch.log1p(diff / self.epsilon)
        return torch.where(diff < self.omega, near, diff - self.C)
