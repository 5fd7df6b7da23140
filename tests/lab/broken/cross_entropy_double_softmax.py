import torch
import torch.nn.functional as F
from torch import nn


class CrossEntropyLoss(nn.Module):
    def forward(self, outputs, labels):
        probs = torch.softmax(outputs, dim=1)
        return F.cross_entropy(probs, labels)
