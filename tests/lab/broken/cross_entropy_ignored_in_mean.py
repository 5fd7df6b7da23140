import torch.nn.functional as F
from torch import nn


class CrossEntropy(nn.Module):
    def __init__(self, ignore_index=-100):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, labels):
        loss = F.cross_entropy(
            logits, labels, ignore_index=self.ignore_index, reduction="none"
        )
        return loss.mean()
