import torch
from torch import nn


class L1(nn.Module):
    def __init__(self, reduction="average"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        loss = torch.abs(pred - target)
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss
