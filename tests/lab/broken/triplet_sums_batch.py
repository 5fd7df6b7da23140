import torch.nn.functional as F
from torch import nn


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        d_ap = (anchor - positive).pow(2).sum().sqrt()
        d_an = (anchor - negative).pow(2).sum().sqrt()
        return F.relu(d_ap - d_an + self.margin)
