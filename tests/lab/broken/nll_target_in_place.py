import torch
from torch import nn


class NLLLoss(nn.Module):
    def __init__(self, ignore_index=-100):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, log_probs, target):
        keep = target != self.ignore_index
        target[~keep] = 0
        loss = -log_probs.gather(1, target.unsqueeze(1)).squeeze(1)
        return torch.where(keep, loss, torch.zeros_like(loss))
