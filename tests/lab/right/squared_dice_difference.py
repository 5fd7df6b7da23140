from torch import nn


class VNetDice(nn.Module):
    """Dice with squares in the denominator, as in V-Net."""

    def __init__(self, epsilon=1e-5):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, input, target):
        union = (input**2).sum(-1) + (target**2).sum(-1) + self.epsilon
        return ((input - target) ** 2).sum(-1) / union
