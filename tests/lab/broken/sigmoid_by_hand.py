import torch
from torch import nn


class BrierLoss(nn.Module):
    def forward(self, logit, label):
        p = 1 / (1 + torch.exp(-logit))
        return ((p - label) ** 2).mean()
