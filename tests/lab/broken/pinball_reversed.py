import torch
from torch import nn


class QuantileLoss(nn.Module):
    def __init__(self, quantile=0.5):
        super().__init__()
        self.q = quantile

    def forward(self, preds, target):
        errors = preds - target
        return torch.max((self.q - 1) * errors, self.q * errors).mean()
