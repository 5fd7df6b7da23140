import torch


def exponential_loss(f, y):
    return torch.exp(-y * f)
