import torch


def hinge(f, y):
    margin = 1 - y * f
    return torch.maximum(margin, torch.zeros_like(margin)).sum()
