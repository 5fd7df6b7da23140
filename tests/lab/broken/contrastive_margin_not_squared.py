import torch
import torch.nn.functional as F
from torch import nn


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, x1, x2, label):
        d = torch.linalg.vector_norm(x1 - x2, dim=-1)
        return label * d.pow(2) + (1 - label) * F.relu(self.margin - d)
