import torch
import torch.nn.functional as F
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, targets):
        z = torch.where(targets == 1, logits, -logits)
        weight = torch.sigmoid(-z).detach() ** self.gamma
        return -weight * F.logsigmoid(z)
