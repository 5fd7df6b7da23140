import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuantileLoss(nn.Module):
    def __init__(self, quantile: float = 0.5):
        super().__init__()
        if not 0 < quantile < 1:
            raise ValueError("the quantile must be between 0 and 1")
        self.quantile = quantile

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        under = F.relu(target - prediction)
        over = F.relu(prediction - target)
        return torch.sum(self.quantile * under + (1 - self.quantile) * over)
