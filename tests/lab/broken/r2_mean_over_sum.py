from torch import nn


class UnexplainedVariance(nn.Module):
    """Unexplained share of the variance."""

    def forward(self, pred, target):
        residual = ((target - pred) ** 2).mean(-1)
        total = ((target - target.mean(-1, keepdim=True)) ** 2).sum(-1)
        return residual / total
