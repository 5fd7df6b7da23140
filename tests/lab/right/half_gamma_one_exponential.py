import torch
from torch import Tensor


def gamma_loss(log_mu: Tensor, y: Tensor) -> Tensor:
    return (log_mu + torch.exp(torch.log(y) - log_mu)).sum()
