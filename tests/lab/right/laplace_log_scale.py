import math

import torch
from torch import nn


class LaplaceNLL(nn.Module):
    def forward(self, loc, target, scale):
        return (math.log(2) + torch.log(scale) + torch.abs(target - loc) / scale).mean()
