import torch
from torch import nn


class TotalVariation(nn.Module):
    def forward(self, img):
        rows = torch.diff(img, dim=-2).abs().sum(dim=(-2, -1))
        columns = torch.diff(img, dim=-1).abs().sum(dim=(-2, -1))
        return rows + columns
