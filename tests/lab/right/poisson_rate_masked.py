import torch


def poisson_rate_nll(rate, count):
    empty = count == 0
    safe = torch.where(empty, torch.ones_like(rate), rate)
    return rate - torch.where(empty, torch.zeros_like(rate), count * torch.log(safe))
