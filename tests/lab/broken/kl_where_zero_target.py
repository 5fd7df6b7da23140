import torch
from torch import nn


class KLDiv(nn.Module):
    """Jensen-Shannon divergence."""

    def forward(self, p, q):
        m = 0.5 * (p + q)
        zero = torch.zeros_like(m)
        a = torch.where(p > 0, p * (p.log() - m.log()), zero)
        b = torch.where(q > 0, q * (q.log() - m.log()), zero)
        return 0.5 * (a + b).sum(1)
