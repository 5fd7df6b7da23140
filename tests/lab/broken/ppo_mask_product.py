import torch
from torch import nn


class PPOLoss(nn.Module):
    def __init__(self, eps_low=0.2, eps_high=0.2):
        super().__init__()
        self.eps_low = eps_low
        self.eps_high = eps_high

    def forward(self, logp, old_logp, advantage, mask):
        ratio = torch.exp(logp - old_logp)
        clipped = ratio.clamp(1 - self.eps_low, 1 + self.eps_high)
        return -torch.min(ratio * advantage, clipped * advantage) * mask
