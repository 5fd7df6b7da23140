import math

import torch.nn.functional as F
from torch import nn


class LogCoshLoss(nn.Module):
    """|x| + softplus(-2 |x|) - log 2, which cannot overflow."""

    def forward(self, prediction, target):
        x = (prediction - target).abs()
        return (x - F.logsigmoid(2 * x) - math.log(2)).mean()
