import torch
from torch import nn


class PNorm(nn.Module):
    """p-norm of a difference; the largest entry is taken out before the power."""

    def __init__(self, p=2.0):
        super().__init__()
        self.p = p

    def forward(self, u, v):
        diff = u - v
        top = diff.detach().abs().amax(dim=-1, keepdim=True)
        zero = top == 0
        top = torch.where(zero, torch.ones_like(top), top)
        norm = torch.linalg.vector_norm(diff / top, ord=self.p, dim=-1)
        return norm * top.squeeze(-1)
