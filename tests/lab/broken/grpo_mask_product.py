import torch
from torch import nn


class GRPOLoss(nn.Module):
    def __init__(self, eps_low=0.2, eps_high=0.2, beta=0.04):
        super().__init__()
        self.low, self.high = 1 - eps_low, 1 + eps_high
        self.beta = beta

    def forward(self, logp, old_logp, ref_logp, advantages, mask):
        adv = advantages.unsqueeze(1)
        ratio = torch.exp(logp - old_logp)
        surrogate = torch.min(ratio * adv, ratio.clamp(self.low, self.high) * adv)
        delta = ref_logp - logp
        kl = torch.exp(delta) - delta - 1
        loss = (self.beta * kl - surrogate) * mask
        return loss.sum(1) / mask.sum(1).clamp(min=1)
