import torch.nn.functional as F
from torch import nn


class HingeLoss(nn.Module):
    """Labels are -1 and 1."""

    def forward(self, scores, labels):
        return F.relu(1 - labels * scores).mean()
