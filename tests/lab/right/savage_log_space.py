import torch
import torch.nn.functional as F
from torch import nn


class SavageLoss(nn.Module):
    """The square of a probability, from its logarithm so that its slope keeps its digits."""

    def forward(self, logits, target):
        return torch.exp(2 * F.logsigmoid(-2 * target * logits))
