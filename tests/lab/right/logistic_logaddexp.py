import torch
from torch import nn


class LogisticLoss(nn.Module):
    def forward(self, margin, label):
        z = -label * margin
        return torch.logaddexp(z, torch.zeros_like(z)).mean()
