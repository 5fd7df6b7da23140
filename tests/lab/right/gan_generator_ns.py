import torch
from torch import nn


class NonSaturatingG(nn.Module):
    def forward(self, fake_logits):
        return torch.logaddexp(-fake_logits, torch.zeros_like(fake_logits)).mean()
