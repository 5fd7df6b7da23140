import torch
from torch import nn


class MSLELoss(nn.Module):
    def forward(self, pred, actual):
        return (torch.log(pred + 1.0001) - torch.log(actual + 1.0001)) ** 2
