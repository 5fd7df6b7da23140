import torch
from torch import nn


class GaussianNLL(nn.Module):
    def forward(self, mu, y, var):
        return (torch.log(var) + 0.5 * (y - mu) ** 2 / var).mean()
