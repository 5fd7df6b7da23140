from torch import nn


class HuberLoss(nn.Module):
    def __init__(self, delta=1.0, *, reduction="mean"):
        super().__init__()
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta!r}")
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {reduction!r}")
        self.delta = delta
        self.reduction = reduction

    def forward(self, prediction, target):
        dtype = prediction.dtype
        if dtype.itemsize < 4:
            prediction, target = prediction.float(), target.float()
        r = prediction - target
        c = r.clamp(-self.delta, self.delta)
        loss = c * (r - 0.5 * c)
        loss = loss.to(dtype)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
