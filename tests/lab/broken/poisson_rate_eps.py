import torch
from torch import nn


class PoissonLoss(nn.Module):
    def forward(self, rate, counts):
        return (rate - counts * torch.log(rate + 1e-8)).mean()
