import torch
from torch import nn


class MultiQuantileLoss(nn.Module):
    def __init__(self, quantiles):
        super().__init__()
        self.register_buffer("quantiles", quantiles)

    def forward(self, preds, target):
        error = target.unsqueeze(-1) - preds
        q = self.quantiles.to(preds)
        return torch.where(error >= 0, q * error, (q - 1) * error).mean(-1)
