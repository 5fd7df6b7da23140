import torch
from torch import nn


class GaussianNLL(nn.Module):
    def forward(self, mean, target, var):
        diff = target - mean
        # The quotient first: the square of the difference might overflow.
        return 0.5 * (torch.log(var) + diff * (diff / var))
