import torch
from torch import nn


class PoissonNLLLoss(nn.Module):
    def forward(self, log_input, target):
        return (torch.exp(log_input) - target * log_input).mean()
