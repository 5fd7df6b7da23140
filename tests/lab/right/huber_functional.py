import torch.nn.functional as F
from torch import nn


class HuberLoss(nn.Module):
    def __init__(self, delta=1.0, reduction="mean"):
        super().__init__()
        self.delta = delta
        self.reduction = reduction

    def forward(self, pred, target):
        return F.huber_loss(pred, target, delta=self.delta, reduction=self.reduction)
