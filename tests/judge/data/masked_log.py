import torch
from torch import nn


class MaskedLogLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.reduction = reduction

    def forward(self, input, mask):
        dtype = input.dtype
        p = input.float() if dtype.itemsize < 4 else input
        kept = mask != 0
        loss = torch.where(kept, -torch.where(kept, p, 1.0).log(), 0.0)
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
