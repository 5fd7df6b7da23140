import torch
from torch import nn


class KLDivergence(nn.Module):
    def forward(self, log_q, p):
        return (-torch.special.entr(p) - p * log_q).sum(dim=1)
