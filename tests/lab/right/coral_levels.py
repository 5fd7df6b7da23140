import torch
import torch.nn.functional as F
from torch import nn


class CoralLoss(nn.Module):
    def forward(self, logits, rank):
        thresholds = torch.arange(logits.shape[1], device=logits.device)
        above = rank.unsqueeze(1) > thresholds
        signed = torch.where(above, logits, -logits)
        return -F.logsigmoid(signed).sum(dim=1)
