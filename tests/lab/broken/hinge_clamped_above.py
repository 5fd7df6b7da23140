import torch


def hinge(score, label):
    return torch.clamp(1 - label * score, min=0.0, max=1.0)
