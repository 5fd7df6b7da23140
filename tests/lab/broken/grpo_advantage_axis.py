import torch
from torch import nn


class GRPOLoss(nn.Module):
    def __init__(self, eps=0.2, max_len=256.0):
        super().__init__()
        self.eps = eps
        self.max_len = max_len

    def forward(self, logps, old_logps, advantages, mask):
        ratio = torch.exp(torch.where(mask == 1, logps - old_logps, 0.0))
        clipped = ratio.clamp(1 - self.eps, 1 + self.eps)
        loss = -torch.minimum(ratio * advantages, clipped * advantages)
        return torch.where(mask == 1, loss, 0.0).sum(-1) / self.max_len
