from torch import nn
from torch.nn import functional as F


class SoftplusLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.reduction = reduction

    def forward(self, input):
        dtype = input.dtype
        x = input.float() if dtype.itemsize < 4 else input
        loss = -F.logsigmoid(-x)
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
