import torch
from torch import nn


class BCELoss(nn.Module):
    def forward(self, p, y):
        pos = torch.where(y > 0, y * torch.log(p), torch.zeros_like(p))
        neg = torch.where(y < 1, (1 - y) * torch.log(1 - p), torch.zeros_like(p))
        return -(pos + neg).mean()
