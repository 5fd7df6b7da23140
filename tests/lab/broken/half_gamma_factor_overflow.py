import torch
from torch import Tensor


def gamma_loss(log_mu: Tensor, y: Tensor) -> Tensor:
    return (log_mu + y * torch.exp(-log_mu)).sum()
