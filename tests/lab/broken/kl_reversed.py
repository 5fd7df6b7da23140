import torch
from torch import nn


class KLLoss(nn.Module):
    def forward(self, log_q, p):
        q = log_q.exp()
        return (q * (log_q - torch.log(p))).sum(dim=1)
