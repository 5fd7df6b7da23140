from torch import nn


class SmoothL1(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, pred, target):
        n = (pred - target).abs()
        near = (n < self.delta).to(n.dtype) * 0.5 * n**2
        far = (n > self.delta).to(n.dtype) * self.delta * (n - 0.5 * self.delta)
        return near + far
