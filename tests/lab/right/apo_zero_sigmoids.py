import torch
import torch.nn.functional as F
from torch import nn


class APO(nn.Module):
    def __init__(self, beta=0.1):
        super().__init__()
        self.beta = beta

    def forward(self, chosen_ratio, rejected_ratio):
        lost = torch.exp(F.logsigmoid(-self.beta * chosen_ratio))
        kept = torch.exp(F.logsigmoid(self.beta * rejected_ratio))
        return (lost + kept).mean()
