import torch
from torch import nn


class DistanceLoss(nn.Module):
    def __init__(self, p=2.0, *, reduction="mean"):
        super().__init__()
        if not 1 <= p <= 8:
            raise ValueError(f"p must lie in [1, 8], got {p!r}")
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.p = p
        self.reduction = reduction

    def forward(self, prediction, target):
        dtype = prediction.dtype
        if dtype.itemsize < 4:
            prediction, target = prediction.float(), target.float()
        residual = (prediction - target).abs()
        largest = residual.detach().amax(dim=-1, keepdim=True)
        is_zero = largest == 0
        scale = torch.where(is_zero | largest.isinf(), 1.0, largest)
        power_sum = (residual / scale).pow(self.p).sum(dim=-1, keepdim=True)
        root = torch.where(is_zero, 1.0, power_sum).pow(1.0 / self.p)
        loss = (largest * root).squeeze(-1)
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
