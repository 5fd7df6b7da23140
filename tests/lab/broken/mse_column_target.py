from torch import nn


class MSELoss(nn.Module):
    def forward(self, prediction, target):
        target = target.unsqueeze(-1)
        return ((prediction - target) ** 2).mean()
