from torch import nn


class MSE(nn.Module):
    """Mean squared error."""

    def forward(self, output, target):
        return (output - target) ** 2
