import torch


def mse(a, b):
    return torch.mean((a - b) ** 2)
