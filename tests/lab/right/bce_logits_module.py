import torch.nn.functional as F
from torch import nn


class BinaryCrossEntropy(nn.Module):
    def __init__(self, pos_weight=None):
        super().__init__()
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input, target):
        positive = -F.logsigmoid(input) * target
        if self.pos_weight is not None:
            positive = positive * self.pos_weight
        return (positive - F.logsigmoid(-input) * (1 - target)).mean()
