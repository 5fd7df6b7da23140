import torch
import torch.nn.functional as F
from torch import nn


class CosineLoss(nn.Module):
    def __init__(self, margin=0.0):
        super().__init__()
        self.margin = margin

    def forward(self, u, v, label):
        cos = F.cosine_similarity(u.half(), v.half(), dim=-1)
        loss = torch.where(label == 1, 1 - cos, F.relu(cos - self.margin))
        return loss
