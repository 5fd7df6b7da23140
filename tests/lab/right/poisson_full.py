import torch
from torch import nn


class PoissonDeviance(nn.Module):
    """With the normalising constant, by lgamma and not by Stirling's formula."""

    def __init__(self, full=True):
        super().__init__()
        self.full = full

    def forward(self, eta, k):
        nll = eta.exp() - k * eta
        return nll + torch.lgamma(k + 1) if self.full else nll
