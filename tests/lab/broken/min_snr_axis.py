from torch import nn


class MinSNRLoss(nn.Module):
    def __init__(self, gamma=5.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, pred, target, snr):
        weight = snr.clamp(max=self.gamma) / snr
        return weight * (pred - target) ** 2
