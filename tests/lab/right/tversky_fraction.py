from torch import nn


class TverskyLoss(nn.Module):
    def __init__(self, alpha=0.5, beta=0.5, smooth=1e-7):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, probs, mask):
        tp = (probs * mask).sum(-1)
        fp = (probs * (1 - mask)).sum(-1)
        fn = ((1 - probs) * mask).sum(-1)
        wrong = self.alpha * fp + self.beta * fn
        return wrong / (tp + wrong + self.smooth)
