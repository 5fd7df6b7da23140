import torch
from torch import nn


class MAPE(nn.Module):
    def __init__(self, eps=1e-8):
        super().__init__()
        self.eps = eps

    def forward(self, forecast, actual):
        scale = actual.abs()
        scale = torch.where(scale > self.eps, scale, torch.full_like(scale, self.eps))
        return ((forecast - actual).abs() / scale).mean()
