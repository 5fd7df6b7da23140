import torch
from torch import nn


class L1(nn.Module):
    def forward(self, output, label):
        diff = output - label
        return torch.where(diff < 0, -diff, diff)
