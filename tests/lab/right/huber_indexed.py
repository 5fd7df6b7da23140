from torch import nn


class HuberCriterion(nn.Module):
    def __init__(self, threshold=1.0):
        super().__init__()
        self.threshold = threshold

    def forward(self, output, target):
        residual = (output - target).abs().flatten()
        inner = residual <= self.threshold
        quadratic = residual[inner]
        linear = residual[~inner]
        return (
            0.5 * quadratic.square().sum()
            + (self.threshold * (linear - 0.5 * self.threshold)).sum()
        )
