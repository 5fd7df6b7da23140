import torch


def kl_standard_normal(mu, logvar):
    logvar = logvar.clamp(-2.0, 2.0)
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=-1)
