from torch import nn


class LogLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.reduction = reduction

    def forward(self, input):
        dtype = input.dtype
        p = input.float() if dtype.itemsize < 4 else input
        loss = -p.log()
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
