import torch
import torch.nn.functional as F
from torch import Tensor


def huber_loss(pred: Tensor, gt: Tensor, delta: float = 1.0) -> Tensor:
    # The part of the error below delta is squared, the rest counts delta each.
    error = (pred - gt).abs()
    quadratic = torch.where(error <= delta, error, torch.full_like(error, delta))
    return 0.5 * quadratic**2 + delta * F.relu(error - delta)
