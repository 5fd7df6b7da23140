import math

import torch
from torch import nn


class WingLoss(nn.Module):
    def __init__(self, w=10.0, epsilon=2.0):
        super().__init__()
        self.w = w
        self.epsilon = epsilon

    def forward(self, pred, target):
        diff = (pred - target).abs()
        constant = self.w - self.w * math.log1p(self.w / self.epsilon)
        curve = self.w * torch.log1p(diff / self.epsilon)
        return torch.where(diff < self.w, curve, diff - constant)
