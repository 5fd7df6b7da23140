import torch.nn.functional as F
from torch import nn


class NLL(nn.Module):
    def __init__(self, weight=None, ignore_index=-100):
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        return F.nll_loss(
            input, target, weight=self.weight, ignore_index=self.ignore_index
        )
