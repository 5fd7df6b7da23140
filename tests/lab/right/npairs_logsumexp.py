import torch
import torch.nn.functional as F
from torch import nn


class NPairs(nn.Module):
    def forward(self, anchors, positives):
        sim = anchors @ positives.t()
        target = torch.arange(sim.size(0), device=sim.device)
        return F.cross_entropy(sim, target, reduction="none")
