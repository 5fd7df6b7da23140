import torch
from torch import nn


class GradientPenalty(nn.Module):
    """(|grad| - 1)^2, as for signed distance fields and WGAN-GP."""

    def forward(self, grads):
        top = grads.abs().amax(-1, keepdim=True).detach()
        top = torch.where(top > 0, top, torch.ones_like(top))
        norm = torch.linalg.vector_norm(grads / top, dim=-1) * top.squeeze(-1)
        return torch.mean((norm - 1) ** 2)
