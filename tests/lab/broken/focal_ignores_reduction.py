import torch
import torch.nn.functional as F
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0, reduction="mean"):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, inputs, targets):
        log_p, log_q = F.logsigmoid(inputs), F.logsigmoid(-inputs)
        pos = self.alpha * torch.exp(self.gamma * log_q) * log_p
        neg = (1 - self.alpha) * torch.exp(self.gamma * log_p) * log_q
        return -(targets * pos + (1 - targets) * neg).mean()
