import torch
from torch import nn


class MaskedLogLoss(nn.Module):
    def forward(self, prob, label):
        valid = (~torch.isnan(label)).to(prob.dtype)
        one = torch.ones_like(prob)
        p = torch.where((label == 0) & (prob == 0), one, prob)
        q = torch.where((label == 1) & (prob == 1), one, 1 - prob)
        loss = -label * torch.log(p) - (1 - label) * torch.log(q)
        return (loss * valid).sum() / valid.sum()
