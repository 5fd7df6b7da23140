import torch
from torch import nn


class PoissonLoss(nn.Module):
    def forward(self, log_input, target):
        log_input = torch.clamp(log_input, max=5.0)
        return log_input.exp() - target * log_input
