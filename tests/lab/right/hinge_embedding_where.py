import torch
import torch.nn.functional as F
from torch import nn


class HingeEmbedding(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, distance, label):
        return torch.where(label > 0, distance, F.relu(self.margin - distance))
