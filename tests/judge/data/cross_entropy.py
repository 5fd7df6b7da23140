import torch
from torch import nn
from torch.nn import functional as F


class CrossEntropyLoss(nn.Module):
    def __init__(self, weight=None, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, input, target):
        dtype = input.dtype
        x = input.float() if dtype.itemsize < 4 else input
        index = target.unsqueeze(1)
        margin = x - x.gather(1, index)
        rivals = margin.scatter(1, index, torch.finfo(margin.dtype).min)
        top = rivals.detach().amax(dim=1, keepdim=True)
        total = (rivals - top).exp().sum(dim=1).log() + top.squeeze(1)
        loss = F.softplus(total, threshold=40.0)
        weight = torch.ones_like(loss)
        if self.weight is not None:
            weight = self.weight.to(x.dtype)[target]
        loss = weight * loss
        if self.reduction == "mean":
            return (loss.sum() / weight.sum()).to(dtype)
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else loss.sum()
