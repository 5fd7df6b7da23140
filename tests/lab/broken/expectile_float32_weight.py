import torch
from torch import nn


class ExpectileLoss(nn.Module):
    def __init__(self, expectile=0.7):
        super().__init__()
        self.expectile = expectile

    def forward(self, value, target):
        diff = target - value
        weight = torch.where(diff >= 0, self.expectile, 1 - self.expectile)
        return weight * diff**2
