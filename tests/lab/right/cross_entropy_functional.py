import torch.nn.functional as F
from torch import nn


class CrossEntropy(nn.Module):
    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels)
