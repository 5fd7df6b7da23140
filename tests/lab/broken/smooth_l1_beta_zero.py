import torch


def smooth_l1(input, target, beta=1.0):
    n = (input - target).abs()
    return torch.where(n < beta, 0.5 * n**2 / beta, n - 0.5 * beta)
