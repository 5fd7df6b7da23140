import torch
import torch.nn.functional as F
from torch import nn


class InfoNCELoss(nn.Module):
    def __init__(self, temperature=0.07):
        super().__init__()
        self.temperature = temperature

    def forward(self, z1, z2):
        sim = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T
        exp = torch.exp(sim / self.temperature)
        return -torch.log(exp.diagonal() / exp.sum(dim=1))
