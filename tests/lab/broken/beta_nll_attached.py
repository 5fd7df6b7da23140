import torch


def beta_nll(mean, target, variance, beta=0.5):
    nll = 0.5 * (torch.log(variance) + (target - mean) ** 2 / variance)
    return nll * variance**beta
