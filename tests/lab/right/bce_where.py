import torch
from torch import nn


class BCELoss(nn.Module):
    def forward(self, prob, target):
        # 0 * log(0) is the only trouble, so only it is taken out.
        p = torch.where((target == 0) & (prob == 0), torch.ones_like(prob), prob)
        q = torch.where((target == 1) & (prob == 1), torch.zeros_like(prob), prob)
        return -(target * torch.log(p) + (1 - target) * torch.log1p(-q))
