import torch


def gaussian_nll(mu, y, log_var):
    z = (y - mu) * torch.exp(-0.5 * log_var)
    return 0.5 * (log_var + z * z).mean()
