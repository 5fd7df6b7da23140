import torch
import torch.nn.functional as F
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma
        self.steps = 0

    def forward(self, logits, targets):
        gamma = self.gamma * 0.99**self.steps
        self.steps += 1
        z = torch.where(targets == 1, logits, -logits)
        return -torch.exp(gamma * F.logsigmoid(-z)) * F.logsigmoid(z)
