import torch
from torch import nn


class CharbonnierLoss(nn.Module):
    """Differentiable L1 for super-resolution."""

    def __init__(self, eps=1e-3):
        super().__init__()
        self.register_buffer("eps", torch.tensor(float(eps), dtype=torch.float64))

    def forward(self, sr, hr):
        diff = sr - hr
        return torch.hypot(diff, self.eps.to(diff).expand_as(diff)).mean()
