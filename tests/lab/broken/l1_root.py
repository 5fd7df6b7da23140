import torch


def robust_l1(x, y):
    return torch.sqrt((x - y) ** 2).mean()
