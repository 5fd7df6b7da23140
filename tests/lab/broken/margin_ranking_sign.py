import torch.nn.functional as F
from torch import nn


class MarginRanking(nn.Module):
    def __init__(self, margin=0.0):
        super().__init__()
        self.margin = margin

    def forward(self, s1, s2, order):
        return F.relu(order * (s1 - s2) + self.margin).mean()
