import torch
import torch.nn.functional as F
from torch import nn


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    @staticmethod
    def distance(a, b):
        diff = a - b
        top = diff.abs().amax(-1, keepdim=True).detach()
        top = torch.where(top > 0, top, torch.ones_like(top))
        return torch.linalg.vector_norm(diff / top, dim=-1) * top.squeeze(-1)

    def forward(self, anchor, positive, negative):
        gap = self.distance(anchor, positive) - self.distance(anchor, negative)
        return F.relu(gap + self.margin)
