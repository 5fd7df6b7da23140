import torch
from torch import nn


class PinballLoss(nn.Module):
    def __init__(self, tau=0.5):
        super().__init__()
        self.tau = tau

    def forward(self, preds, target):
        error = target - preds
        return torch.maximum(self.tau * error, (self.tau - 1) * error).mean()
