import torch
from torch import nn


class FocalLoss(nn.Module):
    """Focal loss of probabilities, without an epsilon."""

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, p, y):
        positive = y == 1
        half = torch.full_like(p, 0.5)
        a = torch.where(positive, p, half)
        b = torch.where(positive, half, p)
        loss_pos = -((1 - a) ** self.gamma) * torch.log(a)
        loss_neg = -(b**self.gamma) * torch.log1p(-b)
        return torch.where(positive, loss_pos, loss_neg)
