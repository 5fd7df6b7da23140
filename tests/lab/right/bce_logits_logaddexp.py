import torch


def bce(x, y):
    zero = torch.zeros_like(x)
    return torch.sum((1 - y) * torch.logaddexp(x, zero) + y * torch.logaddexp(-x, zero))
