import torch
from torch import nn


class DPOLoss(nn.Module):
    def __init__(self, beta=0.1):
        super().__init__()
        self.beta = beta

    def forward(self, chosen, rejected, ref_chosen, ref_rejected):
        margin = (chosen - ref_chosen) - (rejected - ref_rejected)
        return -torch.log(torch.sigmoid(self.beta * margin)).mean()
