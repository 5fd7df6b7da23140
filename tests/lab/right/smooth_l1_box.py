import torch.nn.functional as F
from torch import Tensor, nn


class SmoothL1(nn.Module):
    """Box regression: summed over everything, normalised by the caller."""

    def __init__(self, beta: float = 1.0 / 9):
        super().__init__()
        self.beta = beta

    def forward(self, box_pred: Tensor, box_target: Tensor) -> Tensor:
        return F.smooth_l1_loss(box_pred, box_target, beta=self.beta, reduction="sum")
