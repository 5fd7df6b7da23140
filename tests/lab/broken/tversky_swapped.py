from torch import nn


class TverskyLoss(nn.Module):
    def __init__(self, alpha=0.5, beta=0.5, smooth=1e-7):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, inputs, targets):
        tp = (inputs * targets).sum(dim=-1)
        fp = ((1 - targets) * inputs).sum(dim=-1)
        fn = (targets * (1 - inputs)).sum(dim=-1)
        denominator = tp + self.alpha * fn + self.beta * fp + self.smooth
        return 1 - (tp + self.smooth) / denominator
