import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SigmoidFocalLoss(nn.Module):
    """Focal loss for 0/1 targets; the power is taken of the log-probability of the other class."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        log_p, log_q = F.logsigmoid(inputs), F.logsigmoid(-inputs)
        ce = -(targets * log_p + (1 - targets) * log_q)
        wrong = targets * torch.exp(log_q) + (1 - targets) * torch.exp(log_p)
        loss = wrong**self.gamma * ce
        if self.alpha >= 0:
            loss = (self.alpha * targets + (1 - self.alpha) * (1 - targets)) * loss
        return loss
