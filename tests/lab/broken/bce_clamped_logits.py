import torch.nn.functional as F
from torch import nn


class BCEWithLogits(nn.Module):
    def forward(self, logits, target):
        x = logits.clamp(-10, 10)
        return (target * F.softplus(-x) + (1 - target) * F.softplus(x)).mean()
