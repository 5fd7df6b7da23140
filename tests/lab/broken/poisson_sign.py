import torch
from torch import nn


class PoissonNLL(nn.Module):
    def forward(self, log_rate, count):
        return torch.mean(torch.exp(log_rate) + count * log_rate)
