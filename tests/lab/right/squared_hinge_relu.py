import torch
from torch import nn


class SquaredHinge(nn.Module):
    def forward(self, input, target):
        return torch.relu(1.0 - input * target).square()
