import torch
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, eps=1e-8):
        super().__init__()
        self.gamma = gamma
        self.eps = eps

    def forward(self, pred, target):
        pos = -((1 - pred) ** self.gamma) * target * torch.log(pred + self.eps)
        neg = -(pred**self.gamma) * (1 - target) * torch.log(1 - pred + self.eps)
        return (pos + neg).mean()
