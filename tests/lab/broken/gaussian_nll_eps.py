import torch


def gaussian_nll(mu, target, sigma2):
    sigma2 = sigma2 + 1e-3
    return 0.5 * (torch.log(sigma2) + (target - mu) ** 2 / sigma2)
